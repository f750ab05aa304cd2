"""The C4 source: its two inputs, its two rounds of dedup, and its steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from filters.c4.lines import count_spans, hash_spans, keep_spans, page_text
from filters.c4.url import is_validation, normalize_c4_url, url_rank
from pipeline.corpus.document import Document, Refused
from pipeline.formats.wet import Page, page_document, read_pages
from pipeline.source import OfRecipe, Round
from pipeline.steps import Step
from pipeline.storage.filesystem import InputFile, file_sha256, local_model
from pipeline.units import Policy, Units
from sources.c4.published import PublishedReader
from sources.c4.recipe import C4Recipe
from sources.c4.steps import (
    BAD_WORDS,
    DUPLICATES,
    LINE_RULES,
    CheckPage,
    CleanLines,
    CountSentences,
    DropBadWords,
    IdentifyLanguage,
)

Origin = Literal["published", "wet"]
META = pa.struct(
    {
        "normalized_url": pa.string(),
        "crawl_languages": pa.string(),
        "language_score": pa.float32(),
        "sentences": pa.int32(),
        "original_lines": pa.int32(),
        "original_characters": pa.int32(),
        "kept_lines": pa.int32(),
        "removed_lines": pa.struct([(rule, pa.int32()) for rule in (*LINE_RULES, *DUPLICATES)]),
    }
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LAST_RANK = 2**64 - 1


@dataclass(frozen=True)
class UrlDedup:
    """Pages as units, by their normalised URL: the newest stays, of those of one time the first read."""

    policy: Policy = "keep_smallest"
    unit: str = "URL"
    unit_bytes: int = 512  # a page of gzipped WET takes 1,200 to 2,600

    def hashes(self, document: Document) -> Units:
        """One hash a page; the newer, the smaller its rank."""
        url = str(document.meta["normalized_url"]).encode("utf-8", "surrogatepass")
        age = ((document.created or _EPOCH) - _EPOCH) // timedelta(microseconds=1)
        return Units(np.array([xxhash.xxh3_64_intdigest(url)], np.uint64), _LAST_RANK - max(age, 0))

    def count(self, document: Document) -> int:
        """One."""
        return 1

    def keep(self, document: Document, mask: npt.NDArray[Any]) -> str | None:
        """Drops the older pages."""
        return None if mask[0] else "duplicate_url"


@dataclass(frozen=True)
class LineDedup:
    """Lines, or runs of lines, as units: each stays on the page whose URL has the smallest MD5, and there once."""

    span: int
    policy: Policy = "keep_smallest"
    unit: str = "line"
    unit_bytes: int = 150  # of gzipped WET hold one line that the rules leave in 350 to 460

    def hashes(self, document: Document) -> Units:
        """One hash a run of lines."""
        return Units(hash_spans(document.text, self.span), url_rank(document.url or ""))

    def count(self, document: Document) -> int:
        """The number of runs."""
        return count_spans(document.text, self.span)

    def keep(self, document: Document, mask: npt.NDArray[Any]) -> str | None:
        """Keeps the lines of the runs that the mask has set; a page left with none goes in the next step."""
        page = keep_spans(document.text, mask, self.span)
        document.text = "\n".join(page.lines)
        document.meta["kept_lines"] = len(page.lines)
        removed = dict(zip(DUPLICATES, (page.elsewhere, page.repeated), strict=True))
        document.meta["removed_lines"] = {**document.meta["removed_lines"], **removed}
        return None


@dataclass(frozen=True)
class C4(OfRecipe):
    """C4, published or built from WET files.

    Attributes:
        recipe: The source's choices.
        origin: What the input is.
    """

    recipe: C4Recipe
    origin: Origin
    name: str = "c4"
    meta: pa.StructType = META

    @property
    def ids_are_records(self) -> bool:
        """Whether a document's id is its WARC record's."""
        return self.origin == "wet"

    @property
    def dedup(self) -> LineDedup | None:
        """The dedup of lines; None where it is off, or the input is the published corpus."""
        on = self.origin == "wet" and self.recipe.dedup.lines
        return LineDedup(self.recipe.dedup.span_lines) if on else None

    def earlier_rounds(self) -> list[Round]:
        """The dedup by URL, before the lines of what it leaves are looked at."""
        on = self.origin == "wet" and self.recipe.dedup.urls
        return [Round([CheckPage(self.recipe.page)], UrlDedup(), "url_dedup")] if on else []

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Reads one file of either input."""
        limit = self.recipe.max_record_megabytes << 20
        if self.origin == "published":
            reader = PublishedReader(self.name, file.path, self.recipe.published_language, limit, counters)
            yield from reader.read(stream)
            return
        for page in read_pages(stream, file.path, limit, counters):
            yield page if isinstance(page, Refused) else self._document(page, file.path, counters)

    def _document(self, page: Page, path: str, counters: Counter[str]) -> Document:
        text, header_like = page_text(page.body, drop_header_like=self.recipe.page.drop_header_like)
        counters["header_like_lines"] += header_like
        document = page_document(page, path, self.name, text, normalized_url=normalize_c4_url(page.record.url or ""))
        document.meta["kept_lines"] = document.meta["original_lines"]
        return document

    def steps_before_dedup(self) -> list[Step]:
        """The rules on lines; where there is no dedup by URL, those on pages before them."""
        if self.origin == "published":
            return []
        pages: list[Step] = [] if self.recipe.dedup.urls else [CheckPage(self.recipe.page)]
        return [*pages, CleanLines(self.recipe.lines, self.recipe.sentences)]

    def steps_after_dedup(self) -> list[Step]:
        """Sentences again, language, bad words; nothing for the published corpus, which is used as it is."""
        if self.origin == "published":
            return []
        recipe = self.recipe
        minimum = recipe.lines.min_sentences if recipe.dedup.lines else None
        steps: list[Step] = [CountSentences(minimum, recipe.sentences), IdentifyLanguage(recipe.language)]
        return [*steps, DropBadWords(recipe.bad_words)] if recipe.bad_words.list is not None else steps

    def subset(self, document: Document) -> str:
        """``validation`` or ``train``, by the MD5 of the normalised URL, as the published files have it."""
        return "validation" if is_validation(document.meta["normalized_url"] or "") else "train"

    @cached_property
    def _sums(self) -> dict[str, str]:
        if self.origin == "published":
            return {}
        recipe = self.recipe
        used = [(recipe.sentences.model, recipe.sentences.sha256, "model")]
        if recipe.language.method == "fasttext":
            used.append((recipe.language.model, recipe.language.sha256, "model"))
        if recipe.bad_words.list is not None:
            used.append((recipe.bad_words.list, recipe.bad_words.sha256, BAD_WORDS))
        return {address: file_sha256(local_model(address, sum_, what)) for address, sum_, what in used}

    def describe(self) -> dict[str, Any]:
        """What the input is, the recipe, and the checksums of its models and lists."""
        return {"from": self.origin, **super().describe(), "models": self._sums}
