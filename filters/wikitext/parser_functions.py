"""Parser functions of MediaWiki that can be resolved from the page alone; all others leave no text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from filters.wikitext.marks import GAP, HOLE
from filters.wikitext.numbers import format_number
from filters.wikitext.rules import Arguments, Rule, hole

_BLANK = " \t\n" + GAP  # a comment leaves its mark, and is nothing


def _subject(arguments: Arguments) -> str:
    """Returns what stands between the colon and the first pipe."""
    return arguments.parts[0].partition(":")[2].strip(_BLANK)


def _part(arguments: Arguments, number: int) -> str:
    """Returns one of the parts after the subject, or nothing."""
    return arguments.parts[number].strip(_BLANK) if number < len(arguments.parts) else ""


def _if(arguments: Arguments) -> str:
    return _part(arguments, 1 if _subject(arguments) else 2)


def _ifeq(arguments: Arguments) -> str:
    return _part(arguments, 2 if _subject(arguments) == _part(arguments, 1) else 3)


def _switch(arguments: Arguments) -> str:
    """Returns the first case that equals the subject; cases without a value fall through to the next that has one."""
    subject, found, default = _subject(arguments), False, ""
    for part in arguments.parts[1:]:
        case, equals, value = part.partition("=")
        found = found or case.strip() == subject
        if not equals:
            default = case.strip()
        elif found:
            return value.strip()
        elif case.strip() == "#default":
            default = value.strip()
    return default


def _capitalised(arguments: Arguments) -> str:
    text = _subject(arguments)
    return text[:1].upper() + text[1:]


def _uncapitalised(arguments: Arguments) -> str:
    text = _subject(arguments)
    return text[:1].lower() + text[1:]


def _format(arguments: Arguments) -> str:
    number = _subject(arguments)
    return number if HOLE in number or _part(arguments, 1) else format_number(number, arguments.language)


# Help:Magic words and Extension:ParserFunctions. What depends on the clock or on Wikidata is a hole, and so are
# calculations: in articles they are made with such numbers. What depends on other pages is not here.
_FUNCTIONS: Mapping[str, Rule] = MappingProxyType(
    {
        "#if": _if,
        "#ifeq": _ifeq,
        "#switch": _switch,
        "#iferror": lambda arguments: _part(arguments, 2) or _subject(arguments),
        "lc": lambda arguments: _subject(arguments).lower(),
        "uc": lambda arguments: _subject(arguments).upper(),
        "ucfirst": _capitalised,
        "lcfirst": _uncapitalised,
        "formatnum": _format,
        "plural": lambda arguments: _part(arguments, 1 if _subject(arguments) == "1" else 2),
        **dict.fromkeys(("#expr", "#time", "#timel", "#property", "#statements"), hole),
        "gender": lambda arguments: _part(arguments, 1),
    }
)


def function_rule(name: str) -> Rule | None:
    """Returns the rule of a parser function, by the start of a template's name (``#if: x``), or None."""
    return _FUNCTIONS.get(name.partition(":")[0].strip())
