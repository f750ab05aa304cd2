"""What a template that keeps text makes of its arguments: the kinds of rule, and the ones that need a calculation.

No rule repeats an argument, so that nested templates cannot make a page grow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from filters.wikitext.languages import LANGUAGES
from filters.wikitext.names import words
from filters.wikitext.tags import superscript


@dataclass(frozen=True)
class Arguments:
    """The arguments of one template call.

    Attributes:
        name: what stands before the first pipe.
        values: text of each argument; positional ones under ``"1"``, ``"2"``, ...; names are lower-case.
        language: code of the edition.
        parts: the call split at its pipes, with nothing taken off.
    """

    name: str
    values: Mapping[str, str]
    language: str
    parts: tuple[str, ...]

    def first(self, *names: str) -> str:
        """Returns the first of these arguments that is not blank, without outer spaces; else nothing."""
        for name in names:
            if value := self.values.get(name, "").strip():
                return value
        return ""

    def positional(self, start: int = 1) -> list[str]:
        """Returns the positional arguments that are not blank, from number ``start`` on."""
        numbers = sorted(int(name) for name in self.values if name.isdecimal() and len(name) < 4)
        values = (self.values[str(number)].strip() for number in numbers if number >= start)
        return [value for value in values if value]


Rule = Callable[[Arguments], str]


def keep(*names: str, before: str = "", after: str = "") -> Rule:
    """Keeps the first of these arguments that is not blank, between two fixed texts."""

    def rule(arguments: Arguments) -> str:
        value = arguments.first(*names)
        return before + value + after if value else ""

    return rule


def keep_spaced(arguments: Arguments) -> str:
    """Keeps the first argument with its outer spaces, which matter inside a word or sentence."""
    return arguments.values.get("1", "")


def keep_name(arguments: Arguments) -> str:
    """Keeps the template's own name, and its positional arguments: ``{{84e|Congrès}}``."""
    return " ".join([arguments.name, *arguments.positional()])


def fixed(text: str) -> Rule:
    """Stands for the same text whatever the arguments."""
    return lambda arguments: text


def joined(separator: str, start: int = 1) -> Rule:
    """Joins the positional arguments from number ``start`` on."""
    return lambda arguments: separator.join(arguments.positional(start))


def last(arguments: Arguments) -> str:
    """Keeps the last positional argument."""
    values = arguments.positional()
    return values[-1] if values else ""


def last_after_first(arguments: Arguments) -> str:
    """Keeps the last positional argument if there are two: the first is a code, a colour or a size."""
    values = arguments.positional(2)
    return values[-1] if values else arguments.first("text", "texte")


def item_list(arguments: Arguments) -> str:
    """Turns positional arguments into list items."""
    return "".join(f"\n* {value}" for value in arguments.positional())


def block(*names: str) -> Rule:
    """Keeps an argument as lines of its own."""

    def rule(arguments: Arguments) -> str:
        value = arguments.first(*names)
        return f"\n{value}\n" if value else ""

    return rule


def with_details(arguments: Arguments) -> str:
    """Keeps the first argument, and the others after it in brackets: ``Name (kanji, romaji)``."""
    head, *details = arguments.positional() or [""]
    details = [detail for detail in details[:3] if detail != head]
    if not head:
        return ", ".join(details)
    return f"{head} ({', '.join(details)})" if details else head


def named_values(*names: str) -> Rule:
    """Joins the named arguments that are there by commas, each once."""
    return lambda arguments: ", ".join(dict.fromkeys(value for name in names if (value := arguments.first(name))))


def fraction(arguments: Arguments) -> str:
    """``{{frac|1|2}}`` is 1/2, ``{{frac|3|1|2}}`` is 3 1/2, ``{{frac|2}}`` is 1/2."""
    values = arguments.positional()[:3]
    if len(values) == 1:
        return f"1/{values[0]}"
    return " ".join([*values[:-2], "/".join(values[-2:])]) if values else ""


_EXPONENT = re.compile(r"(?<=[^\W\d_]) ([23])$")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def format_number(number: str, language: str) -> str:
    """Writes a number with the thousands separator and decimal mark of a language; other text stays as it is."""
    number = number.strip()
    if not _NUMBER.fullmatch(number) or len(number) > 40:
        return number
    separators = LANGUAGES[language].separators if language in LANGUAGES else ",."
    whole, _, decimals = number.partition(".")
    grouped = f"{int(whole):,}".replace(",", separators[0])
    if whole.startswith("-0"):
        grouped = whole
    return f"{grouped}{separators[1]}{decimals}" if decimals else grouped


def number_with_unit(arguments: Arguments) -> str:
    """``{{unité|5000|km|2}}``, ``{{unité|5000 km 2}}``: number, unit, exponent, and more such pairs."""
    first, *rest = arguments.positional()[:4] or [""]
    number, space, words_after = first.partition(" ")
    words_after = _EXPONENT.sub(lambda match: superscript(match[1]), words_after)
    text = format_number(number.replace(",", "."), arguments.language) + space + words_after
    for unit in rest:
        text += superscript(unit) if unit.lstrip("-").isdecimal() else f" {unit}"
    return text


def measured_value(arguments: Arguments) -> str:
    """``{{val|1.2|0.1|e=6|u=km}}``: value, uncertainty, power of ten, unit."""
    values = arguments.positional()
    text = format_number(values[0], arguments.language) if values else ""
    if len(values) > 1:
        text += values[1] if values[1].startswith("(") else f" ± {values[1]}"
    if exponent := arguments.first("e"):
        text += " × 10" + superscript(exponent)
    unit = arguments.first("u", "ul")
    return f"{arguments.first('p')}{text} {unit}".rstrip() if unit else f"{arguments.first('p')}{text}"


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


def century(arguments: Arguments) -> str:
    """``{{s|XX}}``, ``{{s-|XX}}`` of the French edition: the century, with its era where there is one."""
    numeral, era = arguments.first("1"), arguments.first("3")
    if not numeral:
        return ""
    ordinal = "Ier" if numeral.upper() == "I" else f"{numeral}e"
    return " ".join(part for part in (ordinal, "siècle", era) if part)


def ipa(arguments: Arguments) -> str:
    """``{{IPA|/a/}}``, and ``{{IPA|de|bɛɐ̯ˈliːn|lang|file}}`` with the code of a language first."""
    first, second, *_ = [*arguments.positional()[:2], "", ""]
    return second if second and first.isascii() and first.isalpha() and len(first) <= 3 else first


_IPA_WORDS = words("lang local us uk us,_uk uk,_us also pron ipa small all ausalso usalso ukalso")


def english_ipa(arguments: Arguments) -> str:
    """``{{IPAc-en|ˈ|b|ɜːr|l|ɪ|n}}``: the sounds joined; words that choose an introduction go."""
    sounds = [sound for sound in arguments.positional() if sound.lower() not in _IPA_WORDS]
    text = "".join(sounds).replace("_", " ").strip(" ,")
    return f"/{text}/" if text else ""
