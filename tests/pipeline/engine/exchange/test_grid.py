import numpy as np
import pytest

from pipeline.engine.exchange.grid import DIRECT, HASHES_PER_PARTITION, RANGES, Grid, grid_of, partition_count


def test_partition_count():
    one = 24 * HASHES_PER_PARTITION
    assert [partition_count(size, 24) for size in (0, 1, one, one + 1, 2 * one, 10 * one + 1)] == [1, 1, 1, 2, 2, 11]
    assert partition_count(3 * 10**12, 24) == 15_625
    assert partition_count(3 * 10**12, 512) == 733


@pytest.mark.parametrize(
    "grid", [Grid(1, 1), Grid(5, 3), Grid(5, 3, 2), Grid(7, 11, 3), Grid(3, 200, 2), Grid(9, 1, 2)]
)
def test_every_shard_and_partition_has_one_place(grid):
    assert [shard for group in range(grid.groups) for shard in grid.members(group)] == list(range(grid.shards))
    every = list(range(grid.partitions))
    assert [p for band in range(grid.bands) for p in grid.partitions_of_band(band)] == every
    assert [p for number in range(grid.ranges) for p in grid.partitions_of_range(number)] == every
    assert grid.ranges <= RANGES
    bounds = [0, *map(int, grid.bounds(range(grid.partitions)))]
    assert [int(bound) for bound in grid.band_bounds()] == [bounds[p] for p in every[grid.band :: grid.band]]


def test_a_crawl_opens_and_sends_in_proportion_to_its_shards():
    """Blocks hold tens of kilobytes, and a machine opens few hundred files at a time, whatever the scope."""
    assert grid_of(DIRECT, 10**9, 24).is_direct
    raw, hashes = 131_000_000, 131_000_000 // 24
    for shards in (DIRECT + 1, 1_000, 16_000, 90_000, 320_000):
        grid = grid_of(shards, shards * raw, 24)
        assert not grid.is_direct
        assert max(grid.groups, grid.group_shards) <= 600
        assert grid.groups * grid.ranges <= shards
        shard_block, group_block = hashes / grid.bands, hashes * grid.group_shards / grid.partitions
        assert min(shard_block, group_block) * 8 > 100_000
        assert shard_block * grid.group_shards <= 1.02 * HASHES_PER_PARTITION
    assert grid.bands * shards == pytest.approx(grid.groups * grid.partitions, rel=0.01)  # as many one way as the other


def test_bounds_are_even():
    assert Grid(1, 4).bounds(range(4)).tolist() == [2**62, 2**63, 3 * 2**62]
    assert Grid(1, 1).bounds(range(1)).dtype == np.uint64
