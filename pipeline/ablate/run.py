"""Runs an experiment: what is held out, the baseline, the arms, their runs, their scores; several at a time."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pipeline.ablate.arms import ENCODE, Arm, Length, batch_tokens, judged_sources, length_of, own_lists, plain_recipe
from pipeline.ablate.display import Display
from pipeline.ablate.folder import Folder
from pipeline.ablate.heldout import (
    check_absent,
    choose,
    counts,
    too_few,
    write_heldout,
)
from pipeline.ablate.kept import compare
from pipeline.ablate.recipe import BASELINE, CORPORA, SHARDS, AblationRecipe
from pipeline.ablate.sharing import RAW, describe, link, set_aside, share, write_recipe
from pipeline.ablate.tasks import flags_of
from pipeline.build.process import StoppedError, last_lines, run_command
from pipeline.build.recipe import BuildRecipe
from pipeline.build.sources import WHOLE
from pipeline.build.stages import WORK, stages_of
from pipeline.build.work import FAILED, Work
from pipeline.corpus.shard import write_json
from pipeline.errors import InputError, UserError
from pipeline.mix.recipe import load_mixture, parse_tokens

DEVICES = "CUDA_VISIBLE_DEVICES"
DISK_SECONDS = 2.0  # between two looks at the disk
LOG_LINES = 3
SPARE = 100  # checkpoints beyond those that are scored: one that is stopped writes one, too
RUN, SCORES, KEPT, OVERLAP = "run", "scores.csv", "kept.json", "overlap"


@dataclass
class Outcome:
    """What a run of an experiment did.

    Attributes:
        made: Steps that were made.
        failed: Arms that failed, each with why.
        notes: Sentences for the reader.
    """

    made: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Experiment:
    """One run of an experiment, in a folder that is held."""

    def __init__(
        self,
        experiment: AblationRecipe,
        arms: Sequence[Arm],
        folder: Folder,
        display: Display,
        lock: int,
        jobs: int = 1,
        flags: Sequence[str] = (),
    ) -> None:
        """Takes what to make, where, and how many commands run at a time.

        Args:
            experiment: The experiment.
            arms: Its arms, the baseline first.
            folder: The folder.
            display: Where progress shows.
            lock: The lock that commands inherit.
            jobs: Arms, or runs, that are made at a time.
            flags: Beam's.
        """
        self.experiment, self.arms, self.folder = experiment, list(arms), folder
        self._display, self._lock, self._jobs, self._flags = display, lock, jobs, list(flags)
        self._stop = threading.Event()
        self._guard = threading.Lock()
        self._devices = _devices(jobs)
        self._looked, self._full = 0.0, ""
        self.outcome = Outcome()

    def run(self, until: str | None = None) -> Length:
        """Makes what is missing, up to the scores of every run.

        Args:
            until: ``corpora`` or ``shards``, where it ends then; None for all.

        Raises:
            UserError: What all arms need cannot be made.
            StoppedError: The disk is all but full.
        """
        self._display.expect(self._expected())
        self._hold_out()
        self._make_arm(self.arms[0])
        self._each([(arm, partial(self._make_arm, arm)) for arm in self.arms[1:]])
        length = self._length()
        if until == CORPORA:
            return length
        runs = [(arm, seed) for seed in range(self.experiment.seeds) for arm in self.arms]
        own = [(arm, seed) for arm, seed in runs if not arm.shares_data]
        self._each([(arm, partial(self._mix, arm, seed, length)) for arm, seed in own])
        if until == SHARDS:
            return length
        self._each([(arm, partial(self._train, arm, seed, length)) for arm, seed in runs])
        self._score(runs, length)
        return length

    def _expected(self) -> int:
        arms, seeds = len(self.arms), self.experiment.seeds
        mixed = sum(not arm.shares_data for arm in self.arms)
        return 2 + arms + seeds * (mixed + arms) + min(self._jobs, arms * seeds)

    # what is held out

    def _hold_out(self) -> None:
        if self.folder.record("heldout") and self.folder.documents.exists():
            self._display.passed()
            return
        recipe = plain_recipe(self.experiment)
        build, log = self.folder.heldout / "build", self.folder.log("heldout")
        self.folder.forget("heldout")
        self._display.begin("heldout", log)
        path = self._prepare(build, recipe)
        last = [stage.name for stage in stages_of(recipe, self._budget) if stage.is_source][-1]
        self._call("heldout", log, "pipeline.build", [*self._build_words(path, build), "--until", last], beam=True)
        describe(build, build, last)
        mixture = load_mixture(recipe.mixture.proportions, recipe.mixture.set)
        wanted = judged_sources(self.experiment, recipe)
        rows = choose(str(build / "corpus"), mixture, wanted, self.experiment.heldout)
        write_heldout(self.folder.heldout, rows, own_lists(recipe))
        self.folder.done("heldout", {"documents": len(rows), "left_out": too_few(wanted, rows)})
        self._display.end("heldout", f"{len(rows):,} documents")
        self.outcome.made += 1

    @property
    def _budget(self) -> str:
        """The budget, as ``pipeline.build`` takes it: where all raw data are taken whole, none is cut by it."""
        is_whole = all(source.raw.get(WHOLE) for arm in self.arms for source in arm.recipe.sources.values())
        return "auto" if is_whole else self.experiment.tokens

    def _prepare(self, folder: Path, recipe: BuildRecipe) -> Path:
        """Makes the folder of a build, with its recipe; gives the recipe's path."""
        with Work(str(folder)).held():
            link(folder / RAW, self.folder.root / "raw")
        return write_recipe(folder, recipe)

    def _build_words(self, recipe: Path, folder: Path) -> list[str]:
        return [str(recipe), "--tokens", self._budget, "--output", str(folder), "--keep-raw", "--quiet"]

    # arms

    def _make_arm(self, arm: Arm) -> None:
        """Makes the corpus and the tokens of an arm, and looks through them for what is held out."""
        folder = self.folder.arm(arm.name)
        if self.folder.record(f"{arm.name}/corpus") and (folder / "corpus").exists():
            self._display.passed()
            return
        step, log = f"{arm.name}: corpus", self.folder.log(f"{arm.name}/corpus")
        self.folder.forget(f"{arm.name}/corpus")
        self._display.begin(step, log)
        if arm.name != BASELINE:
            share(arm, self.arms[0], folder, self.folder.baseline)
        if arm.damage is not None:
            self._damage(arm, step, log)
        if arm.touched:
            path = self._prepare(folder, arm.recipe)
            self._call(step, log, "pipeline.build", [*self._build_words(path, folder), "--until", ENCODE], beam=True)
        describe(folder, self.folder.baseline, ENCODE)
        sources = [] if arm.shares_data else arm.sources
        for report in sorted((folder / OVERLAP).glob("*")):
            if report.name not in sources:  # of what the arm was before it was mended
                set_aside(folder, f"{OVERLAP}/{report.name}")
        check_absent(str(folder / "corpus"), sources, arm.mixture, self.folder.optout)
        for name in sources:
            self._overlap(step, log, folder, name)
        if arm.name != BASELINE:
            self._compare(arm, folder)
        self.folder.done(f"{arm.name}/corpus", {"sources": sources, "touched": list(arm.touched)})
        self._display.end(step, f"made {', '.join(arm.touched)}" if arm.touched else "all is the baseline's")
        with self._guard:
            self.outcome.made += 1

    def _damage(self, arm: Arm, step: str, log: Path) -> None:
        """Writes the baseline's sources with some of their documents damaged."""
        for name in arm.recipe.sources:
            source, target = self.folder.baseline / "corpus" / name, self.folder.arm(arm.name) / "corpus" / name
            words = [str(source), "--output", str(target), "--share", f"{arm.damage!r}"]
            self._call(step, log, "pipeline.ablate.damage", words)

    def _overlap(self, step: str, log: Path, folder: Path, source: str) -> None:
        """Looks for the held-out documents' words in a source."""
        against = str(self.folder.heldout / "texts.jsonl")
        words = [str(folder / "corpus" / source), "--against", against, "--fields", "text", "--method", "words"]
        report = folder / OVERLAP / source
        self._call(step, log, "pipeline.decontaminate", [*words, "--report", str(report), "--quiet"], beam=True)

    def _compare(self, arm: Arm, folder: Path) -> None:
        """Keeps what the arm has, and has not, beside the baseline."""
        base = self.arms[0]
        sources = list(base.recipe.sources) if arm.damage is not None else arm.sources
        rows = compare(
            str(self.folder.baseline / "corpus"),
            str(folder / "corpus"),
            [name for name in sources if name in base.recipe.sources],
            (base.mixture, arm.mixture),
            self.experiment.samples,
        )
        write_json(str(folder / KEPT), {"sources": rows})

    def _length(self) -> Length:
        """How long all arms train; what was settled once stays, so that arms can be added.

        Raises:
            InputError: The baseline does not allow as many tokens.
        """
        settled = self.folder.record("length")
        asked: int | None = settled["tokens"] if settled else parse_tokens(self.experiment.tokens)
        arms = [arm for arm in self.arms if arm.name not in self.outcome.failed]
        if settled:
            arms = [arm for arm in arms if self._keeps_step(arm, settled["tokens"])]
        if asked is not None:
            asked = length_of(arms, asked).tokens
            arms = [arm for arm in arms if self._allows(arm, asked)]
        length = length_of(arms, asked if asked is not None else min(map(self._allowed, arms)))
        if not settled:
            self.folder.done("length", {"tokens": length.tokens})
            self._display.say(f"Each run trains on {length.tokens:,} tokens.")
        return length

    def _keeps_step(self, arm: Arm, tokens: int) -> bool:
        """Whether what all others trained on is whole steps of an arm; it has failed where not."""
        if tokens % (batch := batch_tokens(arm)) == 0:
            return True
        message = (
            f"{arm.name}: the others train on {tokens:,} tokens, which are no whole steps of its {batch:,}: give an "
            "arm of another name a batch that divides them, or choose another --output"
        )
        return self._fails(arm, message)

    def _allows(self, arm: Arm, tokens: int) -> bool:
        """Whether an arm has as many tokens; it has failed where not.

        Raises:
            InputError: It is the baseline.
        """
        if tokens <= (most := self._allowed(arm)):
            return True
        message = (
            f"{tokens:,} tokens are more than {arm.name} allows by the epoch limits of its mixture: {most:,}. Give "
            f"--tokens {most}, or a higher limit for all arms, such as --set 'set=[mixture.max_epochs=8]', in another "
            "--output."
        )
        if arm.name == BASELINE:
            raise InputError(message)
        return self._fails(arm, message)

    def _fails(self, arm: Arm, message: str) -> bool:
        self.outcome.failed[arm.name] = message
        self._display.say(f"{arm.name}: failed: {message}")
        return False

    def _allowed(self, arm: Arm) -> int:
        """The largest budget of an arm."""
        folder = self.folder.baseline if arm.shares_data or not arm.touched else self.folder.arm(arm.name)
        return int(counts(folder / "_build" / "counts.json")["tokens"])

    # runs

    def _mix(self, arm: Arm, seed: int, length: Length) -> None:
        """Writes the token shards of a run."""
        step, folder = f"{arm.name}/seed-{seed}/{SHARDS}", self.folder.seed(arm.name, seed)
        if self.folder.record(step) and (folder / SHARDS).exists():
            self._display.passed()
            return
        place, (command,) = self.folder.arm(arm.name), arm.mixture_stage.commands
        words = [word.replace(f"{WORK}/{SHARDS}", str(folder / SHARDS)) for word in command.words]
        words = [word.replace(WORK, str(place)) for word in words]
        words[words.index("--tokens") + 1] = str(length.tokens)
        drawn = arm.mixture.seed + arm.data_seed + seed
        self._step(step, command.module, [*words, "--set", f"seed={drawn}", "--quiet"], beam=True)

    def _train(self, arm: Arm, seed: int, length: Length) -> None:
        """Trains a run."""
        step, folder = f"{arm.name}/seed-{seed}/{RUN}", self.folder.seed(arm.name, seed)
        if arm.shares_data:
            link(folder / SHARDS, self.folder.seed(BASELINE, seed) / SHARDS)
        if self.folder.record(step) and (folder / RUN).exists():
            self._display.passed()
            return
        train, points = arm.recipe.train, self.experiment.points
        words = ["--model", str(train.model), "--data", str(folder / SHARDS), "--output", str(folder / RUN)]
        words += [
            *train.arguments,
            "run.steps=null",
            "run.epochs=null",
            f"run.tokens={length.tokens}",
            f"run.seed={seed}",
        ]
        every = length.save_every(arm.name, points)
        words += [f"data.seed={arm.data_seed + seed}", f"run.save_every={every}", *flags_of(self.experiment, every)]
        with self._device() as environment:
            self._step(step, "trainer_bridge.train", [*words, f"run.keep={points + SPARE}"], environment=environment)

    def _score(self, runs: Sequence[tuple[Arm, int]], length: Length) -> None:
        """Scores the held-out documents with all runs that are not scored, in as many processes as are allowed."""
        groups: dict[tuple[int, ...], list[tuple[Arm, int]]] = {}  # of one window, and of the same steps
        for arm, seed in runs:
            is_done = (self.folder.seed(arm.name, seed) / SCORES).exists()  # it appears when it is whole
            if not is_done and arm.name not in self.outcome.failed:
                steps = length.places(arm.name, self.experiment.points)
                groups.setdefault((arm.mixture.seq_len, *steps), []).append((arm, seed))
        tasks: list[tuple[Arm, Callable[[], None]]] = []
        for (window, *steps), members in groups.items():
            for start in range(min(self._jobs, len(members))):
                name = f"scores-{len(tasks) + 1}"
                tasks.append(
                    (members[start][0], partial(self._score_some, name, window, steps, members[start :: self._jobs]))
                )
        self._each(tasks)

    def _score_some(self, name: str, window: int, steps: Sequence[int], runs: Sequence[tuple[Arm, int]]) -> None:
        folders = [self.folder.seed(arm.name, seed) for arm, seed in runs]
        words = [*(str(folder / RUN) for folder in folders), "--documents", str(self.folder.documents)]
        words += ["--window", str(window), "--steps", *map(str, steps)]
        words += ["--output", *(str(folder / SCORES) for folder in folders)]
        log = self.folder.log(name)
        self._display.begin(name, log)
        try:
            with self._device() as environment:
                self._call(name, log, "trainer_bridge.score", words, environment=environment)
        except InputError as error:
            with self._guard:
                self.outcome.failed |= {arm.name: str(error) for arm, _ in runs}
            raise
        self._display.end(name, f"{len(runs):,} runs")
        with self._guard:
            self.outcome.made += 1

    # commands

    def _step(
        self,
        step: str,
        module: str,
        words: Sequence[str],
        *,
        beam: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Runs the command of a step, and keeps that it is done."""
        log, began = self.folder.log(step), time.monotonic()
        self.folder.forget(step)
        self._display.begin(step, log)
        self._call(step, log, module, words, beam=beam, environment=environment)
        self.folder.done(step, {"seconds": round(time.monotonic() - began, 1)})
        self._display.end(step, "")
        with self._guard:
            self.outcome.made += 1

    def _call(
        self,
        step: str,
        log: Path,
        module: str,
        words: Sequence[str],
        *,
        beam: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Runs a command.

        Raises:
            InputError: It failed; the message has what it said last, and where its log is.
            StoppedError: The experiment ends.
        """
        given = [*words, *(self._flags if beam else [])]
        with log.open("a", encoding="utf-8", errors="backslashreplace") as handle:
            handle.write(f"$ python -m {module} {' '.join(given)}\n")
        status = run_command(module, given, log, None, self._watch, environment, [self._lock])
        if status:
            lines = last_lines(log, LOG_LINES)
            told = next((line for line in reversed(lines) if line.startswith("error:")), lines[-1] if lines else "")
            if of_stages := _of_stages(given):
                raise InputError(f"{step}: {of_stages}")
            message = told.removeprefix("error:").strip()
            raise InputError(f"{step}: {message} (status {status}; {log} has all that it said)")

    def _watch(self) -> str | None:
        """Why commands must end; None where they need not. Also shows progress."""
        self._display.look()
        if self._stop.is_set():
            return self._full or "stopped"
        if time.monotonic() - self._looked > DISK_SECONDS:
            self._looked = time.monotonic()
            least, free = self.arms[0].recipe.min_free_gigabytes, shutil.disk_usage(self.folder.root).free / 1e9
            if free < least:
                self._full = (
                    f"the disk of {self.folder.root} has only {free:.1f} GB left, and min_free_gigabytes is {least:g}. "
                    "Make room, then the same command goes on."
                )
                self._stop.set()
                return self._full
        return None

    def _each(self, tasks: Sequence[tuple[Arm, Callable[[], None]]]) -> None:
        """Runs tasks, some at a time; an arm that fails stops no other, but the baseline stops all.

        Raises:
            UserError: The baseline failed.
            StoppedError: The disk is all but full.
            KeyboardInterrupt: Ctrl-C came; what ran has ended.
        """
        with ThreadPoolExecutor(self._jobs) as pool:
            futures = [pool.submit(self._one, arm, task) for arm, task in tasks]
            try:
                wait(futures)
            except BaseException:
                self._stop.set()
                raise
        if self._full:
            raise StoppedError(self._full)
        if BASELINE in self.outcome.failed:
            raise InputError(self.outcome.failed[BASELINE])

    def _one(self, arm: Arm, task: Callable[[], None]) -> None:
        if arm.name in self.outcome.failed or self._stop.is_set():
            return
        try:
            task()
        except (UserError, StoppedError) as error:
            if not self._stop.is_set():
                with self._guard:
                    self.outcome.failed[arm.name] = str(error)
                self._display.say(f"{arm.name}: failed: {error}")

    @contextlib.contextmanager
    def _device(self) -> Iterator[Mapping[str, str]]:
        """The device of a run: where several are visible, and several runs at work, each has its own."""
        if self._devices is None:
            yield {}
            return
        device = self._devices.get()
        try:
            yield {DEVICES: device}
        finally:
            self._devices.put(device)


def _of_stages(words: Sequence[str]) -> str:
    """Why the stages of a build failed, where a command line is that of one."""
    if "--keep-raw" not in words:
        return ""
    work = Work(words[words.index("--output") + 1])
    records = {name: work.record(name) for name in work.records()}
    return "; ".join(f"{name}: {r.message}" for name, r in records.items() if r is not None and r.status == FAILED)


def _devices(jobs: int) -> queue.Queue[str] | None:
    names = [name.strip() for name in os.environ.get(DEVICES, "").split(",") if name.strip()]
    if jobs < 2 or len(names) < 2:
        return None
    found: queue.Queue[str] = queue.Queue()
    for number in range(jobs):
        found.put(names[number % len(names)])
    return found
