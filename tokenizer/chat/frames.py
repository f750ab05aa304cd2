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


def filled(parts: tuple[Part, ...], values: Mapping[str, str]) -> list[Part]:
    """A frame with values in their places: texts, and the places of bos and eos between them."""
    return _joined([part if isinstance(part, str) or part.name in SPECIAL else values[part.name] for part in parts])
