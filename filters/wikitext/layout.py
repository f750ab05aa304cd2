"""Last pass, line by line: titles, list items and paragraphs, with bold and italics unwrapped and gaps closed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from filters.wikitext.gaps import close_gaps
from filters.wikitext.holes import drop_holes, drop_item
from filters.wikitext.marks import BREAK, GAP, HOLE, JOINT
from filters.wikitext.quotes import unwrap_quotes

ITEM_MARK = "- "
INDENT = "  "
DEEPEST_INDENT = 20  # levels; nobody writes more, and a line must not grow without bound
RULE = "----"  # four hyphens or more draw a line across the page

_TITLE = re.compile(r"(={1,6})(.+?)(={1,6})[ \t]*")
_RULE = re.compile(r"^-{4,}", re.MULTILINE)
_LIST_MARKS = "*#:;"
_SPACES = re.compile(r"[ \t]{2,}|\t")


class Line(NamedTuple):
    """One line of text.

    Attributes:
        text: without markup; empty for the blank line between paragraphs.
        title_level: number of equals signs of a section title, 0 for any other line.
        is_item: whether the line is a list item (or is indented like one).
    """

    text: str
    title_level: int = 0
    is_item: bool = False


BLANK = Line("")


def layout(text: str) -> Iterator[Line]:
    """Yields the lines of a page without links, templates and tables.

    A bulleted item becomes ``- item``, indented by two spaces for each level above it; a numbered item gets its
    number; lines indented by a colon and the two halves of a definition stand on their own without a mark.
    A ``<br>`` ends a line, and is a space inside an item or title. Lines that held only what was removed go.
    """
    numbering = _Numbering()
    if RULE in text:
        text = _RULE.sub("", text)
    for source in text.split("\n"):
        first = source[:1]
        if first and first in _LIST_MARKS:
            yield from _item(source, numbering)
            continue
        if numbering.marks:
            numbering.reset()
        if not first:
            yield BLANK
            continue
        if first == "=" and (title := _title(source)):
            yield title
            continue
        if first == " " and source[1:2] == " " and (line := _preformatted(source)):
            yield Line(line)
            continue
        removed = False
        for part in source.split(BREAK) if BREAK in source else (source,):
            line = clean_line(part)
            removed = removed or bool(line)
            if line:  # one that only now begins with its sign is a title, too: what stood before it has gone
                yield (_title(line) if line[0] == "=" else None) or Line(line)
        if not removed and source.isspace():
            yield BLANK


def clean_line(line: str) -> str:
    """Unwraps bold and italics, closes gaps, and collapses spaces, as a browser does."""
    if "''" in line:
        line = unwrap_quotes(line)
    if HOLE in line:
        line = drop_holes(line)
    if GAP in line:
        line = close_gaps(line)
    if JOINT in line:
        line = line.replace(JOINT, "")
    if "  " in line or "\t" in line:
        line = _SPACES.sub(" ", line)
    return line.strip()


def _preformatted(source: str) -> str:
    """Returns a line that starts with spaces as a browser shows it: with its spaces, but for the first."""
    text = source[1:].rstrip()
    if GAP in text or BREAK in text or HOLE in text:
        return ""
    content = text.lstrip(" ")
    return text[: len(text) - len(content)] + unwrap_quotes(content).replace(JOINT, "") if content else ""


def _title(source: str) -> Line | None:
    """Returns a section title, or None where the equals signs at the two ends do not make one."""
    match = _TITLE.fullmatch(source.replace(GAP, " ").replace(BREAK, " ").rstrip())
    if match is None:
        return None
    level = min(len(match[1]), len(match[3]))
    text = "=" * (len(match[1]) - level) + match[2] + "=" * (len(match[3]) - level)
    return Line(clean_line(text), level)


def _item(source: str, numbering: _Numbering) -> Sequence[Line]:
    """Returns the line of a list item, or the two lines of a term with its definition."""
    content = source.lstrip(_LIST_MARKS)
    marks = source[: len(source) - len(content)]
    content = drop_item(content) if HOLE in content else content
    text = clean_line(content.replace(BREAK, " ") if BREAK in content else content)
    if not text:
        return ()
    if marks[-1] == ";":
        numbering.reset()
        term, separator, definition = text.partition(" : ")
        line = Line(term, 0, bool(separator))
        return (line, Line(definition.strip(), 0, True)) if separator and definition.strip() else (line,)
    return (Line(numbering.prefix(marks) + text, 0, True),)


class _Numbering:
    """Counts the items of numbered lists, one count for each depth."""

    def __init__(self) -> None:
        self.marks = ""
        self.counts: list[int] = []

    def reset(self) -> None:
        """Forgets the counts: the list has ended."""
        self.marks = ""
        self.counts = []

    def prefix(self, marks: str) -> str:
        """Returns what stands before the text of an item with these marks, and counts it."""
        depth = len(marks)
        if depth <= len(self.counts) and marks[:-1] == self.marks[: depth - 1]:
            same = self.marks[depth - 1 : depth] == marks[-1]
            self.counts = [*self.counts[: depth - 1], self.counts[depth - 1] + 1 if same else 1]
        else:
            self.counts = [*self.counts[: depth - 1], *[0] * (depth - 1 - len(self.counts)), 1]
        self.marks = marks
        if marks[-1] == ":":
            return ""
        indent = INDENT * min(sum(mark in "*#" for mark in marks[:-1]), DEEPEST_INDENT)
        return f"{indent}{self.counts[-1]}. " if marks[-1] == "#" else indent + ITEM_MARK
