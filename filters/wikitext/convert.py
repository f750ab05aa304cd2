"""The rule of ``{{convert}}``: the value and the unit that the author gave; the converted value goes.

Units are the codes of the English edition's Module:Convert; one that is not in the table is written as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from filters.wikitext.rules import Arguments, format_number

# Codes whose written form differs from the code.
# fmt: off
UNIT_SYMBOLS: Mapping[str, str] = MappingProxyType(
    {
        "sqmi": "sq mi", "sqft": "sq ft", "sqyd": "sq yd", "sqin": "sq in", "sqkm": "km²", "km2": "km²",
        "m2": "m²", "cm2": "cm²", "mm2": "mm²", "mi2": "sq mi", "ft2": "sq ft", "m3": "m³", "km3": "km³",
        "cm3": "cm³", "dm3": "dm³", "cuft": "cu ft", "cuyd": "cu yd", "cumi": "cu mi", "cuin": "cu in",
        "ft3": "cu ft", "m3/s": "m³/s", "cuft/s": "cu ft/s", "C": "°C", "F": "°F", "R": "°R",
        "C-change": "°C", "F-change": "°F", "K-change": "K", "kph": "km/h", "kmph": "km/h",
        "LT": "long tons", "ST": "short tons", "MT": "t", "l": "L", "impgal": "imp gal", "USgal": "US gal",
        "U.S.gal": "US gal", "acre": "acres", "PD/sqmi": "/sq mi", "/sqmi": "/sq mi", "PD/km2": "/km²",
        "/km2": "/km²", "lb-f": "lbf", "e6m3": "million m³", "e6km": "million km", "e6mi": "million mi",
        "e3km": "thousand km", "e6km2": "million km²", "e6sqmi": "million sq mi", "g/cm3": "g/cm³",
        "kg/m3": "kg/m³", "lb/cuft": "lb/cu ft", "m/s2": "m/s²", "W/m2": "W/m²", "acre-ft": "acre⋅ft",
        "acre.ft": "acre⋅ft", "foot": "ft", "feet": "ft", "mile": "mi", "miles": "mi", "metre": "m",
        "meter": "m", "pound": "lb", "inch": "in", "shtn": "short tons", "lt": "long tons",
        "e9U.S.gal": "billion US gal", "oilbbl": "bbl", "knot": "kn", "hectare": "ha", "USoz": "US fl oz",
        "Mcuft": "Mcu ft",
    }
)
# fmt: on
# Words between two values: {{convert|5|to|10|km}}.
RANGE_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "-": "–",
        "–": "–",
        "to": " to ",
        "to(-)": " to ",
        "and": " and ",
        "or": " or ",
        "by": " by ",
        "x": " × ",
        "*": " × ",
        "×": " × ",
        "+/-": " ± ",
        "±": " ± ",
        ",": ", ",
        "to about": " to about ",
        "xx": " × ",
    }
)
MAX_VALUES = 8  # arguments read; a longer chain of ranges does not occur


def convert(arguments: Arguments) -> str:
    """Writes ``{{convert|5|to|10|km|mi}}`` as ``5 to 10 km`` and ``{{convert|6|ft|2|in|m}}`` as ``6 ft 2 in``."""
    values = [value.strip() for number in range(1, MAX_VALUES + 1) if (value := arguments.values.get(str(number)))]
    if not values:
        return ""
    text, position = format_number(values[0].replace(",", ""), arguments.language), 1
    while position + 1 < len(values) and values[position] in RANGE_WORDS:
        text += RANGE_WORDS[values[position]] + format_number(values[position + 1], arguments.language)
        position += 2
    if position < len(values):
        text = _with_unit(text, values[position], arguments.first("adj").lower() in ("on", "mid", "1"))
    # Feet with inches, pounds with ounces: a number and a unit again.
    if position + 2 < len(values) and values[position + 1].replace(".", "").isdecimal():
        text += " " + _with_unit(values[position + 1], values[position + 2], False)
    return text


def _with_unit(number: str, unit: str, adjective: bool) -> str:
    """Joins a number and a unit: by a hyphen in an adjective, by nothing before a slash."""
    symbol = UNIT_SYMBOLS.get(unit, unit)
    if symbol.startswith("/"):
        return number + symbol
    return f"{number}-{symbol}" if adjective and symbol.isalpha() else f"{number} {symbol}"
