"""Which templates a page uses inside its prose, and what goes with those that have no rule.

A template stands inside prose where its line holds other words, and is no row of a table or box. Those around it decide
whether its loss can be read: ``lies at {{TA|300 m}} above the sea``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_REACH = 100  # characters of the line that are looked at on either side
_TWO_WORDS = re.compile(r"[^\W\d_]{2,}[,;:]?[ \[\]|']+[^\W\d_]{2,}")  # side by side, they make a line prose
_TEMPLATES = re.compile(r"\{\{[^{}]*\}\}|^[^{}]*\}\}|\{\{[^{}|]*\|?")  # whole, or cut by the window
_ROW = ("|", "!", "{|")  # what a line of a table or a box begins with
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

    def note(self, text: str, start: int, end: int, name: str, has_rule: bool) -> None:
        """Counts the template from ``start`` to ``end`` of a text, if it stands inside prose."""
        if not in_prose(text, start, end):
            return
        if has_rule:
            self.with_rule[name] = self.with_rule.get(name, 0) + 1
            return
        found = self.without_rule.setdefault(name, NameUses())
        arguments = _ARGUMENT_NAME.sub("|", text[start + 2 : end - 2].partition("|")[2])
        found.uses += 1
        found.characters += len(arguments.replace("|", ""))
        found.numbers += len(_NUMBER.findall(arguments))


def in_prose(text: str, start: int, end: int) -> bool:
    """Tells whether what stands from ``start`` to ``end`` of a text has words beside it, and is in no table or box."""
    left = text[max(0, start - _REACH) : start]
    _, newline, left = left.rpartition("\n")
    if (newline or start < _REACH) and left.lstrip().startswith(_ROW):
        return False
    if not left.strip() and "\n" in text[start:end]:
        return False  # a box or a list, though text may follow its end
    if _TWO_WORDS.search(_TEMPLATES.sub(" ", left) if "{{" in left or "}}" in left else left):
        return True
    right = text[end : end + _REACH].partition("\n")[0]
    return bool(_TWO_WORDS.search(_TEMPLATES.sub(" ", right) if "{{" in right else right))
