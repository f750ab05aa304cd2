"""Character references, decoded once, and spaces that a reader cannot tell apart."""

from __future__ import annotations

import html
import re
from html.entities import html5

# MediaWiki wants the semicolon (``Sanitizer::CHAR_REFS_REGEX``): AT&T and ?a=1&copy=2 are text.
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")

# No-break, thin and other fixed-width spaces read as a space; in a corpus they would only split words in two ways.
_SPACES = ("\u00a0", "\u2009", "\u202f", "\u2002", "\u2003", "\u200a", "\u2007", "\u2008")
_SPACE_REFERENCES = re.compile(r"&(?:nbsp|thinsp|ensp|emsp|#160|#8239|#x[aA]0);")
# Soft hyphen, zero-width space, direction marks, word joiner, byte order mark: nothing that a reader sees.
_INVISIBLE = ("\u00ad", "\u200b", "\u200e", "\u200f", "\u2060", "\ufeff")
_SPACE_CHARACTERS = re.compile("[\u00a0\u2002-\u200a\u202f]")
_INVISIBLE_CHARACTERS = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")


def plain_spaces(text: str) -> str:
    """Turns fixed-width spaces into spaces and removes invisible characters, written as such."""
    for space in _SPACES:
        if space in text:
            text = text.replace(space, " ")
    text = _SPACE_REFERENCES.sub(" ", text)
    for mark in _INVISIBLE:
        if mark in text:
            text = text.replace(mark, "")
    return text


def decode_entities(text: str) -> str:
    """Decodes each character reference once: ``&amp;lt;`` becomes ``&lt;``. An unknown name stays as it is."""
    if "&" not in text:
        return text
    return _REFERENCE.sub(_decode, text)


def _decode(match: re.Match[str]) -> str:
    """Returns the character of one reference, a space for a fixed-width one, nothing for an invisible one."""
    reference = match[0]
    character = html.unescape(reference) if reference[1] == "#" else html5.get(reference[1:], reference)
    return _SPACE_CHARACTERS.sub(" ", _INVISIBLE_CHARACTERS.sub("", character))
