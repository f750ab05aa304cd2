"""The bytes of a file that is gzip or plain, inflated piece by piece, with what is damaged told and passed.

A file of the web's archives is a chain of gzip members, most often one for each record. ``gzip.open`` ends with
an exception at the first damaged one, and gives nothing of what it had inflated in the failing read.  Here the
bytes before the damage are given, then a :class:`Damage`, then the next member that is sound.
"""

import io
import re
import zlib
from collections import deque
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO, Literal, NamedTuple

isal_zlib: Any
try:
    from isal import isal_zlib
except ImportError:  # there are no wheels for some machines
    isal_zlib = None

RAW_BYTES = 256 << 10  # one read of the file, and how far behind a damaged spot is looked for sound members
PIECE_BYTES = 1 << 20  # most that one call inflates: what bounds memory for a small file that inflates to a huge one
GZIP_MAGIC = b"\x1f\x8b"
PLAIN_MEMBER = b"\x1f\x8b\x08\0"  # it has no name, comment or other field, whose errors not all libraries see
# RFC 1952: magic, deflate, flags without the reserved bits, time, level hint, operating system.
GZIP_MEMBER = re.compile(rb"\x1f\x8b\x08[\x00-\x1f].{4}[\x00\x02\x04][\x00-\x0d\xff]", re.DOTALL)

_FIRST_SLICE = 16 << 10  # input of the first call for a member: zlib copies back what the member does not use
_SLICE = 64 << 10
_PROBE_BYTES = 1 << 10
_GZIP_WBITS = 31  # zlib's way to ask for a gzip header and check sum
_MEMBER_HEADER_BYTES = 10
_MAX_MARKS = 100_000  # ends of members that are remembered: a record can be made of millions of tiny ones


class Damage(NamedTuple):
    """What is wrong with the gzip member that begins at the offset ``member`` of the file.

    ``trailing_bytes``: it is none, and no other follows: something was appended behind the last member.
    """

    reason: Literal["truncated_gzip", "corrupt_gzip", "trailing_bytes"]
    member: int


class Piece(NamedTuple):
    """Some inflated bytes, and what is known of their ends; or damage, which comes alone, behind the bytes."""

    data: bytes
    member: int = -1  # offset in the file of the gzip member that begins with these bytes
    clean_end: bool = False  # a gzip member ends with these bytes, and its check sum is right
    damage: Damage | None = None


class RawBytes:
    """The bytes of the file, of which the last ``look_back`` that were passed can be gone back to."""

    def __init__(self, stream: BinaryIO, look_back: int = RAW_BYTES) -> None:
        self._stream = stream
        self._look_back = look_back
        self._data = b""
        self._base = 0  # offset in the file of _data[0]
        self._at = 0
        self._ended = False

    @property
    def offset(self) -> int:
        """Offset in the file of the next byte."""
        return self._base + self._at

    def peek(self, size: int) -> bytes:
        """The next ``size`` bytes, without passing them; fewer only before the end of the file."""
        while len(self._data) - self._at < size and self._read():
            pass
        return self._data[self._at : self._at + size]

    def skip(self, size: int) -> None:
        """Pass bytes that were peeked at."""
        self._at += size

    def find(self, pattern: re.Pattern[bytes], start: int) -> bool:
        """Go to the first match at or behind the offset ``start``, which may have been passed."""
        self._at = max(start - self._base, 0)
        while not (match := pattern.search(self._data, self._at)):
            self._at = max(len(self._data) - _MEMBER_HEADER_BYTES + 1, self._at)
            if not self._read():
                return False
        self._at = match.start()
        return True

    def _read(self) -> bool:
        chunk = b"" if self._ended else self._stream.read(RAW_BYTES)
        self._ended = not chunk
        dropped = max(self._at - self._look_back, 0)
        if chunk:
            self._data = self._data[dropped:] + chunk
            self._base += dropped
            self._at -= dropped
        return bool(chunk)


def plain_pieces(raw: RawBytes) -> Iterator[Piece]:
    """The bytes of a plain file."""
    while data := raw.peek(_SLICE):
        raw.skip(len(data))
        yield Piece(data)


def gzip_pieces(raw: RawBytes) -> Iterator[Piece]:
    """The inflated bytes of all sound gzip members, and of damaged ones up to the damage."""
    any_sound = False
    while head := raw.peek(_FIRST_SLICE):
        padding = len(head) - len(head.lstrip(b"\0"))
        if padding:  # zeros between and behind members are no damage, as gzip itself says
            raw.skip(padding)
            continue
        start = raw.offset
        is_sound, reason = yield from _member_pieces(raw)
        if is_sound:
            any_sound = True
            continue
        # The damage may have run on over sound members: look for the next from just behind this one's start.
        found = raw.find(GZIP_MEMBER, start + 1)
        while found and not _looks_sound(raw.peek(_PROBE_BYTES)):
            found = raw.find(GZIP_MEMBER, raw.offset + 1)
        if found:  # the file goes on, so it was not its end that cut the member
            reason = "corrupt_gzip"
        elif any_sound and not _begins_a_member(head):
            reason = "trailing_bytes"
        yield Piece(b"", damage=Damage(reason, start))
        if not found:
            return


def _begins_a_member(head: bytes) -> bool:
    """Whether bytes are a gzip member's first, or as much of them as there is."""
    return head.startswith(GZIP_MAGIC) or (len(head) < len(GZIP_MAGIC) and GZIP_MAGIC.startswith(head))


def _member_pieces(
    raw: RawBytes,
) -> Generator[Piece, None, tuple[bool, Literal["truncated_gzip", "corrupt_gzip", "trailing_bytes"]]]:
    """Inflate one member; returns whether it is sound, and if not, the reason."""
    member = raw.offset
    if (data := _small_member(raw)) is not None:
        yield Piece(data, member, True)
        return True, "corrupt_gzip"
    inflate = zlib.decompressobj(_GZIP_WBITS)
    before, size = None, _FIRST_SLICE
    while not inflate.eof:
        given = raw.peek(size)
        try:
            data = inflate.decompress(given, PIECE_BYTES)
        except zlib.error:
            yield Piece(_inflate_up_to_damage(before or zlib.decompressobj(_GZIP_WBITS), given), member)
            return False, "corrupt_gzip"
        # At the end of a member, what it left is in both.
        raw.skip(len(given) - len(inflate.unused_data if inflate.eof else inflate.unconsumed_tail))
        if not given and not data:
            return False, "truncated_gzip"
        yield Piece(data, member, inflate.eof)
        if not inflate.eof:
            member, before, size = -1, inflate.copy(), _SLICE
    return True, "corrupt_gzip"


def _small_member(raw: RawBytes) -> bytes | None:
    """Inflate and pass a member that is small and sound; None, and nothing is passed, where it is not, or may not be.

    Twice as fast as zlib, which has a way of its own to say how much of a damaged member it gives.
    """
    given = raw.peek(_FIRST_SLICE)
    if isal_zlib is None or not given.startswith(PLAIN_MEMBER):
        return None
    inflate = isal_zlib.decompressobj(_GZIP_WBITS)
    try:
        data: bytes = inflate.decompress(given, PIECE_BYTES)
    except isal_zlib.error:
        return None
    if not inflate.eof:
        return None
    raw.skip(len(given) - len(inflate.unused_data))
    return data


def _inflate_up_to_damage(inflate: Any, given: bytes) -> bytes:
    """Repeat a failed call byte by byte: the failed one gave nothing of what lies before the damage."""
    joined = io.BytesIO()
    try:
        for at in range(len(given)):
            joined.write(inflate.decompress(given[at : at + 1]))
    except zlib.error:
        return joined.getvalue()
    return joined.getvalue()


def _looks_sound(head: bytes) -> bool:
    """Whether bytes that look like a member's header are one: they inflate to something."""
    inflate = zlib.decompressobj(_GZIP_WBITS)
    try:
        data = inflate.decompress(head, _PROBE_BYTES)
    except zlib.error:
        return False
    return data.startswith(b"WARC/") or len(data) >= _PROBE_BYTES or (inflate.eof and bool(data))


class Window:
    """The part of the inflated stream that is looked at: ``data`` from the index ``at`` on.

    ``data`` never reaches over damage: when all before it was used, set ``damage`` to None to go on behind it.
    """

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self.data = b""
        self.at = 0
        self.damage: Damage | None = None
        self._pieces = pieces
        self._base = 0  # position of data[0] in the inflated stream
        self._pulled = 0  # position behind the last byte that was pulled
        self._marks: deque[int] = deque()  # positions that are in one of the next two, in order
        self._members: dict[int, int] = {}  # position where a gzip member begins -> its offset in the file
        self._clean_ends: set[int] = set()  # positions where a gzip member with a right check sum ends

    @property
    def available(self) -> int:
        """Number of bytes from ``at`` on."""
        return len(self.data) - self.at

    def place(self) -> tuple[int, bool]:
        """Offset of ``at``, and whether a gzip member begins there; what was known of earlier places is forgotten.

        The offset is the member's in the file, or where none begins, that of the byte in the inflated stream.
        """
        position = self._base + self.at
        while self._marks and self._marks[0] < position:
            self._forget_mark()
        return self._members.get(position, position), position in self._members

    def member_ends(self, index: int) -> bool:
        """Whether a sound gzip member ends before ``data[index]``."""
        return self._base + index in self._clean_ends

    def first_member_end(self) -> int:
        """Number of bytes from ``at`` to the first end of a sound gzip member behind it, or -1."""
        position = self._base + self.at
        return next((mark - position for mark in self._marks if mark > position and mark in self._clean_ends), -1)

    def fill(self, size: int) -> bool:
        """Have ``size`` bytes from ``at`` on; false if the stream or its sound part ends before."""
        if self.available < size and (first := self._pull()) is not None:
            self.data = self._gather(first, size)
        return len(self.data) - self.at >= size

    def take(self, size: int) -> bytes:
        """Pass ``size`` bytes, or all if there are fewer; they are held once, not in ``data`` too."""
        if self.available < size and (first := self._pull()) is not None:
            taken = self._gather(first, size, exact=True)
            self._base += len(taken)
            return taken
        taken = self.data[self.at : self.at + size]
        self.at += len(taken)
        return taken

    def give_back(self, taken: bytes) -> None:
        """Undo a take."""
        self.data = taken + self.data[self.at :]
        self._base += self.at - len(taken)
        self.at = 0

    def _gather(self, data: bytes | None, size: int, exact: bool = False) -> bytes:
        """Join what is left and pieces up to a size; ``exact``: not more, the rest of the last piece is ``data``.

        BytesIO grows in place and gives its buffer away, so a large result is in memory once.
        """
        joined = io.BytesIO()
        joined.write(memoryview(self.data)[self.at :])
        self._base += self.at
        self.data, self.at = b"", 0
        while data is not None:
            room = size - joined.tell() if exact else len(data)
            joined.write(data[:room])
            self.data = data[room:]
            data = self._pull() if joined.tell() < size else None
        return joined.getvalue()

    def _pull(self) -> bytes | None:
        piece = None if self.damage else next(self._pieces, None)
        if piece is None:
            return None
        if piece.damage:
            self.damage = piece.damage
            return None
        if piece.member >= 0:
            self._mark()
            self._members[self._pulled] = piece.member
        self._pulled += len(piece.data)
        if piece.clean_end:
            self._mark()
            self._clean_ends.add(self._pulled)
        return piece.data

    def _mark(self) -> None:
        if not self._marks or self._marks[-1] != self._pulled:
            self._marks.append(self._pulled)
        if len(self._marks) > _MAX_MARKS:
            self._forget_mark()

    def _forget_mark(self) -> None:
        mark = self._marks.popleft()
        self._members.pop(mark, None)
        self._clean_ends.discard(mark)


def inflated(stream: BinaryIO) -> Window:
    """The bytes of a file that is gzip or plain, which its first two tell."""
    raw = RawBytes(stream)
    return Window(gzip_pieces(raw) if raw.peek(2) == GZIP_MAGIC else plain_pieces(raw))
