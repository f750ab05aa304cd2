"""Rules of templates that write centuries, mostly those of the French edition."""

from __future__ import annotations

import re

from filters.wikitext.rules import Arguments, Rule

_NUMERAL = re.compile(r"[IVXLCDMivxlcdm]{1,9}|[0-9]{1,2}")
_ORDINALS = frozenset(("e", "er", "re", "ème", "eme"))
_FIRST = frozenset(("I", "i", "1"))


def century(arguments: Arguments) -> str:
    """``{{s|XX}}``, ``{{s-|XX}}``: the century, with its era where there is one."""
    numeral, era = arguments.first("1"), arguments.first("3")
    if not numeral:
        return ""
    return " ".join(part for part in (_ordinal(numeral), "siècle", era) if part)


def two_centuries(arguments: Arguments) -> str:
    """``{{s2|XVIII|e|XIX|e}}``: two centuries that are joined by a word."""
    numerals = [_ordinal(value) for value in arguments.positional() if _NUMERAL.fullmatch(value)][:2]
    return f"{' et '.join(numerals)} siècles" if len(numerals) == 2 else century(arguments)


def centuries(arguments: Arguments) -> str:
    """``{{sp|XVIII|e|au|XIX|e|s}}``: numerals with their endings, and the words between them."""
    words: list[str] = []
    for value in arguments.positional()[:8]:
        if _NUMERAL.fullmatch(value):
            words.append(_ordinal(value))
        elif value not in _ORDINALS and value not in ("s", "siècle", "siècles"):
            words.append(value)
    return " ".join([*words, "siècle"]) if words else ""


def _ordinal(numeral: str) -> str:
    return f"{numeral}er" if numeral in _FIRST else f"{numeral}e" if _NUMERAL.fullmatch(numeral) else numeral


def before_christ(rule: Rule) -> Rule:
    """``{{-s|V|e}}``, ``{{-sp|V|e|au|IV|e}}``: the minus stands for the era."""

    def dated(arguments: Arguments) -> str:
        text = rule(arguments)
        return f"{text} av. J.-C." if text and "J.-C." not in text else text

    return dated


def numbered_century(arguments: Arguments) -> str:
    """``{{siglo|V|a|s}}``, ``{{siglo|XX|d|s}}`` of the Spanish edition: ``siglo V a. C.``, ``siglo XX``."""
    numeral, era, *_ = [*arguments.positional()[:2], "", ""]
    era = {"a": "a. C.", "d": "", "s": ""}.get(era, era)
    return " ".join(part for part in ("siglo", numeral, era) if part) if numeral else ""
