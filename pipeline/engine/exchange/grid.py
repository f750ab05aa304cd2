"""How a scope is cut, so that what is held at a time stays small and what is opened or sent grows with its size alone.

A *partition* is a range of the 64-bit hashes that is decided at a time: there are as many as keep one to
``HASHES_PER_PARTITION``. Shards times partitions grows with the square of a scope, so shards meet in *groups* first. A
group takes in its shards' hashes one *band* at a time, a band being as many partitions as make a group's share of it as
large as one partition of the whole scope. With M shards, groups of m and P partitions, blocks that change hands are

- M * P / (M / m), of a shard and a band, and then
- M / m * P, of a group and a partition:

both hold tens of kilobytes up to several hundred thousand shards. A scope of up to ``DIRECT`` shards needs no groups:
its shards meet at once, each being a group of its own and each partition a band.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from pipeline.units import Hashes

HASHES_PER_PARTITION = 8_000_000
DIRECT = 200  # shards; as many files are opened at a time
GROUP = 128  # shards, about, at the least
RANGES = 64  # tasks that decide a scope on one machine: each opens the files of all groups once


@dataclass(frozen=True)
class Grid:
    """How one scope is cut.

    Attributes:
        shards: Its shards.
        partitions: Its partitions.
        group_shards: Shards in a group, but for the last; 1 where there are no groups.
    """

    shards: int
    partitions: int
    group_shards: int = 1

    @property
    def is_direct(self) -> bool:
        """Whether the shards meet without groups."""
        return self.group_shards == 1

    @property
    def groups(self) -> int:
        """The number of groups."""
        return -(-self.shards // self.group_shards)

    @property
    def band(self) -> int:
        """Partitions in a band, but for the last."""
        return 1 if self.is_direct else min(self.groups, self.partitions)

    @property
    def bands(self) -> int:
        """The number of bands."""
        return -(-self.partitions // self.band)

    @property
    def ranges(self) -> int:
        """The number of tasks that decide the scope on one machine."""
        return min(self.partitions, RANGES)

    def members(self, group: int) -> range:
        """The positions of a group's shards."""
        first = group * self.group_shards
        return range(first, min(first + self.group_shards, self.shards))

    def partitions_of_band(self, band: int) -> range:
        """The partitions of a band."""
        return range(band * self.band, min((band + 1) * self.band, self.partitions))

    def partitions_of_range(self, number: int) -> range:
        """The partitions that one task decides."""
        return range(number * self.partitions // self.ranges, (number + 1) * self.partitions // self.ranges)

    def bounds(self, partitions: range) -> Hashes:
        """Where partitions begin among the 64-bit hashes, the first of a row of them left out."""
        return np.array([(p << 64) // self.partitions for p in partitions[1:]], np.uint64)

    def band_bounds(self) -> Hashes:
        """Where all bands but the first begin."""
        return self.bounds(range(0, self.partitions, self.band))


def grid_of(shards: int, raw_bytes: int, unit_bytes: int) -> Grid:
    """The grid of a scope.

    Args:
        shards: The number of its shards.
        raw_bytes: Its raw size.
        unit_bytes: The raw bytes in which one distinct unit is expected, at the least.
    """
    groups = shards if shards <= DIRECT else -(-shards // max(GROUP, isqrt(shards)))
    group = -(-shards // max(1, groups))  # all of them about as large
    return Grid(shards, partition_count(raw_bytes, unit_bytes), max(1, group))


def partition_count(raw_bytes: int, unit_bytes: int) -> int:
    """How many partitions keep each to 8 million hashes (results never depend on it); arguments as of ``grid_of``."""
    return max(1, -(-raw_bytes // unit_bytes // HASHES_PER_PARTITION))
