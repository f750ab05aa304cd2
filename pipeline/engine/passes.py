"""The passes of parts that share scopes, one at a time: what one graph does for a whole run.

Each pass is a pipeline of its own over a part's share, by the same DoFns. Between two passes lies what a GroupByKey is
in the graph: the files of all parts must be there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import apache_beam as beam

from pipeline.corpus.shard import Scope, shards_of
from pipeline.engine.graph import FilterAndWrite, FindDuplicates, HashUnits, MeasureShard, ShardTask, Worker, tasks_of
from pipeline.engine.measure import settle_scope
from pipeline.engine.parts import Part, share
from pipeline.storage.filesystem import join, list_names
from pipeline.survey import Survey

_SUFFIX = ".arrow"


@dataclass(frozen=True)
class Pass:
    """One pass of a part.

    Attributes:
        what: The files that it makes, in the plural.
        build: Adds its steps to a pipeline; None where nothing of it is left to this part.
        wanted: The files that all parts make in it, each with its position in the plan.
    """

    what: str
    build: Callable[[beam.Pipeline], object] | None
    wanted: Mapping[str, int] = field(default_factory=dict)

    def there(self) -> set[str]:
        """Those files that are there, and others beside them."""
        return files_of_folders(self.wanted)


def files_of_folders(paths: Iterable[str]) -> set[str]:
    """The files that are there in the folders of some Arrow files, by one listing a folder."""
    folders = {path.rpartition("/")[0] for path in paths}
    return {join(folder, f"{name}{_SUFFIX}") for folder in folders for name in list_names(folder, _SUFFIX)}


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
        self._part = part
        self._groups = [tasks_of(scope, done, configuration, worker.rounds()) for scope in scopes]
        self._position = {shard.name: number for number, shard in enumerate(shards_of(scopes))}
        self._mine = {shard.name for shard in part.shards(scopes)}
        self._under_way = [group for group in self._groups if any(task.write for task in group)]

    def passes(self) -> Iterator[Pass]:
        """The passes, in their order; each one is to be run, and the files of all to be waited for, before the next."""
        worker, survey = self._worker, self._worker.survey()
        for number, round_ in enumerate(worker.rounds()):
            unit = round_.dedup.unit
            yield self._of_shards(
                f"hashes of {unit}s", f"Hash each {unit}", HashUnits(worker, number), partial(self._hashes, number)
            )
            yield self._decide(number, unit)
        if survey is not None:
            yield self._of_shards(
                "measures",
                "Measure",
                MeasureShard(worker, survey),
                lambda t: worker.layout.measured(t.work, t.shard.name),
            )
            self._settle(survey)
        tasks = [task for task in self._tasks() if task.write and task.shard.name in self._mine]
        yield Pass("shards", partial(_write, worker=worker, tasks=tasks) if tasks else None)

    def _tasks(self) -> Iterator[ShardTask]:
        return (task for group in self._under_way for task in group)

    def _hashes(self, number: int, task: ShardTask) -> str:
        return self._worker.layout.hashes(self._worker.work(task, number), task.shard.name)

    def _of_shards(self, what: str, label: str, dofn: beam.DoFn, path: Callable[[ShardTask], str]) -> Pass:
        """A pass that leaves a file for each shard."""
        wanted = {path(task): self._position[task.shard.name] for task in self._tasks()}
        there = files_of_folders(wanted)
        left = [task for task in self._tasks() if task.shard.name in self._mine and path(task) not in there]
        return Pass(what, partial(_each, label=label, dofn=dofn, items=left) if left else None, wanted)

    def _decide(self, number: int, unit: str) -> Pass:
        """Pass 2 of a round of dedup, which leaves a file for each partition."""
        layout = self._worker.layout
        keys = [(group[0], partition) for group in self._groups for partition in range(group[0].partitions[number])]
        paths = {
            layout.decisions(self._worker.work(first, number), partition): (position, (first.work, partition))
            for position, (first, partition) in enumerate(keys)
        }
        under_way = {group[0].work: group for group in self._under_way}
        wanted = {path: position for path, (position, (work, _)) in paths.items() if work in under_way}
        there = files_of_folders(wanted)
        left = [paths[path][1] for path in share(self._part, list(paths)) if path in wanted and path not in there]
        dofn = FindDuplicates(self._worker, number)
        build = partial(_decide, label=f"Find repeated {unit}s", dofn=dofn, keys=left, groups=under_way)
        return Pass("decisions on partitions", build if left else None, wanted)

    def _settle(self, survey: Survey) -> None:
        """Every part settles, by the same files, to the same bytes."""
        for group in self._under_way:
            settle_scope(survey, self._worker.layout, group[0].work, [task.shard.name for task in group])


def _each(pipeline: beam.Pipeline, label: str, dofn: beam.DoFn, items: Sequence[object]) -> None:
    _ = pipeline | "Share" >> beam.Create(list(items)) | label >> beam.ParDo(dofn)


def _decide(
    pipeline: beam.Pipeline,
    label: str,
    dofn: FindDuplicates,
    keys: Sequence[tuple[str, int]],
    groups: Mapping[str, Sequence[ShardTask]],
) -> None:
    scopes = {work: groups[work] for work, _ in keys}
    partitions = pipeline | "Share" >> beam.Create(list(keys))
    _ = partitions | "With its scope" >> beam.Map(lambda key: (key, scopes[key[0]])) | label >> beam.ParDo(dofn)


def _write(pipeline: beam.Pipeline, worker: Worker, tasks: Sequence[ShardTask]) -> None:
    _ = pipeline | "Share" >> beam.Create(list(tasks)) | "Filter and write" >> FilterAndWrite(worker)
