r"""The white space of a book: tidy, with its paragraphs; and, where asked for, its prose without line breaks."""

from __future__ import annotations

import re

# A paragraph of prose: no line but the last is much shorter than a publisher's line of 60 to 75 characters, and none is
# indented, as verse, tables and headings are.
SHORTEST_LINE = 45

_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_TRAILING = re.compile(r"[ \t\u00a0]+$", re.M)
_EMPTY_LINES = re.compile(r"\n{4,}")


def tidy(text: str, *, unwrap: bool = False) -> str:
    r"""Normalises white space, and keeps paragraphs.

    Line ends become ``\n``, form feeds an empty line; control characters and white space at line ends go; more than two
    empty lines become two, which part chapters as one parts paragraphs. Indentation stays: it is verse's and tables'.

    Args:
        text: The book.
        unwrap: Whether the lines of a paragraph of prose are joined by spaces.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n\n")
    text = _TRAILING.sub("", _CONTROLS.sub("", text))
    text = _EMPTY_LINES.sub("\n\n\n", text).strip("\n")
    return _unwrap(text) if unwrap else text


def _unwrap(text: str) -> str:
    parts = re.split(r"(\n{2,})", text)
    return "".join(_joined(part) if number % 2 == 0 else part for number, part in enumerate(parts))


def _joined(paragraph: str) -> str:
    lines = paragraph.split("\n")
    is_prose = all(len(line) >= SHORTEST_LINE for line in lines[:-1]) and not any(line[:1].isspace() for line in lines)
    return " ".join(lines) if is_prose else paragraph
