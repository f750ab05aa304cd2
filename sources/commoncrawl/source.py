"""The CommonCrawl source: WET records to documents, their lines as units of dedup, and the steps of CCNet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.commoncrawl.lines import hash_lines, stripped_lines, title_and_text
from pipeline.corpus.document import Document, Refused
from pipeline.formats.wet import page_document, read_pages
from pipeline.source import OfRecipe
from pipeline.steps import DropShort, Step
from pipeline.storage.filesystem import InputFile, file_sha256, local_model
from pipeline.text import encodable
from pipeline.units import Policy, Units
from sources.commoncrawl.models import training_records
from sources.commoncrawl.recipe import CommonCrawlRecipe
from sources.commoncrawl.steps import ClassifyReferences, IdentifyLanguage, ScorePerplexity, model_addresses
from sources.commoncrawl.survey import PerplexitySurvey

META = pa.struct(
    {
        "title": pa.string(),
        "crawl_languages": pa.string(),
        "language_score": pa.float32(),
        "perplexity": pa.float64(),
        "bucket": pa.string(),
        "reference_score": pa.float32(),
        "original_lines": pa.int32(),
        "original_characters": pa.int32(),
        "kept_lines": pa.int32(),
        "line_numbers": pa.list_(pa.int32()),
    }
)


@dataclass(frozen=True)
class LineDedup:
    """Lines as units of dedup: CCNet's key and hash of a line; a page keeps the lines that are its own."""

    policy: Policy
    unit: str = "line"
    unit_bytes: int = 24  # gzipped WET text holds a distinct line in 28 to 60

    def hashes(self, document: Document) -> Units:
        """One hash a line."""
        return Units(hash_lines(document.text))

    def count(self, document: Document) -> int:
        """The number of lines."""
        return document.text.count("\n") + 1

    def keep(self, document: Document, mask: npt.NDArray[Any]) -> str | None:
        """Keeps the lines that the mask has set; a page left with none goes."""
        numbers = np.flatnonzero(mask)
        document.meta["kept_lines"] = len(numbers)
        if len(numbers) == 0:
            return "no_line_left"
        document.meta["line_numbers"] = numbers
        if len(numbers) < len(mask):
            document.text = encodable("\n".join(compress(document.text.split("\n"), mask.tobytes())))
        return "no_line_left" if not document.text or document.text.isspace() else None


@dataclass(frozen=True)
class CommonCrawl(OfRecipe):
    """CommonCrawl WET files, as the paper used them.

    Attributes:
        recipe: The source's choices.
    """

    recipe: CommonCrawlRecipe
    name: str = "commoncrawl"
    meta: pa.StructType = META
    ids_are_records: bool = True

    @property
    def dedup(self) -> LineDedup | None:
        """The line dedup; None where it is off."""
        return LineDedup(self.recipe.dedup.policy) if self.recipe.dedup.enabled else None

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Reads the ``conversion`` records of a WET file; the title line is kept apart from the text, as in CCNet."""
        limit = self.recipe.max_record_megabytes << 20
        for page in read_pages(stream, file.path, limit, counters, stripped_lines):
            if isinstance(page, Refused):
                yield page
            else:
                title, text = title_and_text(page.body)
                yield page_document(page, file.path, self.name, text, title=title)

    def steps_before_dedup(self) -> list[Step]:
        """Only the minimal length, as in CCNet; nothing later re-checks it."""
        return [DropShort(self.recipe.min_characters)]

    def steps_after_dedup(self) -> list[Step]:
        """Language, perplexity, reference; those that are enabled."""
        recipe = self.recipe
        steps: list[Step] = [IdentifyLanguage(recipe.language)]
        if recipe.perplexity.enabled:
            steps.append(ScorePerplexity(recipe.perplexity, self._scored))
        if recipe.reference.enabled and recipe.reference.model:
            steps.append(ClassifyReferences(recipe.reference))
        return steps

    @property
    def survey(self) -> PerplexitySurvey | None:
        """The perplexities of the scope's pages, where the cut-offs are percentiles of them."""
        wanted = self.recipe.perplexity.enabled and self.recipe.perplexity.cutoffs == "percentiles"
        return PerplexitySurvey(self.recipe.language, self.recipe.perplexity, self._scored) if wanted else None

    @property
    def _scored(self) -> Sequence[str]:
        """The languages whose pages are scored (see ``sources.commoncrawl.models``)."""
        recipe = self.recipe.perplexity
        return (recipe.languages or ()) if recipe.enabled else ()

    def subset(self, document: Document) -> str:
        """The perplexity bucket."""
        return str(document.meta.get("bucket", "all"))

    @cached_property
    def _model_sums(self) -> dict[str, str]:
        addresses = model_addresses(self.recipe, self._scored)
        return {address: file_sha256(local_model(address, sum_)) for address, sum_ in addresses}

    def describe(self) -> dict[str, Any]:
        """The recipe, the checksums of its models, and how those were trained, where that is told beside them."""
        return {**super().describe(), "models": self._model_sums, "training": training_records(self._model_sums)}
