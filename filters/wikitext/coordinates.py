"""The rule of templates that show geographical coordinates in a sentence: ``{{coord|30|12|N|74|7|W}}``.

Source: Template:Coord of the English edition, which others have taken over, and Vorlage:Coordinate of the German one.
Coordinates that are shown beside the title alone leave no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from filters.wikitext.rules import Arguments

_NUMBER = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{1,8})?")
_SIGNS = "°′″"  # degrees, minutes, seconds
_READ = 8  # arguments: twice degrees, minutes, seconds, direction


def coordinates(arguments: Arguments) -> str:
    """Writes ``{{coord|30|12|N|74|7|W}}`` as ``30°12′N 74°7′W``, ``{{coord|57.2|-3.4}}`` as ``57.2°N 3.4°W``."""
    display = arguments.first("display", "format")
    if display.lower().startswith("t"):
        return ""
    return _write(arguments.positional()[:_READ])


def german_coordinates(arguments: Arguments) -> str:
    """Writes ``{{Coordinate|text=DMS|NS=52/30/10/N|EW=13/24/15/E}}``; a mere symbol, or the title's, is no text."""
    text = arguments.first("text")
    if text.upper().startswith("ICON") or (not text and arguments.first("article")):
        return ""
    return _write([*arguments.first("ns").split("/"), *arguments.first("ew").split("/")])


def _write(values: Iterable[str]) -> str:
    angles: list[str] = []
    numbers: list[str] = []
    for value in values:
        if _NUMBER.fullmatch(value) and len(numbers) < len(_SIGNS):
            numbers.append(value)
        elif len(value) == 1 and value.isalpha() and numbers:
            angles.append("".join(map("".join, zip(numbers, _SIGNS, strict=False))) + value)
            numbers = []
        elif value:
            break
    if len(angles) == 2 and not numbers:
        return " ".join(angles)
    return f"{_signed(numbers[0], 'NS')} {_signed(numbers[1], 'EW')}" if not angles and len(numbers) == 2 else ""


def _signed(number: str, directions: str) -> str:
    return f"{number.lstrip('+-')}°{directions[number.startswith('-')]}"
