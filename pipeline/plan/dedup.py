"""What exact dedup sends, keeps and holds: arithmetic on hashes counted in raw files, and on the exchange's grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.engine.exchange.grid import grid_of
from pipeline.plan.estimate import Need
from pipeline.plan.recipe import DedupFacts, SourceFacts

BIT = 1 / 8
WORKING = {8: 55, 16: 100}  # bytes for each hash of a partition while it is decided, by the bytes of its entry
NUMBER = 4 + BIT  # bytes for each unit on disk: which hash it has, and whether it may stay


@dataclass(frozen=True)
class DedupNeed:
    """What one round of dedup takes in one scope.

    Attributes:
        source: The source's name.
        unit: What is deduplicated.
        scope: What the scope is called in the recipe.
        shards: Its shards.
        hashes: The distinct hashes of each shard, added up.
        partitions: Parts that are decided one at a time.
        shuffled_bytes: What crosses the engine's shuffle, both ways; two hops each way where shards meet in groups.
        work_bytes: The work folder of a run on one machine.
        held_bytes: What a worker holds of a partition.
    """

    source: str
    unit: str
    scope: str
    shards: int
    hashes: float
    partitions: int
    shuffled_bytes: float
    work_bytes: float
    held_bytes: float


def dedup_needs(needs: tuple[Need, ...], facts: Mapping[str, SourceFacts]) -> Iterator[DedupNeed]:
    """What each source takes, for each scope that its recipe can have.

    Args:
        needs: What is read of each source.
        facts: Of all these sources.
    """
    for need in needs:
        for unit, dedup in facts[need.source].dedup.items():
            every = max(1, round(need.raw_bytes / (dedup.shard_megabytes * 1e6)))
            for scope, shards in dedup.scopes.items():
                yield _need(need.source, unit, scope, dedup, shards or every)


def _need(source: str, unit: str, scope: str, facts: DedupFacts, shards: int) -> DedupNeed:
    raw = shards * facts.shard_megabytes * 1e6
    hashes = raw / facts.raw_bytes_per_hash
    grid = grid_of(shards, int(raw), facts.reckoned_bytes)
    hops = 1 if grid.is_direct else 2
    sent = hops * (facts.bytes_per_hash + BIT)
    return DedupNeed(
        source=source,
        unit=unit,
        scope=scope,
        shards=shards,
        hashes=hashes,
        partitions=grid.partitions,
        shuffled_bytes=hashes * (sent + hops * BIT),
        work_bytes=hashes * (sent + 2 * BIT + facts.units_per_hash * NUMBER),
        held_bytes=hashes / grid.partitions * WORKING[facts.bytes_per_hash],
    )
