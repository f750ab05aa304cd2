"""Sentences that run over lines of which only some are of a notice: they go whole, or stay whole.

Lines are what is taken out, but sentences are what a reader reads. Where a line of a notice and one that is none share
a sentence, the sentence decides for both; one that begins or ends within a line of other text stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from filters.code.header.kinds import Kind

WRAPPED = 40  # characters: a shorter line does not go on in the next one, unless it ends openly
FULL = 60  # a longer line without an end goes on, whatever letter the next one begins with
MAX_SENTENCE = 1000  # characters that are looked at
PASSES = 3  # a settled sentence can part the one before it
_END_MARKS = " \t\r*#/|"
_MARKS = _END_MARKS + ";%-=_+~!'\"<>.:\\^&$@`{}()[]·•"
_OPEN = re.compile(
    r"(?:,|\w-|\b(?:the|an?|of|in|on|at|to|for|with|by|under|and|or|is|are|be|as|from|that|which|this|it|may|can|you|not|any|see"
    r"|its|their|was|has|have|been))$",
    re.I,
)
_IS = re.compile(r"\b(?:is|are)$", re.I)
_BREAK = re.compile(r"[.!?][\"')*]{0,3}\s+(?=[A-Z\"'(`<])")
_ITEM = re.compile(r"\s*(?:[-+*@\\:•]|\d{1,2}[.)])\s?\S")
_STAR = re.compile(r"^\s*\*(?=\s)")  # before each line of a block comment
_ENDS = (".", "!", "?", ":", ";")
# "This module is part of tide and is released under the BSD License": about the file, and in the end about its licence.
_OF_FILE = re.compile(
    r"(?:this|the|all)\s+[\w ./'\"-]{0,60}?"
    r"\b(?:files?|code|modules?|package|software|library|program|script|source|work|project|header)\b"
    r".{0,250}\b(?:under|licen[cs]ed?)\b.{0,100}(?:licen[cs]e|\bMIT\b|\bBSD\b|\bApache\b|GPL)",
    re.I | re.S,
)
_INTRODUCES = re.compile(r"\b(?:licen[cs]es?|licen[cs]ed|copyright|terms|permission|notices?)\b", re.I)


@dataclass(frozen=True)
class Sentences:
    """The lines of a comment, and how what they say is told.

    Attributes:
        contents: The lines.
        covered: Whether each is the wording of a licence.
        is_statement: Whether a line is a copyright statement.
        is_notice: Whether a sentence is a notice by itself.
        goes_along: Whether a sentence goes with a notice: of authors, of other notices.
    """

    contents: Sequence[str]
    covered: Sequence[bool]
    is_statement: Callable[[str], bool]
    is_notice: Callable[[str], bool]
    goes_along: Callable[[str], bool]

    def settle(self, kinds: list[Kind], first: int, last: int) -> None:
        """Gives all lines of a sentence one kind.

        Args:
            kinds: The kinds of all lines, which are changed.
            first: The first line of a paragraph.
            last: Its last.
        """
        for _ in range(PASSES):
            before = kinds[first : last + 1]
            for at in range(first, last):
                if (kinds[at] is Kind.NOTICE) != (kinds[at + 1] is Kind.NOTICE) and self._crosses(at):
                    self._settle_one(kinds, first, at, last)
            if kinds[first : last + 1] == before:
                return

    def _crosses(self, at: int) -> bool:
        """Whether a sentence goes on from a line to the next."""
        line, following = self.contents[at], self.contents[at + 1]
        end, begin = line.rstrip(_END_MARKS).rstrip(), following.strip(_MARKS)
        if not end or not begin or end.endswith(_ENDS) or _ITEM.match(_STAR.sub("", following, count=1)):
            return False
        if self.is_statement(following):
            return bool(_IS.search(end))
        if self.is_statement(line):
            return False
        if _OPEN.search(end) or begin.startswith(("http:", "https:")):
            return True
        length = len(end.strip())
        if length < WRAPPED or self.is_notice(following):
            return False
        return begin[:1].islower() or length >= FULL

    def _settle_one(self, kinds: list[Kind], first: int, at: int, last: int) -> None:
        start, end = at, at + 1
        while start > first and not _BREAK.search(self.contents[start]) and self._crosses(start - 1):
            start -= 1
        while end < last and not _BREAK.search(self.contents[end]) and self._crosses(end):
            end += 1
        before, sentence, behind = _sentence(self.contents, start, end)
        alone = self._may_go(before, kinds[start]) and self._may_go(behind, kinds[end])
        goes = alone and (
            2 * sum(self.covered[start : end + 1]) >= end + 1 - start
            or any(self.is_statement(line) for line in self.contents[at : at + 2])
            or self.is_notice(sentence)
            or bool(_OF_FILE.match(sentence))
        )
        kinds[start : end + 1] = [Kind.NOTICE if goes else Kind.TEXT] * (end + 1 - start)

    def _may_go(self, others: str, kind: Kind) -> bool:
        """Whether what shares a line with a sentence may go with it."""
        return not others or kind is Kind.NOTICE or self.goes_along(others)

    def introductions(self, kinds: Sequence[Kind]) -> list[int]:
        """The lines of sentences that announce a notice: "it is under the following license:" before one that goes."""
        found: list[int] = []
        for at, content in enumerate(self.contents):
            if kinds[at] is not Kind.TEXT or not content.rstrip(_END_MARKS).endswith(":"):
                continue
            if next((kind for kind in kinds[at + 1 :] if kind is not Kind.BLANK), None) is not Kind.NOTICE:
                continue
            start = at
            while start and kinds[start - 1] is Kind.TEXT and not _BREAK.search(self.contents[start]):
                if not self._crosses(start - 1):
                    break
                start -= 1
            before, sentence, _ = _sentence(self.contents, start, at)
            if not before and _INTRODUCES.search(sentence):
                found += range(start, at + 1)
        return found


def _sentence(contents: Sequence[str], start: int, end: int) -> tuple[str, str, str]:
    """A sentence, and what stands before it in its first line and behind it in its last."""
    lines = [content.strip(_END_MARKS) for content in contents[start : end + 1]]
    breaks = list(_BREAK.finditer(lines[0]))
    head = breaks[-1].end() if breaks else 0
    found = _BREAK.search(lines[-1]) if len(lines) > 1 else None
    before, behind = lines[0][:head].strip(), lines[-1][found.end() :] if found else ""
    lines[-1] = lines[-1][: found.end()] if found else lines[-1]
    lines[0] = lines[0][head:]
    return before, " ".join(lines)[:MAX_SENTENCE], behind
