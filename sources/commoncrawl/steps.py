"""The steps of the CommonCrawl source: thin over filters, one class for each word of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from filters.commoncrawl.buckets import bucket
from filters.language import LanguageIdentifier, keep_language
from pipeline.corpus.document import Document
from pipeline.errors import ModelError
from pipeline.storage.filesystem import local_model
from pipeline.survey import Row, Settled
from sources.commoncrawl.percentiles import settled_cutoffs
from sources.commoncrawl.recipe import CommonCrawlRecipe, LanguageRecipe, PerplexityRecipe, ReferenceRecipe
from sources.languages import refuse_unknown

if TYPE_CHECKING:
    from filters.commoncrawl.perplexity import PerplexityModel
    from filters.commoncrawl.reference import ReferenceClassifier


class IdentifyLanguage:
    """fastText language identification; drops other languages and unsure pages."""

    name = "language"
    keys = "language.keep, language.threshold"

    def __init__(self, recipe: LanguageRecipe) -> None:
        self._recipe = recipe
        self._wanted = None if "all" in recipe.keep else frozenset(recipe.keep)
        self._identifier: LanguageIdentifier | None = None
        self._measured: Mapping[int, Row] = {}

    def load(self) -> None:
        """Loads the model, and refuses languages that it does not know."""
        path = local_model(self._recipe.model, self._recipe.sha256)
        try:
            self._identifier = LanguageIdentifier(path)
        except ValueError as error:
            raise ModelError(f"the language model cannot be used: {error}") from error
        refuse_unknown(self._recipe.keep, self._identifier.languages, self._recipe.model)

    @property
    def languages(self) -> list[str]:
        """The languages kept, of those that the model knows; loaded."""
        assert self._identifier is not None
        return sorted(self._identifier.languages if self._wanted is None else self._wanted)

    def settle(self, settled: Settled, measured: Mapping[int, Row]) -> None:
        """Takes the languages that a survey found already."""
        self._measured = measured

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Sets each page's language and score."""
        assert self._identifier is not None
        known = [self._measured.get(document.number) for document in documents]
        unknown = [d.text for d, row in zip(documents, known, strict=True) if row is None]
        found = iter(self._identifier.identify(unknown) if unknown else ())
        return [self._judge(d, *(row[:2] if row else next(found))) for d, row in zip(documents, known, strict=True)]

    def _judge(self, document: Document, language: str, score: float) -> str | None:
        document.language = language
        document.meta["language_score"] = score
        wanted = self._wanted if self._wanted is not None else frozenset([language])
        return keep_language(language, score, wanted, self._recipe.threshold)


class MeasurePerplexity:
    """The n-gram model: sets the perplexity of pages whose language has one; drops none."""

    name = "perplexity"

    def __init__(self, recipe: PerplexityRecipe, languages: Sequence[str]) -> None:
        self._recipe = recipe
        self._languages = languages
        self._models: dict[str, PerplexityModel] = {}

    def load(self) -> None:
        """Loads the models of the languages that are scored."""
        from filters.commoncrawl.perplexity import PerplexityModel  # noqa: PLC0415 - not where nothing is to do

        for language in self._languages:
            try:
                paths = [local_model(address) for address in perplexity_addresses(self._recipe, language)]
                self._models[language] = PerplexityModel(*paths, join_lines=self._recipe.join_lines)
            except ValueError as error:
                raise ModelError(f"the perplexity model of {language!r} cannot be used: {error}") from error

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Scores each page with its language's model."""
        for language in {document.language for document in documents if document.language}:
            pages = [document for document in documents if document.language == language]
            model = self._models.get(language)
            scores = model.perplexities([page.text for page in pages]) if model else [None] * len(pages)
            for page, score in zip(pages, scores, strict=True):
                page.meta["perplexity"] = score
        return [None] * len(documents)


class ScorePerplexity:
    """The n-gram model: sets perplexity and bucket, drops the buckets that the recipe does not keep."""

    name = "perplexity"
    keys = "perplexity.keep, perplexity.cutoffs"

    def __init__(self, recipe: PerplexityRecipe, languages: Sequence[str]) -> None:
        self._keep = recipe.keep
        self._measure = MeasurePerplexity(recipe, languages)
        self._cutoffs: Mapping[str, tuple[float, float]] = {} if isinstance(recipe.cutoffs, str) else recipe.cutoffs
        self._measured: Mapping[int, Row] = {}

    def load(self) -> None:
        """Loads the models."""
        self._measure.load()

    def settle(self, settled: Settled, measured: Mapping[int, Row]) -> None:
        """Takes the cut-offs of the scope, and the perplexities that were found with them."""
        self._cutoffs = settled_cutoffs(settled)
        self._measured = measured

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Scores each page that no survey scored, and judges all."""
        missing = []
        for document in documents:
            row = self._measured.get(document.number)
            if row is None or row[2] is None:
                missing.append(document)
            else:
                document.meta["perplexity"] = row[2]
        self._measure.apply(missing)
        return [self._judge(document) for document in documents]

    def _judge(self, document: Document) -> str | None:
        language = document.language or ""
        name = document.meta["bucket"] = bucket(document.meta.get("perplexity"), language, self._cutoffs)
        return None if self._keep == ("all",) or name in self._keep else f"bucket_{name}"


class ClassifyReferences:
    """The linear model of pages that Wikipedia cites; drops pages unlike them."""

    name = "reference"
    keys = "reference.threshold, reference.model"

    def __init__(self, recipe: ReferenceRecipe) -> None:
        self._recipe = recipe
        self._classifier: ReferenceClassifier | None = None

    def load(self) -> None:
        """Loads the model."""
        from filters.commoncrawl.reference import ReferenceClassifier  # noqa: PLC0415 - not where nothing is to do

        path = local_model(self._recipe.model or "")
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


def perplexity_addresses(recipe: PerplexityRecipe, language: str) -> list[str]:
    """The addresses of a language's SentencePiece and KenLM model."""
    return [address.replace("{language}", language) for address in (recipe.sentencepiece, recipe.lm)]


def model_addresses(recipe: CommonCrawlRecipe, scored: Sequence[str]) -> list[tuple[str, str | None]]:
    """The address and, where given, the checksum of every model that a recipe uses.

    Args:
        recipe: The recipe.
        scored: The languages whose pages are scored.
    """
    addresses: list[tuple[str, str | None]] = [(recipe.language.model, recipe.language.sha256)]
    for language in scored:
        addresses += [(address, None) for address in perplexity_addresses(recipe.perplexity, language)]
    if recipe.reference.enabled and recipe.reference.model:
        addresses.append((recipe.reference.model, None))
    return addresses
