"""Members of tar and zip archives as bytes, never on disk, each within a limit.

A tar is read as a stream, plain or gzip, with one member in memory; its names are only names, so one that points out of
the folder does no harm, but is refused as a sign of an archive that means some.
"""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from pipeline.inflate import GZIP_MAGIC, RawBytes, Window, gzip_pieces, plain_pieces

BLOCK = tarfile.BLOCKSIZE
HEADER_LIMIT = 1 << 20  # bytes of a long name or a pax header
DIRECTORY_LIMIT = 1 << 20  # bytes of a zip's central directory: a few thousand members, where Gutenberg's have one
_SKIP = 1 << 20
_END_RECORD = b"PK\x05\x06"
_PAX = re.compile(rb"\d+ (path|size)=([^\n]*)\n")
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)


class Member(NamedTuple):
    """A file in a tar: its name, the offset of its header in the (inflated) tar, its bytes."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Fault:
    """What of a tar cannot be taken: why, in a word and in a sentence, and where; whether it is damage."""

    reason: str
    message: str
    offset: int
    failed: bool = True


class BadArchive(ValueError):
    """A zip that gives no text; ``reason`` says why in a word, the message in a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def tar_members(stream: BinaryIO, limit: int) -> Iterator[Member | Fault]:
    """Reads the files of a tar.

    Args:
        stream: The raw bytes, plain or gzip.
        limit: The largest member, in bytes.

    Yields:
        Members and faults in the order of the tar; directories are passed over. Damage ends it with one fault, behind
        the members before it. Memory: one member, twice for a moment, and 2 MB.
    """
    raw = RawBytes(stream)
    is_gzip = raw.peek(2) == GZIP_MAGIC
    yield from _Tar(Window(gzip_pieces(raw) if is_gzip else plain_pieces(raw)), limit).members()


class _Tar:
    def __init__(self, window: Window, limit: int) -> None:
        self._window = window
        self._limit = limit
        self._at = 0
        self._name: str | None = None  # of the next member, where a header before it gives it
        self._size: int | None = None

    def members(self) -> Iterator[Member | Fault]:
        while True:
            offset = self._at
            block = self._take(BLOCK)
            if len(block) < BLOCK:
                # A tar ends with two blocks of zeros, but many are cut short of them.
                if block or self._window.damage or offset == 0:
                    yield self._damage(offset)
                return
            if not block.strip(b"\0"):
                return
            try:
                info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            except tarfile.HeaderError as error:
                yield Fault("damaged_tar", f"no tar header at byte {offset}: {error}; the rest is not read", offset)
                return
            fault = yield from self._member(info, offset)
            if fault:
                yield fault
                return

    def _member(self, info: tarfile.TarInfo, offset: int) -> Generator[Member | Fault, None, Fault | None]:
        """Gives a member, or says what is wrong with it; returns a fault where the tar cannot be read on."""
        if info.type == tarfile.GNUTYPE_LONGNAME or info.type in _PAX_TYPES:
            return self._extended(info, offset)
        name, self._name = self._name or info.name, None
        size, self._size = info.size if self._size is None else self._size, None
        if size < 0:
            return Fault("damaged_tar", f"the member at byte {offset} has a size of {size}", offset)
        if not info.isreg():
            if info.type in _LINKS:
                yield Fault("link", f"{name!r} is a link to {info.linkname!r}; it is not followed", offset, False)
            return None if self._skip(0 if info.isdir() or info.type in _LINKS else size) else self._damage(offset)
        if _is_unsafe(name):
            yield Fault("unsafe_name", f"{name!r} points out of the folder", offset)
        elif size > self._limit:
            yield Fault("too_large", f"{name!r} has {size} bytes, the limit is {self._limit}", offset)
        else:
            data = self._take(size)
            if len(data) < size:
                return self._damage(offset)
            yield Member(name, offset, data)
            size = 0
            return None if self._skip_padding() else self._damage(offset)
        return None if self._skip(size) else self._damage(offset)

    def _extended(self, info: tarfile.TarInfo, offset: int) -> Fault | None:
        """A long name, or a pax header: what it says is of the member behind it."""
        if not 0 <= info.size <= HEADER_LIMIT:
            return Fault("damaged_tar", f"the header at byte {offset} has a size of {info.size}", offset)
        data = self._take(info.size)
        if len(data) < info.size or not self._skip_padding():
            return self._damage(offset)
        if info.type == tarfile.GNUTYPE_LONGNAME:
            self._name = data.rstrip(b"\0").decode("utf-8", "replace")
            return None
        for key, value in _PAX.findall(data):
            if key == b"path":
                self._name = value.decode("utf-8", "replace")
            elif value.isdigit() and len(value) < 20:
                self._size = int(value)
        return None

    def _damage(self, offset: int) -> Fault:
        damage = self._window.damage
        reason = damage.reason if damage else "truncated_tar"
        return Fault(reason, f"the archive is damaged or cut in the member at byte {offset}; the rest is lost", offset)

    def _take(self, size: int) -> bytes:
        data = self._window.take(size)
        self._at += len(data)
        return data

    def _skip(self, size: int) -> bool:
        size += -(self._at + size) % BLOCK
        while size:
            data = self._take(min(size, _SKIP))
            if not data:
                return False
            size -= len(data)
        return True

    def _skip_padding(self) -> bool:
        self._skip(0)  # a last member without its padding is whole all the same
        return True


def _is_unsafe(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or bool(re.match(r"[A-Za-z]:", name))


def zip_text(data: bytes, limit: int) -> tuple[str, bytes]:
    """The text in one of Gutenberg's zips.

    Args:
        data: The zip.
        limit: The largest text, in bytes.

    Returns:
        The name and the bytes of its first member, by name, that ends in ``.txt``.

    Raises:
        BadArchive: It is damaged, has no text, or inflates beyond the limit.
    """
    end = data.rfind(_END_RECORD, max(0, len(data) - (1 << 16) - 22))
    if end < 0:
        raise BadArchive("damaged_zip", "it has no directory: it is no zip, or was cut")
    if int.from_bytes(data[end + 12 : end + 16], "little") > DIRECTORY_LIMIT:
        raise BadArchive("too_large", f"its directory has more than {DIRECTORY_LIMIT} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            texts = sorted(name for name in archive.namelist() if name.lower().endswith(".txt"))
            if not texts:
                raise BadArchive("no_text", f"none of its {len(archive.namelist())} members is a .txt")
            with archive.open(texts[0]) as member:
                text = member.read(limit + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError, ValueError) as error:
        if isinstance(error, BadArchive):
            raise
        raise BadArchive("damaged_zip", f"it cannot be read: {error}") from error
    if len(text) > limit:
        raise BadArchive("too_large", f"{texts[0]!r} inflates to more than {limit} bytes")
    return texts[0], text
