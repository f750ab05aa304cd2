"""The folder of a build: what lies where, the records of its stages, and what a changed recipe moved aside.

Layout::

    corpus/ models/ tokens/ shards/ report/ run/    what the stages write, each command with its own records and resume
    raw/                                    fetched files: a cache, as --cache of the sources
    _build/build.json                       what it is to make, for status
    _build/stages/<stage>.json              what a stage was made of, and how it ended
    _build/units/<source>.jsonl             the raw data that its publisher has, in the order in which they are taken
    _build/logs/<stage>.log                 what its commands printed
    _build/aside/<stage>-<identity>/        what an earlier recipe made, and its record; it comes back with that recipe
    _build/build.log                        what the build did, one line each
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from pipeline.build.units import Unit, from_lines, to_lines
from pipeline.corpus.shard import read_json, write_json
from pipeline.errors import InputError, OutputError
from pipeline.recipe import fingerprint
from pipeline.storage.filesystem import atomic_output
from pipeline.storage.locks import hold, release
from pipeline.storage.ownership import claim_folder

COMMAND = "pipeline.build"
BUILD = "_build"
LOCK, COMMANDS_LOCK = ".lock", ".commands.lock"
FORMAT = 1
NAME_CHARACTERS = 12  # of an identity, in the name of what was moved aside

DONE, FAILED, RUNNING, WITHOUT, CHANGED = "done", "failed", "running", "without", "changed"


@dataclass
class Record:
    """What is known of a stage.

    Attributes:
        identity: All that decides what it makes, but for the units of a source that grows.
        status: ``done``, ``failed``, ``running`` (when a build was killed, too), ``without``: it could not be made, and
            the recipe goes on without; or ``changed``: what it follows was made anew since.
        units: Of a source: the units that were made, in their order.
        passed_over: Units that could not be had, each with the reason.
        raw_bytes: Bytes of the units that were made.
        raw_files: How many files they were.
        share: The share of what they hold that was taken, where the source takes one.
        seconds: Of all its commands.
        message: How it failed, or why the recipe goes on without.
        result: What it printed for the stages that follow.
    """

    identity: Mapping[str, Any]
    status: str = RUNNING
    units: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)
    raw_bytes: float = 0.0
    raw_files: int = 0
    share: float = 1.0
    seconds: float = 0.0
    message: str = ""
    result: Any = None
    format: int = FORMAT

    @property
    def fingerprint(self) -> str:
        """Of the identity."""
        return fingerprint(self.identity)

    @property
    def position(self) -> int:
        """How many units of the order are dealt with."""
        return len(self.units) + len(self.passed_over)


class Work:
    """The folder of a build."""

    def __init__(self, root: str) -> None:
        """Takes a folder, which need not be there."""
        self.root = Path(root)

    def path(self, *names: str) -> Path:
        """A path below it."""
        return self.root.joinpath(*names)

    def log(self, stage: str) -> Path:
        """The log of a stage."""
        return self.path(BUILD, "logs", f"{stage}.log")

    @property
    def raw(self) -> Path:
        """The cache of raw files."""
        return self.path("raw")

    @contextlib.contextmanager
    def held(self, waits: Callable[[], object] = lambda: None) -> Iterator[int]:
        """Makes the folder, and keeps other builds out of it.

        Args:
            waits: Called where a command must end first that a killed build left behind.

        Yields:
            The descriptor of a lock that commands are to inherit: it is held till the last of them has ended.

        Raises:
            OutputError: It is another's, cannot be written, or another build is at work in it.
        """
        claim_folder(str(self.root), COMMAND)
        with contextlib.ExitStack() as stack:
            try:
                self.path(BUILD, "logs").mkdir(parents=True, exist_ok=True)
                lock, commands = (
                    stack.enter_context(self.path(BUILD, name).open("a+b")) for name in (LOCK, COMMANDS_LOCK)
                )
            except OSError as error:
                raise OutputError(f"cannot write to {self.root}: {error.strerror}. Choose another --output.") from error
            if not hold(lock):
                raise OutputError(
                    f"another build is at work in {self.root}: python -m pipeline.build status {self.root} shows it"
                )
            stack.callback(release, lock)
            if not hold(commands):
                waits()
                hold(commands, wait=True)
            yield commands.fileno()

    def is_held(self) -> bool:
        """Whether a build is at work in it."""
        try:
            with self.path(BUILD, LOCK).open("rb") as lock:
                return not hold(lock, shared=True)
        except OSError:
            return False

    def record(self, stage: str) -> Record | None:
        """The record of a stage; None where it was never begun.

        Raises:
            OutputError: It is another version's, or damaged.
        """
        path = self.path(BUILD, "stages", f"{stage}.json")
        if not path.exists():
            return None
        try:
            return Record(**read_json(str(path)))
        except TypeError as error:
            raise OutputError(f"{path} is of another version ({error}). Choose another --output.") from error

    def records(self) -> list[str]:
        """The stages that have a record."""
        return sorted(path.stem for path in self.path(BUILD, "stages").glob("*.json"))

    def write(self, stage: str, record: Record) -> None:
        """Writes the record of a stage."""
        write_json(str(self.path(BUILD, "stages", f"{stage}.json")), asdict(record))

    def describe(self, about: Mapping[str, Any]) -> None:
        """Keeps what the build is to make, for ``status``."""
        write_json(str(self.path(BUILD, "build.json")), about)

    def has_build(self) -> bool:
        """Whether a build was begun in it."""
        return self.path(BUILD, "build.json").exists()

    def description(self) -> dict[str, Any]:
        """What ``describe`` kept.

        Raises:
            InputError: There is no build in the folder.
        """
        path = self.path(BUILD, "build.json")
        if not self.has_build():
            raise InputError(
                f"there is no build in {self.root}: python -m pipeline.build --output {self.root} makes one"
            )
        return read_json(str(path))

    def forget(self, stage: str) -> None:
        """Removes the record of a stage that leaves nothing but what is written over."""
        self.path(BUILD, "stages", f"{stage}.json").unlink(missing_ok=True)

    def removals(self) -> Path | None:
        """The log of a list of removals that was applied to what is there, or was set aside; None for none."""
        logs = ("corpus/*", "shards", f"{BUILD}/aside/*/corpus/*", f"{BUILD}/aside/*/shards")
        return next((log for folder in logs for log in sorted(self.root.glob(f"{folder}/_optout/log.jsonl"))), None)

    def note(self, line: str) -> None:
        """Adds a line to the log of the build."""
        with self.path(BUILD, "build.log").open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")

    def units(self, source: str, raw: Mapping[str, Any], seed: int) -> list[Unit] | None:
        """The units of a source as they were listed; None where they were not, or for other raw data."""
        path, about = self._units(source), {"raw": raw, "seed": seed}
        if not path.exists() or read_json(str(path.with_suffix(".json"))) != about:
            return None
        return from_lines(path.read_text(encoding="utf-8"), str(path))

    def write_units(self, source: str, raw: Mapping[str, Any], seed: int, units: list[Unit]) -> None:
        """Keeps the units of a source: its slices are cut from this list for good."""
        path = self._units(source)
        with atomic_output(str(path)) as output:
            output.write(to_lines(units).encode())
        write_json(str(path.with_suffix(".json")), {"raw": raw, "seed": seed})

    def _units(self, source: str) -> Path:
        return self.path(BUILD, "units", f"{source}.jsonl")

    def set_aside(self, stage: str, outputs: tuple[str, ...]) -> Path | None:
        """Moves what a stage made, and its record, to where it can come back from; nothing is deleted.

        Returns:
            Where it lies now; None where there was nothing.
        """
        record = self.record(stage)
        if record is None:
            return None
        places = self._aside(stage, record.fingerprint)
        place = next(place for place in places if not place.exists())
        _move(self.root, place, (*outputs, f"{BUILD}/stages/{stage}.json"))
        return place

    def bring_back(self, stage: str, identity: Mapping[str, Any], outputs: tuple[str, ...]) -> bool:
        """Moves back what an earlier recipe made, if it was of the same identity; says whether it did."""
        there = list(takewhile(Path.exists, self._aside(stage, fingerprint(identity))))
        if not there or self.record(stage) is not None:
            return False
        place = there[-1]  # the last, which has most units
        _move(place, self.root, (*outputs, f"{BUILD}/stages/{stage}.json"))
        for folder, _, _ in os.walk(place, topdown=False):
            with contextlib.suppress(OSError):  # somebody put something there
                os.rmdir(folder)
        return True

    def _aside(self, stage: str, identity: str) -> Iterator[Path]:
        """Where what is of one identity is moved to, the first time, the second, and so on."""
        place = self.path(BUILD, "aside", f"{stage}-{identity[:NAME_CHARACTERS]}")
        return (place.with_name(f"{place.name}.{number}") for number in count(1))


def _move(source: Path, target: Path, names: tuple[str, ...]) -> None:
    """Moves files and folders below one folder to another, the last name last; what is not there is no error."""
    for name in names:
        if (source / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.rename(source / name, target / name)
