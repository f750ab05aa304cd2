"""The steps of the instructions source. What the first ones drop was found as the record was read, where it was cut."""

from __future__ import annotations

from collections.abc import Sequence

from filters.instructions.turns import joined
from filters.language import LanguageIdentifier
from pipeline.corpus.document import Document
from pipeline.errors import ModelError
from pipeline.steps import EachDocument
from pipeline.storage.filesystem import local_model
from sources.instructions.documents import CLEAN, SPLIT, TURNS, VERDICT
from sources.instructions.recipe import LanguageRecipe
from sources.languages import refuse_unknown


class CheckTurns(EachDocument):
    """Drops conversations whose turns are not in order, or say nothing, or break off."""

    name = TURNS
    keys = "turns.*"

    def judge(self, document: Document) -> str | None:
        """Goes by what was found."""
        return _reason(document, self.name)


class Clean(EachDocument):
    """Puts the clean turns in the place of those that were read, and drops what FastChat's cleaning does."""

    name = CLEAN
    keys = "sharegpt.*"

    def judge(self, document: Document) -> str | None:
        """Goes by what was found, and sets the text."""
        if reason := _reason(document, self.name):
            return reason
        meta = document.meta
        answers = [] if meta.get("chosen") is None else [meta["chosen"], meta["rejected"]]
        document.text = joined([*(turn["content"] for turn in meta["messages"]), *answers])
        return None


class CheckLength(EachDocument):
    """Drops rounds that are too long for a piece, where they are not wanted."""

    name = SPLIT
    keys = "split.*"

    def judge(self, document: Document) -> str | None:
        """Goes by what was found."""
        reason = _reason(document, self.name)
        document.meta.pop(VERDICT, None)
        return reason


def _reason(document: Document, step: str) -> str | None:
    verdict = document.meta.get(VERDICT)
    return verdict[1] if verdict is not None and verdict[0] == step else None


class IdentifyLanguage:
    """Sets the language where the record does not say it, and drops those that are not wanted."""

    name = "language"

    def __init__(self, recipe: LanguageRecipe) -> None:
        self._recipe = recipe
        self._model: LanguageIdentifier | None = None

    def load(self) -> None:
        """Loads the model, where there is one."""
        name = self._recipe.model
        if name is None:
            return
        try:
            self._model = LanguageIdentifier(local_model(name, self._recipe.sha256))
        except ValueError as error:
            raise ModelError(f"the language model cannot be used: {error}") from error
        refuse_unknown(self._recipe.keep, self._model.languages, name)
        refuse_unknown(self._recipe.drop, self._model.languages, name, "language.drop")

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Judges each document by its language."""
        open_ = [document for document in documents if document.language is None]
        if self._model is not None and open_:
            found = self._model.identify([document.text for document in open_])
            for document, (language, score) in zip(open_, found, strict=True):
                document.meta["language_score"] = score
                document.language = language if language and score >= self._recipe.threshold else None
        return [self._judge(document.language) for document in documents]

    def _judge(self, language: str | None) -> str | None:
        own = {language, (language or "").partition("-")[0]}  # pt-BR is pt, too
        if self._recipe.keep and not own & {*self._recipe.keep}:
            return "language" if language else "unknown_language"
        return "language" if own & {*self._recipe.drop} else None
