r"""Where the branches of a conditional end: the ``\else``, the ``\or`` or the ``\fi`` that belongs to it."""

import re
from collections.abc import Callable

from filters.latex.vocabulary import ALWAYS, CONDITIONALS

_BRANCH = re.compile(r"\\([A-Za-z@]+|.)", re.DOTALL)


def is_known(name: str) -> bool:
    """Whether a name is one of TeX's own conditionals."""
    return name in CONDITIONALS or name in ALWAYS


def find_branch(
    text: str,
    start: int,
    is_conditional: Callable[[str], bool] = is_known,
    limit: int | None = None,
    ends: tuple[str, ...] = ("else",),
) -> tuple[str, int, int]:
    r"""The ``\else`` or ``\fi`` that ends the branch which begins at ``start``: (name, where it starts, ends).

    Args:
        text: what is being read.
        start: where the branch begins.
        is_conditional: tells which names that begin with "if" are conditionals.
        limit: where to give up.
        ends: what ends a branch beside ``\fi``; of an ``\ifcase`` an ``\or`` does, too.

    Returns:
        ("", limit, limit) where the branch does not end.
    """
    depth = 0
    limit = len(text) if limit is None else limit
    for match in _BRANCH.finditer(text, start, limit):
        name = match[1]
        if name == "fi":
            if depth == 0:
                return name, match.start(), match.end()
            depth -= 1
        elif name in ends:
            if depth == 0:
                return name, match.start(), match.end()
        elif name.startswith("if") and is_conditional(name):
            depth += 1
    return "", limit, limit
