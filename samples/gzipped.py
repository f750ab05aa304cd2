"""Gzip whose bytes depend on the data alone: Pythons differ in the byte that names the operating system."""

import gzip

_SYSTEM = 9  # where in the header it stands (RFC 1952)
_UNIX = 3


def gzipped(data: bytes) -> bytes:
    """One gzip member, without a time."""
    packed = bytearray(gzip.compress(data, mtime=0))
    packed[_SYSTEM] = _UNIX
    return bytes(packed)
