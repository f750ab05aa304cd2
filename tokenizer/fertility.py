"""Fertility: how many bytes of each source one token stands for, beside what the paper's figures imply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tokenizer.corpus import Corpus, RowGroup
from tokenizer.encode import Encoder
from tokenizer.sample import take

MEASURED_BYTES = 4 << 20  # of each source
BATCH_BYTES = 1 << 20
# LLaMA paper (Touvron et al. 2023, table 1): disk size / (share x 1.4T tokens / epochs), such as
# 3.3 TB / (0.67 x 1.4T / 1.10) for CommonCrawl.
PAPER: Mapping[str, float] = MappingProxyType(
    {
        "commoncrawl": 3.87,
        "c4": 3.95,
        "github": 3.35,
        "wikipedia": 3.23,
        "books": 3.00,
        "arxiv": 2.79,
        "stackexchange": 2.87,
    }
)


@dataclass
class Fertility:
    """Documents measured, their bytes of UTF-8 and their tokens, without bos and eos."""

    documents: int = 0
    bytes: int = 0
    tokens: int = 0

    @property
    def bytes_per_token(self) -> float | None:
        """None where there are no tokens."""
        return round(self.bytes / self.tokens, 3) if self.tokens else None


def measure(encoder: Encoder, texts: Iterable[str]) -> Fertility:
    """Encodes whole documents and counts."""
    found, batch, size = Fertility(), list[str](), 0
    for text in texts:
        batch.append(text)
        size += len(text.encode("utf-8", "replace"))
        found.documents += 1
        if size >= BATCH_BYTES:
            found.tokens += len(encoder.encode_batch(batch)[0])
            found.bytes, batch, size = found.bytes + size, [], 0
    found.tokens += len(encoder.encode_batch(batch)[0])
    found.bytes += size
    return found


def measure_sources(
    encoder: Encoder, corpus: Corpus, sources: Mapping[str, list[RowGroup]], seed: int
) -> dict[str, Fertility]:
    """The fertility of each source, on documents drawn by another key than those for training.

    Where a corpus is not much larger than both, some documents are in both; over a corpus of some gigabytes few are.
    """
    return {
        name: measure(
            encoder, take(corpus.documents(name, groups, MEASURED_BYTES, f"fertility {seed}"), MEASURED_BYTES)
        )
        for name, groups in sources.items()
    }
