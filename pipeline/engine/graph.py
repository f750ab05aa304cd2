"""The Beam graph of every source: read twice, shuffle only names.

``Deduplicate`` hashes the units of each shard (pass 1) and finds the duplicates of each scope (pass 2);
``FilterAndWrite`` reads each shard again, applies the rest of the steps, and writes it. A source with several rounds of
dedup has a ``Deduplicate``, and so one reading more, for each: a round hashes what the rounds before it left. A source
with a survey has one reading more between: ``Measure`` (see pipeline.survey). Through the GroupByKeys go shards and
partition numbers: barriers between the passes, whose payload lies in files (see pipeline.engine.dedup).
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam

from pipeline.corpus.shard import Layout, Scope, Shard
from pipeline.engine.attendance import connect
from pipeline.engine.dedup import find_duplicates, partition_count
from pipeline.engine.measure import measure_shard, read_surveyed, settle_scope
from pipeline.engine.process import Decided, hash_shard, loaded, read_decided, write_shard
from pipeline.source import Round, Source, rounds_of, survey_of
from pipeline.steps import Step
from pipeline.storage.filesystem import exists, join
from pipeline.survey import SettledStep, Survey

# Objects made before Python looks for circles among them. Documents have none, and a shard has many at a time: with the
# default of 700 the search took a tenth of the time of StackExchange's shards.
COLLECT_AFTER = 50_000


@dataclass(frozen=True)
class ShardTask:
    """One shard's share of a run.

    Attributes:
        shard: The shard.
        position: Its place in the scope.
        work: The scope's work folder: the start of its fingerprint.
        partitions: The scope's number of dedup partitions in each round.
        write: False for a shard that is done, and is hashed only for the others of its scope.
        stats: What its stats file says of scope and configuration.
    """

    shard: Shard
    position: int
    work: str
    partitions: tuple[int, ...]
    write: bool
    stats: dict[str, Any]


def tasks_of(scope: Scope, done: Iterable[str], configuration: str, rounds: Sequence[Round]) -> list[ShardTask]:
    """The tasks of a scope: all its shards, of which those not done are written; with the source's rounds of dedup."""
    finished = set(done)
    stats = {"scope": {"name": scope.name, "fingerprint": scope.fingerprint}, "configuration": configuration}
    size = sum(shard.size for shard in scope.shards)
    partitions = tuple(partition_count(size, round_.dedup.unit_bytes) for round_ in rounds)
    return [
        ShardTask(shard, position, work_folder(scope.fingerprint), partitions, shard.name not in finished, stats)
        for position, shard in enumerate(scope.shards)
    ]


def work_folder(fingerprint: str) -> str:
    """The name below ``_work`` of the folder of the scope with this fingerprint."""
    return fingerprint[:16]


@dataclass
class Worker:
    """What the DoFns share.

    Attributes:
        source: The source.
        layout: Where its files lie.
        cache: Where fetched files are cached.
        flags: Beam's flags: local worker processes are not told them, and S3 needs some.
    """

    source: Source
    layout: Layout
    cache: Path | None
    flags: tuple[str, ...]

    def connect(self) -> None:
        """Tells Beam's file systems their options, in a worker process, and Python to collect garbage more seldom.

        On a job service it signs the list of workers.
        """
        connect(self.flags, self.layout.root)
        gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])

    def rounds(self) -> list[Round]:
        """The source's rounds of dedup."""
        return rounds_of(self.source)

    def survey(self) -> Survey | None:
        """What the source measures on a whole scope first."""
        return survey_of(self.source)

    def work(self, task: ShardTask, number: int) -> str:
        """The work folder of one round of a task's scope: the scope's own for the last."""
        rounds = self.rounds()
        return task.work if number == len(rounds) - 1 else join(task.work, rounds[number].name)

    def decided(self, task: ShardTask, rounds: int) -> list[Decided]:
        """What the first rounds decided for a task's shard."""
        works = [(self.work(task, number), task.partitions[number]) for number in range(rounds)]
        return [read_decided(self.layout, task.shard, work, count, task.position) for work, count in works]


class HashUnits(beam.DoFn):
    """ShardTask -> ((work folder, partition), ShardTask): pass 1 of one round."""

    def __init__(self, worker: Worker, number: int) -> None:
        self._worker = worker
        self._number = number

    def setup(self) -> None:
        """Connects the file systems."""
        self._worker.connect()

    def process(self, task: ShardTask) -> Iterator[tuple[tuple[str, int], ShardTask]]:
        """Hashes one shard."""
        w, work, partitions = self._worker, self._worker.work(task, self._number), task.partitions[self._number]
        if not exists(w.layout.hashes(work, task.shard.name)):
            earlier = w.decided(task, self._number)
            hash_shard(w.source, w.layout, task.shard, work, partitions, w.cache, earlier)
        for partition in range(partitions):
            yield (task.work, partition), task


class FindDuplicates(beam.DoFn):
    """((work folder, partition), all ShardTasks of the scope) -> (shard name, ShardTask): pass 2 of one round."""

    def __init__(self, worker: Worker, number: int) -> None:
        self._worker = worker
        self._number = number

    def setup(self) -> None:
        """Connects the file systems."""
        self._worker.connect()

    def process(self, element: tuple[tuple[str, int], Iterable[ShardTask]]) -> Iterator[tuple[str, ShardTask]]:
        """Decides one partition of one scope."""
        (_, partition), grouped = element
        tasks = sorted(grouped, key=lambda task: task.position)
        layout, rounds = self._worker.layout, self._worker.rounds()
        work, policy = self._worker.work(tasks[0], self._number), rounds[self._number].dedup.policy
        decisions = layout.decisions(work, partition)
        if not exists(decisions):
            find_duplicates([layout.hashes(work, t.shard.name) for t in tasks], decisions, partition, policy)
        more = self._number < len(rounds) - 1 or self._worker.survey() is not None  # they need what is done, too
        for task in tasks:
            if task.write or more:
                yield task.shard.name, task


class MeasureShard(beam.DoFn):
    """ShardTask -> (work folder, ShardTask): measures one shard; models are loaded once per worker, at need."""

    def __init__(self, worker: Worker, survey: Survey) -> None:
        self._worker = worker
        self._survey = survey
        self._steps: Sequence[Step] | None = None

    def setup(self) -> None:
        """Connects the file systems."""
        self._worker.connect()

    def process(self, task: ShardTask) -> Iterator[tuple[str, ShardTask]]:
        """Measures one shard."""
        w = self._worker
        if not exists(w.layout.measured(task.work, task.shard.name)):
            if self._steps is None:
                self._steps = loaded(self._survey.steps())
            decided = w.decided(task, len(w.rounds()))
            measure_shard(w.source, self._survey, w.layout, task.shard, task.work, self._steps, w.cache, decided)
        yield task.work, task


class SettleScope(beam.DoFn):
    """(work folder, all ShardTasks of the scope) -> the ShardTasks to write."""

    def __init__(self, worker: Worker, survey: Survey) -> None:
        self._worker = worker
        self._survey = survey

    def setup(self) -> None:
        """Connects the file systems."""
        self._worker.connect()

    def process(self, element: tuple[str, Iterable[ShardTask]]) -> Iterator[ShardTask]:
        """Settles one scope."""
        work, grouped = element
        tasks = sorted(grouped, key=lambda task: task.position)
        settle_scope(self._survey, self._worker.layout, work, [task.shard.name for task in tasks])
        yield from (task for task in tasks if task.write)


class WriteShard(beam.DoFn):
    """ShardTask -> shard name: reads, filters and writes one shard; models are loaded once per worker."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._steps: Sequence[Step] | None = None

    def setup(self) -> None:
        """Connects the file systems and loads the models."""
        self._worker.connect()
        self._steps = self._worker.source.steps_after_dedup()
        for step in self._steps:
            step.load()

    def process(self, task: ShardTask) -> Iterator[str]:
        """Writes one shard."""
        w = self._worker
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


def first_task(element: tuple[str, Iterable[ShardTask]]) -> ShardTask:
    """The task of a shard whose partitions are all decided."""
    return next(iter(element[1]))


class Deduplicate(beam.PTransform):
    """ShardTasks of whole scopes -> ShardTasks to go on with, once every partition of their scope is decided."""

    def __init__(self, worker: Worker, number: int) -> None:
        super().__init__()
        self._worker = worker
        self._number = number

    def expand(self, tasks: beam.PCollection) -> beam.PCollection:
        """Labels read like the method section."""
        unit = self._worker.rounds()[self._number].dedup.unit
        return (
            tasks
            | f"Hash each {unit}" >> beam.ParDo(HashUnits(self._worker, self._number))
            | "Wait for the scope" >> beam.GroupByKey()
            | f"Find repeated {unit}s" >> beam.ParDo(FindDuplicates(self._worker, self._number))
            | "Wait for the partitions" >> beam.GroupByKey()
            | "Shards to write" >> beam.Map(first_task)
        )


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


def build(pipeline: beam.Pipeline, worker: Worker, tasks: Sequence[ShardTask]) -> beam.PCollection:
    """Builds the graph of a run.

    Args:
        pipeline: The Beam pipeline.
        worker: What the DoFns share.
        tasks: The tasks of whole scopes.
    """
    shards = pipeline | "Shards" >> beam.Create(list(tasks))
    rounds = worker.rounds()
    for number, round_ in enumerate(rounds):
        label = "Deduplicate" if number == len(rounds) - 1 else f"Deduplicate {round_.dedup.unit}s"
        shards |= label >> Deduplicate(worker, number)
    survey = worker.survey()
    if survey is not None:
        shards |= "Survey" >> Measure(worker, survey)
    elif not rounds:
        shards |= "Only what is missing" >> beam.Filter(lambda task: task.write)
    return shards | "Filter and write" >> FilterAndWrite(worker)
