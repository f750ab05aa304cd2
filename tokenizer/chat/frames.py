"""The frames of a template: texts with places for what a conversation holds, and for bos and eos.

A frame is written as for Python's ``str.format``: ``{user}`` is a place, ``{{`` and ``}}`` stand for braces.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass

from tokenizer.errors import TokenizerError

BOS, EOS = "bos", "eos"
SPECIAL = (BOS, EOS)


@dataclass(frozen=True)
class Place:
    """Where something goes that is not the frame's own: ``user``, ``answer``, ``bos``, ..."""

    name: str


Part = str | Place


class FrameError(TokenizerError):
    """A frame is not well formed; says why."""


def parse_frame(frame: str) -> tuple[Part, ...]:
    """The texts and places of a frame, one after the other.

    Raises:
        FrameError: A brace stands alone, or a place is no plain name.
    """
    try:
        found = list(string.Formatter().parse(frame))
    except ValueError as error:
        raise FrameError(f"{error}: a brace that is text is written twice, as {{{{ or }}}}") from error
    parts: list[Part] = []
    for text, name, form, conversion in found:
        if text:
            parts.append(text)
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            raise FrameError(f"{{{name}}} is no placeholder: a brace that is text is written twice, as {{{{ or }}}}")
        parts.append(Place(name))
    return tuple(_joined(parts))


def _joined(parts: list[Part]) -> list[Part]:
    """The same with neighbouring texts in one: an escaped brace ends one in the parser."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


def places(parts: tuple[Part, ...]) -> list[str]:
    """The names of a frame's places, in order."""
    return [part.name for part in parts if isinstance(part, Place)]


@dataclass(frozen=True)
class Piece:
    """A text between two special ids of a frame, to be filled.

    Attributes:
        form: The text, for Python's ``%``.
        names: The places that are filled, in order.
    """

    form: str
    names: tuple[str, ...]


def pieces(parts: tuple[Part, ...]) -> tuple[str | Piece, ...]:
    """A frame as the names of special ids and the texts between them."""
    found: list[str | Piece] = []
    for part in parts:
        if isinstance(part, Place) and part.name in SPECIAL:
            found.append(part.name)
            continue
        last = found.pop() if found and isinstance(found[-1], Piece) else Piece("", ())
        assert isinstance(last, Piece)
        if isinstance(part, Place):
            found.append(Piece(f"{last.form}%s", (*last.names, part.name)))
        else:
            found.append(Piece(last.form + part.replace("%", "%%"), last.names))
    return tuple(found)


def filled(piece: Piece, values: Mapping[str, str]) -> str:
    """A piece with values in its places."""
    return piece.form % tuple([values[name] for name in piece.names])
