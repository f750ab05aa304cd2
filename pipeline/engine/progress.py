"""Progress of a run, read off the files that the shards leave: it works with any runner, and after a resume.

On a terminal a live bar; in a log, a line a minute. Both show shards done, documents per second, the kept share and
the time left.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.corpus.ledger import Ledger, total
from pipeline.corpus.shard import TIMING, Layout, Scope
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import join, list_names
from pipeline.storage.listing import files_of_folders

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

POLL_SECONDS = 0.5
POLL_SECONDS_REMOTE = 20.0
LOG_SECONDS = 60.0
PAUSES = 20  # times as long as a look takes: of many thousand shards a look takes a while


@dataclass(slots=True)
class State:
    """How far a run is."""

    hashed: int = 0
    exchanged: int = 0
    surveyed: int = 0
    written: int = 0
    read: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it counts, how many are done of how many (None: not known), and a note on them."""

    name: str
    done: int
    total: int | None
    unit: str = "shards"
    note: str = ""


def time_left(done: int, total: int, elapsed: float) -> str:
    """Says how long the rest takes, judged by what is done, in seconds."""
    return f"{elapsed / done * (total - done):,.0f} s left" if done else "time left unknown"


class Watcher(ABC):
    """Shows how far something is, from a thread of its own; a context manager, and the base of what knows what to show.

    Args:
        console: Where it shows.
        remote: Whether the files looked at are on an object store, which is asked less often.
    """

    def __init__(self, console: Console, remote: bool) -> None:
        self._console = console
        self._poll = POLL_SECONDS_REMOTE if remote else POLL_SECONDS
        self._looked = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
        self._started = time.monotonic()

    @abstractmethod
    def look(self) -> None:
        """Finds out how far it is."""

    @abstractmethod
    def line(self) -> str:
        """One line for a log."""

    @abstractmethod
    def bars(self) -> Sequence[Bar]:
        """The bars for a terminal: always as many."""

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        if self._console.is_terminal:
            self._watch_live()
        else:
            self._watch_log()

    def _pause(self) -> float:
        """How long to wait before the next look, so that looking stays a small part of the work."""
        return max(self._poll, PAUSES * self._looked)

    def _watch_live(self) -> None:
        from rich.progress import (  # noqa: PLC0415 - on terminals alone
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description:>6}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self._console, transient=False) as progress:
            tasks = [progress.add_task(b.name, total=b.total, note="", unit=b.unit) for b in self.bars()]
            while not self._stop.wait(self._pause()):
                self._show(progress, tasks)
            self._show(progress, tasks)

    def _show(self, progress: Progress, tasks: Sequence[TaskID]) -> None:
        started = time.monotonic()
        self.look()
        self._looked = time.monotonic() - started
        for task, bar in zip(tasks, self.bars(), strict=True):
            progress.update(task, completed=bar.done, note=bar.note)

    def _watch_log(self) -> None:
        due = time.monotonic() + LOG_SECONDS
        while not self._stop.wait(self._poll):
            if time.monotonic() >= due:
                due += LOG_SECONDS
                self.look()
                self._console.print(self.line(), highlight=False, soft_wrap=True)


class ProgressReporter(Watcher):
    """Watches the run of a source.

    Args:
        layout: The source's folder.
        scopes: The scopes of the run.
        done: The shards that were done before it.
        console: Where it shows.
        remote: Whether the output is on an object store, which is asked less often.
        hashes: Whether the run has a hashing pass.
        earlier: The names of the rounds of dedup before the last, each with a hashing pass of its own.
        surveyed: Whether the run has a survey.
        exchange: Files, one for each task in which the hashes of large scopes meet, which takes hours for a crawl.
    """

    def __init__(
        self,
        layout: Layout,
        scopes: Sequence[Scope],
        done: set[str],
        console: Console,
        remote: bool,
        hashes: bool,
        earlier: Sequence[str] = (),
        surveyed: bool = False,
        exchange: Iterable[str] = (),
    ) -> None:
        super().__init__(console, remote)
        self._layout = layout
        suffixes = ["", *(f".{name}" for name in earlier)] if hashes else []
        self._to_hash = {f"{s.name}{suffix}" for scope in scopes for s in scope.shards for suffix in suffixes}
        self._to_exchange = set(exchange)
        self._exchanged = set[str]()  # these are gone when their scope is done
        self._to_survey = {s.name for scope in scopes for s in scope.shards} if surveyed else set()
        self._to_write = {s.name for scope in scopes for s in scope.shards} - done
        self._state = State()
        self._passed_before = len(self._passed("hash", self._to_hash)) + len(self._passed("survey", self._to_survey))
        self._counted: set[str] = set()

    def bars(self) -> list[Bar]:
        """The hashing pass, the exchange and the survey, where they are, and the rest."""
        hashing = [Bar("hash", self._state.hashed, len(self._to_hash))] if self._to_hash else []
        survey = [Bar("survey", self._state.surveyed, len(self._to_survey))] if self._to_survey else []
        exchange = [Bar("dedup", self._state.exchanged, len(self._to_exchange), "tasks")] if self._to_exchange else []
        return [
            *hashing,
            *exchange,
            *survey,
            Bar("filter", self._state.written, len(self._to_write), note=self._note()),
        ]

    def line(self) -> str:
        """One line for a log."""
        state, elapsed = self._state, time.monotonic() - self._started
        work = len(self._to_hash) + len(self._to_survey) + len(self._to_write) - self._passed_before
        finished = state.hashed + state.surveyed + state.written - self._passed_before
        left = time_left(finished, work, elapsed)
        hashed = f"hashed {state.hashed}/{len(self._to_hash)}, " if self._to_hash else ""
        hashed += f"dedup {state.exchanged}/{len(self._to_exchange)} tasks, " if self._to_exchange else ""
        hashed += f"surveyed {state.surveyed}/{len(self._to_survey)}, " if self._to_survey else ""
        return f"{hashed}written {state.written}/{len(self._to_write)} shards, {self._note()}, {elapsed:,.0f} s, {left}"

    def _note(self) -> str:
        state, elapsed = self._state, max(time.monotonic() - self._started, 1e-9)
        if not state.read:
            return "reading"
        return f"{state.read / elapsed:,.0f} documents/s, {state.kept / state.read:.1%} kept"

    def look(self) -> None:
        """Counts finished shards, and adds the accounts of the new ones."""
        self._state.hashed = len(self._passed("hash", self._to_hash))
        self._exchanged |= self._to_exchange & files_of_folders(self._to_exchange - self._exchanged)
        self._state.exchanged = len(self._exchanged)
        self._state.surveyed = len(self._passed("survey", self._to_survey))
        written = self._layout.done() & self._to_write
        for shard in sorted(written - self._counted):
            ledger = Ledger()
            ledger.add_json(self._layout.read_stats(shard)["ledger"])
            self._state.read += ledger.step(READ_STEP).entered.documents
            self._state.kept += total(ledger.kept.values()).documents
        self._counted |= written
        self._state.written = len(written)

    def _passed(self, kind: str, wanted: set[str]) -> set[str]:
        """The names, of those wanted, for which a pass before the last has ended."""
        return list_names(join(self._layout.root, TIMING), f".{kind}.json") & wanted if wanted else set()
