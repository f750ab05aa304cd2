"""What is done with blocks between pass 1 and pass 3 of dedup: the same functions whatever carries the blocks.

Each holds the hashes of one partition of the scope at most, and gives the same bytes in whatever order blocks come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pipeline.engine.dedup import find_duplicates
from pipeline.engine.exchange.blocks import (
    DropBlock,
    Flags,
    HashBlock,
    pack_drops,
    pack_hashes,
    unpack_drops,
    unpack_hashes,
)
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.exchange.seen import Seen
from pipeline.units import Hashes, Policy

_Block = TypeVar("_Block", HashBlock, DropBlock)


def regroup(packed: Iterable[bytes], grid: Grid, group: int, band: int) -> Iterator[bytes]:
    """Makes of the blocks of a group's shards, all of one band, a block of the group for each partition of the band.

    Args:
        packed: A block of each shard, in any order.
        grid: The scope's grid.
        group: The group's number.
        band: The band's number.

    Yields:
        A block for each partition, in order.
    """
    blocks = _of_all(map(unpack_hashes, packed), len(grid.members(group)))
    bounds = grid.bounds(grid.partitions_of_band(band))
    cuts = np.zeros((len(blocks), len(bounds) + 2), np.int64)
    for row, block in zip(cuts, blocks, strict=True):
        row[1:-1], row[-1] = np.searchsorted(block.hashes, bounds), len(block.hashes)
    lengths = np.diff(cuts, axis=1).astype(np.uint32)
    hashes = np.concatenate([block.hashes for block in blocks])
    repeated = np.concatenate([block.repeated for block in blocks])
    priorities = [block.priority for block in blocks if block.priority is not None]
    priority = np.concatenate(priorities) if priorities else None
    del blocks, priorities
    order = _turned(lengths)
    hashes, repeated = hashes[order], repeated[order]
    priority = None if priority is None else priority[order]
    del order
    ends = np.cumsum(lengths.sum(axis=0)).tolist()
    for column, (start, end) in zip(np.ascontiguousarray(lengths.T), pairwise([0, *ends]), strict=True):
        rank = None if priority is None else priority[start:end]
        yield pack_hashes(HashBlock(group, column, hashes[start:end], repeated[start:end], rank))


def _turned(lengths: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """Where the items are that lie row after row, each row's in columns, to have them column after column.

    It costs a few nanoseconds an item: cutting and joining pieces would cost a microsecond for each row and column.
    """
    ends = np.cumsum(lengths, dtype=np.int64).reshape(lengths.shape)
    sizes = lengths.T.ravel()
    moved = (ends - lengths).T.ravel() - (np.cumsum(sizes, dtype=np.int64) - sizes)
    order = np.repeat(moved, sizes)
    order += np.arange(len(order))
    return order


def decide(
    packed: Iterable[bytes], grid: Grid, partition: int, policy: Policy, seen: Seen | None = None
) -> list[bytes]:
    """Pass 2: decides one partition of a scope.

    Args:
        packed: The partition's block of each group, in any order; a list is emptied.
        grid: The scope's grid.
        partition: The partition's number.
        policy: The dedup policy.
        seen: What earlier scopes have, for a scope that joins others or is joined.

    Returns:
        What was decided for each group, in order.
    """
    blocks = _of_all(map(unpack_hashes, packed), grid.groups)
    if isinstance(packed, list):
        packed.clear()
    ends = np.cumsum([len(block.hashes) for block in blocks]).tolist()
    lengths = [block.lengths for block in blocks]
    hashes = np.concatenate([block.hashes for block in blocks])
    repeated = np.concatenate([block.repeated for block in blocks])
    priority = None
    if policy == "keep_smallest":
        priority = np.concatenate([_none_if_empty(block.priority) for block in blocks])
    del blocks
    drop = find_duplicates(hashes, repeated, priority, policy)
    if seen is not None:
        drop |= seen.settle(hashes, grid, partition)
    places = zip(lengths, pairwise([0, *ends]), strict=True)
    return [pack_drops(DropBlock(partition, each, drop[start:end])) for each, (start, end) in places]


def _none_if_empty(priority: Hashes | None) -> Hashes:
    return np.empty(0, np.uint64) if priority is None else priority


def hand_out(packed: Iterable[bytes], grid: Grid, group: int, band: int) -> list[bytes]:
    """Makes of what was decided for a group, in a band, a block for each of its shards.

    Args:
        packed: A block for each partition of the band, in any order.
        grid: The scope's grid.
        group: The group's number.
        band: The band's number.

    Returns:
        The blocks of the shards, in order.
    """
    blocks = _of_all(map(unpack_drops, packed), len(grid.partitions_of_band(band)))
    lengths = np.array([block.lengths for block in blocks])
    drop = np.concatenate([block.drop for block in blocks])[_turned(lengths)]
    ends = np.cumsum(lengths.sum(axis=0, dtype=np.int64)).tolist()
    parts = [drop[start:end] for start, end in pairwise([0, *ends])]
    return [pack_drops(DropBlock(band, np.array([len(part)], np.uint32), part)) for part in parts]


def join_drops(packed: Iterable[bytes], grid: Grid) -> Flags:
    """Puts together what was decided for a shard: a flag for each of its distinct hashes.

    Args:
        packed: A block for each band, in any order.
        grid: The scope's grid.
    """
    return np.concatenate([block.drop for block in _of_all(map(unpack_drops, packed), grid.bands)])


def _of_all(blocks: Iterable[_Block], count: int) -> list[_Block]:
    """The blocks, sorted; there must be so many."""
    found = sorted(blocks, key=lambda block: block.number)
    if len({block.number for block in found}) != len(found) or len(found) != count:
        raise AssertionError(f"{count} blocks should meet, there are {[block.number for block in found]}")
    return found
