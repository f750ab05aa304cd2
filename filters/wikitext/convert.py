"""The rule of ``{{convert}}``: the value and the unit that the author gave; the converted value goes.

Units are the codes of the English edition's Module:Convert, which others have taken over; one that is not in the table
is written as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from filters.wikitext.numbers import is_number, local_number, superscript
from filters.wikitext.rules import Arguments, Rule

# Codes whose written form differs from the code.
# fmt: off
UNIT_SYMBOLS: Mapping[str, str] = MappingProxyType(
    {
        "sqmi": "sq mi", "sqft": "sq ft", "sqyd": "sq yd", "sqin": "sq in", "sqkm": "km²", "km2": "km²",
        "m2": "m²", "cm2": "cm²", "mm2": "mm²", "mi2": "sq mi", "ft2": "sq ft", "m3": "m³", "km3": "km³",
        "cm3": "cm³", "dm3": "dm³", "mm3": "mm³", "cuft": "cu ft", "cuyd": "cu yd", "cumi": "cu mi", "cuin": "cu in",
        "ft3": "cu ft", "C": "°C", "F": "°F", "R": "°R", "C-change": "°C", "F-change": "°F", "K-change": "K",
        "kph": "km/h", "kmph": "km/h", "LT": "long tons", "ST": "short tons", "MT": "t", "l": "L",
        "impgal": "imp gal", "USgal": "US gal", "U.S.gal": "US gal", "lb-f": "lbf", "acre-ft": "acre⋅ft",
        "acre.ft": "acre⋅ft", "foot": "ft", "feet": "ft", "mile": "mi", "miles": "mi", "metre": "m", "meter": "m",
        "kilometre": "km", "kilometer": "km", "pound": "lb", "inch": "in", "shtn": "short tons", "lt": "long tons",
        "oilbbl": "barrels", "bbl": "barrels", "knot": "kn", "hectare": "ha", "USoz": "US fl oz", "m.s-1": "m/s",
        "acre": "acres", "acres": "acres", "carat": "carats", "furlong": "furlongs", "fathom": "fathoms",
        "league": "leagues", "hand": "hands", "chain": "chains", "rod": "rods", "cwt": "cwt", "d": "day",
    }
)
# One of them, and what stands in an adjective: a 20-acre farm.
_SINGULARS: Mapping[str, str] = MappingProxyType(
    {
        "acres": "acre", "carats": "carat", "barrels": "barrel", "long tons": "long ton", "short tons": "short ton",
        "furlongs": "furlong", "fathoms": "fathom", "leagues": "league", "hands": "hand", "chains": "chain",
        "rods": "rod",
    }
)
# Words between two values: {{convert|5|to|10|km}}.
RANGE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "-": "–", "–": "–", "to": " to ", "to(-)": " to ", "and": " and ", "or": " or ", "by": " by ", "x": " × ",
        "*": " × ", "×": " × ", "+/-": " ± ", "±": " ± ", ",": ", ", "to about": " to about ", "xx": " × ",
        "and(-)": " and ", "&": " & ", "…": "…", "...": "…", "/": "/", "+": " + ",
    }
)
# fmt: on
MAX_VALUES = 10  # arguments read; a longer chain of ranges does not occur
_POSITIONS = tuple(map(str, range(1, MAX_VALUES + 1)))
_SHORTEST_SCALED = 3  # e3m
_SCALED = re.compile(r"e(3|6|9|12|15)_?(?=\D)")
_SCALED_BY_LETTER = re.compile(r"([kMGT])(?=(?:oilbbl|bbl|cuft|USgal|U\.S\.gal|impgal|[LS]T|acre)(?:$|[/.-]))")
_LETTERS: Mapping[str, str] = MappingProxyType({"k": "3", "M": "6", "G": "9", "T": "12"})
_POWER = re.compile(r"(?<=[a-zA-Zµ])([23])(?=$|[/.⋅·])")
_UNIT_AND_UNIT = frozenset(("ft", "foot", "feet", "yd", "mi", "lb", "st", "m", "km", "fathom", "'", "h", "chain"))
ENGLISH_SCALES = ("thousand", "million", "billion", "trillion", "quadrillion")


def converter(scales: tuple[str, ...], range_words: Mapping[str, str]) -> Rule:
    """Returns the rule of an edition.

    ``{{convert|5|to|10|km|mi}}`` is ``5 to 10 km``, ``{{convert|6|ft|2|in|m}}`` is ``6 ft 2 in``, and
    ``{{convert|22|e6acre}}`` is ``22 million acres``.

    Args:
        scales: words for 10³, 10⁶, 10⁹, ...; where there are none, the power itself is written.
        range_words: words between two values, beside those of the English edition, and what is written for each.
    """
    ranges = {**RANGE_WORDS, **range_words}
    return lambda arguments: _convert(arguments, scales, ranges)


def _convert(arguments: Arguments, scales: tuple[str, ...], ranges: Mapping[str, str]) -> str:
    get = arguments.values.get
    values = [value for name in _POSITIONS if (value := get(name, "").strip())]
    if not values:
        return ""

    def write(number: str) -> str:
        return local_number(number, arguments.language)

    text, position, is_one = write(values[0]), 1, values[0] == "1"
    while position + 1 < len(values) and (word := _between(values, position, ranges)):
        text += word + write(values[position + 1])
        position += 2
        is_one = False
    adjective = arguments.first("adj").lower()
    if adjective == "pre" and position + 1 < len(values):
        text, position = f"{text} {values[position]}", position + 1
    if position >= len(values):
        return text
    text = _with_unit(text, values[position], scales, adjective in ("on", "mid", "1"), is_one)
    position += 1
    while position + 1 < len(values) and values[position - 1] in _UNIT_AND_UNIT and is_number(values[position]):
        number = write(values[position])
        text += " " + _with_unit(number, values[position + 1], scales, False, number == "1")
        position += 2
    ending = values[-1] if adjective == "mid" and position < len(values) else ""
    return text + ending if ending.startswith("-") else f"{text} {ending}".rstrip()


def _between(values: list[str], position: int, ranges: Mapping[str, str]) -> str:
    """Returns what stands between two values, where it is a word of ranges; a word that is not known stands, too."""
    word = values[position]
    if word in ranges:
        return ranges[word]
    is_word = word.isalpha() and position + 2 < len(values) and word not in _UNIT_AND_UNIT and word not in UNIT_SYMBOLS
    return f" {word} " if is_word and is_number(values[position + 1]) and not is_number(values[position + 2]) else ""


def _with_unit(number: str, code: str, scales: tuple[str, ...], adjective: bool, is_one: bool) -> str:
    """Joins a number and a unit: by a hyphen in an adjective, by nothing before a slash."""
    scale, code = _scale(code, scales)
    is_one = is_one and not scale
    unit, slash, per = code.partition("/")
    unit = _symbol(unit.removeprefix("PD"))
    if adjective or is_one:
        unit = _SINGULARS.get(unit, unit)
    if slash:
        is_word = unit in _SINGULARS or unit in _SINGULARS.values()
        unit += f" per {_symbol(per)}" if is_word else f"/{_symbol(per) if per != 'd' else per}"
    if unit.startswith("/"):
        return f"{number}{scale}{unit}"
    if adjective and unit.replace(" ", "").isalpha():
        return number + f"{scale}-{unit}".replace(" ", "-")
    return f"{number}{scale} {unit}"


def _scale(code: str, scales: tuple[str, ...]) -> tuple[str, str]:
    """Splits the power of ten, as a word, from the code of a unit: ``e6acre``, ``Moilbbl``."""
    if len(code) < _SHORTEST_SCALED:
        return "", code
    if found := _SCALED.match(code):
        exponent = found[1]
    elif found := _SCALED_BY_LETTER.match(code):
        exponent = _LETTERS[found[1]]
    else:
        return "", code
    place = int(exponent) // 3 - 1
    word = f" {scales[place]}" if place < len(scales) else f"×10{superscript(exponent)}"
    return word, code[found.end() :]


def _symbol(code: str) -> str:
    symbol = UNIT_SYMBOLS.get(code)
    return symbol if symbol is not None else _POWER.sub(lambda match: "²³"[match[1] == "3"], code)
