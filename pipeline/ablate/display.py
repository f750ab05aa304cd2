"""What an experiment shows while it runs: the steps at work, several at a time; in a log a line when each ends."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.build.process import last_lines

LOG_SECONDS = 60.0  # between two lines of one step where the screen is no terminal
SHOW_SECONDS = 0.5
SHOWN = 90  # characters of a command's last line


class Display:
    """Shows steps on a console; its methods may be called by several threads."""

    def __init__(self, console: Console) -> None:
        """Takes the console."""
        self._console = console
        self._lock = threading.Lock()
        self._running: dict[str, tuple[float, Path | None]] = {}
        self._told: dict[str, float] = {}
        self._expected, self._ended, self._shown = 0, 0, 0.0
        is_shown = console.is_terminal and not console.quiet
        self._live = Live(console=console, refresh_per_second=4, transient=True) if is_shown else None

    def __enter__(self) -> Display:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def expect(self, steps: int) -> None:
        """Takes how many steps there are."""
        self._expected = steps

    def begin(self, step: str, log: Path | None = None) -> None:
        """A step begins."""
        with self._lock:
            self._running[step] = (time.monotonic(), log)
            self._told[step] = time.monotonic()
            if self._live is None:
                self._print(f"{step} ...")

    def end(self, step: str, told: str) -> None:
        """A step has ended."""
        with self._lock:
            began = self._running.pop(step, None)
            self._ended += 1
            seconds = f"{time.monotonic() - began[0]:,.1f} s" if began else ""
            self._print(f"{step}: {', '.join(filter(None, (seconds, told)))}")
        self.look(at_once=True)

    def passed(self, steps: int = 1) -> None:
        """Steps were done before."""
        with self._lock:
            self._ended += steps

    def say(self, sentence: str) -> None:
        """Tells the user something."""
        with self._lock:
            self._print(sentence)

    def look(self, at_once: bool = False) -> None:
        """Shows how far the steps at work are, by the last lines of their logs."""
        now = time.monotonic()
        with self._lock:
            if self._live is None:
                for step, told in self._told.items():
                    if step in self._running and now - told >= LOG_SECONDS:
                        self._told[step] = now
                        self._print(f"{step}: {_last(self._running[step][1])}")
            elif at_once or now - self._shown >= SHOW_SECONDS:
                self._shown = now
                self._live.update(self._table(now))

    def _table(self, now: float) -> Table:
        table = Table.grid(padding=(0, 1))
        for step, (began, log) in self._running.items():
            table.add_row(Text(f"{step} {now - began:,.0f} s", style="bold"), Text(_last(log)))
        table.add_row(Text(f"{self._ended} of {max(self._expected, self._ended)} steps"), Text(""))
        return table

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _last(log: Path | None) -> str:
    return "".join(last_lines(log, 1))[:SHOWN] if log else ""
