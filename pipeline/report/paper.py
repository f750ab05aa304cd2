"""The figures of the paper, to stand beside a corpus's own.

Table 1 of "LLaMA: Open and Efficient Foundation Language Models" (2023): share of the tokens sampled, epochs at 1.4
trillion tokens, and size on disk. What follows from them: unique tokens = share x 1.4e12 / epochs, and bytes per token
= size on disk / unique tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BUDGET = 1.4e12


@dataclass(frozen=True)
class PaperFigures:
    """A row of the table: share from 0 to 1, epochs, bytes on disk."""

    title: str
    share: float
    epochs: float
    disk: float

    @property
    def tokens(self) -> float:
        """The unique tokens that share and epochs imply."""
        return self.share * BUDGET / self.epochs

    @property
    def bytes_per_token(self) -> float:
        """The bytes of a token that they imply."""
        return self.disk / self.tokens


PAPER: Mapping[str, PaperFigures] = {
    "commoncrawl": PaperFigures("CommonCrawl", 0.67, 1.10, 3.3e12),
    "c4": PaperFigures("C4", 0.15, 1.06, 783e9),
    "github": PaperFigures("GitHub", 0.045, 0.64, 328e9),
    "wikipedia": PaperFigures("Wikipedia", 0.045, 2.45, 83e9),
    "books": PaperFigures("Gutenberg and Books3", 0.045, 2.23, 85e9),
    "arxiv": PaperFigures("ArXiv", 0.025, 1.06, 92e9),
    "stackexchange": PaperFigures("StackExchange", 0.02, 1.03, 78e9),
}


def title_of(source: str) -> str:
    """What a source is called; one that the paper has not, by its own name."""
    return PAPER[source].title if source in PAPER else source


def in_paper_order(sources: list[str]) -> list[str]:
    """The sources in the order of the paper's table, others after them by name."""
    order = list(PAPER)
    return sorted(sources, key=lambda name: (order.index(name) if name in order else len(order), name))
