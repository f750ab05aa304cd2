"""The comments at the top of a source file: where they begin and end, and their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from filters.code.header.syntax import Syntax

MAX_HEADER = 64 << 10  # characters: no licence is longer, and none is looked for behind them
MAX_COMMENTS = 100  # and statements that are passed over
_BLANKS = re.compile(r"\s*")
_SHEBANG = re.compile(r"#![^\n]*")
_LINE_END = re.compile(r"[ \t\r]*(?:\n|$)")
_INDENTED_END = re.compile(r"\n(?=\S)|$(?![\s\S])")


@dataclass(frozen=True)
class Comment:
    """A block comment, or line comments on consecutive lines.

    Attributes:
        start: Where it begins: at the begin of its line where nothing but spaces stands before it.
        end: Behind its last character; for line comments and where only spaces follow, behind the line.
        opening: The begin of a block comment; empty for line comments.
        lines: The lines between begin and end of a block comment, or the whole lines of line comments, without their
            newlines.
        closing: The end of a block comment and what of its line follows it, if only spaces do; for line comments, the
            last newline.
        contents: For each line, what it says: without the marker of a line comment.
    """

    start: int
    end: int
    opening: str
    lines: tuple[str, ...]
    closing: str
    contents: tuple[str, ...]


def leading_comments(text: str, syntax: Syntax) -> Iterator[Comment]:
    """The comments before the first code of a file, in order; those that tools read as code are passed over.

    Args:
        text: The file, with newlines alone as line ends.
        syntax: How its language writes comments.
    """
    at = 0
    if found := _SHEBANG.match(text):
        at = found.end()
    for _ in range(MAX_COMMENTS):
        at = _after_blanks(text, at)
        if at >= len(text) or at >= MAX_HEADER:
            return
        if syntax.passed and (found := syntax.passed.match(text, at)):
            at = max(found.end(), at + 1)
            continue
        comment = _block(text, at, syntax) or _line_comments(text, at, syntax)
        if comment is None:
            return
        yield comment
        at = comment.end


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _line_start(text: str, at: int) -> int:
    """The begin of the line of a place, where only spaces stand between; else the place."""
    start = text.rfind("\n", 0, at) + 1
    return start if not text[start:at].strip() else at


def _block(text: str, at: int, syntax: Syntax) -> Comment | None:
    for begin, end in syntax.blocks:
        opening = begin.match(text, at)
        if not opening:
            continue
        if not end:
            return _indented(text, at, opening.end())
        closing = (
            end.format(**{key: value or "" for key, value in opening.groupdict().items()}) if "{level}" in end else end
        )
        inner, stop = opening.end(), text.find(closing, opening.end(), MAX_HEADER)
        if stop < 0 and closing == "*/" and text.startswith("/", opening.end()):
            return None
        if stop < 0:
            return None
        behind = _LINE_END.match(text, stop + len(closing))
        finish = behind.end() if behind else stop + len(closing)
        lines = tuple(text[inner:stop].split("\n"))
        return Comment(
            _line_start(text, at), finish, text[_line_start(text, at) : inner], lines, text[stop:finish], lines
        )
    return None


def _indented(text: str, at: int, inner: int) -> Comment:
    """A comment of reStructuredText: up to the next line that is not indented."""
    found = _INDENTED_END.search(text, inner)
    stop = min(found.start() if found else len(text), MAX_HEADER)
    lines = tuple(text[inner:stop].rstrip().split("\n"))
    finish = min(stop + 1, len(text))
    return Comment(at, finish, text[at:inner], lines, "\n", lines)


def _line_comments(text: str, at: int, syntax: Syntax) -> Comment | None:
    if syntax.line is None:
        return None
    start = place = _line_start(text, at)
    if start == at and at and text[at - 1] != "\n" and start != 0:
        start = place = at
    lines, contents = [], []
    limit = min(len(text), MAX_HEADER)
    while place < limit:
        marker = syntax.line.match(text, place if text[place] not in " \t" else place + _indent(text, place))
        if not marker:
            break
        end = text.find("\n", place)
        end, following = (end, end + 1) if end >= 0 else (len(text), len(text))
        lines.append(text[place:end])
        contents.append(text[marker.end() : end])
        place = following
    closing = "\n" if text[place - 1] == "\n" else ""
    return Comment(start, place, "", tuple(lines), closing, tuple(contents)) if lines else None


def _indent(text: str, at: int) -> int:
    end = at
    while end < len(text) and text[end] in " \t":
        end += 1
    return end - at
