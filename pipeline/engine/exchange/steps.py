"""What is done with blocks between pass 1 and pass 3 of dedup: the same functions whatever carries the blocks.

Each holds the hashes of one partition of the scope at most, and gives the same bytes in whatever order blocks come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

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
    cuts = np.array([[0, *np.searchsorted(b.hashes, bounds), len(b.hashes)] for b in blocks])
    for at in range(len(bounds) + 1):
        parts = [slice(start, end) for start, end in cuts[:, at : at + 2].tolist()]
        pairs = list(zip(blocks, parts, strict=True))
        priorities = [block.priority[part] for block, part in pairs if block.priority is not None]
        yield pack_hashes(
            HashBlock(
                group,
                np.diff(cuts[:, at : at + 2]).ravel().astype(np.uint32),
                np.concatenate([block.hashes[part] for block, part in pairs]),
                np.concatenate([block.repeated[part] for block, part in pairs]),
                np.concatenate(priorities) if priorities else None,
            )
        )


def decide(packed: Iterable[bytes], grid: Grid, partition: int, policy: Policy) -> list[bytes]:
    """Pass 2: decides one partition of a scope.

    Args:
        packed: The partition's block of each group, in any order; a list is emptied.
        grid: The scope's grid.
        partition: The partition's number.
        policy: The dedup policy.

    Returns:
        What was decided for each group, in order.
    """
    blocks = _of_all(map(unpack_hashes, packed), grid.groups)
    if isinstance(packed, list):
        packed.clear()
    ends = np.cumsum([len(block.hashes) for block in blocks])[:-1]
    lengths = [block.lengths for block in blocks]
    hashes = np.concatenate([block.hashes for block in blocks])
    repeated = np.concatenate([block.repeated for block in blocks])
    priority = None
    if policy == "keep_smallest":
        priority = np.concatenate([_none_if_empty(block.priority) for block in blocks])
    del blocks
    drops = np.split(find_duplicates(hashes, repeated, priority, policy), ends)
    return [pack_drops(DropBlock(partition, *pair)) for pair in zip(lengths, drops, strict=True)]


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
    pieces = [np.split(block.drop, np.cumsum(block.lengths)[:-1]) for block in blocks]
    return [pack_drops(_joined(band, list(parts))) for parts in zip(*pieces, strict=True)]


def _joined(number: int, parts: Sequence[Flags]) -> DropBlock:
    drop = np.concatenate(parts)
    return DropBlock(number, np.array([len(drop)], np.uint32), drop)


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
