"""Patterns: what a template writes, in one line of a table.

``{1}`` stands for an argument, ``{lt|1}`` for the first of two that is there, and ``{1:number}`` for one as a filter
writes it. What stands in ``<...>`` is left out where an argument in it is blank; where one outside is blank, all is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from filters.wikitext.editions.edition import Edition
from filters.wikitext.numbers import local_number, power
from filters.wikitext.rules import Arguments, Rule, fixed, keep

Fill = Callable[[Arguments], "str | None"]  # None: an argument is blank
Filter = Callable[[str, Edition], str]

_PLACE = re.compile(r"\{([^{}:]+)(?::([a-z]+))?\}")
_OPTIONAL = re.compile(r"<([^<>]*)>")

FILTERS: Mapping[str, Filter] = MappingProxyType(
    {
        "number": lambda text, edition: local_number(text, edition.language),
        "power": lambda text, edition: power(text),
        "country": lambda text, edition: edition.country(text),
        "lower": lambda text, edition: text.lower(),
    }
)


def pattern_rule(pattern: str, edition: Edition) -> Rule:
    """Returns the rule that a pattern stands for.

    Raises:
        ValueError: it names a filter that there is not.
    """
    if not _PLACE.search(pattern):
        return fixed(pattern)
    if (only := _PLACE.fullmatch(pattern)) and not only[2]:
        return keep(*only[1].split("|"))
    pieces = _OPTIONAL.split(pattern)
    fills = [(_fill(piece, edition), bool(number % 2)) for number, piece in enumerate(pieces)]

    def rule(arguments: Arguments) -> str:
        out: list[str] = []
        for fill, is_optional in fills:
            text = fill(arguments)
            if text is None and not is_optional:
                return ""
            out.append(text or "")
        return "".join(out)

    return rule


def _fill(piece: str, edition: Edition) -> Fill:
    """Returns what writes a piece of a pattern without optional parts."""
    parts = _PLACE.split(piece)
    for name in parts[2::3]:
        if name and name not in FILTERS:
            raise ValueError(f"pattern {piece!r} has no such filter: {name!r}; there are {', '.join(FILTERS)}")

    def fill(arguments: Arguments) -> str | None:
        out = [parts[0]]
        for position in range(1, len(parts), 3):
            value = arguments.first(*parts[position].split("|"))
            if not value:
                return None
            name = parts[position + 1]
            out += [FILTERS[name](value, edition) if name else value, parts[position + 2]]
        return "".join(out)

    return fill
