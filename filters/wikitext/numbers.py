"""Numbers as authors write them in templates, and as a language writes them.

A template's number may be written for a machine (``21088.5``) or by hand (``21.088,5``). A wrong number is worse than
an unusual one: what can be read in two ways stays as it is.
"""

from __future__ import annotations

import re

from filters.wikitext.languages import LANGUAGES

_MACHINE = re.compile(r"[-−+]?[0-9]+(?:\.[0-9]+)?")
_GROUPED = re.compile(r"[-−+]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")  # 1,234,567.8, of English
_DECIMAL_COMMA = re.compile(r"[-−+]?[0-9]+,[0-9]+")
_EITHER = re.compile(r"[-−+]?[1-9][0-9]{0,2}\.[0-9]{3}")  # 21.088: thousands to a reader, decimals to a machine
_MIXED = re.compile(r"([0-9]+)\+([0-9]+)/{1,2}([0-9]+)")  # 3+1/2
_LONGEST = 40  # digits
_SUPERSCRIPTS = str.maketrans("0123456789+-−–", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻")
_INTEGER = re.compile(r"[+\-−–]?[0-9]{1,40}")


def separators(language: str) -> tuple[str, str]:
    """Returns the thousands separator and the decimal mark of a language; those of English where it is unknown."""
    both = LANGUAGES[language].separators if language in LANGUAGES else ",."
    return both[0], both[1]


def superscript(number: str) -> str:
    """Returns digits and signs as superscript characters, so that ``10<sup>6</sup>`` is not read as 106."""
    return number.translate(_SUPERSCRIPTS)


def power(exponent: str) -> str:
    """Returns what follows the base of a power: ``⁶``; ``^(1,9)`` of what has no superscript characters."""
    exponent = exponent.strip()
    return superscript(exponent) if _INTEGER.fullmatch(exponent) else f"^({exponent})" if exponent else ""


def raised(text: str) -> str:
    """Returns a superscript; one that has no such characters stands on the line, a number behind a caret."""
    if re.fullmatch(r"[+\-−–]?[0-9]{1,10}", text):
        return superscript(text)
    return f"^{text}" if re.fullmatch(r"[+\-−–]?[0-9]+[.,/][0-9]+", text) else text


def is_number(text: str) -> bool:
    """Tells whether a text is a number, however it is written."""
    text = text.strip()
    return bool(re.fullmatch(r"[-−+±~]?[0-9][0-9.,  ]*(?:\+?[0-9]*/{1,2}[0-9]+)?(?:[eE][-+]?[0-9]+)?", text))


def format_number(number: str, language: str) -> str:
    """Writes a machine's number with the separators of a language; other text stays as it is."""
    number = number.strip()
    if not _MACHINE.fullmatch(number) or len(number) > _LONGEST:
        return number
    thousands, point = separators(language)
    whole, _, decimals = number.partition(".")
    digits = whole.lstrip("-−+")
    grouped = whole if digits.startswith("0") else whole[: len(whole) - len(digits)] + _group(digits, thousands)
    return f"{grouped}{point}{decimals}" if decimals else grouped


def local_number(number: str, language: str) -> str:
    """Writes an author's number as the language does, where it can only be read in one way; else as it is.

    ``21.088`` stays in a language whose decimal mark is the comma, and so does ``3,5``; in English ``1,234.5`` does.
    """
    number = number.strip()
    if len(number) <= 3 and number.isdecimal():
        return number
    if mixed := _MIXED.fullmatch(number):
        return f"{mixed[1]} {mixed[2]}/{mixed[3]}"
    if "//" in number:
        return number.replace("//", "/")
    if separators(language)[1] == ".":
        return (
            format_number(number.replace(",", ""), language)
            if _GROUPED.fullmatch(number)
            else format_number(number, language)
        )
    if _EITHER.fullmatch(number):
        return number
    if _DECIMAL_COMMA.fullmatch(number):
        return format_number(number.replace(",", "."), language) if len(number) <= _LONGEST else number
    return format_number(number, language)


def _group(digits: str, separator: str) -> str:
    head = len(digits) % 3
    return separator.join([digits[:head]] * bool(head) + [digits[i : i + 3] for i in range(head, len(digits), 3)])
