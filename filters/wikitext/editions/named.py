"""Rules that a table calls by name, ``=joined ", "``: those that need more than a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from filters.wikitext import biography, centuries, coordinates, dates, quantities, quotations, rules, ships
from filters.wikitext.convert import converter
from filters.wikitext.editions.edition import Edition
from filters.wikitext.marks import PIPE
from filters.wikitext.rules import Arguments, Rule

Named = Callable[..., Rule]  # of the edition, and the words after the rule's name

_WORD = re.compile(r"[^\W\d_]")
_NAME_AFTER = 200  # characters behind a flag in which the name that it stands before must begin
_BEFORE_NAME = re.compile(r"""[ \u00a0'"«“„]*(?:\[\[(?:[^\[\]|]*\|)?)?['"«“„]*""")  # quotes, and a link up to its label
_LONG_WORD = re.compile(r"[^\W\d_]{4}")
_ACCIDENTALS: Mapping[str, str] = MappingProxyType(
    {"flat": "♭", "b": "♭", "sharp": "♯", "#": "♯", "natural": "♮", "doublesharp": "𝄪", "doubleflat": "𝄫"}
)


def silent(arguments: Arguments) -> str:
    """Leaves no text: a notice, a reference, a box. Its arguments are not even read."""
    return ""


def _always(rule: Rule) -> Named:
    return lambda edition: rule


def _labelled(edition: Edition) -> Rule:
    """``{{lang-de|Wien}}``, ``{{deS|Wien}}``: the text; the language is told by the template's name."""

    def rule(arguments: Arguments) -> str:
        _, hyphen, code = arguments.name.partition("-")
        text = arguments.first("1", "text", "texte", "текст")
        return edition.labelled(code if hyphen else arguments.name.removesuffix("S"), text)

    return rule


def _labelled_after_code(edition: Edition) -> Rule:
    """``{{langx|de|Wien}}``: the text; the language is told by the first argument."""
    return lambda arguments: edition.labelled(arguments.first("1"), rules.last_after_first(arguments))


def _country_code(edition: Edition, where: str = "always") -> Rule:
    """``{{ESP}}``: a country's name by its code; with ``flag``, which has no name, not before one of its own."""

    def rule(arguments: Arguments) -> str:
        if where == "flag" and _is_before_name(arguments, edition.country(arguments.name)):
            return ""
        text = arguments.first("name", "1")
        if text == "#":  # {{DEU|#}} is the flag alone
            return ""
        return text if _LONG_WORD.search(text) else edition.country(arguments.name)

    return rule


def _is_before_name(arguments: Arguments, country: str) -> bool:
    """Tells whether a flag stands before the country's name, or a name as of a player or place: a word in capitals."""
    line = arguments.page[arguments.end : arguments.end + _NAME_AFTER].partition("\n")[0]
    start = _BEFORE_NAME.match(line)
    shown = line[start.end() :] if start else line
    return shown[:1].isupper() or shown.startswith(country)


def _flag(edition: Edition, *words: str) -> Rule:
    """``{{bandiera|Francia|nome}}``: a mere flag leaves no text, but for where one of these words asks for its name."""

    def rule(arguments: Arguments) -> str:
        asked = any(word in arguments.positional(2) or arguments.first(word) for word in words)
        return edition.country(arguments.first("1")) if asked else ""

    return rule


def _quotation(edition: Edition, *names: str) -> Rule:
    """``=quotation text 1 / author 2 / source 3``."""
    rows = [row.split() for row in " ".join(names).split("/")]
    text, author, source = [*rows, [], []][:3]
    return quotations.quotation(text, author, source, edition.options.quote_attributions)


def _after_first_word(arguments: Arguments) -> str:
    """``{{Calcio Juventus}}``: the words of the name behind the first, without what is in brackets at its end."""
    return arguments.name.replace("_", " ").partition(" ")[2].partition(" (")[0].strip()


def _roman(arguments: Arguments) -> str:
    """``{{romanes|19}}``: ``XIX``."""
    number = arguments.first("1")
    if not number.isdecimal() or len(number) > 4 or not 0 < int(number) < 4000:
        return number
    digits = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
    tens = ("", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC")
    hundreds = ("", "C", "CC", "CCC", "CD", "D", "DC", "DCC", "DCCC", "CM")
    value = int(number)
    return "M" * (value // 1000) + hundreds[value // 100 % 10] + tens[value // 10 % 10] + digits[value % 10]


def _etc(arguments: Arguments) -> str:
    """``{{etc.}}`` of the French edition: with a comma where a word goes right before it."""
    return ", etc." if _WORD.match(arguments.before()[-1:]) else "etc."


def _incise(arguments: Arguments) -> str:
    """``{{incise|réunifiée|stop}}``: words between dashes; before a full stop only the first is written."""
    text, stop = arguments.first("1"), arguments.first("2")
    return "" if not text else f"– {text}" if stop else f"– {text} –"


def _hours(arguments: Arguments) -> str:
    """``{{heure|12|30}}``: ``12 h 30``."""
    values = arguments.positional()[:2]
    return " h ".join(values) + (" h" if len(values) == 1 else "")


def _dental_formula(arguments: Arguments) -> str:
    return " / ".join(teeth for row in ("upper", "lower") if (teeth := arguments.first(row)))


def _sic(arguments: Arguments) -> str:
    """``{{sic|teh}}``: ``teh [sic]``; with ``hide=y`` the word alone, which may be in two parts."""
    text = "".join(arguments.positional()[:2])
    is_hidden = arguments.first("hide").lower() in ("y", "yes", "1", "true", "on")
    return text if is_hidden else f"{arguments.first('1')} [sic]".lstrip()


def _accidental(arguments: Arguments) -> str:
    value = arguments.first("1")
    return _ACCIDENTALS.get(value, value)


NAMED: Mapping[str, Named] = MappingProxyType(
    {
        # text
        "silent": _always(silent),
        "hole": _always(rules.hole),
        "pipe": _always(rules.fixed(PIPE)),
        "spaced": _always(rules.keep_spaced),
        "name": _always(rules.keep_name),
        "title": _always(lambda arguments: arguments.title),
        "last": _always(rules.last),
        "last_after_first": _always(rules.last_after_first),
        "joined": lambda edition, separator="", start="1": rules.joined(separator, int(start)),
        "named": lambda edition, *names: rules.named_values(*names),
        "details": _always(rules.with_details),
        "items": _always(rules.item_list),
        "block": lambda edition, *names: rules.block(*names),
        "columns": _always(quotations.columns),
        "quotation": _quotation,
        "labelled": _labelled,
        "labelled_after_code": _labelled_after_code,
        "ipa": _always(rules.ipa),
        "english_ipa": _always(rules.english_ipa),
        "etc": _always(_etc),
        "incise": _always(_incise),
        "sic": _always(_sic),
        "accidental": _always(_accidental),
        "after_first_word": _always(_after_first_word),
        "italian_biography": _always(biography.italian_biography),
        # names
        "country_code": _country_code,
        "flag": _flag,
        "prefixed_ship": lambda edition, prefix="": ships.prefixed_ship(prefix),
        "ship": _always(ships.ship),
        "ship_class": _always(ships.ship_class),
        # numbers
        "convert": lambda edition: converter(edition.scales, edition.range_words),
        "number_with_unit": _always(quantities.number_with_unit),
        "prefixed_measure": _always(quantities.prefixed_measure),
        "measured_value": _always(quantities.measured_value),
        "power_of_ten": _always(quantities.power_of_ten),
        "bare_power_of_ten": _always(quantities.bare_power_of_ten),
        "exponent": _always(quantities.exponent),
        "raised": _always(quantities.raised),
        "formatted": _always(quantities.formatted),
        "metres": _always(quantities.metres),
        "amount": lambda edition, sign: quantities.amount_of(sign),
        "currency": _always(quantities.currency),
        "rupees": _always(quantities.rupees),
        "height": _always(quantities.height),
        "duration": _always(quantities.duration),
        "sky_angle": lambda edition, signs: quantities.sky_angle(signs),
        "ordinal": _always(quantities.ordinal),
        "density": _always(quantities.population_density),
        "roman": _always(_roman),
        "nuclide": _always(quantities.nuclide),
        "fraction": _always(rules.fraction),
        "coordinates": _always(coordinates.coordinates),
        "german_coordinates": _always(coordinates.german_coordinates),
        "dental_formula": _always(_dental_formula),
        # dates
        "year_month_day": _always(dates.year_month_day),
        "day_month_year": _always(dates.day_month_year),
        "written_date": _always(dates.written_date),
        "as_of": _always(dates.as_of),
        "old_style_date": _always(dates.old_style_date),
        "hours": _always(_hours),
        "century": _always(centuries.century),
        "two_centuries": _always(centuries.two_centuries),
        "centuries": _always(centuries.centuries),
        "century_before_christ": _always(centuries.before_christ(centuries.century)),
        "two_centuries_before_christ": _always(centuries.before_christ(centuries.two_centuries)),
        "centuries_before_christ": _always(centuries.before_christ(centuries.centuries)),
        "numbered_century": _always(centuries.numbered_century),
    }
)
