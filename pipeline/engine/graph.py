"""The Beam graph of every source: read twice, shuffle no text.

``Deduplicate`` hashes the units of each shard and finds the duplicates of each scope; what is hashed travels through
files on one machine, through the engine's shuffle elsewhere (see pipeline.engine.exchange). ``FilterAndWrite`` reads
each shard again, applies the rest of the steps, and writes it. A source with several rounds of dedup has a
``Deduplicate``, and so one reading more, for each: a round hashes what the rounds before it left. A source with a
survey has one reading more between: ``Measure`` (see pipeline.survey).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import apache_beam as beam

from pipeline.engine.dofn import WorkerStep
from pipeline.engine.exchange.passes import ByFiles, ByShuffle
from pipeline.engine.measure import measure_shard, read_surveyed, settle_scope
from pipeline.engine.process import loaded, write_shard
from pipeline.engine.tasks import DedupRound, ShardTask, Worker, pack_tasks, unpack_tasks
from pipeline.steps import Step
from pipeline.storage.filesystem import exists
from pipeline.survey import SettledStep, Survey

Exchange = Literal["files", "shuffle"]


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
            measure_shard(w.source, self._survey, w.layout, task.shard, task.work, self._steps, w.cache, decided)
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
        """Connects the file systems and loads the models."""
        super().setup()
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
        write_shard(w.source, w.layout, task.shard, steps, last, stats, w.cache, decided, inputs)
        yield task.shard.name


class Measure(beam.PTransform):
    """ShardTasks of whole scopes -> ShardTasks to write, once their scope is settled."""

    def __init__(self, worker: Worker, survey: Survey) -> None:
        super().__init__()
        self._worker = worker
        self._survey = survey

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        """The steps that measure make the label."""
        names = ", ".join(step.name for step in self._survey.steps())
        return (
            tasks
            | "Spread the shards" >> beam.Reshuffle()
            | f"Measure ({names})" >> beam.ParDo(MeasureShard(self._worker, self._survey))
            | "Wait for the scope" >> beam.GroupByKey()
            | "Settle the scope" >> beam.ParDo(SettleScope(self._worker, self._survey))
        )


class FilterAndWrite(beam.PTransform):
    """ShardTasks -> names of the shards written."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        """All steps run fused over one shard, so their names make the label."""
        source = self._worker.source
        names = [name for round_ in self._worker.rounds() for name in (*(s.name for s in round_.steps), round_.name)]
        names += [] if source.dedup else [step.name for step in source.steps_before_dedup()]
        names += [step.name for step in source.steps_after_dedup()]
        label = f"Filter ({', '.join(names)}) and write" if names else "Write"
        return tasks | "Spread the shards" >> beam.Reshuffle() | label >> beam.ParDo(WriteShard(self._worker))


def build(
    pipeline: beam.Pipeline, worker: Worker, tasks: Sequence[ShardTask], exchange: Exchange = "files"
) -> beam.PCollection:
    """Builds the graph of a run.

    Args:
        pipeline: The Beam pipeline.
        worker: What the DoFns share.
        tasks: The tasks of whole scopes.
        exchange: What hashes travel through; no result depends on it.
    """
    rounds, survey = worker.rounds(), worker.survey()
    if not rounds and survey is None:
        tasks = [task for task in tasks if task.write]
    packed = pipeline | "Shards" >> beam.Create(pack_tasks(tasks), reshuffle=False)
    shards = packed | "Unpack" >> beam.FlatMap(unpack_tasks)
    if rounds:
        shards |= "Spread" >> beam.Reshuffle()  # the other steps spread by themselves
    for number, round_ in enumerate(rounds):
        label = "Deduplicate" if number == len(rounds) - 1 else f"Deduplicate {round_.dedup.unit}s"
        shards |= label >> _deduplicate(DedupRound(worker, number), tasks, exchange)
    if survey is not None:
        shards |= "Survey" >> Measure(worker, survey)
    return shards | "Filter and write" >> FilterAndWrite(worker)


def _deduplicate(dedup: DedupRound, tasks: Sequence[ShardTask], exchange: Exchange) -> beam.PTransform:
    kinds = {dedup.grid(task).is_direct for task in tasks}
    if exchange == "files":
        return ByFiles(dedup, grouped=False in kinds)
    after = {dedup.work(task): task.after for task in tasks if task.position == 0 and task.after is not None}
    return ByShuffle(dedup, direct=True in kinds, grouped=False in kinds, after=after)
