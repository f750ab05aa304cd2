"""Runs a build: each stage that is missing or changed, in its order; a source that fails does not stop the others."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.build.calls import BuildOptions, Calls, CommandError
from pipeline.build.process import StoppedError, last_lines
from pipeline.build.progress import Display
from pipeline.build.publishers import FILES
from pipeline.build.sources import WHOLE, SourceMaker, own_files
from pipeline.build.stages import COMMONCRAWL, CUTOFFS_STAGE, Stage, stages_of
from pipeline.build.told import told
from pipeline.build.units import Unit
from pipeline.build.work import CHANGED, DONE, FAILED, WITHOUT, Record, Work
from pipeline.corpus.shard import MANIFEST, read_json
from pipeline.errors import InputError, RecipeError, UserError
from pipeline.recipe import fingerprint
from pipeline.storage.fetch_errors import FetchError

WRONG = 2  # the exit status of a command whose command line is wrong
ROUNDS = 8  # of making more of a source that turned out to be short, once its tokens are counted
ENCODE, TRAIN, REFERENCE = "encode", "train", "reference"


@dataclass
class Outcome:
    """What a build did.

    Attributes:
        made: Stages that were made.
        failed: Stages that failed, with why.
        waiting: Stages that could not begin, with what they wait for.
        notes: Sentences for the reader.
    """

    made: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Build:
    """One run of a build, in a folder that is held."""

    def __init__(self, work: Work, options: BuildOptions, display: Display, lock: int) -> None:
        """Takes the folder, what to make, where progress shows, and the lock that commands inherit.

        Raises:
            RecipeError: There is no stage ``options.until``.
        """
        self._work = work
        self._options = options
        self._display = display
        self._calls = Calls(work, options, display, lock)
        self._maker = SourceMaker(self._calls)
        self._all = stages_of(options.recipe, options.tokens)
        self.stages = until(self._all, options.until)
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Makes what is missing.

        Raises:
            StoppedError: The build had to end; what is finished is kept.
        """
        try:
            self._leave_out()
            self._list()
            for number, stage in enumerate(self.stages):
                self._fetch_ahead(self.stages[number:])
                self._do(stage)
                if stage.name == ENCODE and self._is_there(ENCODE):
                    self._fill(stage)
            for stage in self.stages:
                self._maker.tidy(stage)
        finally:
            self._calls.fetcher.close()
        return self.outcome

    def _leave_out(self) -> None:
        """Moves aside the sources that the recipe does not have any more: the corpus holds what it says."""
        names = {stage.name for stage in self._all}
        for name in self._work.records():
            if name not in names and self._work.path("corpus", name).is_dir():
                place = self._work.set_aside(name, (f"corpus/{name}",))
                self._display.say(f"{name} is not in the recipe any more; what was made of it is in {place}")

    def _list(self) -> None:
        """Lists the raw data of all sources, so that they can come ahead; a list that fails does so at its stage.

        Raises:
            CommandError: A publisher's keys are wrong, or do not allow what they ask for: nothing is made then.
        """
        for stage in sorted(self.stages, key=_asks_nothing):  # what needs leave comes first
            try:
                if stage.is_source and self._work.record(stage.name) is None:
                    self._maker.units(stage)
            except CommandError as error:
                if error.status == WRONG:
                    raise
                self._display.say(f"{stage.name}: {error}")
            except UserError as error:
                self._display.say(f"{stage.name}: {error}")

    def _is_there(self, name: str) -> bool:
        return name not in self.outcome.failed and name not in self.outcome.waiting

    def _do(self, stage: Stage) -> None:
        """Makes a stage, unless it is done or what it needs is not there."""
        lacking = next((name for name in stage.needs if not self._is_there(name)), None)
        if lacking is not None:
            self.outcome.waiting[stage.name] = lacking
            self._display.waits(stage.name, lacking)
            return
        started, identity = time.monotonic(), dict[str, Any]()
        try:
            identity = identity_of(stage, self._work)
            self._settle(stage, identity)
            is_made = self._maker.make(stage, identity) if stage.is_source else self._make(stage, identity)
        except (UserError, FetchError, StoppedError) as error:
            self._fail(stage, identity, str(error), time.monotonic() - started)
            if isinstance(error, StoppedError):
                raise
            return
        record = self._work.record(stage.name)
        assert record is not None
        if is_made:
            self._mark_changed()
            self.outcome.made.append(stage.name)
            self._work.note(f"{stage.name}: {record.status} after {time.monotonic() - started:.1f} s")
        self._display.done(stage.name, time.monotonic() - started, is_made, told(self._work, stage.name, record))

    def _mark_changed(self) -> None:
        """Marks the stages that follow what was made anew since: what they hold is of the build before."""
        for stage in self._all:
            record = self._work.record(stage.name)
            if record is not None and record.status == DONE:
                above = [self._work.record(name) for name in stage.follows]
                is_old = any(other is None or other.status == CHANGED for other in above)
                if is_old or record.identity != identity_of(stage, self._work):
                    self._work.write(stage.name, replace(record, status=CHANGED))

    def _fail(self, stage: Stage, identity: Mapping[str, Any], message: str, seconds: float) -> None:
        record = self._work.record(stage.name) or Record(identity)
        if not identity or record.identity == identity:  # else what another recipe made is as it was
            self._work.write(stage.name, replace(record, status=FAILED, message=message))
        self.outcome.failed[stage.name] = message
        self._work.note(f"{stage.name}: failed: {message}")
        self._display.failed(stage.name, seconds, message)

    def _make(self, stage: Stage, identity: Mapping[str, Any]) -> bool:
        """Makes a stage that is no source; says whether it did anything."""
        before = self._work.record(stage.name)
        if before is not None and before.status in (DONE, WITHOUT):
            return False
        if stage.name == TRAIN and importlib.util.find_spec("torch") is None:
            raise InputError("PyTorch is not installed: python -m pip install torch (make demo sets it up)")
        record = Record(identity)
        self._work.write(stage.name, record)
        started = time.monotonic()
        units = self._raw_for(stage)
        record.status = DONE
        for command in stage.commands:
            raw = (
                [stage.source.input_flag, *self._calls.inputs(stage, units)]
                if stage.source is not None and command.beam
                else []
            )
            try:
                self._calls.call(stage, command, [*command.words, *raw])
            except InputError:
                if not (stage.optional and _is_refused(self._work)):
                    raise
                said = " ".join(last_lines(self._work.log(stage.name), 1)).removeprefix("error: ")
                record.message = f"{stage.name} is left out, since the first slice cannot train it: {said}"
                record.status = WITHOUT
                break
        record.seconds = time.monotonic() - started
        self._work.write(stage.name, record)
        return True

    def _raw_for(self, stage: Stage) -> list[Unit]:
        """Raw data of the crawl, fetched: for cut-offs a unit that comes last, which is in no slice; else the first.

        Raises:
            InputError: The crawl has none any more.
        """
        if stage.source is None:
            return []
        crawl = next(other for other in self.stages if other.name == COMMONCRAWL)
        if stage.name == CUTOFFS_STAGE:
            found = (self._maker.taken(stage, [unit])[0] for unit in reversed(self._maker.units(crawl)))
            units = next(([*unit] for unit in found if unit), [])
        else:
            units = self._maker.taken(stage, self._maker.first(crawl))[0]
        if not units:
            raise InputError("none of the crawl's files can be had: see what its publisher has now")
        return units

    def _settle(self, stage: Stage, identity: Mapping[str, Any]) -> None:
        """Moves aside what another recipe made, and brings back what this one made before."""
        record = self._work.record(stage.name)
        lost = [name for name in (*stage.outputs, *stage.leaves) if not self._work.path(*name.split("/")).exists()]
        if record is not None and record.status == DONE and lost:
            self._display.say(f"{stage.name}: {', '.join(lost)} is not there any more, and is made anew")
            self._work.forget(stage.name)
            record = None
        if record is not None and record.identity == identity:
            if record.status == CHANGED:  # and changed back
                self._work.write(stage.name, replace(record, status=DONE))
            return
        if record is not None and stage.outputs and not (record.status == FAILED and not record.identity):
            self._calls.check_removals()
            place = self._work.set_aside(stage.name, stage.outputs)
            self._display.say(f"{stage.name} has changed; what was made of it before is in {place}")
        elif record is not None:
            self._work.forget(stage.name)
        if self._work.bring_back(stage.name, identity, stage.outputs):
            back = self._work.record(stage.name)
            if back is not None and back.status == CHANGED:
                self._work.write(stage.name, replace(back, status=DONE))
            self._display.say(f"{stage.name} was made so before, and comes back")

    def _fill(self, encode: Stage) -> None:
        """Makes more of the sources that are short of tokens, as long as there is more."""
        for _ in range(ROUNDS):
            self._maker.counted = self._counts()
            short = [stage for stage in self.stages if stage.is_source and self._more(stage)]
            if not short:
                break
            for stage in short:
                have, need = self._maker.counted.get(stage.name, 0), self._options.needs[stage.name]
                self._display.say(f"{stage.name} has {have:,} of {need.tokens:,.0f} tokens: more is made of it")
                self._do(stage)
            before = self._maker.counted
            self._do(encode)
            if not self._is_there(ENCODE) or self._counts() == before:
                break
        for name, need in self._options.needs.items():
            have = self._maker.counted.get(name, 0)
            if 0 < have < need.tokens and self._is_there(name):
                self.outcome.notes.append(
                    f"{name}: all that its publisher has gives {have:,} of the {need.tokens:,.0f} tokens wanted, so "
                    f"each is seen {need.tokens / have:.2f} times as often as in the paper"
                )

    def _more(self, stage: Stage) -> list[Unit]:
        """The units of a source that its count of tokens asks for."""
        record = self._work.record(stage.name)
        known = self._is_there(stage.name) and record is not None and stage.name in self._options.needs
        return self._maker.batch(stage, record, counted=True) if known and record is not None else []

    def _counts(self) -> dict[str, int]:
        """The unique tokens of each source, as the mixture counted them."""
        rows = read_json(str(self._work.path("_build", "counts.json")))["sources"]
        return {row["source"]: int(row["unique_tokens"]) for row in rows}

    def _fetch_ahead(self, stages: Sequence[Stage]) -> None:
        """Has the raw files of the sources come that follow soon, while this one is made."""
        sources = [stage for stage in stages if stage.is_source][:2]
        for stage in sources:
            if (record := self._work.record(stage.name)) is None or record.status != DONE:
                self._calls.fetcher.ahead(self._maker.known_batch(stage, record or Record({})))


def until(stages: Sequence[Stage], last: str | None) -> list[Stage]:
    """The stages up to one.

    Raises:
        RecipeError: There is no such stage.
    """
    names = [stage.name for stage in stages]
    if last is None:
        return list(stages)
    if last not in names:
        raise RecipeError(f"--until {last}: there is no such stage, but {', '.join(names)}")
    return list(stages[: names.index(last) + 1])


def identity_of(stage: Stage, work: Work) -> dict[str, Any]:
    """All that decides what a stage makes, but for the units of a source."""
    identity: dict[str, Any] = {**stage.keys, "from": {name: _stamp(work, stage, name) for name in stage.follows}}
    raw = stage.source.raw if stage.is_source and stage.source is not None else {}
    if raw.get("publisher") == FILES and raw.get(WHOLE):  # what is taken as it is is known by what lies there
        identity["input"] = own_files(raw)[0].name
    return identity


def _stamp(work: Work, stage: Stage, name: str) -> str:
    """What identifies a stage that another one follows: all that it holds, or only its choices."""
    record = work.record(name)
    if record is None:
        return ""
    held = [record.identity, record.status == WITHOUT, None if stage.settled else record.units]
    return fingerprint(held)[:16]


def _asks_nothing(stage: Stage) -> bool:
    """Whether the raw data of a stage cost nothing that somebody must have allowed."""
    return stage.source is None or "requester_pays" not in stage.source.raw


def _is_refused(work: Work) -> bool:
    """Whether the pages for the classifier were collected, and are too few to train it."""
    folder = work.path("models", "reference")
    return any(folder.glob(f"*/{MANIFEST}")) and not (folder / "reference.bin").exists()
