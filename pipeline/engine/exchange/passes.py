"""The Beam steps of both exchanges: tasks of whole scopes go in, and come out once all of their scope is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam

from pipeline.engine.dedup import write_drops
from pipeline.engine.dofn import par_do
from pipeline.engine.exchange.blocks import BlockFile
from pipeline.engine.exchange.file_passes import DecideRange, HandOutGroup, HashUnits, MergeGroup, RoundStep, ShardKey
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.exchange.steps import decide, hand_out, join_drops, regroup
from pipeline.engine.tasks import DedupRound, ShardTask
from pipeline.storage.filesystem import exists

# Work folder, then shards, partitions and shards in a group: which scope a block is of, and how that is cut.
ScopeKey = tuple[str, int, int, int]
GroupKey = tuple[ScopeKey, int, int]  # and group, and band
PartitionKey = tuple[ScopeKey, int]  # and partition

# What crosses the shuffle, in bytes of a block: runners show it among their metrics.
SHUFFLED = {
    what: beam.metrics.Metrics.distribution("dedup", what)
    for what in ("shard_blocks", "group_blocks", "decisions", "shard_decisions")
}
OfGroup, OfPartition, OfShard = tuple[GroupKey, bytes], tuple[PartitionKey, bytes], tuple[ShardKey, bytes]


class ByFiles(beam.PTransform):
    """The exchange through files. Each pass waits for the one before, by a side input in which there is nothing.

    Args:
        dedup: The round.
        grouped: Whether scopes with groups are among the tasks: else there is nothing to group and to merge.
    """

    def __init__(self, dedup: DedupRound, *, grouped: bool) -> None:
        super().__init__()
        self._dedup = dedup
        self._grouped = grouped

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        """Labels read like the method section."""
        dedup, unit = self._dedup, self._dedup.round.dedup.unit
        made = tasks | f"Hash each {unit}" >> par_do(HashUnits(dedup)) | "Hashed" >> beam.FlatMap(nothing)
        groups = tasks | "Groups" >> beam.Map(self._with_group)
        if self._grouped:
            groups |= "Group the shards" >> beam.GroupByKey()
            made = groups | "Merge each group" >> par_do(MergeGroup(dedup), beam.pvalue.AsIter(made))
        else:
            groups |= "Alone" >> beam.MapTuple(lambda key, task: (key, [task]))
        ranges = tasks | "Ranges" >> beam.FlatMap(self._ranges) | "Spread the ranges" >> beam.Reshuffle()
        made = ranges | f"Find repeated {unit}s" >> par_do(DecideRange(dedup), beam.pvalue.AsIter(made))
        return groups | "Hand out to the shards" >> par_do(HandOutGroup(dedup), beam.pvalue.AsIter(made))

    def _with_group(self, task: ShardTask) -> tuple[ShardKey, ShardTask]:
        return (task.work, task.position // self._dedup.grid(task).group_shards), task

    def _ranges(self, task: ShardTask) -> Iterator[tuple[ShardTask, int]]:
        """The ranges of a scope, from its first shard."""
        if task.position == 0:
            yield from ((task, number) for number in range(self._dedup.grid(task).ranges))


def nothing(_: ShardTask) -> list[None]:
    """What is handed on of a pass that only has to have ended."""
    return []


class ByShuffle(beam.PTransform):
    """The exchange through the engine's shuffle: packed blocks of hashes one way, packed bits the other.

    Scopes without groups take the straight way; the steps of a way that no scope takes are left out.

    Args:
        dedup: The round.
        direct: Whether scopes without groups are among the tasks.
        grouped: Whether others are.
        after: For the work folder of each scope that joins others, or is joined, the scopes that it joins.
    """

    def __init__(
        self,
        dedup: DedupRound,
        *,
        direct: bool,
        grouped: bool,
        after: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        super().__init__()
        self._after = after or {}
        self._dedup = dedup
        self._direct = direct
        self._grouped = grouped

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        """Labels read like the method section."""
        dedup, unit = self._dedup, self._dedup.round.dedup.unit
        hashed = tasks | f"Hash each {unit}" >> par_do(HashUnits(dedup))
        send, find = par_do(SendHashes(dedup)), par_do(Decide(dedup, self._after))
        blocks = hashed | "Blocks of hashes" >> send.with_output_types(OfGroup)
        meeting = self._two_ways(blocks, "to the partitions", of_partition, Regroup(), OfPartition)
        decided = (
            meeting
            | "Wait for the scope" >> beam.GroupByKey()
            | f"Find repeated {unit}s" >> find.with_output_types(OfGroup)
        )
        drops = self._two_ways(decided, "to the shards", of_shard, HandOut(), OfShard)
        keyed = tasks | "Shards" >> beam.Map(with_key).with_output_types(tuple[ShardKey, ShardTask])
        return (
            {"tasks": keyed, "drops": drops}
            | "Wait for the partitions" >> beam.CoGroupByKey()
            | "Put the drops together" >> par_do(PutTogether(dedup))
        )

    def _two_ways(
        self, blocks: beam.PCollection, where: str, direct: Callable[..., Any], grouped: beam.DoFn, kind: Any
    ) -> beam.PCollection:
        """Sends blocks on: those of scopes without groups as they are, the others by their groups."""
        ways = []
        if self._direct or not self._grouped:
            only = blocks | f"Without groups {where}" >> beam.Filter(is_direct) if self._grouped else blocks
            ways.append(only | f"Straight {where}" >> beam.Map(direct).with_output_types(kind))
        if self._grouped:
            only = blocks | f"With groups {where}" >> beam.Filter(is_grouped) if self._direct else blocks
            cut = beam.ParDo(grouped).with_output_types(kind)
            ways.append(only | f"By groups {where}" >> beam.GroupByKey() | f"Cut {where}" >> cut)
        return ways[0] if len(ways) == 1 else ways | f"All {where}" >> beam.Flatten()


def with_key(task: ShardTask) -> tuple[ShardKey, ShardTask]:
    """A task under its scope and place."""
    return (task.work, task.position), task


def is_grouped(element: tuple[GroupKey, bytes]) -> bool:
    """Whether a block is of a scope with groups."""
    return not is_direct(element)


def is_direct(element: tuple[GroupKey, bytes]) -> bool:
    """Whether a block is of a scope without groups."""
    return Grid(*element[0][0][1:]).is_direct


def of_partition(element: tuple[GroupKey, bytes]) -> tuple[PartitionKey, bytes]:
    """Sends a block of hashes to its partition: without groups, a band is one."""
    (scope, _, band), block = element
    return (scope, band), block


def of_shard(element: tuple[GroupKey, bytes]) -> tuple[ShardKey, bytes]:
    """Sends what was decided to its shard: without groups, each is one."""
    (scope, group, _), block = element
    return (scope[0], group), block


class SendHashes(RoundStep):
    """ShardTask -> (group and band, block): the hash file of a shard."""

    def process(self, task: ShardTask) -> Iterator[tuple[GroupKey, bytes]]:
        """Reads the blocks of one shard, one at a time."""
        grid = self._dedup.grid(task)
        scope = (task.work, grid.shards, grid.partitions, grid.group_shards)
        with BlockFile(self._layout.hashes(self._dedup.work(task), task.position)) as file:
            for band, block in enumerate(file.read_row(range(grid.bands))):
                SHUFFLED["shard_blocks"].update(len(block))
                yield (scope, task.position // grid.group_shards, band), block


class Regroup(beam.DoFn):
    """(group and band, blocks of its shards) -> (partition, block of the group)."""

    def process(self, element: tuple[GroupKey, Iterable[bytes]]) -> Iterator[tuple[PartitionKey, bytes]]:
        """Merges a group's share of a band."""
        (scope, group, band), blocks = element
        grid = Grid(*scope[1:])
        for partition, block in zip(grid.partitions_of_band(band), regroup(blocks, grid, group, band), strict=True):
            SHUFFLED["group_blocks"].update(len(block))
            yield (scope, partition), block


class Decide(RoundStep):
    """(partition, blocks of all groups) -> (group and band, what was decided): pass 2."""

    def __init__(self, dedup: DedupRound, after: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__(dedup)
        self._after = after

    def process(self, element: tuple[PartitionKey, Iterable[bytes]]) -> Iterator[tuple[GroupKey, bytes]]:
        """Decides one partition of one scope."""
        (scope, partition), blocks = element
        grid = Grid(*scope[1:])
        seen = self._dedup.seen(scope[0], self._after.get(scope[0]))
        for group, block in enumerate(decide(blocks, grid, partition, self._dedup.round.dedup.policy, seen)):
            SHUFFLED["decisions"].update(len(block))
            yield (scope, group, partition // grid.band), block


class HandOut(beam.DoFn):
    """(group and band, what was decided) -> (shard, its share)."""

    def process(self, element: tuple[GroupKey, Iterable[bytes]]) -> Iterator[tuple[ShardKey, bytes]]:
        """Cuts what was decided for a group."""
        (scope, group, band), blocks = element
        grid = Grid(*scope[1:])
        for position, block in zip(grid.members(group), hand_out(blocks, grid, group, band), strict=True):
            SHUFFLED["shard_decisions"].update(len(block))
            yield (scope[0], position), block


class PutTogether(RoundStep):
    """(shard, its ShardTask and what was decided) -> ShardTask to go on with: leaves one bit a hash for pass 3."""

    def process(self, element: tuple[ShardKey, dict[str, Iterable[object]]]) -> Iterator[ShardTask]:
        """Writes what was decided for a shard, unless that was done."""
        _, found = element
        (task,) = found["tasks"]
        assert isinstance(task, ShardTask)
        path = self._layout.drops(self._dedup.work(task), task.shard.name)
        if not exists(path):
            blocks = [block for block in found["drops"] if isinstance(block, bytes)]
            write_drops(path, join_drops(blocks, self._dedup.grid(task)))
        if self._worker.goes_on(task, self._dedup.number):
            yield task
