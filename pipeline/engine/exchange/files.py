"""The exchange through files, for one machine: Beam's local runner holds what is shuffled several times over.

What passes through Beam is that a pass has ended. Each of these is a function of files, made once and kept until the
scope is done, so that a killed run goes on with what is there:

1. ``merge_group``: of the hash files of a group's shards, one file by partition. It opens each of them once.
2. ``decide_range``: of all groups' files (of all shards', without groups), one file of decisions for a run of
   partitions. It opens each of them once, and there are ``RANGES`` such runs at the most, however large the scope.
3. ``hand_out_group``: of all files of decisions, one for each shard of a group.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from pipeline.corpus.shard import Layout
from pipeline.engine.dedup import write_drops
from pipeline.engine.exchange.blocks import BlockFile, split, write_blocks
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.exchange.seen import Seen
from pipeline.engine.exchange.steps import decide, hand_out, join_drops, regroup
from pipeline.storage.filesystem import exists
from pipeline.units import Policy

PARTITIONS_AT_ONCE = 64  # whose decisions are kept, a bit a hash, till they are written: 64 MB


def tasks_done(layout: Layout, work: str, grid: Grid, shards: Sequence[str]) -> list[str]:
    """The files that tell which tasks of a round's exchange have ended, one for each; none without groups.

    Args:
        layout: The source's folder.
        work: The name of the round's work folder.
        grid: The scope's grid.
        shards: The names of its shards, in order.
    """
    if grid.is_direct:
        return []
    merged = [layout.group(work, group) for group in range(grid.groups)]
    decided = [layout.decisions(work, number) for number in range(grid.ranges)]
    return [*merged, *decided, *(layout.drops(work, shards[grid.members(g)[-1]]) for g in range(grid.groups))]


def merge_group(layout: Layout, work: str, grid: Grid, group: int) -> None:
    """Merges the hash files of a group's shards; nothing happens where that was done, or where there are no groups.

    Args:
        layout: The source's folder.
        work: The name of the round's work folder.
        grid: The scope's grid.
        group: The group's number.
    """
    path = layout.group(work, group)
    if grid.is_direct or exists(path):
        return
    with ExitStack() as stack:
        files = [stack.enter_context(BlockFile(layout.hashes(work, shard))) for shard in grid.members(group)]
        rows = [file.read_row(range(grid.bands)) for file in files]
        bands = (regroup([next(row) for row in rows], grid, group, band) for band in range(grid.bands))
        write_blocks(path, (block for band in bands for block in band))


def decide_range(layout: Layout, work: str, grid: Grid, number: int, policy: Policy, seen: Seen | None = None) -> None:
    """Decides a run of partitions; nothing happens where that was done.

    Args:
        layout: The source's folder.
        work: The name of the round's work folder.
        grid: The scope's grid.
        number: The number of the run.
        policy: The dedup policy.
        seen: What earlier scopes have, for a scope that joins others or is joined.
    """
    path = layout.decisions(work, number)
    if exists(path):
        return
    name = layout.hashes if grid.is_direct else layout.group
    with ExitStack() as stack:
        files = [stack.enter_context(BlockFile(name(work, group))) for group in range(grid.groups)]
        rows = [file.read_row(grid.partitions_of_range(number)) for file in files]
        write_blocks(path, _decisions(rows, grid, grid.partitions_of_range(number), policy, seen))


def _decisions(
    rows: Sequence[Iterator[bytes]], grid: Grid, partitions: range, policy: Policy, seen: Seen | None
) -> Iterator[bytes]:
    """For each of some partitions, and each group, what was decided: partition after partition in one block."""
    for start in range(0, len(partitions), PARTITIONS_AT_ONCE):
        some = partitions[start : start + PARTITIONS_AT_ONCE]
        decided = [decide([next(row) for row in rows], grid, partition, policy, seen) for partition in some]
        for group in range(grid.groups):
            yield b"".join(of_partition[group] for of_partition in decided)


def hand_out_group(layout: Layout, work: str, grid: Grid, group: int, shards: Sequence[str]) -> None:
    """Writes what was decided for each shard of a group; nothing happens where that was done.

    Args:
        layout: The source's folder.
        work: The name of the round's work folder.
        grid: The scope's grid.
        group: The group's number.
        shards: The names of its shards, in order.
    """
    paths = [layout.drops(work, shard) for shard in shards]
    if all(map(exists, paths)):
        return
    found = _decided_of(layout, work, grid, group)
    blocks: list[list[bytes]] = [[] for _ in shards]
    for band in range(grid.bands):
        of_band = [next(found) for _ in grid.partitions_of_band(band)]
        for of_shard, block in zip(blocks, hand_out(of_band, grid, group, band), strict=True):
            of_shard.append(block)
    for path, of_shard in zip(paths, blocks, strict=True):
        write_drops(path, join_drops(of_shard, grid))


def _decided_of(layout: Layout, work: str, grid: Grid, group: int) -> Iterator[bytes]:
    """What was decided for a group, partition after partition."""
    for number in range(grid.ranges):
        with BlockFile(layout.decisions(work, number)) as file:
            for at in range(group, file.count, grid.groups):
                yield from split(file.read(at))
