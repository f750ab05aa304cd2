"""The steps of the books source."""

from __future__ import annotations

from collections.abc import Sequence

from filters.books.gutenberg_header import LANGUAGE_CODES
from filters.books.layout import tidy
from filters.language import LanguageIdentifier, keep_language
from pipeline.corpus.document import Document
from pipeline.errors import ModelError
from pipeline.steps import DropShort
from pipeline.storage.filesystem import local_model
from sources.books.near_duplicates import read_removed
from sources.books.recipe import BooksRecipe, LanguageRecipe
from sources.languages import refuse_unknown

LANGUAGE_CHARACTERS = 10_000  # of the middle of a book: prefaces and indexes may be in another language than it


class IdentifyLanguage:
    """The header's language, else fastText's; drops other languages from the subsets that are filtered."""

    name = "language"

    def __init__(self, recipe: LanguageRecipe) -> None:
        self._recipe = recipe
        self._identifier: LanguageIdentifier | None = None

    def load(self) -> None:
        """Loads the model."""
        try:
            self._identifier = LanguageIdentifier(local_model(self._recipe.model, self._recipe.sha256))
        except ValueError as error:
            raise ModelError(f"the language model cannot be used: {error}") from error
        refuse_unknown(self._recipe.keep, {*self._identifier.languages, *LANGUAGE_CODES}, self._recipe.model)

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Sets each book's language, and its score where the model gave it."""
        assert self._identifier is not None
        unknown = [document for document in documents if document.language is None]
        found = self._identifier.identify([_excerpt(document.text) for document in unknown])
        for document, (language, score) in zip(unknown, found, strict=True):
            document.language = language
            document.meta["language_score"] = score
        return [self._judge(document) for document in documents]

    def _judge(self, document: Document) -> str | None:
        recipe, language = self._recipe, document.language or ""
        if document.meta["subset"] not in recipe.subsets:
            return None
        wanted = frozenset([language] if "all" in recipe.keep else recipe.keep)
        score = document.meta["language_score"]
        return keep_language(language, 1.0 if score is None else score, wanted, recipe.threshold)


def _excerpt(text: str) -> str:
    start = max(0, (len(text) - LANGUAGE_CHARACTERS) // 2)
    return text[start : start + LANGUAGE_CHARACTERS]


class TidyWhitespace:
    """Normalises white space; paragraphs stay."""

    name = "whitespace"

    def __init__(self, unwrap: bool) -> None:
        self._unwrap = unwrap

    def load(self) -> None:
        """Nothing to load."""

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Edits each book."""
        for document in documents:
            document.text = tidy(document.text, unwrap=self._unwrap)
        return [None] * len(documents)


class DropNearDuplicates:
    """Drops the books that the near-dedup found to be in another one."""

    name = "near_dedup"

    def __init__(self, report: str) -> None:
        self._report = report
        self._removed: dict[tuple[str, int], str] | None = None

    def load(self) -> None:
        """Nothing yet: the report is made after the steps were first loaded, to see that their models are there."""

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Looks each book up by the place where it was read."""
        if self._removed is None:
            self._removed = read_removed(self._report)
        for document in documents:
            document.meta["duplicate_of"] = self._removed.get((document.file, document.offset))
        return ["near_duplicate" if document.meta["duplicate_of"] is not None else None for document in documents]


def steps_before_near_dedup(recipe: BooksRecipe) -> list[IdentifyLanguage | TidyWhitespace | DropShort]:
    """What decides which books take part in near-dedup."""
    return [IdentifyLanguage(recipe.language), TidyWhitespace(recipe.unwrap_lines), DropShort(recipe.min_characters)]
