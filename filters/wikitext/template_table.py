"""The table of one edition's templates, and how a name is looked up in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from filters.wikitext.marks import GAP
from filters.wikitext.parser_functions import function_rule
from filters.wikitext.rules import Rule

# MediaWiki tells apart upper and lower case but for the first letter: {{ESP}} is a country, {{esp}} an exponent.
# Editors have made redirects from most other spellings of long names ({{NOWRAP}}); of short ones they are other things.
_SHORT = 3
_REMEMBERED = 10_000  # names that have been looked up
_LONGEST_REMEMBERED = 60


def exact_name(name: str) -> str:
    """Returns a template's name as MediaWiki compares it: the first letter small, spaces for underscores."""
    name = shown_name(name)
    return name[:1].lower() + name[1:]


def shown_name(name: str) -> str:
    """Returns a name with single spaces, and without what a comment in it has left."""
    return " ".join(name.replace("_", " ").replace(GAP, " ").split())


@dataclass(frozen=True)
class TemplateTable:
    """Which templates keep text, and which are known to have none.

    Attributes:
        language: code of the edition, for number separators and months.
        exact: rule of each template, by its name (see ``exact_name``).
        folded: the same by lower-case name.
        families: rules of names that follow a pattern, such as ``lang-de``, ``{{XXe siècle}}``, ``{{ESP}}``.
        silent: the rule of those that are known to leave no text.
    """

    language: str
    exact: Mapping[str, Rule]
    folded: Mapping[str, Rule]
    families: tuple[tuple[re.Pattern[str], Rule], ...] = ()
    silent: Rule | None = None
    _found: dict[str, Rule | None] = field(default_factory=dict, compare=False, repr=False)

    def find(self, name: str) -> Rule | None:
        """Returns the rule of a template or parser function, or None where there is none."""
        try:
            return self._found[name]
        except KeyError:
            rule = self._find(name)
            if len(name) <= _LONGEST_REMEMBERED and len(self._found) < _REMEMBERED:
                self._found[name] = rule
            return rule

    def _find(self, name: str) -> Rule | None:
        shown = shown_name(name)
        rule = self.exact.get(exact_name(shown))
        if rule is not None:
            return rule
        for pattern, family in self.families:
            if pattern.fullmatch(shown):
                return family
        if len(shown) > _SHORT or shown[1:] == shown[1:].lower():
            rule = self.folded.get(shown.lower())
        if rule is None and (":" in shown or shown.startswith("#")):
            return function_rule(shown.lower())
        return rule
