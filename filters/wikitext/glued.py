"""Templates without a rule that are a part of a number: ``5×10{{x|6}}`` must not become ``5×10``."""

from __future__ import annotations

import re

from filters.wikitext.marks import HOLE
from filters.wikitext.numbers import power

_CONTEXT = 12  # characters before a template that are looked at
_SHORT_NUMBER = re.compile(r"\{\{[^{}|]*\|\s*(?:1\s*=\s*)?([-−–+]?[0-9]{1,6}(?:[.,][0-9]{1,6})?)\s*[|}]")
# A digit (but no stop behind one: a note follows it), a sign that no space parts (``-``, but not the hyphen of a word),
# a sign of multiplication.
_GLUED_BEFORE = re.compile(r"(?:[0-9]|(?<![^\W\d_])[-−–+±/^]|[×·⋅][ \u00a0]?)$")
_GLUED_AFTER = re.compile(r"[0-9]|[-−–+±/.,^][0-9]|[ \u00a0]?[×·⋅]")
_ENDS_IN_POWER = re.compile(r"[×x·⋅*][ \u00a0]?10$")


def glued_number(text: str, start: int, end: int) -> str:
    """Returns what stands for a template without a rule that is a part of a number: an exponent, or else a hole.

    Args:
        text: wikitext.
        start: where in it the template begins.
        end: where it ends.

    Returns:
        ``⁶`` behind ``×10``; a hole where the first argument is a short number and another touches the template; else
        nothing.
    """
    number = _SHORT_NUMBER.match(text, start, end)
    if number is None:
        return ""
    before = text[max(0, start - _CONTEXT) : start]
    if _ENDS_IN_POWER.search(before):
        return power(number[1])
    return HOLE if _GLUED_BEFORE.search(before) or _GLUED_AFTER.match(text, end) else ""
