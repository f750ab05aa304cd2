"""The passes of parts that share scopes, one at a time: what one graph does for a whole run.

Each pass is a pipeline of its own over a part's share, by the same DoFns. Between two passes, where the graph waits for
all of one to end, the files of all parts must be there. Hashes travel through files, whatever the runner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import apache_beam as beam

from pipeline.corpus.shard import Scope
from pipeline.engine.exchange.passes import DecideRange, HandOutGroup, HashUnits, MergeGroup
from pipeline.engine.graph import FilterAndWrite, MeasureShard
from pipeline.engine.measure import settle_scope
from pipeline.engine.parts import Part, share
from pipeline.engine.tasks import DedupRound, ShardTask, Worker, tasks_of
from pipeline.storage.listing import files_of_folders
from pipeline.survey import Survey

_NO_WAIT: list[None] = []  # what the passes of the graph wait for; here all that they need is there


@dataclass(frozen=True)
class Pass:
    """One pass of a part.

    Attributes:
        what: The files that it makes, in the plural.
        build: Adds its steps to a pipeline; None where nothing of it is left to this part.
        wanted: The files that all parts make in it, each with the place of its item in the plan.
    """

    what: str
    build: Callable[[beam.Pipeline], object] | None
    wanted: Mapping[str, int] = field(default_factory=dict)

    def there(self) -> set[str]:
        """Those files that are there, and others beside them."""
        return files_of_folders(self.wanted)


@dataclass(frozen=True)
class _Item:
    """What one part does at a time: the files that it makes, what the DoFn is given, and the scope that it is of."""

    paths: Sequence[str]
    element: object
    scope: Sequence[ShardTask]


class SharedScopes:
    """A part's share of the passes over scopes that all parts share.

    Args:
        worker: What the DoFns share.
        part: The part.
        scopes: The whole plan.
        done: The shards that are done.
        configuration: The fingerprint of the configuration.
    """

    def __init__(self, worker: Worker, part: Part, scopes: Sequence[Scope], done: set[str], configuration: str) -> None:
        self._worker = worker
        self._layout = worker.layout
        self._part = part
        self._scopes = [tasks_of(scope, done, configuration, worker.rounds()) for scope in scopes]
        self._mine = {shard.name for shard in part.shards(scopes)}

    def passes(self) -> Iterator[Pass]:
        """The passes, in their order; each one is to be run, and the files of all to be waited for, before the next."""
        for number in range(len(self._worker.rounds())):
            yield from self._round(DedupRound(self._worker, number))
        survey = self._worker.survey()
        if survey is not None:
            measured = self._of_shards(lambda task: self._layout.measured(task.work, task.shard.name))
            yield self._pass("measures", "Measure", MeasureShard(self._worker, survey), measured)
            self._settle(survey)
        tasks = [t for tasks in self._scopes for t in tasks if t.write and t.shard.name in self._mine]
        yield Pass("shards", partial(_write, worker=self._worker, tasks=tasks) if tasks else None)

    def _round(self, dedup: DedupRound) -> Iterator[Pass]:
        """The passes of a round of dedup."""
        layout, unit = self._layout, dedup.round.dedup.unit
        hashes = self._of_shards(lambda task: layout.hashes(dedup.work(task), task.position))
        yield self._pass(f"hashes of {unit}s", f"Hash each {unit}", HashUnits(dedup), hashes)
        groups, ranges, handed = list[_Item](), list[_Item](), list[_Item]()
        for tasks in self._scopes:
            work, grid = dedup.work(tasks[0]), dedup.grid(tasks[0])
            for group in range(grid.groups):
                members = [tasks[position] for position in grid.members(group)]
                element = ((tasks[0].work, group), members)
                if not grid.is_direct:
                    groups.append(_Item([layout.group(work, group)], element, tasks))
                handed.append(_Item([layout.drops(work, task.shard.name) for task in members], element, tasks))
            for number in range(grid.ranges):
                ranges.append(_Item([layout.decisions(work, number)], (tasks[0], number), tasks))
        if groups:
            yield self._pass("merged groups", "Merge each group", MergeGroup(dedup), groups, _NO_WAIT)
        yield self._pass("decisions", f"Find repeated {unit}s", DecideRange(dedup), ranges, _NO_WAIT)
        yield self._pass("decisions on shards", "Hand out to the shards", HandOutGroup(dedup), handed, _NO_WAIT)

    def _of_shards(self, path: Callable[[ShardTask], str]) -> list[_Item]:
        return [_Item([path(task)], task, tasks) for tasks in self._scopes for task in tasks]

    def _pass(self, what: str, label: str, dofn: beam.DoFn, items: Sequence[_Item], *more: object) -> Pass:
        """A pass over items of the whole plan, of which each part has every n-th."""
        under_way = {id(tasks) for tasks in self._scopes if any(task.write for task in tasks)}
        wanted = {p: number for number, item in enumerate(items) if id(item.scope) in under_way for p in item.paths}
        there = files_of_folders(wanted)
        mine = (item for item in share(self._part, items) if id(item.scope) in under_way)
        left = [item.element for item in mine if not there.issuperset(item.paths)]
        build = partial(_each, label=label, step=beam.ParDo(dofn, *more), items=left)
        return Pass(what, build if left else None, wanted)

    def _settle(self, survey: Survey) -> None:
        """Every part settles, by the same files, to the same bytes."""
        for tasks in self._scopes:
            if any(task.write for task in tasks):
                settle_scope(survey, self._layout, tasks[0].work, [task.shard.name for task in tasks])


def _each(pipeline: beam.Pipeline, label: str, step: beam.PTransform, items: Sequence[object]) -> None:
    _ = pipeline | "Share" >> beam.Create(list(items)) | label >> step


def _write(pipeline: beam.Pipeline, worker: Worker, tasks: Sequence[ShardTask]) -> None:
    _ = pipeline | "Share" >> beam.Create(list(tasks)) | "Filter and write" >> FilterAndWrite(worker)
