"""What a build shows while it runs: on a terminal the stages with the one at work, in a log a line at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.build.process import last_lines

LOG_SECONDS = 60.0  # between two lines of one stage where the screen is no terminal
SHOW_SECONDS = 0.5
SHOWN = 100  # characters of a command's last line


class Display:
    """Shows the progress of a build on a console."""

    def __init__(self, console: Console) -> None:
        """Takes the console."""
        self._console = console
        self._left: list[str] = []
        self._ended = 0
        self._now: str | None = None
        self._log: Path | None = None
        self._began = self._shown = self._told = time.monotonic()
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

    def expect(self, stages: Sequence[str]) -> None:
        """Takes the stages in their order."""
        self._left = list(stages)

    def begin(self, stage: str, log: Path, doing: str = "...") -> None:
        """A command of a stage begins; ``doing`` says what it does, where it does not make the stage."""
        if f"{stage} {doing}" != self._now:
            self._now, self._began = f"{stage} {doing}", time.monotonic()
            self._told = self._began
            self._print(self._now, only_log=True)
        self._log = log
        self._show("")

    def look(self) -> None:
        """Shows how far the command at work is, by the last line of its log."""
        now = time.monotonic()
        if self._live is None and now - self._told < LOG_SECONDS:
            return
        if self._live is not None and now - self._shown < SHOW_SECONDS:
            return
        self._shown = now
        line = "".join(last_lines(self._log, 1)) if self._log else ""
        self._show(line[:SHOWN])
        if now - self._told >= LOG_SECONDS:
            self._told = now
            self._print(f"{self._now} {line[:SHOWN]}", only_log=True)

    def fetches(self, stage: str, coming: int) -> None:
        """A stage waits for raw files."""
        now = time.monotonic()
        if now - self._shown >= SHOW_SECONDS:
            self._shown, self._now = now, f"{stage} ..."
            self._show(f"fetches raw files: {coming:,} to come")
        if now - self._told >= LOG_SECONDS:
            self._told = now
            self._print(f"{stage}: fetches raw files, {coming:,} to come", only_log=True)

    def done(self, stage: str, seconds: float, made: bool, told: str) -> None:
        """A stage is done; ``made`` says whether just now."""
        how = f"{seconds:,.1f} s" if made else "done before"
        self._end(stage, f"{how}{f', {told}' if told else ''}")

    def failed(self, stage: str, seconds: float, message: str) -> None:
        """A stage failed."""
        self._end(stage, f"failed after {seconds:,.1f} s: {message}")

    def waits(self, stage: str, lacking: str) -> None:
        """A stage cannot begin."""
        self._end(stage, f"waits for {lacking}")

    def say(self, sentence: str) -> None:
        """Tells the user something."""
        self._print(sentence)

    def _end(self, stage: str, told: str) -> None:
        if stage in self._left:
            self._left.remove(stage)
            self._ended += 1
        self._now = None
        self._print(f"{stage}: {told}")
        self._show("")

    def _print(self, line: str, only_log: bool = False) -> None:
        if not (only_log and self._live is not None):
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _show(self, line: str) -> None:
        if self._live is None:
            return
        table = Table.grid(padding=(0, 1))
        if self._now:
            seconds = time.monotonic() - self._began
            table.add_row(Text(f"{self._now} {seconds:,.0f} s", style="bold"), Text(line))
        following = ", ".join(name for name in self._left if name != (self._now or "").partition(" ")[0])
        table.add_row(
            Text(f"{self._ended} of {self._ended + len(self._left)} stages"), Text(f"next: {following}"[:SHOWN])
        )
        self._live.update(table)
