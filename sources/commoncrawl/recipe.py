"""The recipe of the CommonCrawl source: every threshold, model and choice, with CCNet's values as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from filters.commoncrawl.buckets import CCNET_CUTOFFS, PERCENTILES
from pipeline.corpus.sink import RejectPolicy
from pipeline.recipe import at_least, shares

EMBEDDED_LM = "samples/models/{language}.arpa.bin"
EMBEDDED_CUTOFFS = {
    "en": (240.0, 290.0)
}  # of that model: it keeps prose and drops the rest of real pages that were read
BUCKETS = ("head", "middle", "tail", "all")


@dataclass(frozen=True)
class DedupRecipe:
    """Line dedup.

    Attributes:
        enabled: Whether repeated lines are removed at all.
        policy: ``drop_all`` copies of a line that two pages of the scope hold (CCNet), or ``keep_first``.
        scope: What is deduplicated together: runs of ``scope_files`` files, each ``crawl``, or ``all`` input.
        scope_files: Files in a scope of kind ``files``; CCNet used 50 of a dump's 1,600 shards.
    """

    enabled: bool = True
    policy: Literal["drop_all", "keep_first"] = "drop_all"
    scope: Literal["files", "crawl", "all"] = "files"
    scope_files: int = 50

    def __post_init__(self) -> None:
        at_least(self, 1, "scope_files")


@dataclass(frozen=True)
class LanguageRecipe:
    """Language identification.

    Attributes:
        model: A fastText model: path, gs://, s3://, hf:// or https:// address.
        sha256: Its checksum, checked where given.
        keep: The languages kept; ``all`` keeps every one.
        threshold: The smallest score kept, after rounding to two decimals (CCNet: 0.5).
    """

    model: str = "samples/models/lid.176.ftz"
    sha256: str | None = None
    keep: tuple[str, ...] = ("en",)
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not self.keep:
            raise ValueError("keep must name at least one language, for example [en]")
        shares(self, "threshold")


@dataclass(frozen=True)
class PerplexityRecipe:
    """The n-gram language model filter.

    Attributes:
        enabled: Whether pages are scored; if not, all are kept in subset ``all``.
        sentencepiece: Address of the SentencePiece model, ``{language}`` standing for the language.
        lm: Address of the KenLM model, likewise.
        languages: The languages that are scored, each with models; where left out, those kept whose models are there
            (at a web address: those named in ``language.keep``, or with ``all`` those with cut-offs). Pages in others
            have bucket ``all``, as in CCNet.
        cutoffs: For each language the perplexities below which a page is head, and middle; or ``percentiles``: those
            of the scope's own pages, as CCNet took its own; or ``ccnet``: its table, for the models that it published.
        percentiles: With ``cutoffs: percentiles``, those of head and middle (CCNet: 30 and 60).
        percentile_pages: With fewer pages of a language in a scope, percentiles say little: ``few_pages_cutoffs`` hold.
        few_pages_cutoffs: As a table of ``cutoffs``. A language that is not in it has bucket ``all`` then. Where left
            out, those of the embedded model with that model, and none with others.
        keep: The buckets kept; ``all`` alone keeps every one, beside others the pages without cut-offs or a perplexity.
        join_lines: ``fuse`` words across line ends as CCNet does, or put a ``space`` between them.
    """

    enabled: bool = True
    sentencepiece: str = "samples/models/{language}.sp.model"
    lm: str = EMBEDDED_LM
    languages: tuple[str, ...] | None = None
    cutoffs: Literal["percentiles", "ccnet"] | Mapping[str, tuple[float, float]] = "percentiles"
    percentiles: tuple[float, float] = PERCENTILES
    percentile_pages: int = 100
    few_pages_cutoffs: Mapping[str, tuple[float, float]] | None = None
    keep: tuple[str, ...] = ("head", "middle")
    join_lines: Literal["fuse", "space"] = "fuse"

    @property
    def few_pages(self) -> Mapping[str, tuple[float, float]]:
        """The table that holds for few pages."""
        return self.few_pages_cutoffs or {}

    def __post_init__(self) -> None:
        unknown = set(self.keep) - set(BUCKETS)
        if unknown or not self.keep:
            raise ValueError(f"keep is {list(self.keep)}; allowed: some of {', '.join(BUCKETS)}")
        if self.cutoffs == "ccnet":
            object.__setattr__(self, "cutoffs", dict(CCNET_CUTOFFS))
        if self.few_pages_cutoffs is None:
            object.__setattr__(self, "few_pages_cutoffs", dict(EMBEDDED_CUTOFFS) if self.lm == EMBEDDED_LM else {})
        _check_cutoffs("few_pages_cutoffs", self.few_pages)
        if not isinstance(self.cutoffs, str):
            _check_cutoffs("cutoffs", self.cutoffs)
        head, middle = self.percentiles
        if not 0 < head <= middle < 100:
            raise ValueError(f"percentiles must rise between 0 and 100, they are {head} and {middle}")
        at_least(self, 1, "percentile_pages")
        if "all" in (self.languages or ()):
            raise ValueError("languages must be codes such as en; leave it out for all that have a model")


def _check_cutoffs(key: str, cutoffs: Mapping[str, tuple[float, float]]) -> None:
    for language, (head, middle) in cutoffs.items():
        if not 0 < head <= middle:
            raise ValueError(f"{key}.{language} must rise, they are {head} and {middle}")


@dataclass(frozen=True)
class ReferenceRecipe:
    """The classifier of pages that Wikipedia cites.

    Attributes:
        enabled: Whether it runs, where there is a model.
        model: A fastText model with the label ``__label__reference``. None, and the step is left out: none was
            published, and one trained on a sample says nothing about a crawl.
        threshold: The smallest probability of a reference that is kept (the paper gives none; RedPajama used 0.25).
    """

    enabled: bool = True
    model: str | None = None
    threshold: float = 0.25

    def __post_init__(self) -> None:
        shares(self, "threshold")


@dataclass(frozen=True)
class CommonCrawlRecipe:
    """All of the source's choices.

    Attributes:
        min_characters: A page with less text than this is dropped before dedup (CCNet's min_len).
        max_record_megabytes: A larger record fails by itself, so that none can fill the memory: scoring one of 8 MB
            takes a worker to 0.7 GB, one of 16 MB to 1.1. Common Crawl cuts what it fetches at 1 MiB (5 MiB since
            2025).
        optout: A list of removals: documents that it means are left out as they are read, and those with a listed text
            at the end; null for none. A path or address that every worker reaches (docs/optout.md).
    """

    min_characters: int = 300
    max_record_megabytes: int = 8
    dedup: DedupRecipe = DedupRecipe()
    language: LanguageRecipe = LanguageRecipe()
    perplexity: PerplexityRecipe = field(default_factory=PerplexityRecipe)
    reference: ReferenceRecipe = ReferenceRecipe()
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None

    def __post_init__(self) -> None:
        at_least(self, 0, "min_characters")
        at_least(self, 1, "max_record_megabytes")
