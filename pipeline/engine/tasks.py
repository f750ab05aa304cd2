"""What the workers of a run are told: of each shard its share, and of the run what all of them share."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.corpus.shard import Layout, Scope, Shard
from pipeline.engine.attendance import connect
from pipeline.engine.exchange.grid import Grid, grid_of
from pipeline.engine.exchange.seen import Seen
from pipeline.engine.passage import Decided
from pipeline.engine.process import read_decided
from pipeline.source import Round, Source, rounds_of, survey_of
from pipeline.storage.filesystem import join
from pipeline.survey import Survey
from pipeline.terminal import make_light

TASKS_AT_ONCE = 1_000


@dataclass(frozen=True)
class ShardTask:
    """One shard's share of a run.

    Attributes:
        shard: The shard.
        position: Its place in the scope.
        work: The scope's work folder: the start of its fingerprint.
        grids: How the scope is cut for each round of dedup.
        write: False for a shard that is done, and is hashed only for the others of its scope.
        stats: What its stats file says of scope and configuration.
        after: The scopes that its scope is deduplicated against, as a scope has them.
    """

    shard: Shard
    position: int
    work: str
    grids: tuple[Grid, ...]
    write: bool
    stats: dict[str, Any]
    after: tuple[str, ...] | None = None


def tasks_of(scope: Scope, done: Container[str], configuration: str, rounds: Sequence[Round]) -> list[ShardTask]:
    """The tasks of a scope: all its shards, of which those not done are written; with the source's rounds of dedup."""
    fingerprint = scope.fingerprint
    stats = {"scope": {"name": scope.name, "fingerprint": fingerprint}, "configuration": configuration}
    grids, work = grids_of(scope, rounds), work_folder(fingerprint)
    return [
        ShardTask(shard, position, work, grids, shard.name not in done, stats, scope.after)
        for position, shard in enumerate(scope.shards)
    ]


def grids_of(scope: Scope, rounds: Sequence[Round]) -> tuple[Grid, ...]:
    """How a scope is cut for each round of dedup."""
    size = scope.size + scope.after_bytes
    return tuple(grid_of(len(scope.shards), size, round_.dedup.unit_bytes) for round_ in rounds)


def work_folder(fingerprint: str) -> str:
    """The name below ``_work`` of the folder of the scope with this fingerprint."""
    return fingerprint[:16]


def pack_tasks(tasks: Sequence[ShardTask]) -> list[bytes]:
    """Packs tasks for the graph, a thousand at a time: one by one, those of a crawl make it too large to submit."""
    starts = range(0, len(tasks), TASKS_AT_ONCE)
    return [zlib.compress(pickle.dumps(tasks[start : start + TASKS_AT_ONCE])) for start in starts]


def unpack_tasks(packed: bytes) -> list[ShardTask]:
    """Undoes ``pack_tasks``, for one of its pieces, which this run packed itself."""
    tasks: list[ShardTask] = pickle.loads(zlib.decompress(packed))
    return tasks


@dataclass
class Worker:
    """What the DoFns share.

    Attributes:
        source: The source.
        layout: Where its files lie.
        cache: Where fetched files are cached.
        flags: Beam's flags: local worker processes are not told them, and S3 needs some.
        keeps_readings: Whether what a pass read is kept for the next: all run on this machine, and write to its disk.
    """

    source: Source
    layout: Layout
    cache: Path | None
    flags: tuple[str, ...]
    keeps_readings: bool = False

    def connect(self) -> None:
        """Tells Beam's file systems their options, in a worker process, and spares the process what serves nothing.

        On a job service it signs the list of workers.
        """
        connect(self.flags, self.layout.root)
        make_light()

    def rounds(self) -> list[Round]:
        """The source's rounds of dedup."""
        return rounds_of(self.source)

    def survey(self) -> Survey | None:
        """What the source measures on a whole scope first."""
        return survey_of(self.source)

    def work(self, task: ShardTask, number: int) -> str:
        """The work folder of one round of a task's scope."""
        return self.folder(task.work, number)

    def folder(self, work: str, number: int) -> str:
        """The folder of one round below that of a scope: the scope's own for the last."""
        rounds = self.rounds()
        return work if number == len(rounds) - 1 else join(work, rounds[number].name)

    def goes_on(self, task: ShardTask, number: int) -> bool:
        """Whether a shard is needed behind a round of dedup: what is done is, too, for later rounds and a survey."""
        return task.write or number < len(self.rounds()) - 1 or self.survey() is not None

    def reading(self, task: ShardTask) -> str | None:
        """Where what a pass reads of a task's shard is kept for the next; None where nothing is."""
        again = self.keeps_readings and task.write and (self.rounds() or self.survey() is not None)
        return self.layout.reading(task.work, task.shard.name) if again else None

    def decided(self, task: ShardTask, rounds: int) -> list[Decided]:
        """What the first rounds decided for a task's shard."""
        return [read_decided(self.layout, task.shard, self.work(task, number)) for number in range(rounds)]


@dataclass(frozen=True)
class DedupRound:
    """One round of dedup, as an exchange sees it.

    Attributes:
        worker: What the DoFns share.
        number: The round's number.
    """

    worker: Worker
    number: int

    @property
    def round(self) -> Round:
        """What the source says of it."""
        return self.worker.rounds()[self.number]

    def work(self, task: ShardTask) -> str:
        """The round's work folder for a task's scope."""
        return self.worker.work(task, self.number)

    def grid(self, task: ShardTask) -> Grid:
        """How the task's scope is cut."""
        return task.grids[self.number]

    def seen(self, work: str, after: tuple[str, ...] | None) -> Seen | None:
        """What a scope knows of those before it; None where it neither joins others nor is joined."""
        layout = self.worker.layout
        return None if after is None else Seen(tuple(map(layout.seen, after)), layout.seen_parts(work))
