"""Whether a decoded file is a text at all: not empty, and no picture, program or archive under a text's name."""

from __future__ import annotations

import re
from typing import NamedTuple

# Of all characters. Bytes at random have 0.12, compressed and executable files not much less; a text has none, or the
# few of a printer's codes (overstrikes, bold, page ends).
BINARY_SHARE = 0.05

# Control characters that no text is made of, and what stands for bytes that could not be decoded.
_STRANGE = re.compile("[\x00-\x07\x0e-\x19\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")


class NoText(NamedTuple):
    """Why a file is no text: in a word, ``empty`` or ``binary``, and in a sentence's end."""

    reason: str
    message: str


def no_text(text: str) -> NoText | None:
    """Judges a decoded file, without its NUL characters; None for a text.

    Args:
        text: The file, or what is left of it without its boilerplate.
    """
    if not text or text.isspace():
        return NoText("empty", "has no text")
    strange = sum(len(found) for found in _STRANGE.findall(text))
    if strange > BINARY_SHARE * len(text):
        share = strange / len(text)
        return NoText("binary", f"is no text: {share:.0%} of it are control characters or bytes of no encoding")
    return None
