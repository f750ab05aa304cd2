"""The survey of perplexities: each page of a scope is scored once, before the cut-offs are known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from pipeline.corpus.document import Document
from pipeline.steps import Step
from pipeline.survey import Row, Settled
from sources.commoncrawl.percentiles import count_perplexities, settle_cutoffs
from sources.commoncrawl.recipe import LanguageRecipe, PerplexityRecipe
from sources.commoncrawl.steps import IdentifyLanguage, MeasurePerplexity

COLUMNS = pa.schema([("language", pa.string()), ("language_score", pa.float64()), ("perplexity", pa.float64())])


@dataclass(frozen=True)
class PerplexitySurvey:
    """Language and perplexity of each page that dedup left, and the cut-offs that follow; a ``Survey``.

    Attributes:
        language: How languages are told.
        perplexity: How pages are scored, and which percentiles cut.
        scored: The languages whose pages are scored.
    """

    language: LanguageRecipe
    perplexity: PerplexityRecipe
    scored: Sequence[str]
    columns: pa.Schema = COLUMNS

    def steps(self) -> list[Step]:
        """Language and perplexity."""
        return [IdentifyLanguage(self.language), MeasurePerplexity(self.perplexity, self.scored)]

    def row(self, document: Document) -> Row | None:
        """Language, its score, and perplexity; None for a page that ended before."""
        score = document.meta.get("language_score")
        return None if score is None else (document.language, score, document.meta.get("perplexity"))

    def settle(self, shards: Iterable[pa.Table]) -> Settled:
        """The cut-offs of each language."""
        return settle_cutoffs(count_perplexities(shards), self.perplexity)
