"""The Beam graph of every source: read twice, shuffle no text.

``Deduplicate`` hashes the units of each shard and finds the duplicates of each scope; what is hashed travels through
files on one machine, through the engine's shuffle elsewhere (see pipeline.engine.exchange). ``FilterAndWrite`` reads
each shard again, applies the rest of the steps, and writes it. A source with several rounds of dedup has a
``Deduplicate``, and so one reading more, for each: a round hashes what the rounds before it left. A source with a
survey has one reading more between: ``Measure`` (see pipeline.survey).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import apache_beam as beam

from pipeline.engine.dofn import par_do
from pipeline.engine.exchange.passes import ByFiles, ByShuffle
from pipeline.engine.shard_steps import MeasureShard, SettleScope, WriteShard
from pipeline.engine.tasks import DedupRound, ShardTask, Worker, pack_tasks, unpack_tasks
from pipeline.survey import Survey

Exchange = Literal["files", "shuffle"]


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
            | f"Measure ({names})" >> par_do(MeasureShard(self._worker, self._survey))
            | "Wait for the scope" >> beam.GroupByKey()
            | "Settle the scope" >> par_do(SettleScope(self._worker, self._survey))
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
        return tasks | "Spread the shards" >> beam.Reshuffle() | label >> par_do(WriteShard(self._worker))


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
