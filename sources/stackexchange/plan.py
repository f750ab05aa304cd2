"""The shards of a run: each site is a scope, cut into as many partitions of its questions as keep the memory stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pipeline.corpus.shard import Scope, Shard
from sources.stackexchange.dump import xml_bytes
from sources.stackexchange.recipe import StackExchangeRecipe
from sources.stackexchange.sites import Site


@dataclass(frozen=True)
class SitePlan:
    """How a site is cut.

    Attributes:
        site: The site.
        size: Bytes of its ``Posts.xml``, as far as they are known.
        partitions: Number of partitions: of shards.
        ranges: The ranges that are partitioned by themselves, first byte and the byte behind; a packed file is one.
    """

    site: Site
    size: int
    partitions: int
    ranges: tuple[tuple[int, int | None], ...]

    @property
    def scope(self) -> Scope:
        """The scope, with a shard for each partition."""
        name = self.site.name
        shards = (Shard(f"{name}-{n:05d}", (self.site.file,), name) for n in range(self.partitions))
        return Scope(name, tuple(shards))


def plan_site(site: Site, recipe: StackExchangeRecipe, cache: Path | None) -> SitePlan:
    """Plans a site from the size of its ``Posts.xml``, which an archive's table of contents tells."""
    size = 0 if site.fault else xml_bytes(site, cache)
    partitions = max(1, -(-size // int(recipe.partition_megabytes * (1 << 20))))
    return SitePlan(site, size, partitions, _ranges(site, size, int(recipe.range_megabytes * (1 << 20))))


def _ranges(site: Site, size: int, length: int) -> tuple[tuple[int, int | None], ...]:
    """Equal ranges of a plain file; the last is open, for a file that has grown."""
    count = 1 if site.packing else max(1, -(-size // length))
    cuts: Sequence[int] = [size * number // count for number in range(count)]
    return (*pairwise(cuts), (cuts[-1], None))


def partition_number(shard: Shard) -> int:
    """The partition that a shard is."""
    return int(shard.name.rpartition("-")[2])
