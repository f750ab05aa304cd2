"""Text of strangers, made fit to be looked at: nothing in it acts on a terminal, hides, or turns the line around.

Control characters become their pictures (U+2400 and on), and those that steer the direction of writing, or are not
seen at all, their number in brackets. Escaping for HTML is not done here: the template does it, for every value.
"""

from __future__ import annotations

import re

# C0 but for tab and newline, DEL and C1; bidirectional marks, embeddings, overrides and isolates (Unicode UAX 9);
# line and paragraph separators; zero-width and other invisible characters, and tags; surrogates; noncharacters.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_JOINERS = "\u200c\u200d"  # Persian, Indic scripts and emoji are spelt with them
_LINE_BREAKS = re.compile(r"\r\n?")
_MARKS = re.compile(
    "([\u0300-\u036f\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})"
    "[\u0300-\u036f\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
_CONTROL_PICTURES = 0x2400
_DELETE = 0x7F


def harmless(text: str) -> str:
    """The text with what acts or hides in it shown; lines and tabs stay, accents on one letter are cut at four."""
    return _MARKS.sub(r"\1", _UNSEEN.sub(_picture, _LINE_BREAKS.sub("\n", text)))


def one_line(text: str) -> str:
    """The same for a name or an address: on one line."""
    return " ".join(harmless(text).split())


def clipped(text: str, limit: int) -> tuple[str, int]:
    """The beginning of a text, made harmless, and how many of its characters are left out."""
    return harmless(text[:limit]), max(0, len(text) - limit)


def _picture(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in _JOINERS:
        return character
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return "\u2421" if code == _DELETE else f"[U+{code:04X}]"
