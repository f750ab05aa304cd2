"""Apostrophes: bold and italics are unwrapped, apostrophes of the language stay."""

from __future__ import annotations

import re

_RUN = re.compile("(''+)")
ITALIC, BOLD, BOLD_ITALIC = 2, 3, 5


def unwrap_quotes(line: str) -> str:
    """Removes the apostrophes that are markup from one line of wikitext.

    Follows MediaWiki's ``Parser::doQuotes``: of four apostrophes the first is text, of more than five those above
    five; and where a line has an odd number of bolds and of italics, one bold is an apostrophe and an italic
    (``l'''amour''``). One thing differs: apostrophes that stay are never more than one together, so that no markup is
    left.
    """
    parts = _RUN.split(line)
    runs = [len(run) for run in parts[1::2]]
    if max(runs, default=0) <= BOLD and not _both_odd(runs):
        return "".join(parts[::2])
    for position, length in enumerate(runs):
        if length == 4 or length > BOLD_ITALIC:
            parts[2 * position] += "'"
            runs[position] = BOLD if length == 4 else BOLD_ITALIC
    if _both_odd(runs):
        position = _apostrophe_position(parts, runs)
        parts[2 * position] += "'"
    return re.sub("''+", "'", "".join(parts[::2]))


def _both_odd(runs: list[int]) -> bool:
    """Tells whether bold and italics are both switched an odd number of times."""
    bold = sum(length in (BOLD, BOLD_ITALIC) for length in runs)
    italic = sum(length in (ITALIC, BOLD_ITALIC) for length in runs)
    return bold % 2 == 1 and italic % 2 == 1


def _apostrophe_position(parts: list[str], runs: list[int]) -> int:
    """Returns which bold run is an apostrophe: after a one-letter word, else after a longer one, else after a space."""
    choices: dict[str, int] = {}
    for position, length in enumerate(runs):
        if length != BOLD:
            continue
        before = parts[2 * position]
        last, last_but_one = before[-1:], before[-2:-1]
        kind = "space" if last in ("", " ") else "letter" if last_but_one in ("", " ") else "word"
        choices.setdefault(kind, position)
    for kind in ("letter", "word", "space"):
        if kind in choices:
            return choices[kind]
    return len(runs) - 1
