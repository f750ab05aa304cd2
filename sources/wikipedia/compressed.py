"""The XML of a dump, piece by piece, from a file that is bzip2 of one stream or many, gzip, or plain.

A multistream dump is a chain of bzip2 streams of 100 pages each. A damaged one costs its own pages: the next stream is
found by its magic. Nothing that fails its check sum is given, up to one block of it.
"""

from __future__ import annotations

import bz2
import re
from collections import deque
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

from pipeline.formats.inflate import GZIP_MAGIC, RawBytes, gzip_pieces, plain_pieces

BZIP2_MAGIC = b"BZh"
# The bzip2 format: magic, level, and the magic of the first block (the decimals of pi).
BZIP2_STREAM = re.compile(rb"BZh[1-9]1AY&SY")
BZIP2_MAGIC_BYTES = 10

PIECE_BYTES = 1 << 20  # most that one call inflates
_SLICE = 64 << 10
# A block holds up to 900 kB before and after compression. Its check sum is compared when the last of it has come out,
# and one that is damaged may be read on far into the streams behind it.
HELD_BYTES = 1 << 20
LOOK_BACK = 2 << 20


class XmlPiece(NamedTuple):
    """Some bytes of the XML, and where they come from.

    Attributes:
        data: The bytes.
        offset: Where in the file the compressed stream begins that holds them, or, in a plain file, they themselves.
        plain: Whether the file is plain.
    """

    data: bytes
    offset: int
    plain: bool


class Damage(NamedTuple):
    """What is wrong with the compressed stream that begins at an offset; its pages are lost, or the rest of them."""

    reason: str
    offset: int


def xml_pieces(stream: BinaryIO, start: int = 0) -> Iterator[XmlPiece | Damage]:
    """Inflates a dump, or a part of one that begins with a bzip2 stream; the kind is told by the first bytes.

    Args:
        stream: The raw bytes.
        start: The place in the file of the first of them.

    Yields:
        Pieces of at most 1 MB, and damage, behind what is given of the damaged stream. Memory: about 6 MB.
    """
    raw = RawBytes(stream, LOOK_BACK)
    magic = raw.peek(len(BZIP2_MAGIC))
    if magic == BZIP2_MAGIC:
        yield from _bzip2_pieces(raw, start)
    elif magic.startswith(GZIP_MAGIC):
        yield from _gzip_pieces(raw)
    else:
        offset = start
        for piece in plain_pieces(raw):
            yield XmlPiece(piece.data, offset, plain=True)
            offset += len(piece.data)


def _gzip_pieces(raw: RawBytes) -> Iterator[XmlPiece | Damage]:
    member = 0
    for piece in gzip_pieces(raw):
        if piece.damage:
            yield Damage(piece.damage.reason, piece.damage.member)
        else:
            member = piece.member if piece.member >= 0 else member
            yield XmlPiece(piece.data, member, plain=False)


def _bzip2_pieces(raw: RawBytes, start: int) -> Iterator[XmlPiece | Damage]:
    while raw.peek(1):
        offset = raw.offset
        reason = yield from _bzip2_stream(raw, start + offset)
        if reason is None:
            continue
        found = raw.find(BZIP2_STREAM, offset + 1)
        # Where the file goes on, it was not its end that cut the stream.
        yield Damage("corrupt_bz2" if found else reason, start + offset)
        if not found:
            return


def _bzip2_stream(raw: RawBytes, offset: int) -> Generator[XmlPiece, None, str | None]:
    """Inflates one stream, holding back what is not yet checked; returns what is wrong with it, if anything is."""
    inflate = bz2.BZ2Decompressor()
    held: deque[bytes] = deque()
    size = 0
    while not inflate.eof:
        given = raw.peek(_SLICE) if inflate.needs_input else b""
        if inflate.needs_input and not given:
            yield from (XmlPiece(data, offset, plain=False) for data in held)
            return "truncated_bz2"
        raw.skip(len(given))
        try:
            held.append(inflate.decompress(given, PIECE_BYTES))
        except OSError:
            return "corrupt_bz2"
        size += len(held[-1])
        while size - len(held[0]) >= HELD_BYTES:
            size -= len(held[0])
            yield XmlPiece(held.popleft(), offset, plain=False)
    raw.skip(-len(inflate.unused_data))
    yield from (XmlPiece(data, offset, plain=False) for data in held if data)
    return None
