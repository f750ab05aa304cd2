"""Files that are read by ranges."""

from __future__ import annotations

import io
from typing import Any


class ReadableFile(io.RawIOBase):
    """A file to read at any place; a subclass gives the bytes."""

    def _read(self, size: int) -> bytes:
        """The next bytes, so many at most; none at the end."""
        raise NotImplementedError

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer as far as there are bytes; gives their number."""
        view = memoryview(buffer).cast("B")
        data = self._read(len(view))
        view[: len(data)] = data
        return len(data)

    def readable(self) -> bool:
        """Whether it can be read, as ``io`` asks."""
        return True

    def seekable(self) -> bool:
        """Whether it has places, as ``io`` asks."""
        return True


class RangedFile(ReadableFile):
    """A file of known size for which a subclass reads what stands at ``_at``."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._at = size, 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to a place, and gives it; none lies before the beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at
