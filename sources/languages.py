"""Codes of languages in recipes: those that the language model does not know are refused by name."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import RecipeError

ALL = "all"  # in place of codes: every language


def refuse_unknown(wanted: Iterable[str], known: Iterable[str], model: str, key: str = "language.keep") -> None:
    """Refuses codes that no document can get, so that a typing error does not drop all.

    Args:
        wanted: What a key of a recipe names.
        known: The codes that the model knows.
        model: Its name, for the message.
        key: The key.

    Raises:
        RecipeError: Names the codes, and those that there are.
    """
    unknown = sorted(set(wanted) - {ALL} - set(known))
    if unknown:
        raise RecipeError(
            f"{key} names {', '.join(map(repr, unknown))}, which the model {model} does not know. "
            f"It knows {', '.join(sorted(known))}."
        )
