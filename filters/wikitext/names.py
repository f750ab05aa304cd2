"""Lists of names, written as one string."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Returns the words of a text, which are separated by white space."""
    return frozenset(text.split())
