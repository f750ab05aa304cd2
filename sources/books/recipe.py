"""The recipe of the books source: every threshold and choice, and why its default is what it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipeline.corpus.sink import RejectPolicy
from pipeline.recipe import at_least, shares

SUBSETS = ("gutenberg", "books3")


@dataclass(frozen=True)
class LanguageRecipe:
    """The language of a book: the one that its header names, else fastText's.

    Attributes:
        keep: The languages kept; ``all`` keeps every one. The paper says nothing; Gutenberg is four fifths English.
        subsets: The subsets that are filtered; Books3 is taken as it is, its language is only recorded.
        model: A fastText model, for books whose header names no language.
        sha256: Its checksum, checked where given.
        threshold: The smallest score of the model that is kept.
    """

    keep: tuple[str, ...] = ("en",)
    subsets: tuple[str, ...] = ("gutenberg",)
    model: str = "samples/models/lid.176.ftz"
    sha256: str | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not self.keep:
            raise ValueError("keep must name at least one language, for example [en], or all")
        if unknown := set(self.subsets) - set(SUBSETS):
            raise ValueError(f"subsets has {sorted(unknown)}; allowed: some of {', '.join(SUBSETS)}, or []")
        shares(self, "threshold")


@dataclass(frozen=True)
class NearDedupRecipe:
    """Near duplicates, at the level of the book (the paper, section 2.1: more than 90 % content overlap).

    Attributes:
        enabled: Whether they are removed.
        threshold: Two books with a greater overlap are duplicates.
        measure: Of the sets of runs of words, ``containment`` (the share of the smaller one that the larger one holds,
            which also finds a book in an omnibus) or ``jaccard``.
        shingle_words: Words of a run. One word that differs costs as many runs, so that of two editions whose words
            differ evenly (another spelling, another scanner) 90 % of runs are left at 0.8 % of words for 13, the usual
            n-gram, at 2 % for 5, at 3.4 % for 3. Of unrelated novels, 13 words have at most 0.002 in common, 5 words
            0.005, 3 words 0.10. A reader who is told "more than 90 % content overlap" thinks of words; 5 is as near
            to that as runs come that tell books apart surely.
        linkage: ``direct``: a book goes only if it is a duplicate of one that stays, so nothing is lost but what is
            there once more. ``chain``: of all books that duplicates connect, one stays; then one short book that two
            collections hold takes the smaller collection away.
    """

    enabled: bool = True
    threshold: float = 0.9
    measure: Literal["containment", "jaccard"] = "containment"
    shingle_words: int = 5
    linkage: Literal["direct", "chain"] = "direct"

    def __post_init__(self) -> None:
        if not 0.8 <= self.threshold < 1:
            raise ValueError(
                f"threshold must be at least 0.8, below which candidates would be missed, and below 1; it is "
                f"{self.threshold}"
            )
        if not 3 <= self.shingle_words <= 50:
            raise ValueError(
                f"shingle_words must lie between 3, below which all books resemble each other, and 50; it is "
                f"{self.shingle_words}"
            )


@dataclass(frozen=True)
class BooksRecipe:
    """All of the source's choices.

    Attributes:
        min_characters: A book with less text is dropped: what a damaged or empty file leaves.
        max_book_megabytes: A larger book fails by itself, so that none can fill the memory; the largest of Gutenberg
            (the human genome apart) has 25.
        unwrap_lines: Whether the lines of a paragraph of prose are joined. The paper does not say; PG-19 and the
            reproductions keep them.
        files_per_shard: Gutenberg's files in a shard; 256 have about 100 MB.
        optout: A list of removals: documents that it means are left out as they are read, and those with a listed text
            at the end; null for none. A path or address that every worker reaches (docs/optout.md).
    """

    min_characters: int = 1000
    max_book_megabytes: int = 32
    unwrap_lines: bool = False
    files_per_shard: int = 256
    language: LanguageRecipe = LanguageRecipe()
    near_dedup: NearDedupRecipe = NearDedupRecipe()
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None

    def __post_init__(self) -> None:
        at_least(self, 0, "min_characters")
        at_least(self, 1, "max_book_megabytes", "files_per_shard")
