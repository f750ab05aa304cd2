"""``Posts.xml`` of a site as lines, from whatever it is packed in; what is wrong with the file comes last, as one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import UserError
from pipeline.formats.inflate import RawBytes, gzip_pieces
from pipeline.source import UNREADABLE
from pipeline.storage.filesystem import open_input
from sources.stackexchange.archive import find_posts, posts_of
from sources.stackexchange.packed import BadArchive, bzip2_pieces
from sources.stackexchange.rows import FAULT, Line, classify, split_lines
from sources.stackexchange.sites import Site

ASSUMED_RATIO = 6  # of bytes of XML to those packed, where only unpacking would tell; BZip2 reaches 5.2
_READ = 1 << 20
_POST_TYPES = (b' PostTypeId="1"', b' PostTypeId="2"')  # questions and answers; no value holds a quotation mark
_OVERLAP = len(_POST_TYPES[0]) - 1


def xml_bytes(site: Site, cache: Path | None) -> int:
    """The size of a site's ``Posts.xml``; estimated where it is .gz or .bz2, or its archive is damaged."""
    size = max(0, site.file.size)
    try:
        with open_input(site.file.path, cache) as handle:
            if site.packing == "7z":
                member = find_posts(handle)
                return member.size if member else 0
            size = handle.seek(0, 2)
    except (BadArchive, OSError):
        return size * ASSUMED_RATIO
    return size * ASSUMED_RATIO if site.packing else size


def _pieces(handle: BinaryIO, packing: str, start: int) -> Iterator[bytes]:
    if packing == "7z":
        yield from posts_of(handle)
    elif packing == ".bz2":
        yield from bzip2_pieces(handle)
    elif packing == ".gz":
        for piece in gzip_pieces(RawBytes(handle)):
            if piece.damage:
                raise BadArchive(piece.damage.reason, "the gzip data is damaged or cut; the rest is not read")
            yield piece.data
    else:
        handle.seek(start)
        while data := handle.read(_READ):
            yield data


def read_lines(site: Site, start: int, end: int | None, limit: int, cache: Path | None) -> Iterator[Line]:
    """Reads the lines of a site's posts that begin in a range.

    Args:
        site: The site.
        start: The range's first byte; 0 for a packed file.
        end: The byte behind it; None for the file's end.
        limit: The longest line, in bytes.
        cache: The cache folder for fetched files.

    Yields:
        All lines but the file's frame, and what is wrong with the file. Memory: a few MB and one line.
    """
    first = max(0, start - 1)  # the byte before tells whether a line begins at ``start``
    try:
        with open_input(site.file.path, cache) as handle:
            for offset, data, too_long in split_lines(_pieces(handle, site.packing, first), first, end, limit):
                if offset < start:
                    continue
                line = classify(offset, data, too_long)
                if line:
                    yield line
    except BadArchive as error:
        yield _fault(error.reason, f"{site.file.path}: {error}", start)
    except (OSError, EOFError) as error:
        yield _fault(UNREADABLE, f"{site.file.path}: {error}", start)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # what was not foreseen: what came before stays good
        yield _fault(f"error_{type(error).__name__}", f"{site.file.path}: the rest is not read: {error!r}", start)


def _fault(reason: str, message: str, offset: int) -> Line:
    return Line(offset, FAULT, -1, f"{reason}\n{message}".encode("utf-8", "replace"))


def count_posts(site: Site, cache: Path | None) -> int:
    """Counts a site's questions and answers, as far as it can be read."""
    count, rest = 0, b""
    try:
        with open_input(site.file.path, cache) as handle:
            for piece in _pieces(handle, site.packing, 0):
                data = rest + piece
                count += sum(map(data.count, _POST_TYPES))
                rest = data[-_OVERLAP:]
    except (BadArchive, OSError, EOFError):
        return count
    return count
