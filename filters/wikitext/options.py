"""Choices about what text a page gives, which the paper leaves open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """What is written of things that pages show and a corpus need not.

    Attributes:
        language_labels: whether ``{{lang-de|Wien}}`` names its language, as the page does (``German: Wien``).
        quote_attributions: whether a quotation ends with a line that says whose it is (``— Author, Book``).
    """

    language_labels: bool = False
    quote_attributions: bool = False


DEFAULT_OPTIONS = Options()
