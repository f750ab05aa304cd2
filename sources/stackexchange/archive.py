"""``Posts.xml`` in a 7z archive, piece by piece; of an archive that was cut, what is left of it.

What says how the members are packed stands at an archive's end. Where that is lost, the codec is told by the first
bytes of the data, and the posts by their root element.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from sources.stackexchange.packed import BadArchive, guess, to_the_end, unpack
from sources.stackexchange.sevenzip import START_BYTES, Member, read_members

_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^>]{0,200}\?>\s{0,20}<posts>")
_ROOT_BYTES = 300
_ROOT_END = b"</posts>"


def find_posts(handle: BinaryIO) -> Member | None:
    """The table of posts of an archive; None where it has none.

    Args:
        handle: The archive; seekable.

    Raises:
        BadArchive: It is none, its table of contents is lost, or it has several.
    """
    members = read_members(handle)
    found = [m for m in members if m.name.replace("\\", "/").rpartition("/")[2].lower() == "posts.xml"]
    if len(found) > 1:
        names = ", ".join(member.name for member in found[:3])
        raise BadArchive(
            "several_posts", f"it holds {len(found)} tables of posts ({names}): which one counts is not told"
        )
    return found[0] if found else None


def posts_of(handle: BinaryIO) -> Iterator[bytes]:
    """The bytes of ``Posts.xml`` in an archive; of one that was cut, what is left of them.

    Args:
        handle: The archive; seekable.

    Yields:
        Pieces of at most 1 MB.

    Raises:
        BadArchive: It has no posts, or is damaged; what could be read was given before.
    """
    try:
        member = find_posts(handle)
    except BadArchive as error:
        if error.reason not in {"truncated_7z", "damaged_7z"}:
            raise
        yield from only_posts(_salvage(handle))
        raise
    if member is None:
        raise BadArchive("no_posts", "it holds no Posts.xml")
    yield from _member_data(handle, member)


def _member_data(handle: BinaryIO, member: Member) -> Iterator[bytes]:
    skip, due, crc = member.offset, member.size, 0
    if member.packed is None:
        return
    for piece in unpack(handle, member.packed):
        data = piece[skip : skip + due]
        skip = max(0, skip - len(piece))
        due -= len(data)
        crc = zlib.crc32(data, crc)
        if data:
            yield data
        if not due:
            break
    if due:
        raise BadArchive("damaged_7z", f"{member.name} ends {due} bytes too early")
    if member.crc is not None and crc != member.crc:
        raise BadArchive("damaged_7z", f"the check sum of {member.name} is wrong: some of it is not as it was packed")


def _salvage(handle: BinaryIO) -> Iterator[bytes]:
    """Unpacks what stands behind an archive's first bytes as far as it goes, without its table of contents."""
    handle.seek(START_BYTES)
    head = handle.read(3)
    handle.seek(START_BYTES)
    try:
        yield from to_the_end(handle, guess(head))
    except BadArchive:
        return


def only_posts(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Of several tables one behind the other, the bytes of the one of posts, from its XML declaration to its end."""
    rest = b""
    for piece in pieces:
        rest += piece
        found = _ROOT.search(rest)
        if found:
            rest = rest[found.start() :]
            break
        rest = rest[-_ROOT_BYTES:]
    else:
        return
    for piece in pieces:
        end = rest.find(_ROOT_END)
        if end >= 0:
            break
        cut = max(0, len(rest) - len(_ROOT_END))
        yield rest[:cut]
        rest = rest[cut:] + piece
    end = rest.find(_ROOT_END)
    yield rest if end < 0 else rest[: end + len(_ROOT_END)]
