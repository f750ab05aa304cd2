"""Read WARC and WET files record by record, whatever has happened to them.

Headers are read by name, bodies by ``Content-Length``, so a body may hold the line ``WARC/1.0``.  A length is
believed when the two line ends that close a record follow the body, and behind them a record, the end of a
gzip member, or the end of the file.  If they do not, the record ends where the next one begins: at a line
``WARC/1.x`` with header lines up to ``WARC-Type`` under it.  Once a length in a file was wrong, none is
believed over the start of another record.

Why not fastwarc, the fast reader of sound files: it stops with an exception behind the first length that is
too small, takes an LF-only file for one header, and ends without a word inside a damaged gzip.  Here a
damaged stretch costs its own records only, and is told.
"""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from pipeline.formats.foreign import foreign
from pipeline.formats.inflate import GZIP_MAGIC, GZIP_MEMBER, RawBytes, Window, gzip_pieces, plain_pieces

MAX_RECORD_BYTES = 32 << 20  # Common Crawl cuts what it fetches at 1 MiB (5 MiB since 2025)
MAX_HEADER_BYTES = 64 << 10  # real headers have 0.3 to 3 KiB

Reason = Literal[
    "empty_file",  # no byte in it
    "not_warc",  # no record in it, or none in its first max_record_bytes
    "truncated_gzip",  # the file ends inside a gzip member
    "corrupt_gzip",  # a member that does not inflate, a wrong check sum, or bytes between members
    "trailing_bytes",  # bytes behind the last gzip member that are none
    "truncated_record",  # the data ends inside a record
    "header_too_large",  # no empty line ends the header
    "bad_header",  # a header without WARC-Type
    "record_too_large",  # more than max_record_bytes
    "garbage",  # bytes between records that are no record
]
Repair = Literal["", "content_length", "missing_content_length", "truncated"]

_CHUNK_BYTES = 1 << 20  # what is skipped at once where no record is
_VERSION = re.compile(rb"WARC/\d\.\d{1,2}[ \t]*\r?\n")
# A record's start where no length vouches for it. The lines up to WARC-Type must look like header lines.
_START = re.compile(
    _VERSION.pattern + rb"(?:(?!(?i:warc-type))[!-9;-~]+[ \t]*:[^\n]*\n|[ \t][^\n]*\n){0,100}(?i:warc-type)[ \t]*:"
)
_LATER_START = re.compile(rb"\n" + _START.pattern)
_VERSION_BYTES = 32  # a version line and more
_HEADER_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]+")
_LENGTH = re.compile(r"[0-9]{1,18}")
_NO_LINE_END = re.compile(rb"[^\r\n]")
_CRLF_CLOSING = b"\r\n\r\n"
_CLOSINGS = (_CRLF_CLOSING, b"\n\n")
_CLOSING = re.compile(rb"(?:\r\n\r\n|\n\n|\r?\n)?")
_LINE_ENDS_AND_START = re.compile(rb"[\r\n]+" + _START.pattern)
_LOOKAHEAD_BYTES = 4 << 10  # enough for the next record's header up to WARC-Type
_CLOSED = re.compile(rb"\r?\n\r?\n\Z")
_CLOSING_AT_END = re.compile(rb"(?:\r?\n){1,2}\Z")
_DAMAGE = {
    "truncated_gzip": "The file ends inside the gzip member that begins at byte {}: fetch it again.",
    "corrupt_gzip": "The gzip member at byte {} is damaged: fetch the file again.",
    "trailing_bytes": "Behind the last gzip member, from byte {} on, bytes are no gzip; they were passed over.",
}
# Errors that several in a row, with no record between them, are one damaged stretch of the file.
_STRETCH = ("corrupt_gzip", "truncated_gzip", "trailing_bytes", "garbage")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_WARC = "This is no WARC file: it has no line WARC/1.x with a header that names a WARC-Type under it."


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """One record.

    Attributes:
        kind: ``WARC-Type``: conversion, response, warcinfo, ...
        url: ``WARC-Target-URI`` without the angle brackets that some writers put around it; "" if none.
        date: ``WARC-Date`` as it stands; "" if none.
        record_id: ``WARC-Record-ID`` without its angle brackets; "" if none.
        offset: The byte of the file where the record's gzip member begins, or, in a plain file, the record.
            A record that begins inside a member (one member for the whole file) has its offset in the
            inflated stream.
        headers: All headers by lower-case name; of several with one name, the first.
        body: The block, without the two line ends that close the record.
        repair: Why the body does not rest on its ``Content-Length``: "content_length" (it is wrong: the body
            ends where the next record begins), "missing_content_length" (likewise), "truncated" (the data
            ends first: the body is what there is, and a ReadError follows); "" where nothing was wrong.
    """

    kind: str
    url: str
    date: str
    record_id: str
    offset: int
    headers: dict[str, str]
    body: bytes
    repair: Repair = ""


@dataclass(frozen=True, slots=True)
class ReadError:
    """A damaged stretch of a file, or a record that could not be given; reading goes on behind it.

    Attributes:
        reason: A name from a closed set, for counting.
        message: What happened and what to do, for a person.
        offset: Where, as in :class:`WarcRecord`; for a damaged gzip the byte where its member begins.
    """

    reason: Reason
    message: str
    offset: int


def read_records(stream: BinaryIO, *, max_record_bytes: int = MAX_RECORD_BYTES) -> Iterator[WarcRecord | ReadError]:
    """Reads all records of a WARC, WET or WAT file.

    Gzip (one member a record, one for all, or cut anywhere) or plain is told by the bytes, not by the name.
    A record that fills a gzip member is given when the member's check sum is right.  In a member of many
    records, damage may show only at the member's end: what was complete before it is given.

    Args:
        stream: The file, opened for reading bytes; need not be seekable.
        max_record_bytes: A longer body is skipped with an error. Reading resumes at the next record start, so a
            record inside the skipped body would be taken for one of the file's. Memory is this and some MiB,
            and twice this for a moment where a length is wrong or too large.

    Yields:
        The records in order, and a ReadError wherever something is wrong: one for each damaged stretch between
        two records.  A file without a byte, or without a record, is one ReadError.

    Raises:
        OSError: From the stream. Nothing else, whatever the bytes.
    """
    raw = RawBytes(stream)
    head = raw.peek(MAX_HEADER_BYTES)
    if not head:
        yield ReadError("empty_file", "The file is empty.", 0)
        return
    # The first bytes can be damaged; then it is told by what comes first behind them.
    is_gzip = head.startswith(GZIP_MAGIC) or (GZIP_MEMBER.search(head) and not _START.search(head))
    window = Window(gzip_pieces(raw) if is_gzip else plain_pieces(raw))
    yield from _Parser(window, max_record_bytes).records()


_Events = Iterator[WarcRecord | ReadError]


class _Parser:
    """Cuts the inflated stream into records."""

    def __init__(self, window: Window, max_record_bytes: int) -> None:
        self._window = window
        self._max = max_record_bytes
        self._given = False  # whether anything was given yet
        self._lengths_hold = True  # whether no length was wrong yet
        self._trouble = ""  # reason of the last error, if no record came since

    def records(self) -> _Events:
        """All records and errors of the stream."""
        window = self._window
        window.fill(_VERSION_BYTES)
        if named := foreign(window.data):
            yield ReadError("not_warc", f"This is no WARC file, but {named}.", 0)
            return
        if window.data.startswith(_BYTE_ORDER_MARK):  # some editor's
            window.at = len(_BYTE_ORDER_MARK)
        while True:
            if self._pass_line_ends():
                window.fill(_VERSION_BYTES)
                if _VERSION.match(window.data, window.at):
                    yield from self._record()
                elif not (yield from self._garbage()):
                    return
            elif window.damage:
                damage, window.damage = window.damage, None
                yield from self._error(damage.reason, _DAMAGE[damage.reason].format(damage.member), damage.member)
            else:
                break
        if not self._given:
            yield ReadError("not_warc", _NOT_WARC, 0)

    def _error(self, reason: Reason, message: str, offset: int) -> _Events:
        goes_on = reason in _STRETCH and (self._trouble in _STRETCH or (reason == "garbage" and self._trouble))
        if not goes_on:
            self._trouble, self._given = reason, True
            yield ReadError(reason, message, offset)

    def _good(self, headers: dict[str, str], offset: int, body: bytes, repair: Repair = "") -> _Events:
        self._trouble, self._given = "", True
        self._lengths_hold = self._lengths_hold and not repair
        url, record_id = (headers.get(name, "").strip("<>") for name in ("warc-target-uri", "warc-record-id"))
        date = headers.get("warc-date", "")
        yield WarcRecord(headers["warc-type"], url, date, record_id, offset, headers, body, repair)

    def _pass_line_ends(self) -> bool:
        """Go to the next byte that is no line end; false where the stream or its sound part ends."""
        window = self._window
        while window.fill(1):
            if match := _NO_LINE_END.search(window.data, window.at):
                window.at = match.start()
                return True
            window.at = len(window.data)
        return False

    def _garbage(self) -> Generator[WarcRecord | ReadError, None, bool]:
        """Skip to the next record, or to the end; false if there is no reason to read on."""
        window = self._window
        offset = window.place()[0]
        skipped = 0
        while (distance := self._next_start(_CHUNK_BYTES)) < 0 and window.available > _CHUNK_BYTES:
            step = window.available - MAX_HEADER_BYTES  # what is left may be the beginning of a header
            window.at += step
            skipped += step
            window.place()
            if skipped > self._max and not self._given:
                yield ReadError("not_warc", _NOT_WARC, 0)
                return False
        window.at += distance if distance >= 0 else window.available
        # Where damage or the end comes first, the caller's message says more.
        if distance >= 0 or (self._given and not window.damage):
            message = f"Bytes that are no WARC record begin at {offset}; they were skipped."
            yield from self._error("garbage", message, offset)
        return True

    def _record(self) -> _Events:
        """The record that begins here, or why there is none."""
        window = self._window
        offset, fills_member = window.place()
        block = yield from self._header_block(offset)
        if block is None:
            return
        headers = _parse_headers(block)
        length = headers.get("content-length", "")
        if "warc-type" not in headers:
            window.fill(window.available + 1)
            if not window.damage:  # else it is what the damage left of a header, and the damage is told
                yield from self._error("bad_header", f"The record at {offset} has no WARC-Type.", offset)
        elif not _LENGTH.fullmatch(length):
            yield from self._body_to_next_start(headers, offset, None)
        elif int(length) > self._max:  # wrong, or too large: the next record's place tells
            yield from self._body_to_next_start(headers, offset, int(length))
        else:
            is_large = int(length) > _CHUNK_BYTES and self._lengths_hold
            body = self._large_body(int(length)) if is_large else self._body(int(length))
            if body is None:
                yield from self._body_to_next_start(headers, offset, int(length))
            elif not (fills_member and self._is_cut_off()):
                yield from self._good(headers, offset, body)

    def _is_cut_off(self) -> bool:
        """Whether damage follows at once, before the end of the gzip member and its check sum."""
        window = self._window
        return bool(window.damage and not window.available and not window.member_ends(window.at))

    def _too_large(self, offset: int) -> _Events:
        message = f"The record at {offset} has more than {self._max} bytes; it was skipped."
        yield from self._error("record_too_large", message, offset)

    def _header_block(self, offset: int) -> Generator[WarcRecord | ReadError, None, bytes | None]:
        """Pass the header and the empty line behind it."""
        window = self._window
        if not (end := _HEADER_END.search(window.data, window.at, window.at + MAX_HEADER_BYTES)):
            window.fill(MAX_HEADER_BYTES)
            end = _HEADER_END.search(window.data, window.at, window.at + MAX_HEADER_BYTES)
        if end:
            block = window.data[window.at : end.start()]
            window.at = end.end()
            return block
        if window.available >= MAX_HEADER_BYTES:
            window.at += _VERSION_BYTES
            message = f"The header at {offset} has more than {MAX_HEADER_BYTES} bytes; the record was skipped."
            yield from self._error("header_too_large", message, offset)
            return None
        window.at = len(window.data)
        if not window.damage:
            yield from self._error("truncated_record", f"The data ends in the header at {offset}.", offset)
        return None

    def _body(self, size: int) -> bytes | None:
        """Pass a body and its closing; None, with nothing passed, if the length is wrong."""
        window = self._window
        if not window.fill(size):
            return None
        is_exact = window.available == size + len(_CRLF_CLOSING) and window.data.endswith(_CRLF_CLOSING)
        if not (is_exact and window.member_ends(len(window.data))):
            window.fill(size + _LOOKAHEAD_BYTES)
        start = window.at
        body = window.data[start : start + size]
        window.at += size
        if (self._lengths_hold or not _holds_start(body)) and self._pass_closing(body[-4:]):
            return body
        window.at = start
        return None

    def _large_body(self, size: int) -> bytes | None:
        """The same in half the memory; slow if a file has many wrong lengths, so it is used as long as they hold."""
        window = self._window
        body = window.take(size)
        window.fill(_LOOKAHEAD_BYTES)
        if len(body) == size and self._pass_closing(body[-4:]):
            return body
        window.give_back(body)
        return None

    def _pass_closing(self, tail: bytes) -> bool:
        """Pass the two line ends behind a body; false if what follows, or its tail, says that the length is wrong."""
        window = self._window
        data = window.data
        closing = _CLOSING.match(data, window.at)
        end = closing.end() if closing else window.at
        is_last = data[end : end + 2] in (b"", b"\r")
        if data.count(b"\n", window.at, end) == 2:
            # More line ends before the next record are the body's own, and the length is too small; so it is where
            # more of the body follows a paragraph's end. Garbage behind a record is told from that by its CRLFs.
            is_closing = self._lengths_hold and data.startswith(_CRLF_CLOSING, window.at)
            is_followed = is_last or data.startswith(b"WARC/", end) or window.member_ends(end)
            is_right = (is_closing or is_followed) and not _LINE_ENDS_AND_START.match(data, end)
        elif (tail + data[window.at : end]).endswith(_CLOSINGS):
            is_right = False  # the length counts a part of the closing
        else:  # the end of the data cut the closing, or the writer leaves it out
            is_right = is_last or (data.startswith(b"WARC/", end) and window.member_ends(end))
        if is_right:
            window.at = len(data) if is_last else end
        return is_right

    def _next_start(self, limit: int) -> int:
        """Number of bytes from here, where a line begins, to the next start of a record.

        -1 if none comes before the end, or -1 with more than ``limit`` bytes available.
        """
        window = self._window
        window.fill(MAX_HEADER_BYTES)
        if _START.match(window.data, window.at):
            return 0
        skip = 0
        while not (match := _LATER_START.search(window.data, window.at + skip)):
            before = window.available
            if before > limit:
                return -1
            window.fill(min(2 * before, limit + MAX_HEADER_BYTES) + 1)
            if window.available == before:
                return -1
            skip = max(before - MAX_HEADER_BYTES, 0)
        return match.start() + 1 - window.at

    def _body_to_next_start(self, headers: dict[str, str], offset: int, length: int | None) -> _Events:
        """The body whose length is wrong, or None for not given: it ends where the next record begins."""
        window = self._window
        repair: Repair = "missing_content_length" if length is None else "content_length"
        distance = self._next_start(self._max)
        if distance > self._max or (distance < 0 and window.available > self._max):
            window.at += max(distance, 0)
            yield from self._too_large(offset)
        elif distance >= 0:
            yield from self._good(headers, offset, _unclosed(window.take(distance)), repair)
        elif window.damage:
            # Only a member's end can be the record's end here; without one, the damage's message covers it.
            member_end = window.first_member_end()
            if member_end > 0:
                yield from self._good(headers, offset, _unclosed(window.take(member_end)), repair)
            else:
                window.at = len(window.data)
        else:
            yield from self._last_body(headers, offset, length, repair)

    def _last_body(self, headers: dict[str, str], offset: int, length: int | None, repair: Repair) -> _Events:
        """The body of the last record, when its length is wrong.

        A length beyond the end says that the file was cut, also at a blank line, unless lengths were wrong before or
        the end of a sound gzip member vouches for the record's.
        """
        window = self._window
        is_closed = _CLOSED.search(window.data, max(len(window.data) - 4, window.at)) is not None
        is_within = length is not None and length <= window.available
        if length is not None and is_within and not is_closed:
            yield from self._good(headers, offset, window.take(length))  # and what follows it is garbage
            return
        vouched = not self._lengths_hold or window.member_ends(len(window.data))
        is_cut = length is not None and not (is_closed and (is_within or vouched))
        body = _unclosed(window.take(window.available))
        yield from self._good(headers, offset, body, "truncated" if is_cut else repair)
        if is_cut:
            message = f"The data ends in the record at {offset}, whose body should have {length} bytes."
            yield from self._error("truncated_record", message, offset)


def _holds_start(body: bytes) -> bool:
    """Whether another record begins in a body."""
    return b"WARC/" in body and bool(_START.match(body) or _LATER_START.search(body))


def _parse_headers(block: bytes) -> dict[str, str]:
    """Headers by lower-case name; the first of several; lines without a colon are passed over."""
    text = block.decode("utf-8", "replace")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    headers: dict[str, str] = {}
    for line in text.split("\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return headers


def _unclosed(body: bytes) -> bytes:
    """The body without the line ends that close a record: two, or what there is of them."""
    closing = _CLOSING_AT_END.search(body, max(len(body) - 4, 0))
    return body[: closing.start()] if closing else body
