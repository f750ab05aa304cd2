"""Writes 7z archives as the publisher of StackExchange's dump does: one stream of BZip2 with all tables in it.

The table of contents is written plain, which the format allows, so the same files give the same bytes.
"""

from __future__ import annotations

import bz2
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import BinaryIO

SIGNATURE = b"7z\xbc\xaf\x27\x1c\x00\x04"
BZIP2 = b"\x04\x02\x02"
START_BYTES = 32


def write_archive(handle: BinaryIO, files: Sequence[tuple[str, Iterable[bytes]]]) -> None:
    """Writes an archive.

    Args:
        handle: Where to; seekable and empty.
        files: For each file its name and its bytes, in pieces.
    """
    handle.write(b"\0" * START_BYTES)
    compressor, packed, sizes, sums = bz2.BZ2Compressor(), 0, [], []
    for _, pieces in files:
        size, crc = 0, 0
        for piece in pieces:
            packed += handle.write(compressor.compress(piece))
            size, crc = size + len(piece), zlib.crc32(piece, crc)
        sizes.append(size)
        sums.append(crc)
    packed += handle.write(compressor.flush())
    contents = _contents([name for name, _ in files], packed, sizes, sums)
    handle.write(contents)
    start = struct.pack("<QQI", packed, len(contents), zlib.crc32(contents))
    handle.seek(0)
    handle.write(SIGNATURE + struct.pack("<I", zlib.crc32(start)) + start)


def _contents(names: Sequence[str], packed: int, sizes: Sequence[int], sums: Sequence[int]) -> bytes:
    """The table of contents (7zFormat.txt): streams, folders, files, each field behind its number."""
    pack_info = b"\x06" + _number(0) + _number(1) + b"\x09" + _number(packed) + b"\0"
    coder = bytes([len(BZIP2)]) + BZIP2
    folder = b"\x07\x0b" + _number(1) + b"\0" + _number(1) + coder + b"\x0c" + _number(sum(sizes)) + b"\0"
    parts = b"\x08\x0d" + _number(len(sizes)) + b"\x09" + b"".join(map(_number, sizes[:-1]))
    parts += b"\x0a\x01" + b"".join(struct.pack("<I", crc) for crc in sums) + b"\0"
    listed = b"\0" + "".join(f"{name}\0" for name in names).encode("utf-16-le")
    files = b"\x05" + _number(len(names)) + b"\x11" + _number(len(listed)) + listed + b"\0"
    return b"\x01\x04" + pack_info + folder + parts + b"\0" + files + b"\0"


def _number(value: int) -> bytes:
    """An integer in as few bytes as it needs: the leading ones of the first say how many follow."""
    for extra in range(8):
        if value < 1 << (7 * (extra + 1)):
            first = (0xFF00 >> extra) & 0xFF | value >> (8 * extra)
            return bytes([first]) + (value & ((1 << 8 * extra) - 1)).to_bytes(extra, "little")
    return b"\xff" + value.to_bytes(8, "little")
