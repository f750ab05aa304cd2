"""Rules of templates that name ships: ``{{USS|Enterprise|CV-6}}``, ``{{ship|Japanese battleship|Yamato||2}}``.

Source: Template:Ship and its family in the English edition, which others have taken over.
"""

from __future__ import annotations

from filters.wikitext.rules import Arguments, Rule

# The last argument says what is shown (Template:Ship, "Display options").
_NUMBER_ONLY, _NAME_ONLY, _NAME_AND_NUMBER = "1", "2", "5"
_WITHOUT_NUMBER = ("3", "6")


def prefixed_ship(prefix: str) -> Rule:
    """Returns the rule of ships with one prefix, or with the template's own name: ``USS Enterprise (CV-6)``."""

    def rule(arguments: Arguments) -> str:
        name = arguments.name
        return _write(prefix or (name.upper() if name.islower() else name), arguments, 1)

    return rule


def ship(arguments: Arguments) -> str:
    """Writes ``{{ship|prefix|name|number|what}}``."""
    return _write(arguments.first("1"), arguments, 2)


def ship_class(arguments: Arguments) -> str:
    """Writes ``{{sclass|Iowa|battleship}}`` as ``Iowa-class battleship``."""
    name, kind, what = (arguments.first(number) for number in "123")
    if not name:
        return kind
    if what == "2":
        return name
    return f"{name}-class" if what == "1" or not kind else f"{name}-class {kind}"


def _write(prefix: str, arguments: Arguments, start: int) -> str:
    name, number, what = (arguments.first(str(place)) for place in range(start, start + 3))
    if what == _NUMBER_ONLY:
        return number
    prefix = "" if what in (_NAME_ONLY, _NAME_AND_NUMBER) else prefix
    number = f"({number})" if number and what != _NAME_ONLY and what not in _WITHOUT_NUMBER else ""
    return " ".join(part for part in (prefix, name, number) if part)
