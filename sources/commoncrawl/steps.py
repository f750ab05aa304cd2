"""The steps of the CommonCrawl source: thin over filters, one class for each word of the paper."""

from __future__ import annotations

from collections.abc import Sequence

from filters.commoncrawl.perplexity import PerplexityModel, bucket
from filters.commoncrawl.reference import ReferenceClassifier
from filters.language import LanguageIdentifier, keep_language
from pipeline.corpus.document import Document
from pipeline.errors import ModelError
from pipeline.storage.filesystem import local_model
from sources.commoncrawl.recipe import CommonCrawlRecipe, LanguageRecipe, PerplexityRecipe, ReferenceRecipe


class IdentifyLanguage:
    """fastText language identification; drops other languages and unsure pages."""

    name = "language"

    def __init__(self, recipe: LanguageRecipe) -> None:
        self._recipe = recipe
        self._wanted = None if "all" in recipe.keep else frozenset(recipe.keep)
        self._identifier: LanguageIdentifier | None = None

    def load(self) -> None:
        """Loads the model."""
        path = local_model(self._recipe.model, self._recipe.sha256)
        try:
            self._identifier = LanguageIdentifier(path)
        except ValueError as error:
            raise ModelError(f"the language model cannot be used: {error}") from error

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Sets each page's language and score."""
        assert self._identifier is not None
        reasons = []
        found = self._identifier.identify([d.text for d in documents])
        for document, (language, score) in zip(documents, found, strict=True):
            document.language = language
            document.meta["language_score"] = score
            wanted = self._wanted if self._wanted is not None else frozenset([language])
            reasons.append(keep_language(language, score, wanted, self._recipe.threshold))
        return reasons


class ScorePerplexity:
    """The n-gram model: sets perplexity and bucket, drops the buckets that the recipe does not keep."""

    name = "perplexity"

    def __init__(self, recipe: PerplexityRecipe, languages: Sequence[str]) -> None:
        self._recipe = recipe
        self._languages = [] if "all" in languages else list(languages)
        self._models: dict[str, PerplexityModel] = {}

    def load(self) -> None:
        """Loads the models of all languages asked for."""
        for language in self._languages:
            addresses = [a.format(language=language) for a in (self._recipe.sentencepiece, self._recipe.lm)]
            try:
                paths = [local_model(address) for address in addresses]
                self._models[language] = PerplexityModel(*paths, join_lines=self._recipe.join_lines)
            except ValueError as error:
                raise ModelError(f"the perplexity model of {language!r} cannot be used: {error}") from error

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Scores each page with its language's model."""
        for language in {document.language for document in documents if document.language}:
            pages = [document for document in documents if document.language == language]
            self._score(pages, language)
        return [self._judge(document) for document in documents]

    def _score(self, pages: Sequence[Document], language: str) -> None:
        model = self._models.get(language)
        scores = model.perplexities([page.text for page in pages]) if model else [None] * len(pages)
        for page, score in zip(pages, scores, strict=True):
            page.meta["perplexity"] = score
            page.meta["bucket"] = bucket(score, language, self._recipe.cutoffs)

    def _judge(self, document: Document) -> str | None:
        name = document.meta.setdefault("bucket", "all")  # a page without a language has no model
        kept = "all" in self._recipe.keep or name in self._recipe.keep
        return None if kept else f"bucket_{name}"


class ClassifyReferences:
    """The linear model of pages that Wikipedia cites; drops pages unlike them."""

    name = "reference"

    def __init__(self, recipe: ReferenceRecipe) -> None:
        self._recipe = recipe
        self._classifier: ReferenceClassifier | None = None

    def load(self) -> None:
        """Loads the model."""
        path = local_model(self._recipe.model)
        try:
            self._classifier = ReferenceClassifier(path, self._recipe.threshold)
        except ValueError as error:
            raise ModelError(f"the reference classifier cannot be used: {error}") from error

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Sets each page's probability of being a reference."""
        assert self._classifier is not None
        scores = self._classifier.score([d.text for d in documents])
        for document, score in zip(documents, scores, strict=True):
            document.meta["reference_score"] = score
        return [self._classifier.keep(score) for score in scores]


def model_addresses(recipe: CommonCrawlRecipe) -> list[tuple[str, str | None]]:
    """The address and, where given, the checksum of every model that a recipe uses."""
    addresses: list[tuple[str, str | None]] = [(recipe.language.model, recipe.language.sha256)]
    if recipe.perplexity.enabled:
        for language in recipe.language.keep if "all" not in recipe.language.keep else ():
            addresses += [
                (a.format(language=language), None) for a in (recipe.perplexity.sentencepiece, recipe.perplexity.lm)
            ]
    if recipe.reference.enabled:
        addresses.append((recipe.reference.model, None))
    return addresses
