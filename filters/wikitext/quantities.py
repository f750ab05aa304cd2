"""Rules of templates that write numbers: with units, as powers of ten, as sums of money."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from filters.wikitext import numbers
from filters.wikitext.marks import HOLE
from filters.wikitext.numbers import format_number, is_number, local_number, power, superscript
from filters.wikitext.rules import Arguments, Rule

_EXPONENT = re.compile(r"(?<=[^\W\d_]) ?([23])$")
_UNIT_POWER = re.compile(r"(?<=[^\W\d_])\^?([-−]?[1-9])(?=$|[/·⋅* ])")
_ENDS_IN_DIGIT = re.compile(r"[0-9)][ \u00a0]?$")
_ENDS_IN_TEN = re.compile(r"(?<![0-9.,])10$")
_PREFIXES = frozenset(("k", "M", "G", "T", "P", "E", "Z", "h", "da", "d", "c", "m", "µ", "μ", "u", "n", "p", "f", "a"))

# Words between two numbers of one measure, as the Italian edition writes them.
_BETWEEN: Mapping[str, str] = MappingProxyType(
    {"±": " ± ", "+-": " ± ", "x": " × ", "×": " × ", "-": "–", "–": "–", "/": "/", "a": " a ", "e": " e ", "o": " o "}
)


def number_with_unit(arguments: Arguments) -> str:
    """``{{unité|5000|km|2}}``, ``{{unité|5000 km 2}}``: number, unit, exponent, and more such pairs."""
    first, *rest = arguments.positional()[:6] or [""]
    number, space, words_after = first.partition(" ")
    words_after = _EXPONENT.sub(lambda match: superscript(match[1]), words_after)
    text = local_number(number, arguments.language) + space + words_after
    if exponent := arguments.first("e"):
        text += f" × 10{power(exponent)}"
    for unit in rest:
        text += superscript(unit) if unit.lstrip("-−").isdecimal() else f" {unit}"
    return text


def prefixed_measure(arguments: Arguments) -> str:
    """``{{M|32,7|k|m}}`` of the Italian edition: a number, a prefix, a unit; or ``ul`` (``u``) with a whole unit."""
    number, *rest = [arguments.first(str(place)) for place in range(1, 8)]
    named = arguments.first("u", "ul")
    text = arguments.first("p") + local_number(number, arguments.language)
    while rest[0] in _BETWEEN and len(rest) > 3 and is_number(rest[1]):  # {{M|5,5|±|0,1|kg}}
        text += f"{_BETWEEN[rest[0]]}{local_number(rest[1], arguments.language)}"
        del rest[:2]
    prefix, unit, *_ = rest
    if not unit and prefix and (named or prefix not in _PREFIXES or prefix in ("m", "d", "h", "a")):
        prefix, unit = "", prefix
    if exponent := arguments.first("e"):
        text += f" × 10{power(exponent)}"
    unit = _UNIT_POWER.sub(lambda match: superscript(match[1]), prefix + unit or named)
    return f"{text} {unit}".strip()


def measured_value(arguments: Arguments) -> str:
    """``{{val|1.2|0.1|e=6|u=km}}``: value, uncertainty, power of ten, unit."""
    values = arguments.positional()
    text = local_number(values[0], arguments.language) if values else ""
    if len(values) > 1:
        text += values[1] if values[1].startswith("(") else f" ± {local_number(values[1], arguments.language)}"
    if exponent := arguments.first("e"):
        text += f" × 10{power(exponent)}" if text else f"10{power(exponent)}"
    unit = arguments.first("u", "ul")
    per = arguments.first("up", "upl")
    if unit or per:
        unit = _UNIT_POWER.sub(lambda match: superscript(match[1]), f"{unit}/{per}" if per else unit)
        text = f"{text} {unit}"
    return f"{arguments.first('p')}{text}{arguments.first('s')}"


def power_of_ten(arguments: Arguments) -> str:
    """``{{e|6}}`` is ``×10⁶``, ``{{exp|1,9|19}}`` is ``1,9×10¹⁹``."""
    values = arguments.positional()[:2]
    if len(values) == 2:
        return f"{local_number(values[0], arguments.language)}×10{power(values[1])}"
    return f"×10{power(values[0])}" if values else ""


def bare_power_of_ten(arguments: Arguments) -> str:
    """As ``power_of_ten``, but for the sign of multiplication where no number goes before: ``10⁶``."""
    text = power_of_ten(arguments)
    return text if _ENDS_IN_DIGIT.search(arguments.before()) else text.removeprefix("×")


def exponent(arguments: Arguments) -> str:
    """``{{esp|6}}`` behind ``10`` or a letter: ``⁶``; behind another number editions differ, so nothing can be told."""
    value, before = arguments.first("1"), arguments.before().rstrip(" \u00a0")
    if not value:
        return ""
    return HOLE if before[-1:].isdecimal() and not _ENDS_IN_TEN.search(before) else power(value)


def raised(arguments: Arguments) -> str:
    """``{{sup|2}}``, ``{{exp|2}}``."""
    return numbers.raised(arguments.first("1"))


def nuclide(arguments: Arguments) -> str:
    """``{{nuclide|uranium|235}}``: the element, its mass, joined by a hyphen."""
    return "-".join(arguments.positional()[:2])


def population_density(arguments: Arguments) -> str:
    """``{{pop density|3645257|640081.87|km2}}``: inhabitants for each unit of area, to one place below ten."""
    population, area, unit, *_ = [*arguments.positional()[:3], "", "", ""]
    try:
        density = float(population.replace(",", "")) / float(area.replace(",", ""))
    except (ValueError, ZeroDivisionError):
        return ""
    if not 0 < density < 1e9:
        return ""
    number = f"{density:.1f}" if density < 10 else f"{density:.0f}"
    symbol = {"km2": "km²", "sqmi": "sq mi"}.get(unit, unit)
    return f"{format_number(number, arguments.language)}/{symbol}"


# How the English edition writes sums of each currency (Template:Currency).
_CURRENCIES: Mapping[str, str] = MappingProxyType(
    {
        "usd": "US$", "us": "US$", "$": "$", "gbp": "£", "uk": "£", "£": "£", "eur": "€", "euro": "€", "€": "€",
        "inr": "₹", "in": "₹", "jpy": "¥", "jp": "¥", "cny": "CN¥", "rmb": "CN¥", "aud": "A$", "au": "A$", "cad": "C$",
        "ca": "C$", "nzd": "NZ$", "hkd": "HK$", "sgd": "S$", "krw": "₩", "rub": "₽", "php": "₱",
        "mxn": "Mex$", "brl": "R$",
        "ils": "₪", "try": "₺", "uah": "₴", "ngn": "₦", "vnd": "₫", "thb": "฿", "twd": "NT$", "zar": "R", "dem": "DM ",
    }
)  # fmt: skip
_RUPEES: Mapping[str, str] = MappingProxyType(
    {"c": "crore", "l": "lakh", "t": "thousand", "m": "million", "b": "billion", "k": "thousand", "lc": "lakh crore"}
)


def currency(arguments: Arguments) -> str:
    """``{{currency|13 billion|USD}}``: the sign, and the sum as it was written; of an unknown currency its code."""
    amount, code = arguments.first("amount", "1"), arguments.first("type", "2")
    if not amount:
        return ""
    if not code:
        return amount
    sign = _CURRENCIES.get(code.lower())
    return f"{sign}{amount}" if sign else f"{code} {amount}"


def rupees(arguments: Arguments) -> str:
    """``{{INRConvert|10|c}}``: ``₹10 crore``; what it is worth in dollars goes."""
    amount, size = arguments.first("1"), arguments.first("2")
    if not amount:
        return ""
    return f"₹{local_number(amount, arguments.language)} {_RUPEES.get(size.lower(), '')}".rstrip()


def amount_of(sign: str) -> Rule:
    """Writes a sum after a sign, and a word of size after it: ``{{US$|13|billion}}``."""

    def rule(arguments: Arguments) -> str:
        amount, size = arguments.first("1"), arguments.first("2")
        size = f" {size}" if size.isalpha() and size.islower() and len(size) > 1 else ""
        return f"{sign}{amount}{size}" if amount else sign.strip()

    return rule


def formatted(arguments: Arguments) -> str:
    """``{{formatnum|1234.5}}``, ``{{nts|1234}}``: a machine's number; what is none stays as it is."""
    value = arguments.first("1")
    return value if HOLE in value else format_number(value, arguments.language)


def metres(arguments: Arguments) -> str:
    """``{{Höhe|1041}}``: a height in metres; with a country's code, and ``link``, as if they were not there."""
    value = arguments.first("1")
    return f"{local_number(value, arguments.language)} m" if value and is_number(value) else value


def height(arguments: Arguments) -> str:
    """``{{height|ft=5|in=11}}``: ``5 ft 11 in``; ``{{height|m=1.8}}``: ``1.8 m``."""
    units = ("m", "cm", "ft", "in")
    return " ".join(f"{value} {unit}" for unit in units if (value := arguments.first(unit)))


def duration(arguments: Arguments) -> str:
    """``{{duration|m=3|s=5}}``: ``3:05``; positional arguments are hours, minutes, seconds."""
    values = [arguments.first(name, number) for name, number in (("h", "1"), ("m", "2"), ("s", "3"))]
    first, *rest = [value for value in values if value] or [""]
    return ":".join([first, *(value.zfill(2) for value in rest)])


def sky_angle(signs: str) -> Rule:
    """Writes an angle on the sky, ``{{RA|12|30|49.4}}``: its parts, each with the sign that goes after it."""
    marks = signs.split()
    return lambda arguments: " ".join(map("".join, zip(arguments.positional()[:3], marks, strict=False)))


def ordinal(arguments: Arguments) -> str:
    """``{{ordinal|21}}``: ``21st``."""
    number = arguments.first("1")
    if not number.isdecimal():
        return number
    is_teen = number[-2:-1] == "1"
    return number + ("th" if is_teen else {"1": "st", "2": "nd", "3": "rd"}.get(number[-1], "th"))
