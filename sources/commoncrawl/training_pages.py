"""Training pages for the Wikipedia-reference classifier, as a source of its own: cited pages, and a sample of others.

Positives are pages of the crawl whose URL a Wikipedia page cites; negatives a uniform seeded sample of the other
pages. Both pass the same length and language filter, so that the model learns neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from filters.commoncrawl.reference_url import normalize_url
from pipeline.corpus.document import Document, Refused
from pipeline.corpus.sink import RejectPolicy
from pipeline.recipe import as_mapping
from pipeline.steps import DropShort, Step
from pipeline.storage.filesystem import InputFile, file_sha256, local_model
from sources.commoncrawl.recipe import CommonCrawlRecipe
from sources.commoncrawl.source import META, CommonCrawl
from sources.commoncrawl.steps import IdentifyLanguage

POSITIVE = "reference"
NEGATIVE = "other"
TRAINING_META = pa.struct([*META, ("label", pa.string()), ("sample_key", pa.string())])


def hash_url(url: str) -> int:
    """The key on which cited URLs and crawled pages are joined: 64 bits of the normalised URL."""
    return xxhash.xxh3_64_intdigest(normalize_url(url).encode("utf-8", "surrogatepass"))


def hash_urls(urls: Iterable[str]) -> npt.NDArray[np.uint64]:
    """The distinct keys of many URLs, sorted: 8 bytes a URL, so that 30 million take 240 MB."""
    return np.unique(np.fromiter((hash_url(url) for url in urls if normalize_url(url)), np.uint64))


class LabelPages:
    """Keeps cited pages, and of the others a seeded sample; sets ``label`` and ``sample_key``."""

    name = "label"

    def __init__(self, keys_path: str, fraction: float, seed: int) -> None:
        self._path = keys_path
        self._fraction = fraction
        self._seed = seed
        self._keys: npt.NDArray[np.uint64] = np.empty(0, np.uint64)

    def load(self) -> None:
        """Maps the keys of the cited URLs."""
        self._keys = np.load(local_model(self._path), mmap_mode="r")

    def apply(self, documents: Sequence[Document]) -> list[str | None]:
        """Looks up a batch of pages at once."""
        keys = np.fromiter((hash_url(d.url or "") for d in documents), np.uint64, len(documents))
        at = np.searchsorted(self._keys, keys)
        cited = np.zeros(len(keys), bool)
        inside = at < len(self._keys)
        cited[inside] = self._keys[at[inside]] == keys[inside]
        return [self._label(d, bool(c)) for d, c in zip(documents, cited, strict=True)]

    def _label(self, document: Document, cited: bool) -> str | None:
        key = xxhash.xxh3_64_intdigest(document.id.encode("utf-8", "surrogatepass"), self._seed)
        document.meta["label"] = POSITIVE if cited else NEGATIVE
        document.meta["sample_key"] = f"{key:016x}"
        return None if cited or key < self._fraction * 2**64 else "not_sampled"


@dataclass(frozen=True)
class TrainingPages:
    """WET files to labelled pages; satisfies ``pipeline.source.Source``.

    Attributes:
        recipe: The CommonCrawl recipe, whose record limit and language step apply.
        keys_path: A NumPy file with the keys of the cited URLs.
        fraction: The share of the other pages that is sampled.
        seed: Of the sample.
        min_characters: The minimal length on both sides.
    """

    recipe: CommonCrawlRecipe
    keys_path: str
    fraction: float
    seed: int
    min_characters: int
    name: str = "reference_training"
    meta: pa.StructType = TRAINING_META
    rejects: RejectPolicy = field(default_factory=lambda: RejectPolicy("none"))
    dedup: None = None

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Reads WET records as the CommonCrawl source does."""
        return CommonCrawl(self.recipe).read(stream, file, counters)

    def steps_before_dedup(self) -> list[Step]:
        """The minimal length."""
        return [DropShort(self.min_characters)]

    def steps_after_dedup(self) -> list[Step]:
        """Language, then the label."""
        return [IdentifyLanguage(self.recipe.language), LabelPages(self.keys_path, self.fraction, self.seed)]

    def subset(self, document: Document) -> str:
        """The label."""
        return str(document.meta["label"])

    def describe(self) -> dict[str, Any]:
        """The settings, and the checksums of the URLs and the language model."""
        language = self.recipe.language
        return {
            "recipe": as_mapping(self.recipe),
            "sample": {"fraction": self.fraction, "seed": self.seed, "min_characters": self.min_characters},
            "models": {
                "urls": file_sha256(local_model(self.keys_path)),
                language.model: file_sha256(local_model(language.model, language.sha256)),
            },
        }
