"""The folder of an experiment: what lies where, what it is to be, and which steps are done.

Layout::

    heldout/build/                      the baseline before anything is held out, as pipeline.build makes it
    heldout/documents.parquet           what arms are judged on; optout.tsv keeps it out of all of them
    arms/<arm>/                         a folder of pipeline.build: corpus/, models/, tokens/; what is shared are links
    arms/<arm>/seed-<n>/                shards/, run/ (a run of the trainer), scores.csv (each held-out document)
    results.json results.csv documents.csv tasks.csv index.html     what came out
    raw/                                fetched files, for all arms
    _ablation/                          experiment.json, steps/ (what is done), logs/
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.ablate.recipe import BASELINE
from pipeline.corpus.shard import read_json, write_json
from pipeline.errors import OutputError
from pipeline.recipe import difference
from pipeline.storage.locks import hold
from pipeline.storage.ownership import claim_folder

COMMAND = "pipeline.ablate"
OWN = "_ablation"
LOCK, COMMANDS_LOCK = ".lock", ".commands.lock"
FORMAT = 1


class Folder:
    """The folder of an experiment."""

    def __init__(self, root: str) -> None:
        """Takes a folder, which need not be there."""
        self.root = Path(root)

    @property
    def heldout(self) -> Path:
        """The folder of the held-out documents."""
        return self.root / "heldout"

    @property
    def documents(self) -> Path:
        """The held-out documents."""
        return self.heldout / "documents.parquet"

    @property
    def optout(self) -> Path:
        """The list that keeps them out."""
        return self.heldout / "optout.tsv"

    def arm(self, name: str) -> Path:
        """The folder of an arm."""
        return self.root / "arms" / name

    @property
    def baseline(self) -> Path:
        """The baseline's folder."""
        return self.arm(BASELINE)

    def seed(self, arm: str, seed: int) -> Path:
        """The folder of a run and its shards."""
        return self.arm(arm) / f"seed-{seed}"

    def log(self, step: str) -> Path:
        """The log of a step."""
        return self.root / OWN / "logs" / f"{step.replace('/', '.')}.log"

    @contextlib.contextmanager
    def held(self, waits: Callable[[], object] = lambda: None) -> Iterator[int]:
        """Makes the folder, and keeps others out of it.

        Args:
            waits: Called where a command must end first that a killed one left behind.

        Yields:
            The descriptor of a lock that commands are to inherit.

        Raises:
            OutputError: It is another's, cannot be written, or another process is at work in it.
        """
        claim_folder(str(self.root), COMMAND)
        with contextlib.ExitStack() as stack:
            try:
                for name in ("logs", "steps"):
                    (self.root / OWN / name).mkdir(parents=True, exist_ok=True)
                (self.root / "raw").mkdir(exist_ok=True)
                lock, commands = (
                    stack.enter_context((self.root / OWN / name).open("a+b")) for name in (LOCK, COMMANDS_LOCK)
                )
            except OSError as error:
                raise OutputError(f"cannot write to {self.root}: {error.strerror}. Choose another --output.") from error
            if not hold(lock):
                raise OutputError(f"another experiment is at work in {self.root}")
            if not hold(commands):
                waits()
                hold(commands, wait=True)
            yield commands.fileno()

    def settle(self, experiment: Mapping[str, Any], arms: Mapping[str, Any]) -> None:
        """Keeps what the experiment is, and refuses another one; arms and seeds may be added.

        Raises:
            OutputError: The folder holds another experiment, or an arm of a name that has other overrides.
        """
        path = self.root / OWN / "experiment.json"
        known: dict[str, Any] = read_json(str(path)) if path.exists() else {"arms": {}}
        lines = difference(known["experiment"], dict(experiment)) if path.exists() else []
        if lines:
            raise OutputError(
                f"{self.root} holds another experiment ({'; '.join(lines[:3])}). Choose another --output, or "
                "make it what it was."
            )
        for name, recipe in arms.items():
            is_made = self.record(f"{name}/corpus") is not None  # one that failed may be mended
            if is_made and known["arms"].get(name, recipe) != recipe:
                raise OutputError(
                    f"{self.root} has another arm {name} ({'; '.join(difference(known['arms'][name], recipe)[:3])}). "
                    "Give this one another name."
                )
        about = {"format": FORMAT, "experiment": dict(experiment), "arms": {**known["arms"], **arms}}
        if about != known:
            write_json(str(path), about)

    def record(self, step: str) -> dict[str, Any] | None:
        """What is kept of a step that is done; None of another."""
        path = self._step(step)
        return read_json(str(path)) if path.exists() else None

    def done(self, step: str, about: Mapping[str, Any]) -> None:
        """Keeps that a step is done, and of what."""
        write_json(str(self._step(step)), dict(about))

    def forget(self, step: str) -> None:
        """Takes back that a step is done: what it made is lost, and made again."""
        self._step(step).unlink(missing_ok=True)

    def _step(self, step: str) -> Path:
        return self.root / OWN / "steps" / f"{step.replace('/', '.')}.json"
