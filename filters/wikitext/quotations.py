"""Rules of templates that hold a quotation, and columns or lists: what stands on lines of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from filters.wikitext.rules import Arguments, Rule

_PLACES = frozenset(("right", "left", "center", "centre", "none", "destra", "sinistra", "droite", "gauche", "derecha"))
_WIDTH = re.compile(r"[0-9.]*(?: ?(?:em|px|ex|en|pt|%))?|yes|no|y|n", re.IGNORECASE)


def quotation(text: Sequence[str], author: Sequence[str], source: Sequence[str], attribute: bool) -> Rule:
    """Returns the rule of a quotation: its text as lines of its own, and whose it is where that is asked for.

    Args:
        text: names of the argument that holds it; where the first positional one is the place of a box on the page,
            they move by one.
        author: names of the argument that says who said it.
        source: names of the argument that says where.
        attribute: whether a line says whose it is.
    """

    def rule(arguments: Arguments) -> str:
        moved = arguments.first("1").lower() in _PLACES
        value = arguments.first(*(_next(name) if moved else name for name in text))
        if not value:
            return ""
        if not attribute:
            return f"\n{value}\n"
        names = (author, source)
        whose = [arguments.first(*(_next(name) if moved else name for name in row)) for row in names]
        whose = [words for words in whose if words]
        return f"\n{value}\n— {', '.join(whose)}\n" if whose else f"\n{value}\n"

    return rule


def _next(name: str) -> str:
    return str(int(name) + 1) if name.isdecimal() else name


def columns(arguments: Arguments) -> str:
    """``{{columns-list|3|...}}``: the contents; a number of columns or their width is no text."""
    value = arguments.first("content", "list", "liste", "lista", "inhoud", "zawartość", "contenuto", "texte", "text")
    if not value:
        texts = [text for text in arguments.positional() if not _WIDTH.fullmatch(text)]
        value = texts[-1] if texts else ""
    return f"\n{value}\n" if value else ""
