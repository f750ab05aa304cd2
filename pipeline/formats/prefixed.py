"""A stream whose first bytes were read to tell what it is."""

from typing import BinaryIO


class Prefixed:
    """A stream with the bytes that were read from it put back."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Reads up to ``size`` bytes."""
        if self._head:
            head, self._head = self._head, b""
            return head
        return self._stream.read(size)
