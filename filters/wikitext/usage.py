"""Which templates a page uses inside its prose, and what goes with those that have no rule.

A template stands inside prose where its line holds a word beside it, be it a short sentence or a list item, and is no
part of a table or box: ``* Height: {{TA|300}} m``. Of a line that is templates alone no word goes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property

from filters.wikitext.tables import table_spans

_REACH = 100  # characters of the line that are looked at on either side
_LONGEST_ROW = 4000  # characters
_LETTER = re.compile(r"[^\W\d_]")
_WHOLE = re.compile(r"\{\{[^{}]*\}\}")
# Templates that are cut: of those that hold the place, the last argument before it is text.
_CUT_LEFT = re.compile(r"^[^{}]*\}\}|\{\{[^{}]*\||\{\{[^{}]*")
_CUT_RIGHT = re.compile(r"\{\{[^{}]*$|\|[^{}\[\]]*\}\}")
_DEEPEST = 4  # templates inside one another, beside a place
# Pictures, categories, addresses.
_HIDDEN = re.compile(r"\[\[[^\W\d_]{3,20}:(?! )[^\[\]]*(?:\]\]|$)|\[?https?://[^\s\]]*")
_ROW = ("|", "!", "{|")  # what a line of a table or a box begins with
_INDENTS = " \t:*#;"
_ARGUMENT_NAME = re.compile(r"\|\s*[^|=\[\]{}<>]{1,60}?\s*=")
_NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*")


@dataclass
class NameUses:
    """The uses of one template that has no rule: how many, and the characters and numbers of their arguments."""

    uses: int = 0
    characters: int = 0
    numbers: int = 0

    def add(self, other: NameUses) -> None:
        """Adds the counts of another."""
        self.uses += other.uses
        self.characters += other.characters
        self.numbers += other.numbers


@dataclass
class TemplateUses:
    """What was counted so far, over one page or many.

    Attributes:
        with_rule: uses inside prose of each template that has a rule, be it that it leaves no text.
        without_rule: the uses of those that have none.
    """

    with_rule: dict[str, int] = field(default_factory=dict)
    without_rule: dict[str, NameUses] = field(default_factory=dict)

    def note(self, page: Prose, start: int, end: int, name: str, has_rule: bool) -> None:
        """Counts the template from ``start`` to ``end`` of a page, if it stands inside prose."""
        if not page.holds(start, end):
            return
        if has_rule:
            self.with_rule[name] = self.with_rule.get(name, 0) + 1
            return
        found = self.without_rule.setdefault(name, NameUses())
        arguments = _ARGUMENT_NAME.sub("|", page.text[start + 2 : end - 2].partition("|")[2])
        found.uses += 1
        found.characters += len(arguments.replace("|", ""))
        found.numbers += len(_NUMBER.findall(arguments))


@dataclass(frozen=True)
class Prose:
    """The text of a page, without tags, and what of it is prose."""

    text: str

    def holds(self, start: int, end: int) -> bool:
        """Tells whether what stands from ``start`` to ``end`` has a word beside it, and is in no table or box."""
        text = self.text
        line_start = text.rfind("\n", max(0, start - _LONGEST_ROW), start) + 1
        left = text[max(line_start, start - _REACH) : start]
        if text[line_start : line_start + _REACH].lstrip(_INDENTS).startswith(_ROW):
            return False
        if not left.strip() and "\n" in text[start:end]:
            return False  # a box or a list, though text may follow its end
        right = text[end : end + _REACH].partition("\n")[0]
        if not _has_word(left, _CUT_LEFT) and not _has_word(right, _CUT_RIGHT):
            return False
        table = bisect_right(self._tables, (start, len(text))) - 1
        return table < 0 or start >= self._tables[table][1]

    @cached_property
    def _tables(self) -> list[tuple[int, int]]:
        return table_spans(self.text)


def _has_word(part: str, cut: re.Pattern[str]) -> bool:
    """Tells whether a part of a line holds a letter outside of templates, pictures and addresses."""
    if "{{" in part or "}}" in part:
        removed, depth = 1, 0
        while removed and depth < _DEEPEST:
            part, removed = _WHOLE.subn(" ", part)
            depth += 1
        part = cut.sub(" ", part)
    if ":" in part:
        part = _HIDDEN.sub(" ", part)
    return bool(_LETTER.search(part))
