"""Progress of a mixture's steps, read off the files that they leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Set

from rich.console import Console

from pipeline.engine.progress import Bar, Watcher, time_left


class FileWatcher(Watcher):
    """Watches files appear.

    Args:
        name: Of the step.
        unit: What the files are.
        wanted: Names of the files to come.
        done: Gives the names of those that are there.
        amount: How much work a file was.
        measure: What ``amount`` counts, and how much of it is one.
        console: Where it shows.
        remote: Whether the files are on an object store.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        wanted: Set[str],
        done: Callable[[], Set[str]],
        amount: Callable[[str], int],
        measure: tuple[str, float],
        console: Console,
        remote: bool,
    ) -> None:
        super().__init__(console, remote)
        self._name, self._unit, self._wanted = name, unit, wanted
        self._done, self._amount, self._measure = done, amount, measure
        self._seen: set[str] = set()
        self._total = 0

    def look(self) -> None:
        """Counts the files, and the work of the new ones."""
        new = (self._done() & self._wanted) - self._seen
        self._total += sum(map(self._amount, new))
        self._seen |= new

    def bars(self) -> list[Bar]:
        """The one bar."""
        return [Bar(self._name, len(self._seen), len(self._wanted), self._unit, self._note())]

    def line(self) -> str:
        """One line for a log."""
        elapsed = time.monotonic() - self._started
        left = time_left(len(self._seen), len(self._wanted), elapsed)
        counts = f"{self._name}: {len(self._seen)}/{len(self._wanted)} {self._unit}"
        return f"{counts}, {self._note()}, {elapsed:,.0f} s, {left}"

    def _note(self) -> str:
        unit, size = self._measure
        rate = self._total / size / max(time.monotonic() - self._started, 1e-9)
        return f"{rate:,.1f} {unit}/s"
