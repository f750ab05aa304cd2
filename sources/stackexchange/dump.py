"""``Posts.xml`` of a site as lines, from whatever it is packed in; what is wrong with the file comes last, as one."""

from __future__ import annotations

import codecs
import re
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
from sources.stackexchange.sites import PostCount, Site

ASSUMED_RATIO = 6  # of bytes of XML to those packed, where only unpacking would tell; BZip2 reaches 5.2
_READ = 1 << 20
_POST_TYPES = (b' PostTypeId="1"', b' PostTypeId="2"')  # questions and answers; no value holds a quotation mark
HEAD_BYTES = 300  # that hold an XML declaration
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
    (b"<\0", "UTF-16LE"),
    (b"\0<", "UTF-16BE"),
)
_DECLARED = re.compile(rb"(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_READ_ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
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


def _posts(handle: BinaryIO, site: Site, start: int) -> Iterator[bytes]:
    """The bytes of the posts from a place on, where they are in an encoding that is read.

    Raises:
        BadArchive: They are in none, or there are none; or the file is damaged.
    """
    if start:  # a range of a plain file, whose first says in full what is wrong
        handle.seek(0)
        _check_encoding(handle.read(HEAD_BYTES))
    pieces = _pieces(handle, site.packing, start)
    head = next(pieces, b"")
    if not start:
        if not head:
            raise BadArchive("no_posts", "it is empty")
        while len(head) < HEAD_BYTES and (more := next(pieces, b"")):
            head += more
        _check_encoding(head)
    yield head
    yield from pieces


def _check_encoding(head: bytes) -> None:
    """Refuses what is not in UTF-8, as all dumps are: lines are split, and rows parsed, as UTF-8.

    Raises:
        BadArchive: It begins with the mark of another encoding, or its XML declaration names one.
    """
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    declared = _DECLARED.match(head)
    name = marked or (declared[1].decode("ascii", "replace") if declared else "utf-8")
    if name.lower() not in _READ_ENCODINGS:
        hint = f"convert it first (iconv -f {name} -t UTF-8), and drop the encoding from its first line"
        raise BadArchive("unread_encoding", f"it is in {name}, and only UTF-8 is read: {hint}")


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
    if site.fault is not None:
        yield _fault(*site.fault, start)
        return
    first = max(0, start - 1)  # the byte before tells whether a line begins at ``start``
    try:
        with open_input(site.file.path, cache) as handle:
            for offset, data, too_long in split_lines(_posts(handle, site, first), first, end, limit):
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


def count_posts(site: Site, cache: Path | None) -> PostCount:
    """Counts a site's questions and answers, as far as it can be read."""
    count, rest = 0, b""
    try:
        with open_input(site.file.path, cache) as handle:
            for piece in _posts(handle, site, 0):
                data = rest + piece
                count += sum(map(data.count, _POST_TYPES))
                rest = data[-_OVERLAP:]
    except BadArchive as error:
        return PostCount(count, (error.reason, f"{site.file.path}: {error}"))
    except (OSError, EOFError) as error:
        return PostCount(count, (UNREADABLE, f"{site.file.path}: {error}"))
    return PostCount(count)
