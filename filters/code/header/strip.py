"""Takes the notices out of a file's leading comments.

RedPajama's recipe for code cuts the whole first comment, or all first lines that begin with a comment's marker, and
with them ``#include``, shebangs, Markdown headings and module documentation. Here a comment goes only where all of it
is notice (authors and dates beside one go with it); else its notice's lines go, and the rest stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from filters.code.header.comments import Comment, leading_comments
from filters.code.header.kinds import Kind
from filters.code.header.notice import classify, may_be_notice
from filters.code.header.syntax import Syntax

MAX_LINE = 400  # characters of a line that are looked at
# Files of one repository begin with the same comment: what stays of so many is remembered, of so many characters each.
REMEMBERED, MAX_REMEMBERED = 2048, 4096
_BLANK_LINES = re.compile(r"(?:[ \t\r]*\n)+")


class Stripped(NamedTuple):
    """A text without its notices, and the number of characters that went."""

    text: str
    removed: int


def strip_notices(text: str, syntax: Syntax | None) -> Stripped:
    """Takes the licence and copyright notices out of the comments at the top of a file.

    Args:
        text: The file, with newlines alone as line ends.
        syntax: How its language writes comments (``syntax_of``); where None, nothing is taken out.

    Returns:
        The text: what is left of it is unchanged, but for the blank lines around what went.
    """
    if syntax is None:
        return Stripped(text, 0)
    parts: list[str] = []
    kept_to = 0
    for comment in leading_comments(text, syntax):
        replacement = _replacement(comment) if may_be_notice(text[comment.start : comment.end]) else None
        if replacement is None:
            continue
        before = text[kept_to : comment.start]
        end = comment.end
        if not replacement:
            found = _BLANK_LINES.match(text, end)
            end = found.end() if found else end
        parts += [before, replacement]
        kept_to = end
    if not parts:
        return Stripped(text, 0)
    result = "".join([*parts, text[kept_to:]])
    lead = _BLANK_LINES.match(result)
    result = result[lead.end() :] if lead else result
    return Stripped(result, len(text) - len(result))


def _replacement(comment: Comment) -> str | None:
    """What stays of a comment: None where all of it does, nothing where all of it is notice."""
    here = replace(comment, start=0, end=0)  # it says the same wherever it stands
    return (_remembered if comment.end - comment.start <= MAX_REMEMBERED else _without_notice)(here)


@lru_cache(REMEMBERED)
def _remembered(comment: Comment) -> str | None:
    return _without_notice(comment)


def _without_notice(comment: Comment) -> str | None:
    kinds = classify([content[:MAX_LINE] for content in comment.contents])
    if Kind.NOTICE not in kinds:
        return None
    if not {Kind.TEXT, Kind.KEPT} & set(kinds):
        return ""
    if comment.opening:
        return _block_without(comment, kinds)
    return "\n".join(_tidy(comment.lines, kinds)) + comment.closing


def _block_without(comment: Comment, kinds: Sequence[Kind]) -> str:
    """A block comment without its notice: what stands in the line of its begin or its end stays there."""
    lines = list(comment.lines)
    kept_kinds = list(kinds)
    first = lines[0] if kept_kinds[0] is not Kind.NOTICE else ""
    last = None
    if len(lines) > 1:
        last = lines[-1] if kept_kinds[-1] is not Kind.NOTICE else _indent_of(lines[-1])
    inner = _tidy(lines[1:-1] if last is not None else [], kept_kinds[1:-1] if last is not None else [])
    if not first.strip() and inner and last is None:
        return comment.opening + inner[0] + comment.closing
    parts = [first, *inner] if last is None else [first, *inner, last]
    return comment.opening + "\n".join(parts) + comment.closing


def _indent_of(line: str) -> str:
    return line[: len(line) - len(line.lstrip())] or " "


def _tidy(lines: Sequence[str], kinds: Sequence[Kind]) -> list[str]:
    """The lines that stay, without the blank ones that stood around what went."""
    kept: list[tuple[str, Kind]] = []
    gap = False  # whether something went since the last line that stays
    for line, kind in zip(lines, kinds, strict=True):
        if kind is Kind.NOTICE:
            gap = True
            continue
        if kind is Kind.BLANK and gap and (not kept or kept[-1][1] is Kind.BLANK) and _is_empty(line):
            continue
        kept.append((line, kind))
        gap = gap and kind is Kind.BLANK
    while gap and kept and kept[-1][1] is Kind.BLANK and _is_empty(kept[-1][0]):
        kept.pop()
    return [line for line, _ in kept]


def _is_empty(line: str) -> bool:
    """Whether a line has nothing but a comment's marker, and no ruler, which may belong to a box."""
    return len(line.strip()) <= 2
