"""What is done of a build, what runs, what failed, what is left; and which stages a changed recipe touches."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.build.calls import BuildOptions
from pipeline.build.process import last_lines
from pipeline.build.run import identity_of, until
from pipeline.build.stages import Stage, stages_of
from pipeline.build.told import told
from pipeline.build.work import CHANGED, DONE, FAILED, RUNNING, WITHOUT, Work
from pipeline.recipe import difference
from pipeline.terminal import print_whole

STYLES = {DONE: "green", FAILED: "red", RUNNING: "cyan", WITHOUT: "yellow"}
LEAST_LEFT = 60.0  # seconds: less is not worth to be told, as estimates go
TO_DO, STOPPED = "to do", "stopped"


@dataclass(frozen=True)
class StageStatus:
    """The state of a stage.

    Attributes:
        stage: Its name.
        status: ``done``, ``running``, ``stopped`` (it is begun, and no build is at work), ``failed``, ``without``,
            ``changed`` (what it follows was made anew since), or ``to do``.
        seconds: What it took so far.
        made: What it holds, in a few words.
        seconds_left: An estimate for what is left of it; None where there is none.
        said: Of one that runs or failed: what it said last.
    """

    stage: str
    status: str
    seconds: float
    made: str
    seconds_left: float | None
    said: str


def statuses(work: Work, stages: Sequence[str] | None = None) -> list[StageStatus]:
    """The state of some stages; of all where None.

    Raises:
        InputError: There is no build in the folder.
    """
    about, is_held = work.description(), work.is_held()
    names = about["stages"] if stages is None else stages
    return [_status_of(work, name, about["sources"].get(name), is_held) for name in names]


def _status_of(work: Work, name: str, source: dict[str, Any] | None, is_held: bool) -> StageStatus:
    record = work.record(name)
    if record is None:
        return StageStatus(name, TO_DO, 0.0, "", _estimated(source, 0.0), "")
    status = STOPPED if record.status == RUNNING and not is_held else record.status
    said = record.message
    if record.status == RUNNING and is_held:
        said = "".join(last_lines(work.log(name), 1))
    left = _estimated(source, record.seconds) if record.status != DONE else None
    return StageStatus(name, status, record.seconds, told(work, name, record), left, said)


def _estimated(source: dict[str, Any] | None, spent: float) -> float | None:
    hours = (source or {}).get("estimated_core_hours")
    return None if hours is None else max(0.0, hours * 3600 / (os.cpu_count() or 1) - spent)


def print_status(work: Work, console: Console, *, stages: Sequence[str] | None = None, as_json: bool = False) -> int:
    """Prints the state of a build, or of some of its stages; gives 0 where all is done, else 1."""
    found = statuses(work, stages)
    status = 0 if all(entry.status in (DONE, WITHOUT) for entry in found) else 1
    if as_json:
        about = work.description()
        listed = [vars(entry) for entry in found]
        sys.stdout.write(json.dumps({**about, "runs": work.is_held(), "stages": listed}, indent=1) + "\n")
        return status
    about = work.description()
    title = Text(f"{work.root}: {about['recipe']}, {about['tokens']} tokens")
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    for heading in ("stage", "state", "seconds", "made", "left"):
        table.add_column(heading, justify="right" if heading in ("seconds", "left") else "left", no_wrap=True)
    for entry in found:
        seconds = f"{entry.seconds:,.1f}" if entry.seconds else ""
        left = "" if entry.seconds_left is None or entry.seconds_left < LEAST_LEFT else f"{_time(entry.seconds_left)}"
        table.add_row(entry.stage, Text(entry.status, style=STYLES.get(entry.status, "")), seconds, entry.made, left)
    print_whole(console, table)
    if unread := [entry.stage for entry in found if " failed" in entry.made]:
        logs = ", ".join(str(work.log(stage)) for stage in unread)
        console.print(f"failed records are named in {logs}", markup=False, soft_wrap=True)
    for entry in found:
        if entry.said:
            console.print(f"{entry.stage}: {entry.said}", markup=False, soft_wrap=True)
    return status


def _time(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours:,}h{rest // 60:02d}m" if hours else f"{rest // 60}m{rest % 60:02d}s"


def differences(work: Work, options: BuildOptions, console: Console) -> int:
    """Prints which stages of a build a recipe makes anew, and by which key; gives 0 where none, else 1.

    A stage that follows one of them is made anew, too, but for what is settled where the other only grows.
    """
    work.description()
    stages = until(stages_of(options.recipe, options.tokens), options.until)
    touched = changes(work, stages)
    for name, lines in touched.items():
        console.print(f"{name}: {'made anew' if lines else 'new'}", markup=False, soft_wrap=True)
        for line in lines:
            console.print(f"  {line}", markup=False, soft_wrap=True)
    everything = {stage.name for stage in stages_of(options.recipe, options.tokens)}
    gone = [name for name in work.records() if name not in everything and work.path("corpus", name).is_dir()]
    for name in gone:
        console.print(f"{name}: left out, and moved aside", markup=False, soft_wrap=True)
    kept = [stage.name for stage in stages if stage.name not in touched]
    if kept:
        adds = options.tokens != work.description()["tokens"] and any(stage.is_source for stage in stages)
        more = ", but for what the other budget adds to the sources, and what follows them" if adds else ""
        console.print(f"as it is{more}: {', '.join(kept)}", markup=False, soft_wrap=True)
    return 1 if touched or gone else 0


def changes(work: Work, stages: Sequence[Stage]) -> dict[str, list[str]]:
    """The stages that would be made, each with why it is made anew; nothing for those that are new."""
    touched: dict[str, list[str]] = {}
    for stage in stages:
        record = work.record(stage.name)
        if record is None:
            touched[stage.name] = []
            continue
        lines = difference(record.identity, identity_of(stage, work))
        above = [name for name in stage.follows if name in touched]
        own = [line for line in lines if not line.startswith("from.")]
        if lines or above or record.status == CHANGED:
            touched[stage.name] = own or [f"follows {', '.join(above or stage.follows)}"]
    return touched
