"""The codecs of 7z archives: Python's own (bz2, lzma, zlib), asked for so much at a time that a small archive which
unpacks to a huge one fills no memory.

The dumps are BZip2 or LZMA2. A library for the whole format (py7zr) also reads a member in bounded memory, but gives
nothing of an archive that was cut, and pushes what it unpacks instead of handing it over (docs/stackexchange.md).
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

PIECE_BYTES = 1 << 20  # most that one call unpacks
_READ = 256 << 10
DICTIONARY_LIMIT = 256 << 20  # bytes of history that LZMA may ask for: 7-Zip's largest preset
SALVAGE_DICTIONARY = 64 << 20  # taken where the archive's end, which tells it, is lost
COPY, LZMA, LZMA2, BZIP2, DEFLATE = b"\0", b"\x03\x01\x01", b"\x21", b"\x04\x02\x02", b"\x04\x01\x08"
DELTA = b"\x03"
# Filters that make machine code pack better, which py7zr takes for text, too; by both of their ids.
_FILTERS = {
    b"\x03\x03\x01\x03": lzma.FILTER_X86,
    b"\x04": lzma.FILTER_X86,
    b"\x03\x03\x02\x05": lzma.FILTER_POWERPC,
    b"\x05": lzma.FILTER_POWERPC,
    b"\x03\x03\x04\x01": lzma.FILTER_IA64,
    b"\x06": lzma.FILTER_IA64,
    b"\x03\x03\x05\x01": lzma.FILTER_ARM,
    b"\x07": lzma.FILTER_ARM,
    b"\x03\x03\x07\x01": lzma.FILTER_ARMTHUMB,
    b"\x08": lzma.FILTER_ARMTHUMB,
    b"\x03\x03\x08\x05": lzma.FILTER_SPARC,
    b"\x09": lzma.FILTER_SPARC,
}
_NAMES = {
    COPY: "no packing",
    LZMA: "LZMA",
    LZMA2: "LZMA2",
    BZIP2: "BZip2",
    DEFLATE: "Deflate",
    DELTA: "Delta",
    **dict.fromkeys(_FILTERS, "BCJ"),
    b"\x03\x04\x01": "PPMd",
    b"\x06\xf1\x07\x01": "AES, that is with a password",
    b"\x04\x01\x09": "Deflate64",
    b"\x03\x03\x01\x1b": "BCJ2",
    b"\x0a": "BCJ for ARM64",
    b"\x0b": "BCJ for RISC-V",
    b"\x02\x03\x02": "Swap2",
    b"\x02\x03\x04": "Swap4",
    b"\x04\xf7\x11\x01": "Zstandard",
    b"\x04\xf7\x11\x02": "Brotli",
    b"\x04\xf7\x11\x04": "LZ4",
}
_CHUNK = 1 << 16  # most that LZMA2 takes at a time of what it does not pack
_DEFAULT_LZMA = b"\x5d" + SALVAGE_DICTIONARY.to_bytes(4, "little")
_ERRORS = (lzma.LZMAError, zlib.error, OSError, EOFError, ValueError)  # what the codecs raise; bz2: OSError


class BadArchive(ValueError):
    """An archive that gives nothing, or nothing more; ``reason`` says why in a word, the message in a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed stream: its methods with their properties, as they unpack; its place in the archive, its bytes."""

    methods: tuple[tuple[bytes, bytes], ...]
    start: int
    size: int
    unpacked: int


class Codec(Protocol):
    """What bz2 and lzma give: bytes in, at most so many out, and whether it wants more."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes of what was given."""

    @property
    def unused_data(self) -> bytes:
        """What was given and lies behind the end."""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        """Unpacks."""


class _Deflate:
    """zlib in the form of bz2 and lzma."""

    def __init__(self) -> None:
        self._inflate: Any = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return bool(self._inflate.eof)

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inflate.unused_data)

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return bytes(self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length))


class _Copy:
    """Bytes as they are."""

    eof, needs_input, unused_data = False, True, b""

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return data


def _codec(packed: Packed) -> Callable[[], Codec]:
    """What makes the codec of a stream, which its other methods filter.

    Raises:
        BadArchive: One of the methods is not read.
    """
    (method, properties), *filters = packed.methods
    known = (COPY, LZMA, LZMA2, BZIP2, DEFLATE)
    if method not in known or not all(one in _FILTERS or one == DELTA for one, _ in filters):
        names = " and ".join(_NAMES.get(one, f"a method {one.hex()}") for one, _ in packed.methods)
        raise BadArchive("unknown_method", f"it is packed with {names}, which is not read here: unpack it first")
    if method == BZIP2:
        return bz2.BZ2Decompressor
    if method == DEFLATE:
        return _Deflate
    if method == COPY:
        return _Copy
    lzma_filters = [_lzma_filter(method, properties)]
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=lzma_filters)


def _filtered(pieces: Iterator[bytes], method: bytes, properties: bytes) -> Iterator[bytes]:
    """Takes a filter off. liblzma has filters only before its own codecs, so the bytes go through LZMA2 unpacked."""
    made = (
        {"id": lzma.FILTER_DELTA, "dist": (properties or b"\0")[0] + 1} if method == DELTA else {"id": _FILTERS[method]}
    )
    codec = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[made, {"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}])
    control = b"\1"  # the first chunk begins a dictionary
    for piece in pieces:
        for at in range(0, len(piece), _CHUNK):
            chunk = piece[at : at + _CHUNK]
            yield codec.decompress(control + (len(chunk) - 1).to_bytes(2, "big") + chunk)
            control = b"\2"
    yield codec.decompress(b"\0")


def _lzma_filter(method: bytes, properties: bytes) -> dict[str, int]:
    if method == LZMA2 and len(properties) == 1 and properties[0] <= 40:
        bits = properties[0]
        size = min((2 | bits & 1) << (bits // 2 + 11), 0xFFFFFFFF)
        lzma_filter = {"id": lzma.FILTER_LZMA2}
    elif method == LZMA and len(properties) == 5 and properties[0] < 225:
        first, size = properties[0], int.from_bytes(properties[1:], "little")
        lzma_filter = {"id": lzma.FILTER_LZMA1, "lc": first % 9, "lp": first // 9 % 5, "pb": first // 45}
    else:
        raise BadArchive("damaged_7z", "its LZMA properties make no sense")
    if size > DICTIONARY_LIMIT:
        message = f"LZMA asks for {size >> 20} MB of memory, the limit is {DICTIONARY_LIMIT >> 20}: unpack it first"
        raise BadArchive("unknown_method", message)
    return lzma_filter | {"dict_size": max(size, 4096)}


def unpack(handle: BinaryIO, packed: Packed) -> Iterator[bytes]:
    """Unpacks a stream.

    Args:
        handle: The archive.
        packed: The stream.

    Yields:
        Pieces of at most 1 MB. Memory: a few of them, and LZMA's dictionary.

    Raises:
        BadArchive: It is damaged, behind the pieces before the damage, or packed in a way that is not read.
    """
    pieces = _unpacked(handle, packed, _codec(packed))
    for method, properties in packed.methods[1:]:
        pieces = _filtered(pieces, method, properties)
    yield from pieces


def _unpacked(handle: BinaryIO, packed: Packed, make: Callable[[], Codec]) -> Iterator[bytes]:
    left, due = packed.size, packed.unpacked
    codec = make()
    handle.seek(packed.start)
    while due > 0:
        given = b""
        if codec.eof:  # a chain of BZip2 streams
            given, codec = codec.unused_data, make()
        if not given and codec.needs_input:
            given = handle.read(min(_READ, left))
            left -= len(given)
            if not given:
                raise BadArchive("truncated_7z", f"{due} bytes of the unpacked data are missing")
        try:
            data = codec.decompress(given, PIECE_BYTES)[:due]
        except _ERRORS as error:
            raise BadArchive("damaged_7z", f"the data cannot be unpacked further: {error}") from error
        if data:
            due -= len(data)
            yield data


def to_the_end(handle: BinaryIO, make: Callable[[], Codec]) -> Iterator[bytes]:
    """Unpacks a chain of streams up to the end of the file."""
    codec, within = make(), False
    while True:
        given = b""
        if codec.eof:
            given, codec, within = codec.unused_data, make(), False
        if not given and codec.needs_input:
            given = handle.read(_READ)
            if not given and not within:
                return
            if not given:
                raise BadArchive("truncated_bz2", "the data ends within a stream: it was cut")
        within = True
        try:
            data = codec.decompress(given, PIECE_BYTES)
        except _ERRORS as error:
            raise BadArchive("corrupt_bz2", f"the data cannot be unpacked further: {error}") from error
        if data:
            yield data


def bzip2_pieces(handle: BinaryIO) -> Iterator[bytes]:
    """Unpacks a file of BZip2 streams.

    Raises:
        BadArchive: It is damaged, behind what could be read.
    """
    yield from to_the_end(handle, bz2.BZ2Decompressor)


def guess(head: bytes) -> Callable[[], Codec]:
    """The codec of data that begins so: BZip2 has a magic, LZMA begins with a zero, LZMA2 never does."""
    if head.startswith(b"BZh"):
        return bz2.BZ2Decompressor
    method, properties = (LZMA, _DEFAULT_LZMA) if head.startswith(b"\0") else (LZMA2, b"\x1c")
    return _codec(Packed(((method, properties),), 0, 0, 0))
