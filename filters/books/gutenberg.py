r"""Project Gutenberg texts: encoding, the header's fields, and the book without header, licence and trailer.

Project Gutenberg has published since 1971, and its files were never made uniform: the marker lines around the book are
spelt in many ways, and older files have none but the end of their "small print". What is known of them here comes from
the files themselves, from Project Gutenberg's own ``ebookmaker`` (``parsers/GutenbergTextParser.py``), and from the
marker list of the package ``gutenberg`` (``gutenberg/_domain_model/text.py``).

The rule that stands above all others: the body is never cut. A line that looks like a marker counts only where what it
would remove looks like a header, or like a trailer. Where in doubt, boilerplate stays.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from filters.books.gutenberg_credits import (
    leading_credits,
    next_empty,
    next_text,
    trailing_notes,
    without_inner_credits,
)

HEADER_LINES = 700  # the longest small print, with its letters on donations, has about 450
TRAILER_LINES = 700  # the licence of today has about 360
TRAILER_CHARACTERS = 100_000  # today's has 19,000
LINE_CHARACTERS = 300  # of a line that are looked at
MARKER_LINES = 5  # lines of one marker: long titles run on, up to the closing asterisks
SECOND_HEADER_LINES = 40  # within which behind a marker a second header shows, where a file has two
SHORT_TRAILER = 4  # lines with text that may follow an end marker without being known as a trailer
HEADER_SHARE = 0.4  # of the text before a start marker must look like a header's; in real ones 0.75 and more does
BOILERPLATE_SHARE = 0.5  # of a longer trailer's text, likewise; real ones have 0.8 and more

_NAME = (
    r"(?:the\s+|this\s+|dieses?\s+|de\s+ce\s+|du\s+|de\s+|del\s+|della?\s+|do\s+|deste\s+|van\s+(?:dit|het)?\s*|av\s+)*"
)
_KIND = r"(?:copyrighted\s+|public\s+domain\s+)?"
_PROJECT = r"(?:project|projekt|projet|progetto|proyecto|projecto|projeto)\s+gutenberg"
_STARS = r"^[\s*_=#<>\[\]-]{0,20}"

_START = re.compile(
    _STARS
    + r"(?:start|beginning|begin|beginn|anfang|d[ée]but|commencement|inizio|inicio|in[ií]cio|b[öo]rjan)\s+(?:of\s+)?"
    + _NAME
    + _KIND
    + _PROJECT,
    re.I,
)
_SMALL_PRINT_END = re.compile(_STARS + r"end[\s*]*(?:of\s+)?the\s+small\s+print", re.I)
# The last line of the header of 2001 to 2003, which has its small print at the end of the file; older headers have the
# line, too, before their small print.
_FILE_NAME = re.compile(r"^\*{3,}\s*this\s+file\s+should\s+be\s+named\b.*\*{3,}\s*$", re.I)
_LAWS = re.compile(r"copyright\s+laws\s+are\s+changing", re.I)
_FIELD_LINE = re.compile(
    r"\W*(?:title|subtitle|author|editor|translator|illustrator|release\s+date|posting\s+date|edition|language|character\s+set)"
    r"\b.{0,30}:|\[(?:yes|this\s+file|e-?(?:text|book)|most\s+recently)",
    re.I,
)
_TITLE_LINE = re.compile(_STARS + r"(?:the\s+)?project\s+gutenberg(?:'s|[\s-]+(?:tm\s+)?e-?(?:text|book)s?)\b", re.I)
LAWS_LINES = 150  # of that header, with its fields
FILE_NAME_PARAGRAPHS = 6  # of boilerplate behind that line: on editions, versions and the small print
_SMALL_PRINT_START = re.compile(_STARS + r"start[\s*]*(?:of\s+)?the\s+small\s+print", re.I)
_END = re.compile(
    _STARS
    + r"(?:the\s+)?(?:end|ende|fin|fine|fim|einde|slut|slutet|konec|koniec)\s+(?:of\s+)?"
    + _NAME
    + _KIND
    + _PROJECT
    + r"|"
    + _STARS
    + r"(?:ende\s+dieses\s+e-?(?:text|book)(?:e?s)?\b.*gutenberg"
    + r"|fin\s+de\s+ce\s+(?:document|livre)\b.*gutenberg"
    + r"|\*\s*start:?\s*full\s+license\s*\*|start:\s*full\s+license\s*$)",
    re.I,
)
# How a second header begins, in a file that was put into a new frame with its old one.
_SECOND_HEADER = re.compile(
    r"^\W*(?:the\s+)?(?:world'?s\s+)?project\s+gutenberg|^\W*this\s+is\s+the\s+project\s+gutenberg|^title\s*:", re.I
)

# The words of licences, trailers and letters on donations: nearly each of their paragraphs has one.
_BOILERPLATE = re.compile(
    r"gutenberg|\be-?(?:text|book)s?\b|small\s+print|electronic\s+works?|foundation|trademark|licen[sc]e|copyright"
    r"|donat|refund|warrant|liab|indemn|disclaim|royalt|redistribut|public\s+domain|www\.|http|ftp|@|\.(?:txt|zip)\b",
    re.I,
)
_HEADER_PART = re.compile(
    r"^\W*(?:title|subtitle|author|editor|illustrator|translator|contributor|language|character\s+set|credits"
    r"|(?:posting|release)\s+date|(?:most\s+recently|last)\s+updated)\b.{0,20}:|" + _BOILERPLATE.pattern,
    re.I | re.M,
)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_EDITIONS = re.compile(
    r"\W*(?:corrected\s+editions\s+of\s+our|versions\s+based\s+on|project\s+gutenberg(?:'s)?\s+e-?(?:books|texts)\s+are"
    r"|the\s+\W?legal\s+small\s+print|this\s+e-?(?:text|book)\s+is\s+(?:being|also)|information\s+about\s+project)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Stripped:
    """A book without its boilerplate.

    Attributes:
        body: The book.
        header: What stood before it, with the start marker; empty where the file has none.
        start: How the header ended: ``marker``, ``small_print``, ``laws``, or None where no marker was found.
        end: Whether an end marker was found.
        headers: Headers found: two where a file was put into a new frame with its old one.
        kept: Whether markers were overruled, because nothing would have been left between them.
    """

    body: str
    header: str
    start: str | None
    end: bool
    headers: int
    kept: bool = False


def strip_boilerplate(text: str) -> Stripped:
    r"""Removes header, licence and trailer, and credits and transcriber's notes that stand next to the markers.

    Args:
        text: The file's text, with ``\n`` at its line ends.

    Returns:
        The book, and what was found. A file without any marker keeps its text, all of it; so does one where nothing
        would be left, between the last marker that is sure and its end.
    """
    lines = text.split("\n")
    start, kind, headers = _find_start(lines)
    end = _find_end(lines, start)
    stripped = _cut(text, lines, start, end, kind, headers)
    if stripped.body.strip() or not text.strip():
        return stripped
    return _kept(text, lines, start if kind == "marker" else 0) or stripped


def _kept(text: str, lines: Sequence[str], sure: int) -> Stripped | None:
    """A book of which nothing is left: the text from the last sure marker on, up to the end marker or the file's end.

    None where what would be kept is boilerplate: then the file has no book.
    """
    starts = [(sure, "marker")] if sure else []
    named = _laws_start(lines)
    starts += [(named, "laws")] if named else []
    for start, kind in (*starts, (0, None)):
        for end in (_find_end(lines, start), None):
            found = _cut(text, lines, start, end, kind, int(kind is not None))
            body = [line for line in found.body.split("\n") if not _is_marker(line[:LINE_CHARACTERS])]
            if found.body.strip() and _share_of(_HEADER_PART, body) < HEADER_SHARE:
                return replace(found, kept=True)
    return None


def _is_marker(line: str) -> bool:
    return bool(_start_kind(line) or _END.match(line) or _SMALL_PRINT_START.match(line))


def _cut(text: str, lines: Sequence[str], start: int, end: int | None, kind: str | None, headers: int) -> Stripped:
    """What stands between two lines, without credits and notes next to them."""
    body = lines[start : len(lines) if end is None else end]
    if kind is not None:
        body = body[leading_credits(body) :]
    if end is not None:
        body = body[: trailing_notes(body)]
    if kind is None and end is None:
        return Stripped(text, "", None, False, 0)
    return Stripped(
        without_inner_credits("\n".join(body).strip("\n")), "\n".join(lines[:start]), kind, end is not None, headers
    )


def _find_start(lines: Sequence[str]) -> tuple[int, str | None, int]:
    """The first line of the book, the kind of marker before it, and the number of headers."""
    start, kind, headers = 0, None, 0
    while found := _next_start(lines, start, kind):
        start, kind = found
        headers += 1
    named = _laws_start(lines) if kind is None else 0
    return (named, "laws", 1) if named else (start, kind, headers)


def _laws_start(lines: Sequence[str]) -> int:
    """The first line behind a header without a marker, as of 2001 to 2003; 0 where there is none.

    It begins with the laws, or with Project Gutenberg's own title line.

    It ends with the line that names the file, or, without it, with the last of the fields.
    """
    top = [line[:LINE_CHARACTERS] for line in lines[:LAWS_LINES]]
    first = next_text(top, 0)
    titled = first < len(top) and bool(_TITLE_LINE.match(top[first]))
    if not titled and not any(_LAWS.search(line) for line in top[:SECOND_HEADER_LINES]):
        return 0
    named = [number + 1 for number, line in enumerate(top) if "NAMED" in line.upper() and _FILE_NAME.match(line)]
    end = named[0] if named else _behind_fields(top)
    return _behind_boilerplate(lines, end) if end and _is_header(lines[:end], is_second=False) else 0


def _behind_fields(lines: Sequence[str]) -> int:
    """The line behind the first run of paragraphs that are fields, or remarks on them; 0 where there is none."""
    end = at = 0
    while (first := next_text(lines, at)) < len(lines):
        at = next_empty(lines, first)
        if _FIELD_LINE.match(lines[first]):
            end = at
        elif end:
            break
    return end


def _behind_boilerplate(lines: Sequence[str], at: int) -> int:
    """The line behind paragraphs on editions and the small print, which some headers have below the file's name."""
    for _ in range(FILE_NAME_PARAGRAPHS):
        first = next_text(lines, at)
        last = next_empty(lines, first)
        if not _EDITIONS.match("\n".join(lines[first : min(last, first + 2)])):
            break
        at = last
    return at


def _next_start(lines: Sequence[str], begin: int, before: str | None) -> tuple[int, str] | None:
    """The end of the header that begins at a line, if one does."""
    for number in range(begin, min(begin + HEADER_LINES, len(lines))):
        kind = _start_kind(lines[number][:LINE_CHARACTERS])
        if not kind or (kind == "small_print" and _ends_the_book(lines, begin, number)):
            continue
        if _is_header(lines[begin:number], is_second=before is not None):
            return _marker_end(lines, number, kind), kind
    return None


def _ends_the_book(lines: Sequence[str], begin: int, number: int) -> bool:
    """Whether a small print that ends at a line is the file's end: no book stands behind it, or an end line before."""
    if _share_of(_BOILERPLATE, lines[number + 1 : number + 1 + TRAILER_LINES]) >= BOILERPLATE_SHARE:
        return True
    return any("utenberg" in line.lower() and _END.match(line[:LINE_CHARACTERS]) for line in lines[begin:number])


def _is_header(lines: Sequence[str], *, is_second: bool) -> bool:
    """Whether lines before a start marker are nothing to miss."""
    if sum(map(len, lines)) > TRAILER_CHARACTERS:
        return False
    if is_second and not any(_SECOND_HEADER.search(line[:LINE_CHARACTERS]) for line in lines[:SECOND_HEADER_LINES]):
        return False
    # A small print has the file's header before it, or nothing: not a book, as where it stands at a book's end.
    small_print = next((n for n, line in enumerate(lines) if _SMALL_PRINT_START.match(line[:LINE_CHARACTERS])), None)
    return _share_of(_HEADER_PART, lines[:small_print]) >= HEADER_SHARE


def _share_of(pattern: re.Pattern[str], lines: Sequence[str]) -> float:
    """The share of the text that stands in paragraphs with a match; 1 of no text.

    By size, not number: verse between two headings must not pass as boilerplate.
    """
    paragraphs = [part for part in _PARAGRAPH.split("\n".join(lines)) if part.strip(" \t\n*\ufeff")]
    size = sum(map(len, paragraphs))
    return sum(len(part) for part in paragraphs if pattern.search(part)) / size if size else 1.0


def _start_kind(line: str) -> str | None:
    if "SMALL" in line.upper() and _SMALL_PRINT_END.match(line):
        return "small_print"
    if "GUTENBERG" in line.upper() and _START.match(line):
        return "marker"
    return None


def _marker_end(lines: Sequence[str], number: int, kind: str) -> int:
    """The line behind a marker: one that is not closed by asterisks may run on, up to an empty line."""
    if kind == "marker" and not lines[number].lstrip().startswith("*"):
        return number + 1
    for at in range(number, min(number + MARKER_LINES, len(lines))):
        if not lines[at].strip():
            break
        if lines[at].rstrip().endswith("*"):
            return at + 1
    return number + 1


def _find_end(lines: Sequence[str], start: int) -> int | None:
    """The line behind the last one of the book; None where no end marker has a trailer, or nothing, behind it.

    From the last marker-like line upwards: what lies between one and the cut so far must be a trailer.
    """
    cut, found = len(lines), None
    for number in range(len(lines) - 1, start - 1, -1):
        if len(lines) - number > 2 * TRAILER_LINES:
            break
        line = lines[number][:LINE_CHARACTERS]
        if "G" not in line and "g" not in line and "L" not in line:
            continue
        if (_END.match(line) or _small_print_trailer(lines, number)) and _is_trailer(lines[number + 1 : cut]):
            cut = found = number
    return found


def _small_print_trailer(lines: Sequence[str], number: int) -> bool:
    """Whether the small print begins here, in a file that has it at its end."""
    return bool(_SMALL_PRINT_START.match(lines[number][:LINE_CHARACTERS])) and any(
        _SMALL_PRINT_END.match(line[:LINE_CHARACTERS]) for line in lines[number + 1 : number + TRAILER_LINES]
    )


def _is_trailer(lines: Sequence[str]) -> bool:
    """Whether lines behind an end marker are nothing to miss: very few, or such as trailers have."""
    if sum(1 for line in lines if line.strip()) <= SHORT_TRAILER:
        return True
    if len(lines) > TRAILER_LINES or sum(map(len, lines)) > TRAILER_CHARACTERS:
        return False
    return _share_of(_BOILERPLATE, lines) >= BOILERPLATE_SHARE
