"""How far a training is: a live bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_LINES = 60.0


class Stage:
    """One stage of a command; a context manager."""

    def __init__(self, console: Console, name: str, total: int) -> None:
        """Makes a stage.

        Args:
            console: Where it is shown.
            name: What is done.
            total: How much there is to do.
        """
        self._console, self._name, self._total = console, name, max(total, 1)
        self._done, self._told = 0, time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Stage:
        if self._console.is_terminal and not self._console.quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.start()
            self._bar.add_task(self._name, total=self._total)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._bar:
            self._bar.stop()
        if kind is None:
            self._console.print(f"{self._name}: done", markup=False)

    def reach(self, done: int) -> None:
        """Tells how much is done."""
        self._done = min(done, self._total)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=self._done)
        elif time.monotonic() - self._told >= SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self._console.print(f"{self._name}: {self._done / self._total:.0%}", markup=False)

    def advance(self, more: int) -> None:
        """Tells how much more is done."""
        self.reach(self._done + more)
