"""What is done with each shard behind dedup: it is measured where a survey asks for it, then filtered and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.engine.measure import measure_shard, read_surveyed, settle_scope
from pipeline.engine.passage import loaded
from pipeline.engine.process import write_shard
from pipeline.engine.step import WorkerStep
from pipeline.engine.tasks import ShardTask, Worker
from pipeline.steps import Step
from pipeline.storage.filesystem import exists
from pipeline.survey import SettledStep, Survey


class MeasureShard(WorkerStep):
    """ShardTask -> (work folder, ShardTask): measures one shard; models are loaded once per worker, at need."""

    def __init__(self, worker: Worker, survey: Survey) -> None:
        super().__init__(worker)
        self._survey = survey
        self._steps: Sequence[Step] | None = None

    def process(self, task: ShardTask) -> Iterator[tuple[str, ShardTask]]:
        """Measures one shard."""
        w = self._worker
        if not exists(w.layout.measured(task.work, task.shard.name)):
            if self._steps is None:
                self._steps = loaded(self._survey.steps())
            decided = w.decided(task, len(w.rounds()))
            measure_shard(
                w.source, self._survey, w.layout, task.shard, task.work, self._steps, w.cache, decided, w.reading(task)
            )
        yield task.work, task


class SettleScope(WorkerStep):
    """(work folder, all ShardTasks of the scope) -> the ShardTasks to write."""

    def __init__(self, worker: Worker, survey: Survey) -> None:
        super().__init__(worker)
        self._survey = survey

    def process(self, element: tuple[str, Iterable[ShardTask]]) -> Iterator[ShardTask]:
        """Settles one scope."""
        work, grouped = element
        tasks = sorted(grouped, key=lambda task: task.position)
        settle_scope(self._survey, self._worker.layout, work, [task.shard.name for task in tasks])
        yield from (task for task in tasks if task.write)


class WriteShard(WorkerStep):
    """ShardTask -> shard name: reads, filters and writes one shard; models are loaded once per worker."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker)
        self._steps: Sequence[Step] | None = None

    def setup(self) -> None:
        """Loads the models."""
        self._steps = self._worker.source.steps_after_dedup()
        for step in self._steps:
            step.load()

    def process(self, task: ShardTask) -> Iterator[str]:
        """Writes one shard."""
        w = self._worker
        if exists(w.layout.stats(task.shard.name)):  # an attempt before this one wrote it, and died later
            yield task.shard.name
            return
        decided = w.decided(task, len(w.rounds()))
        last = decided.pop() if w.source.dedup else None
        stats, inputs = task.stats, None
        if w.survey() is not None:
            found = read_surveyed(w.layout, task.shard, task.work)
            stats, inputs = {**stats, "survey": found.settled}, found.inputs
            for step in self._steps or ():
                if isinstance(step, SettledStep):
                    step.settle(found.settled, found.measured)
        steps = list(self._steps or ())
        write_shard(w.source, w.layout, task.shard, steps, last, stats, w.cache, decided, inputs, w.reading(task))
        yield task.shard.name
