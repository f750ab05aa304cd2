"""The rows of ``Posts.xml``: lines, what a line is, and which question it belongs to.

The publisher writes one row a line; line ends inside a value are references (``&#xA;``). So a row is found, judged and
parsed by itself: a broken one costs itself, and no document type, and so no entity, is ever read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lxml import etree  # type: ignore[import-untyped]

QUESTION, ANSWER, OTHER, TOO_LARGE, NO_ROW, FAULT = range(6)  # what a line is
KEPT_OF_TOO_LARGE = 1000  # bytes of a line over the limit that are kept, to tell which it was

LARGEST_ID = 10**18 - 1
_DIGITS = rb'="(\d{1,18})"'
# The first attributes, in the publisher's order; any other order takes the slow way.
_HEAD = re.compile(rb"\s*<row Id" + _DIGITS + rb" PostTypeId" + _DIGITS + rb"(?: ParentId" + _DIGITS + rb")?[ /]")
_FRAME = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*)?(?:</?posts\s*/?>\s*)?")
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,8})|(\d{1,8}));")
_NUMBER = re.compile(r"\d{1,18}")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class MalformedRow(ValueError):
    """A row that cannot be read; the message says why."""


class Line(NamedTuple):
    """A line that is no frame of the file.

    Attributes:
        offset: Where it begins, in bytes of the unpacked ``Posts.xml``.
        kind: ``QUESTION``, ``ANSWER``, ``OTHER`` (another post, or a row that says wrong what it is), ``TOO_LARGE``,
            ``NO_ROW``, ``FAULT`` (no line, but what is wrong with the file).
        key: The question's id; for what belongs to none ``-1 - offset``, which no question has, and which spreads it.
        data: The line.
    """

    offset: int
    kind: int
    key: int
    data: bytes


def split_lines(pieces: Iterator[bytes], start: int, end: int | None, limit: int) -> Iterator[tuple[int, bytes, bool]]:
    """Splits bytes into lines.

    Args:
        pieces: The bytes, from ``start`` on.
        start: Their offset.
        end: Where lines may no longer begin; None for the end of the bytes.
        limit: The longest line, in bytes.

    Yields:
        Offset, line without its end, and whether it was too long, and is cut. Memory: one piece and one line.
    """
    rest, at, lost = b"", start, 0  # at: offset of rest; lost: bytes of a line too long that were let go
    for piece in pieces:
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if end is not None and at >= end:
                return
            if lost or len(line) > limit:
                yield at, line[:KEPT_OF_TOO_LARGE], True
            else:
                yield at, line, False
            at += lost + len(line) + 1
            lost = 0
        if lost + len(rest) > limit:
            lost += max(0, len(rest) - KEPT_OF_TOO_LARGE)
            rest = rest[:KEPT_OF_TOO_LARGE]
    if rest and (end is None or at < end):
        yield at, rest[:limit], bool(lost) or len(rest) > limit


def classify(offset: int, line: bytes, too_long: bool) -> Line | None:
    """Tells what a line is; None for the file's frame and for empty lines."""
    if too_long:
        return Line(offset, TOO_LARGE, -1 - offset, line)
    found = _HEAD.match(line)
    if found:
        identifier, post_type, parent = found.groups()
        if post_type == b"1":
            return Line(offset, QUESTION, int(identifier), line)
        if post_type == b"2" and parent is not None:
            return Line(offset, ANSWER, int(parent), line)
        if post_type not in (b"1", b"2"):
            return Line(offset, OTHER, -1 - offset, line)
    if b"<row" not in line:
        return None if _FRAME.fullmatch(line) else Line(offset, NO_ROW, -1 - offset, line)
    return _slowly(offset, line)


def _slowly(offset: int, line: bytes) -> Line:
    """A row whose attributes are in another order, or wrong."""
    try:
        row, _ = RowParser().parse(line)
        kind = {"1": QUESTION, "2": ANSWER}.get(row.get("PostTypeId", ""), OTHER)
        if kind != OTHER:
            return Line(offset, kind, number(row, "Id" if kind == QUESTION else "ParentId"), line)
    except MalformedRow:
        pass
    return Line(offset, OTHER, -1 - offset, line)


def number(row: Mapping[str, str], name: str) -> int:
    """A number that a row must have.

    Raises:
        MalformedRow: It has none.
    """
    text = row.get(name, "").strip()
    if not _NUMBER.fullmatch(text):
        raise MalformedRow(f"{name} is {text!r}, no number" if name in row else f"it has no {name}")
    return int(text)


class RowParser:
    """Parses rows into their attributes, values decoded."""

    def __init__(self) -> None:
        self._parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)

    def parse(self, line: bytes) -> tuple[dict[str, str], int]:
        """Parses one row.

        What XML forbids but the dumps have goes, and the rest of the row stays: control characters, as such or as
        references (``&#x1F;``), and invalid UTF-8, which becomes U+FFFD.

        Args:
            line: The row.

        Returns:
            Its attributes, and the number of forbidden characters.

        Raises:
            MalformedRow: It is no single well-formed element ``row``.
        """
        line = line.strip()
        if not line.startswith(b"<row"):
            raise MalformedRow("it does not begin with <row")
        try:
            return self._attributes(line), 0
        except etree.XMLSyntaxError:
            mended, forbidden = _mend(line)
            if not forbidden:
                raise MalformedRow(self._why(line)) from None
        try:
            return self._attributes(mended), forbidden
        except etree.XMLSyntaxError:
            raise MalformedRow(self._why(mended)) from None

    def _attributes(self, line: bytes) -> dict[str, str]:
        element = etree.fromstring(line, self._parser)
        if element.tag != "row":
            raise MalformedRow(f"it is an element {element.tag!r}")
        return dict(element.items())

    def _why(self, line: bytes) -> str:
        try:
            etree.fromstring(line, self._parser)
        except etree.XMLSyntaxError as error:
            return str(error.msg)
        return "it is not well-formed"


def _mend(line: bytes) -> tuple[bytes, int]:
    """Takes out what XML forbids in a row, and counts it."""
    gone = 0

    def judge(reference: re.Match[bytes]) -> bytes:
        nonlocal gone
        value = int(reference[1], 16) if reference[1] else int(reference[2])
        if _is_allowed(value):
            return reference[0]
        gone += 1
        return b""

    line = _REFERENCE.sub(judge, line)
    line, controls = _CONTROL.subn(b"", line)
    try:
        line.decode()
    except UnicodeDecodeError:
        text = line.decode("utf-8", "replace")
        gone += text.count("\ufffd")
        line = text.encode()
    return line, gone + controls


def _is_allowed(value: int) -> bool:
    """Whether XML 1.0 (section 2.2, Char) allows a character."""
    return value in (9, 10, 13) or 0x20 <= value < 0xD800 or 0xE000 <= value < 0xFFFE or 0x10000 <= value < 0x110000
