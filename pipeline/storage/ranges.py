"""Files that are read by ranges."""

from __future__ import annotations

import io


class RangedFile(io.RawIOBase):
    """A file of known size for which a subclass reads what stands at ``_at``."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._at = size, 0

    def readable(self) -> bool:
        """Whether it can be read, as ``io`` asks."""
        return True

    def seekable(self) -> bool:
        """Whether it has places, as ``io`` asks."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place, and gives it; none lies before the beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at
