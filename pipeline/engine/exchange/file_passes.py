"""The passes of a round of dedup whose hashes travel through files, each item of a pass by itself.

A pass begins when all items of the one before are done: a graph sees to that by a side input in which there is nothing,
which is the second argument here; where there is no graph, it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pipeline.engine.exchange import files
from pipeline.engine.process import hash_shard
from pipeline.engine.step import WorkerStep
from pipeline.engine.tasks import DedupRound, ShardTask
from pipeline.storage.filesystem import exists

ShardKey = tuple[str, int]  # work folder, and position


class RoundStep(WorkerStep):
    """A step of a round of dedup."""

    def __init__(self, dedup: DedupRound) -> None:
        super().__init__(dedup.worker)
        self._dedup = dedup
        self._layout = dedup.worker.layout


class HashUnits(RoundStep):
    """ShardTask -> ShardTask: pass 1, which leaves its hash file."""

    def process(self, task: ShardTask) -> Iterator[ShardTask]:
        """Hashes one shard, unless that was done."""
        if not exists(self._layout.hashes(self._dedup.work(task), task.position)):
            earlier = self._worker.decided(task, self._dedup.number)
            w, work, grid = self._worker, self._dedup.work(task), self._dedup.grid(task)
            hash_shard(w.source, self._layout, task.shard, work, grid, task.position, w.cache, earlier, w.reading(task))
        yield task


class MergeGroup(RoundStep):
    """((work folder, group), its ShardTasks) -> nothing."""

    def process(self, element: tuple[ShardKey, Iterable[ShardTask]], hashed: Iterable[None] = ()) -> list[None]:
        """Merges the hash files of a group, once all shards are hashed."""
        (_, group), tasks = element
        task = next(iter(tasks))
        files.merge_group(self._layout, self._dedup.work(task), self._dedup.grid(task), group)
        return list(hashed)


class DecideRange(RoundStep):
    """(a ShardTask of the scope, range) -> nothing: pass 2."""

    def process(self, element: tuple[ShardTask, int], merged: Iterable[None] = ()) -> list[None]:
        """Decides a range of a scope's partitions, once all groups are merged."""
        task, number = element
        work, grid = self._dedup.work(task), self._dedup.grid(task)
        seen = self._dedup.seen(work, task.after)
        files.decide_range(self._layout, work, grid, number, self._dedup.round.dedup.policy, seen)
        return list(merged)


class HandOutGroup(RoundStep):
    """((work folder, group), its ShardTasks) -> ShardTasks to go on with."""

    def process(
        self, element: tuple[ShardKey, Iterable[ShardTask]], decided: Iterable[None] = ()
    ) -> Iterator[ShardTask]:
        """Writes what was decided for each shard of a group, once all ranges are decided."""
        assert not list(decided)
        (_, group), grouped = element
        tasks = sorted(grouped, key=lambda task: task.position)
        work, grid = self._dedup.work(tasks[0]), self._dedup.grid(tasks[0])
        files.hand_out_group(self._layout, work, grid, group, [task.shard.name for task in tasks])
        yield from (task for task in tasks if self._worker.goes_on(task, self._dedup.number))
