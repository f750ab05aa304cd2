"""What a plan starts from: the sources' sizes and yields, with where each figure is from, and the price of a core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pipeline.recipe import RECIPES, at_least

FACTS = RECIPES / "plan" / "facts.yaml"
RATES = RECIPES / "plan" / "rates.json"  # measured ones, as make bench writes them


@dataclass(frozen=True)
class PaperFigures:
    """A source's line in the paper's table 1.

    Attributes:
        epochs: How often it is seen in 1.4T tokens.
        gigabytes: Its text on disk.
    """

    epochs: float
    gigabytes: float

    def __post_init__(self) -> None:
        if self.epochs <= 0 or self.gigabytes <= 0:
            raise ValueError("epochs and gigabytes must be above 0")


@dataclass(frozen=True)
class DedupFacts:
    """What is known of a source's exact dedup.

    Attributes:
        raw_bytes_per_hash: Raw bytes for each distinct hash of a shard, counted in raw files.
        units_per_hash: Units for each of these.
        bytes_per_hash: 8, or 16 where a hash travels with its document's priority.
        reckoned_bytes: Raw bytes for each hash by which the source cuts a scope to partitions: fewer, to be safe.
        shard_megabytes: The raw size of a shard, in 10^6 bytes.
        scopes: The scopes that a recipe can name, with the shards of one; 0 for all that is read.
    """

    raw_bytes_per_hash: float
    reckoned_bytes: int
    shard_megabytes: float
    units_per_hash: float = 1.0
    bytes_per_hash: Literal[8, 16] = 8
    scopes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in ("raw_bytes_per_hash", "units_per_hash", "reckoned_bytes", "shard_megabytes"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key} must be above 0, it is {getattr(self, key)}")


@dataclass(frozen=True)
class SourceFacts:
    """What is known of a source before it is read.

    Attributes:
        paper: The paper's figures.
        unit: What its raw data come in.
        unit_megabytes: The size of one, as it is fetched (compressed), in 10^6 bytes.
        units: How many there are; a plan that needs more says so.
        strata: How many parts a build takes at the least where it takes one of each language.
        stratum_megabytes: The size of such a part, on the average.
        read_per_raw: Bytes of text that the read step takes out of each raw byte: what the work grows with.
        text_per_raw: Bytes of kept text for each raw byte.
        bytes_per_token: Bytes of kept text for each token of the released tokenizer (the paper's, implied).
        dedup: How it is deduplicated exactly, by what is; nothing where it is not.
        basis: Where the figures are from.
    """

    paper: PaperFigures
    unit: str
    unit_megabytes: float
    units: int
    read_per_raw: float
    text_per_raw: float
    bytes_per_token: float
    strata: int = 0
    stratum_megabytes: float = 0.0
    dedup: Mapping[str, DedupFacts] = field(default_factory=dict)
    basis: str = ""

    def __post_init__(self) -> None:
        for key in ("unit_megabytes", "units", "read_per_raw", "text_per_raw", "bytes_per_token"):
            if getattr(self, key) <= 0:
                raise ValueError(f"{key} must be above 0, it is {getattr(self, key)}")


@dataclass(frozen=True)
class PlanRecipe:
    """The facts of all sources, and of the machines.

    Attributes:
        sources: By the source's name.
        workers: Cores at work at one time.
        core_hour_dollars: The price of one core for an hour, with its memory.
        parquet_bytes_per_byte: Bytes of Parquet for each byte of text.
    """

    sources: Mapping[str, SourceFacts] = field(default_factory=dict)
    workers: int = 64
    core_hour_dollars: float = 0.05
    parquet_bytes_per_byte: float = 0.40

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("sources must hold at least one source")
        at_least(self, 1, "workers")
        if self.core_hour_dollars < 0 or self.parquet_bytes_per_byte <= 0:
            raise ValueError("core_hour_dollars must be 0 or more, parquet_bytes_per_byte above 0")
