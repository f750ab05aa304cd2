"""What every stage needs to run: its commands with their log, raw files that come ahead, and an eye on the disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.fetching import Fetcher
from pipeline.build.need import Need
from pipeline.build.process import StoppedError, last_lines, run_command
from pipeline.build.progress import Display
from pipeline.build.recipe import BuildRecipe
from pipeline.build.stages import CUTOFFS_STAGE, OPTOUT, WORK, Command, Stage
from pipeline.build.units import Unit
from pipeline.build.work import Work
from pipeline.errors import InputError
from pipeline.storage.filesystem import write_bytes
from pipeline.storage.s3 import REQUESTER_PAYS

LOG_LINES = 3  # of a failed command's log, in which its error is looked for
MOST_WORDS = 100  # raw files on a command line
DISK_SECONDS = 2.0  # between two looks at the disk


@dataclass(frozen=True)
class BuildOptions:
    """A build to make.

    Attributes:
        recipe: What to make.
        tokens: The budget, as ``pipeline.mix --tokens`` takes it.
        needs: What the mixture needs of each source; empty for all there is.
        flags: Beam's, for every stage that takes them.
        until: The last stage; all where None.
        keep_raw: Whether fetched files stay that are not read again.
        retry_failed: Whether the sources make again what could not be read.
    """

    recipe: BuildRecipe
    tokens: str
    needs: Mapping[str, Need]
    flags: tuple[str, ...] = ()
    until: str | None = None
    keep_raw: bool = False
    retry_failed: bool = False


class CommandError(InputError):
    """A command failed.

    Attributes:
        status: Its exit status; 2 where its command line is wrong, and nothing but another recipe mends it.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Calls:
    """Runs commands for the stages of one build."""

    def __init__(self, work: Work, options: BuildOptions, display: Display, lock: int) -> None:
        """Takes the folder, what to make, where progress shows, and the lock that commands inherit."""
        self.work = work
        self._lock = lock
        self.options = options
        self.display = display
        self.fetcher = Fetcher(work.raw)
        self._looked = 0.0

    def call(self, stage: Stage, command: Command, words: Sequence[str], doing: str = "...") -> None:
        """Runs a command of a stage; ``doing`` is shown of it.

        Raises:
            CommandError: It failed; the message has what it said last, and where its log is.
            StoppedError: The disk is all but full.
        """
        root, log = str(self.work.root), self.work.log(stage.name)
        filled = [*(word.replace(WORK, root) for word in words), *self._without_removals(stage)]
        if command.beam:
            filled += self.options.flags
        line = f"python -m {command.module} {' '.join(filled)}"
        self.work.note(f"{stage.name}: {line}")
        with log.open("a", encoding="utf-8", errors="backslashreplace") as handle:
            handle.write(f"$ {line}\n")
        self.display.begin(stage.name, log, doing)
        output = Path(command.output.replace(WORK, root)) if command.output else None

        def watch() -> str | None:
            self.display.look()
            return self.watch()

        pays = stage.source is not None and stage.source.raw.get("requester_pays") is True
        environment = {REQUESTER_PAYS: "1"} if pays else None
        if status := run_command(command.module, filled, log, output, watch, environment, [self._lock]):
            lines = last_lines(log, LOG_LINES)
            told = next((line for line in reversed(lines) if line.startswith("error:")), lines[-1] if lines else "")
            message = f"{told.removeprefix('error:').strip()} (status {status}; {log} has all that it said)"
            raise CommandError(message, status)

    def _without_removals(self, stage: Stage) -> list[str]:
        """What has a source leave out what a list of removals names.

        Raises:
            InputError: One was applied to the build, and none is given.
        """
        if not (stage.is_source or stage.name == CUTOFFS_STAGE):
            return []
        self.check_removals()
        optout = self.options.recipe.optout
        return [] if optout is None else ["--set", f"{OPTOUT}={optout}"]

    def check_removals(self) -> None:
        """Refuses to make or bring back anything without a list of removals where one was applied.

        Raises:
            InputError: It is so.
        """
        if self.options.recipe.optout is None and (log := self.work.removals()) is not None:
            raise InputError(
                f"a list of removals was applied to what this build made ({log}), and what is made now, or comes back, "
                "would not leave out what it names. Give it: --set optout=LIST, or optout: LIST in the recipe"
            )

    def waiting(self, stage: Stage) -> Callable[[], str | None]:
        """What is called while a stage waits for raw files: ``watch``, and progress shows."""

        def watch() -> str | None:
            self.display.fetches(stage.name, self.fetcher.coming)
            return self.watch()

        return watch

    def watch(self) -> str | None:
        """Why the build must end: the disk is all but full; None where it need not."""
        if time.monotonic() - self._looked < DISK_SECONDS:
            return None
        self._looked = time.monotonic()
        least, free = self.options.recipe.min_free_gigabytes, self._free() / 1e9
        if free >= least:
            return None
        return (
            f"the disk of {self.work.root} has only {free:.1f} GB left, and min_free_gigabytes is {least:g}. Make "
            "room, then the same command goes on."
        )

    def guard(self, stage: Stage, units: int, room: float) -> None:
        """Refuses to begin what would fill the disk.

        Args:
            stage: Of a source.
            units: How many units are to be made.
            room: Bytes that they take meanwhile.

        Raises:
            StoppedError: It would; says how much room is needed.
        """
        needed, least, free = room / 1e9, self.options.recipe.min_free_gigabytes, self._free() / 1e9
        if free < needed + least:
            raise StoppedError(
                f"{stage.name} needs about {needed:.1f} GB for its next {units:,} units, and {least:g} GB must stay "
                f"free (min_free_gigabytes); the disk of {self.work.root} has {free:.1f} GB. Make "
                f"{needed + least - free:.1f} GB of room, then the same command goes on."
            )

    def inputs(self, stage: Stage, units: Sequence[Unit]) -> list[str]:
        """What a command is given for raw data: its files, or the name of a list of them where they are many."""
        paths = [path for unit in units for path in unit.inputs]
        if len(paths) <= MOST_WORDS:
            return paths
        path = self.work.path("_build", "inputs", f"{stage.name}.txt")
        write_bytes(str(path), "".join(f"{line}\n" for line in paths).encode("utf-8", "surrogateescape"))
        return [f"@{path}"]

    def _free(self) -> int:
        return shutil.disk_usage(self.work.root).free
