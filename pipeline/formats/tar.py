"""Members of tar archives as bytes, never on disk, each within a limit.

A tar is read as a stream with one member in memory; its names are only names, so one that points out of the folder does
no harm, but is refused as a sign of an archive that means some. An absolute name loses its slash, as GNU tar takes it
off: archives made with ``tar -P`` have such names.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, Protocol

from pipeline.formats.inflate import Damage, Window

BLOCK = tarfile.BLOCKSIZE
HEADER_LIMIT = 1 << 20  # bytes of a long name or a pax header
PADDING_LIMIT = 64 << 20  # behind the end of an archive; archives have a few kilobytes of it
_SKIP = 1 << 20
_MAGIC, _MAGIC_AT = b"ustar", 257  # in the headers of every tar since 1988
_PAX = re.compile(rb"\d+ (path|size)=([^\n]*)\n")
_PAX_TYPES = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)


class Member(NamedTuple):
    """A file in a tar: its name, the offset of its header in the (inflated) tar, its bytes, size and time.

    ``data`` is shorter than ``size`` where only its head was wanted; ``time`` is the header's, in seconds since 1970.
    """

    name: str
    offset: int
    data: bytes
    size: int
    time: int


@dataclass(frozen=True)
class Fault:
    """What of a tar cannot be taken: why, in a word and in a sentence, and where; whether it is damage.

    ``name`` is that of the one member that it costs; none where it costs more, or what it costs has no name. ``target``
    is what a link names.
    """

    reason: str
    message: str
    offset: int
    failed: bool = True
    name: str = ""
    target: str = ""


def is_tar(head: bytes) -> bool:
    """Whether bytes begin with a header of a tar, of whatever age: its check sum is right."""
    if len(head) < BLOCK or not head[:BLOCK].strip(b"\0"):
        return False
    try:
        tarfile.TarInfo.frombuf(head[:BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def tar_members(
    window: Window,
    limit: int,
    *,
    total: int | None = None,
    wanted: Callable[[str], int | None] | None = None,
    resumes: Callable[[str], bool] | None = None,
) -> Iterator[Member | Fault]:
    """Reads the files of a tar.

    Args:
        window: The bytes of the tar (``pipeline.formats.inflate.inflated`` of a file).
        limit: The largest member, in bytes; a larger one is a fault and is passed over.
        total: The largest tar, in bytes; behind them it is not read on, which is a fault.
        wanted: Gives for a member's name how many of its first bytes are wanted; None is all of them.
        resumes: Tells by a name whether reading may go on at that member, behind a header that is damaged: a name that
            only the tar's own members have, for a member may be a tar itself. None: it is not read on.

    Yields:
        Members and faults in the order of the tar; directories are passed over. A damaged header costs one fault, and
        the members up to the next that reading may go on at; other damage ends it with one fault, behind those
        before it. Memory: one member, twice for a moment, and 2 MB.
    """
    return _Tar(_Streamed(window), limit, total, wanted, resumes).members()


def tar_headers(stream: BinaryIO, resumes: Callable[[str], bool] | None = None) -> Iterator[Member | Fault]:
    """Reads the headers alone of the files of a plain tar: members come without their bytes, which are not read.

    Args:
        stream: A file that can be sought in.
        resumes: As of ``tar_members``.
    """
    return _Tar(_Sought(stream), 0, None, lambda name: 0, resumes).members()


class _Bytes(Protocol):
    """What a tar is read from."""

    @property
    def damage(self) -> Damage | None:
        """What ended the bytes before their end."""

    def take(self, size: int) -> bytes:
        """The next bytes; fewer at the end."""

    def skip(self, size: int) -> bool:
        """Passes bytes over; false where they are seen to end before."""


class _Streamed:
    def __init__(self, window: Window) -> None:
        self._window = window
        self.take = window.take

    @property
    def damage(self) -> Damage | None:
        return self._window.damage

    def skip(self, size: int) -> bool:
        while size:
            data = self.take(min(size, _SKIP))
            if not data:
                return False
            size -= len(data)
        return True


class _Sought:
    damage = None

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.take = stream.read

    def skip(self, size: int) -> bool:
        self._stream.seek(size, os.SEEK_CUR)
        return True


class _Tar:
    def __init__(
        self,
        source: _Bytes,
        limit: int,
        total: int | None,
        wanted: Callable[[str], int | None] | None,
        resumes: Callable[[str], bool] | None = None,
    ) -> None:
        self._source = source
        self._limit = limit
        self._total = total
        self._wanted = wanted
        self._resumes = resumes
        self._at = 0
        self._name: str | None = None  # of the next member, where a header before it gives it
        self._size: int | None = None

    def members(self) -> Iterator[Member | Fault]:
        while True:
            offset = self._at
            if self._total is not None and offset > self._total:
                yield Fault("too_large", f"the archive has more than {self._total} bytes; the rest is not read", offset)
                return
            block = self._take(BLOCK)
            if len(block) < BLOCK:
                # A tar ends with two blocks of zeros, but many are cut short of them.
                if block or self._source.damage or offset == 0:
                    yield self._damage(offset)
                return
            if self._is_end(block):
                yield from self._check_sum(offset)
                return
            try:
                info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            except tarfile.HeaderError as error:
                found = self._next_header()
                then = f"it goes on at byte {self._at - BLOCK}" if found else "the rest is not read"
                yield Fault("damaged_tar", f"no tar header at byte {offset}: {error}; {then}", offset)
                if found is None:
                    return
                info, offset = found, self._at - BLOCK
            fault = yield from self._member(info, offset)
            if fault:
                yield fault
                return

    def _is_end(self, block: bytes) -> bool:
        """Whether a block is the archive's end, of zeros; one alone before other bytes is a header that is lost."""
        if block.strip(b"\0"):
            return False
        if self._resumes is None:
            return True
        following = self._take(BLOCK)
        return not following.strip(b"\0")

    def _next_header(self) -> tarfile.TarInfo | None:
        """Reads on up to the next header at which reading may go on; None where there is none."""
        self._name = self._size = None
        block = self._take(BLOCK) if self._resumes else b""
        while len(block) == BLOCK and self._resumes:
            if block[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC and is_tar(block):
                info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
                if self._resumes(info.name):
                    return info
            block = self._take(BLOCK)
        return None

    def _member(self, info: tarfile.TarInfo, offset: int) -> Generator[Member | Fault, None, Fault | None]:
        """Gives a member, or says what is wrong with it; returns a fault where the tar cannot be read on."""
        if info.type == tarfile.GNUTYPE_LONGNAME or info.type in _PAX_TYPES:
            return self._extended(info, offset)
        name, self._name = (self._name or info.name).lstrip("/"), None
        size, self._size = info.size if self._size is None else self._size, None
        if size < 0:
            return Fault("damaged_tar", f"the member at byte {offset} has a size of {size}", offset)
        if not info.isreg():
            if info.type in _LINKS:
                message = f"{name!r} is a link to {info.linkname!r}; it is not followed"
                yield Fault("link", message, offset, False, name, info.linkname)
            return None if self._skip(0 if info.isdir() or info.type in _LINKS else size) else self._damage(offset)
        if _is_unsafe(name):
            yield Fault("unsafe_name", f"{name!r} points out of the folder", offset, name=name)
            return None if self._skip(size) else self._damage(offset)
        head = self._wanted(name) if self._wanted else None
        taken = size if head is None else min(size, head)
        if taken > self._limit:
            yield Fault("too_large", f"{name!r} has {size} bytes, the limit is {self._limit}", offset, name=name)
            return None if self._skip(size) else self._damage(offset)
        data = self._take(taken)
        if len(data) < taken or (taken < size and not self._skip(size - taken, padded=False)):
            return self._damage(offset)
        yield Member(name, offset, data, size, int(info.mtime))
        self._skip(0)  # a last member without its padding is whole all the same
        return None

    def _extended(self, info: tarfile.TarInfo, offset: int) -> Fault | None:
        """A long name, or a pax header: what it says is of the member behind it."""
        if not 0 <= info.size <= HEADER_LIMIT:
            return Fault("damaged_tar", f"the header at byte {offset} has a size of {info.size}", offset)
        data = self._take(info.size)
        if len(data) < info.size:
            return self._damage(offset)
        self._skip(0)
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
        damage = self._source.damage
        reason = damage.reason if damage else "truncated_tar"
        return Fault(reason, f"the archive is damaged or cut in the member at byte {offset}; the rest is lost", offset)

    def _check_sum(self, offset: int) -> Iterator[Fault]:
        """Reads what pads the archive behind its end, so that a wrong check sum of the compressed stream shows."""
        for _ in range(PADDING_LIMIT // _SKIP if isinstance(self._source, _Streamed) else 0):
            if not self._source.take(_SKIP):
                break
        if self._source.damage:
            message = "the archive's check sum is wrong: a member before its end is not what was packed"
            yield Fault(self._source.damage.reason, message, offset)

    def _take(self, size: int) -> bytes:
        data = self._source.take(size)
        self._at += len(data)
        return data

    def _skip(self, size: int, *, padded: bool = True) -> bool:
        """Passes bytes over, and then those up to the next block."""
        size += -(self._at + size) % BLOCK if padded else 0
        self._at += size
        return not size or self._source.skip(size)


def _is_unsafe(name: str) -> bool:
    return name.startswith("\\") or ".." in re.split(r"[/\\]", name) or bool(re.match(r"[A-Za-z]:", name))
