"""What a removed template or picture leaves behind: empty brackets, lonely commas, spaces before commas.

Only the surroundings of a gap mark are touched, so a comma or bracket that the author wrote stays as it was; but for
``close_spaces``, which takes out spaces that no typography knows, whoever left them.
"""

from __future__ import annotations

import re
from itertools import pairwise

from filters.wikitext.marks import GAP, LITERAL_END, LITERAL_START

REACH = 100  # characters before a gap that may be tidied
_OPEN = "([{（"
_CLOSE = ")]}）"
_PAIRS = frozenset(("()", "[]", "{}", "（）"))
_QUOTES = frozenset(('""', "“”", "„“", "„”", "«»", "‘’"))
_SEPARATORS = ",;:/–—-·•|"
_WEAK = ",;"  # two of these around a gap become one
_SPACES = " \t"
_NOTHING = _SPACES + GAP
_NO_SPACE_BEFORE = ".,;:!?…)]}”"
_NO_SPACE_AFTER = "“„"
_DASHES = "–—"
_CURRENCIES = ("$", "€", "£", "¥", "₹")
_AT_START = _WEAK + ":" + _DASHES  # parts what has gone from what follows

# Each begins with the one character that is looked for, which makes the search a fast one.
_OPENED = re.compile(r"\([ ]+(?=[^\s)])")
_CLOSING = re.compile(r"\)(?<=[^\s(][ ]\))")
_WORD = rf"[\w)\]”»\"'’%°{LITERAL_END}]"
_COMMA = re.compile(rf",(?<={_WORD}[ ],)(?=[ ]\w|$)", re.MULTILINE)
# A full stop that ends a sentence: not one of three (``a . . . b``), nor a product (``a . b``).
_FULL_STOP = re.compile(rf"\.(?<={_WORD}[ ]\.)(?=[ ](?P<next>[^\W\d_])|$)", re.MULTILINE)


def close_gaps(line: str) -> str:
    """Removes the gap marks of one line and what they leave dangling.

    ``Berlin (GAP; GAP) is`` becomes ``Berlin is``; ``(GAP, born 1920)`` becomes ``(born 1920)``; ``a GAP, b`` becomes
    ``a, b``; ``a, GAP, b`` becomes ``a, b``. A line that is left without a letter becomes empty: a mere number says
    nothing once what it is of has gone (``GAP 1.940``).
    """
    if not line.strip(_NOTHING):  # two of three lines that have a gap are what was removed
        return ""
    pieces = line.split(GAP)
    done: list[str] = []
    left = pieces[0]
    for right in pieces[1:]:
        if len(left) > 2 * REACH:  # so that a line of many gaps is not copied for each
            done.append(left[:-REACH])
            left = left[-REACH:]
        left = _join(left, right)
    line = "".join([*done, left]).rstrip()
    return line if LITERAL_START in line or any(map(str.isalpha, line)) else ""


def close_spaces(text: str) -> str:
    """Removes spaces inside round brackets, at their ends, and before a comma or the full stop of a sentence.

    What was unwrapped or removed leaves some (``(<span> 5 °C </span>)``), authors others. Other signs, before which
    some languages write a space, stay as they are.

    Args:
        text: Lines without double spaces.
    """
    text = _OPENED.sub("(", text)
    text = _cut_before([match.start() for match in _CLOSING.finditer(text)], text, _SPACES + _WEAK)
    text = _cut_before([match.start() for match in _COMMA.finditer(text)], text, _SPACES)
    ends = (match for match in _FULL_STOP.finditer(text) if match["next"] is None or match["next"].isupper())
    return _cut_before([match.start() for match in ends], text, _SPACES)


def _cut_before(places: list[int], text: str, what: str) -> str:
    """Removes these characters before each of the places."""
    if not places:
        return text
    pieces = [text[start:end].rstrip(what) for start, end in pairwise([0, *places])]
    return "".join([*pieces, text[places[-1] :]])


def _join(left: str, right: str) -> str:
    """Joins the texts before and after one gap."""
    before = left.rstrip(_SPACES)
    if before.endswith(_CURRENCIES) and not right.lstrip(_SPACES)[:1].isdigit():  # a sign whose sum has gone
        before = before[:-1].rstrip(_SPACES)
        left = f"{before} "
    after = right.lstrip(_SPACES)
    last, first = before[-1:], after[:1]
    if last and last in _OPEN:
        return _after_bracket(before, after)
    if first and first in _CLOSE:
        return before.rstrip(_SPACES + _SEPARATORS) + after if last in _SEPARATORS else before + after
    if left[-1:] + right[:1] in _QUOTES:
        return _join(left[:-1], right[1:])
    if not last:
        after = after.lstrip(_SPACES + _AT_START)
        return after[2:].lstrip(_SPACES) if after.startswith("- ") else after
    if first and first in _WEAK:
        return before.rstrip(_SPACES + _WEAK) + after
    if first and first in _DASHES and last in _DASHES:
        return before + " " + after[1:].lstrip(_SPACES)
    if (first and first in _NO_SPACE_BEFORE) or last in _NO_SPACE_AFTER:
        return before + after
    spaced = len(before) < len(left) or len(after) < len(right)
    return f"{before} {after}" if spaced else before + after


def _after_bracket(before: str, after: str) -> str:
    """Joins at a gap that follows an opening bracket: separators go, and a pair that is left empty goes."""
    stripped = after.lstrip(_SPACES + ",;:/·|")
    bracket = before[-1]
    if stripped and bracket + stripped[0] in _PAIRS:
        return _join(before[:-1].rstrip(_SPACES) + " ", stripped[1:])
    return before + stripped
