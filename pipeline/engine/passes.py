"""The passes over scopes, one at a time: what one graph does for a whole run of several workers.

Each pass has a step and its items. One process does them itself, one after the other; parts that share scopes do a
share each: between two passes, where the graph waits for all of one to end, the files of all parts must be there.
Hashes travel through files, whatever the runner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.corpus.shard import Scope, shards_of
from pipeline.engine.exchange.file_passes import DecideRange, HandOutGroup, HashUnits, MergeGroup
from pipeline.engine.measure import settle_scope
from pipeline.engine.parts import Part, share
from pipeline.engine.shard_steps import MeasureShard, WriteShard
from pipeline.engine.step import EachItem
from pipeline.engine.tasks import DedupRound, ShardTask, Worker, tasks_of
from pipeline.storage.listing import files_of_folders
from pipeline.survey import Survey


@dataclass(frozen=True)
class Pass:
    """One pass.

    Attributes:
        what: The files that it makes, in the plural.
        label: What it does.
        step: What is done with each item.
        items: Those that are left, of a part its own.
        wanted: The files that all parts make in it, each with the place of its item in the plan.
    """

    what: str
    label: str
    step: EachItem
    items: Sequence[object]
    wanted: Mapping[str, int] = field(default_factory=dict)

    def there(self) -> set[str]:
        """Those files that are there, and others beside them."""
        return files_of_folders(self.wanted)


@dataclass(frozen=True)
class _Item:
    """What is done at a time: the files that it makes, what the step is given, and the scope that it is of."""

    paths: Sequence[str]
    element: object
    scope: Sequence[ShardTask]


class Passes:
    """The passes over scopes, or a part's share of them.

    Args:
        worker: What the steps share.
        part: The part; None for all of it.
        scopes: The scopes; of a part, the whole plan.
        done: The shards that are done.
        configuration: The fingerprint of the configuration.
    """

    def __init__(
        self, worker: Worker, part: Part | None, scopes: Sequence[Scope], done: set[str], configuration: str
    ) -> None:
        self._worker = worker
        self._layout = worker.layout
        self._part = part
        self._scopes = [tasks_of(scope, done, configuration, worker.rounds()) for scope in scopes]
        self._mine = {shard.name for shard in (shards_of(scopes) if part is None else part.shards(scopes))}

    def __iter__(self) -> Iterator[Pass]:
        """The passes, in their order; each one is to be run, and the files of all to be waited for, before the next."""
        for number in range(len(self._worker.rounds())):
            yield from self._round(DedupRound(self._worker, number))
        survey = self._worker.survey()
        if survey is not None:
            measured = self._of_shards(lambda task: self._layout.measured(task.work, task.shard.name))
            yield self._pass("measures", "Measure", MeasureShard(self._worker, survey), measured)
            self._settle(survey)
        tasks = [t for tasks in self._scopes for t in tasks if t.write and t.shard.name in self._mine]
        yield Pass("shards", "Filter and write", WriteShard(self._worker), tasks)

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
            yield self._pass("merged groups", "Merge each group", MergeGroup(dedup), groups)
        yield self._pass("decisions", f"Find repeated {unit}s", DecideRange(dedup), ranges)
        yield self._pass("decisions on shards", "Hand out to the shards", HandOutGroup(dedup), handed)

    def _of_shards(self, path: Callable[[ShardTask], str]) -> list[_Item]:
        return [_Item([path(task)], task, tasks) for tasks in self._scopes for task in tasks]

    def _pass(self, what: str, label: str, step: EachItem, items: Sequence[_Item]) -> Pass:
        """A pass over items of the whole plan, of which each part has every n-th."""
        under_way = {id(tasks) for tasks in self._scopes if any(task.write for task in tasks)}
        wanted = {p: number for number, item in enumerate(items) if id(item.scope) in under_way for p in item.paths}
        there = files_of_folders(wanted)
        mine = (item for item in share(self._part, items) if id(item.scope) in under_way)
        left = [item.element for item in mine if not there.issuperset(item.paths)]
        return Pass(what, label, step, left, wanted)

    def _settle(self, survey: Survey) -> None:
        """Every part settles, by the same files, to the same bytes."""
        for tasks in self._scopes:
            if any(task.write for task in tasks):
                settle_scope(survey, self._layout, tasks[0].work, [task.shard.name for task in tasks])
