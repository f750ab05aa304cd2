"""Making a source: its raw data are listed once, and made in batches until the mixture has enough of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipeline.build import stages as stages_
from pipeline.build.calls import Calls
from pipeline.build.fetching import GoneError
from pipeline.build.need import Need, Yield, next_units, share_of
from pipeline.build.publishers import FILES
from pipeline.build.stages import WORK, Command, Stage
from pipeline.build.units import RawFile, Unit, from_lines, in_order, strata_of
from pipeline.build.work import DONE, RUNNING, Record
from pipeline.corpus.ledger import Ledger, total
from pipeline.corpus.shard import MANIFEST, read_json
from pipeline.errors import InputError
from pipeline.recipe import fingerprint
from pipeline.storage.filesystem import InputFile, beside
from pipeline.storage.listing import match

WHOLE = "whole"
_REVISION = re.compile(r"(?<=[^/])@[0-9a-f]{40}(?=/)")
LEAST_STEP = 1.5  # to a larger share of a source: all of it is read again for that
PUBLISHERS = "sources.publishers"  # the command that lists what the others have


class SourceMaker:
    """Makes the sources of one build."""

    def __init__(self, calls: Calls) -> None:
        """Takes what runs commands."""
        self._calls = calls
        self._work = calls.work
        self._units: dict[str, list[Unit]] = {}
        self.counted: dict[str, int] = {}  # unique tokens of each source, once they are

    def make(self, stage: Stage, identity: Mapping[str, Any]) -> bool:
        """Makes what is missing of a source; says whether it did anything.

        Args:
            stage: Of a source.
            identity: What decides what it makes; what there is was made of the same.

        Raises:
            UserError: It failed.
            FetchError: A raw file cannot be had for now.
            StoppedError: There is no room for it.
        """
        made = self._retry(stage)
        while True:
            record = self._work.record(stage.name) or Record(identity)
            batch = self.batch(stage, record)
            if batch or (record.status != DONE and record.units):
                made |= self._make_batch(stage, record, batch)
            elif record.units or record.passed_over:
                self._work.write(stage.name, replace(record, status=DONE, message=""))
                return made
            else:
                raise InputError(f"there are no raw data for {stage.name}: its publisher lists none")

    def _retry(self, stage: Stage) -> bool:
        """Has a source that is done make again what it could not read, where that is asked for."""
        record = self._work.record(stage.name)
        if not self._calls.options.retry_failed or record is None or record.status != DONE or stage.source is None:
            return False
        units = [unit for unit in self.units(stage) if unit.name in {*record.units}]
        (command,) = stage.commands
        raw = [stage.source.input_flag, *self._calls.inputs(stage, units)]
        taken = [*self._model_words(stage), *self._share_words(stage, record)]
        self._calls.call(stage, command, [*command.words, *taken, *raw, "--retry-failed"])
        return True

    def batch(self, stage: Stage, record: Record, *, counted: bool = False) -> list[Unit]:
        """The units of a source that come next.

        Args:
            stage: Of a source.
            record: What was made of it.
            counted: Whether its tokens were counted: then its true yield is known.
        """
        assert stage.source is not None
        source, need = stage.source, self._need(stage)
        if record.units and record.status != DONE and not source.grows:
            return []  # what was begun is finished first: until then nothing tells what it yields
        made = self._yield(stage, record)
        left = [unit for unit in self.units(stage) if unit.name not in {*record.units, *record.passed_over}]
        if source.share is not None:
            there = [unit for unit in self.units(stage) if unit.name not in record.passed_over]
            is_short = need is not None and need.missing_bytes(made) > 0 and record.share < 1
            return there if left or is_short else []
        pilot = source.grows and not counted
        chosen = next_units(left, need, made, pilot=pilot, least=self._least(stage, record))
        return self._at_once(chosen, need, made) if source.grows else chosen

    def _share(self, stage: Stage, record: Record, units: Sequence[Unit]) -> float:
        """The share that is taken next of a source that takes one."""
        need, least = self._need(stage), LEAST_STEP * record.share if record.raw_bytes else 0.0
        return 1.0 if need is None else share_of(units, need, self._yield(stage, record), least)

    def _at_once(self, units: Sequence[Unit], need: Need | None, made: Yield) -> list[Unit]:
        """The first of some units that are made in one run: no more than the disk is to hold, and in whole scopes."""
        size, batch = 0.0, list[Unit]()
        for unit in units:
            size += need.size(unit, made) if need else unit.size(0.0)
            if batch and (unit.alone or size > self._calls.options.recipe.batch_gigabytes * 1e9):
                break
            batch.append(unit)
            if unit.alone:
                break
        return batch

    def _after(self, stage: Stage, record: Record, batch: Sequence[Unit]) -> list[Unit]:
        """The units that are thought to come after a batch, which are fetched while it is made."""
        need, made = self._need(stage), self._yield(stage, record)
        if need is None or stage.source is None or not stage.source.grows:
            return []
        size = sum(need.size(unit, made) for unit in batch)
        files = made.raw_files + sum(len(unit.files) for unit in batch)
        then = Yield(made.raw_bytes + size, files, made.text_bytes + size * need.text_rate(made))
        dealt = {*record.units, *record.passed_over, *(unit.name for unit in batch)}
        left = [unit for unit in self.units(stage) if unit.name not in dealt]
        return self._at_once(next_units(left, need, then), need, then)

    def _least(self, stage: Stage, record: Record) -> int:
        """How many units come whatever is needed: one of each stratum, where the recipe says so."""
        if stage.source is None or not stage.source.each_stratum:
            return 0
        return max(0, len(strata_of(self.units(stage))) - len(record.units) - len(record.passed_over))

    def known_batch(self, stage: Stage, record: Record) -> list[Unit]:
        """As ``batch``, where the raw data are listed already; else nothing."""
        return self.batch(stage, record) if stage.name in self._units else []

    def first(self, stage: Stage) -> list[Unit]:
        """The units of a source that its budget is thought to take, from the first."""
        return next_units(self.units(stage), self._need(stage), Yield())

    def tidy(self, stage: Stage) -> None:
        """Removes raw files of a source that grows which came, and are not read again in this build."""
        record = self._work.record(stage.name)
        if stage.source is None or not stage.source.grows or record is None or record.status != DONE:
            return
        fetcher = self._calls.fetcher
        if not self._calls.options.keep_raw:
            fetcher.remove(unit for unit in self._units.get(stage.name, []) if fetcher.came(unit))

    def units(self, stage: Stage) -> list[Unit]:
        """The units of a source in their order; what a publisher has is listed once."""
        assert stage.source is not None
        if stage.name not in self._units:
            raw, seed = dict(stage.source.raw), self._calls.options.recipe.seed
            if raw["publisher"] == FILES:
                self._units[stage.name] = in_order(own_files(raw, stage.source.together), seed)
            else:
                units = self._work.units(stage.name, raw, seed)
                if units is None:
                    units = in_order(self._listed(stage, raw), seed, each_stratum=stage.source.each_stratum)
                    self._work.write_units(stage.name, raw, seed, units)
                self._units[stage.name] = units
        return self._units[stage.name]

    def _listed(self, stage: Stage, raw: Mapping[str, Any]) -> list[Unit]:
        """What a publisher has, from the command that asks it."""
        path = self._work.path("_build", "units", f"{stage.name}.listed")
        keys = [f"{key}={json.dumps(value)}" for key, value in raw.items() if key != "publisher"]
        words = [str(raw["publisher"]), *(word for key in keys for word in ("--set", key)), "--cache", f"{WORK}/raw"]
        self._calls.call(stage, Command(PUBLISHERS, (), str(path)), words, "lists what its publisher has")
        units = from_lines(path.read_text(encoding="utf-8"), str(path))
        path.unlink()
        return units

    def _make_batch(self, stage: Stage, record: Record, batch: Sequence[Unit]) -> bool:
        """Makes the next units of a source: these alone where it grows, else all anew."""
        assert stage.source is not None
        calls, source, known = self._calls, stage.source, {unit.name: unit for unit in self.units(stage)}
        named = {unit.name for unit in batch}
        earlier = [] if source.grows and batch else [known[n] for n in record.units if n in known and n not in named]
        before = record.share
        if source.share is not None and batch:
            record.share = self._share(stage, record, batch)
        self._guard(stage, record, [*earlier, *batch])
        have, gone = self.taken(stage, [*earlier, *batch])
        record.passed_over.update(gone)
        record.units = [name for name in record.units if name not in gone]
        calls.fetcher.ahead(self._after(stage, record, batch))
        if not have:
            self._work.write(stage.name, record)
            return False
        names = [unit.name for unit in have]
        is_other = bool(record.units) and (names, record.share) != (record.units, before)
        if not source.grows and (record.status == DONE or is_other):
            place = self._work.set_aside(stage.name, stage.outputs)
            calls.display.say(
                f"{stage.name} is made as a whole, and so anew of {_amount(have, record.share)} in place of "
                f"{_amount(record.units, before)}; what was made of that is in {place}, which you may remove"
            )
        if not source.grows:
            record = replace(record, units=names)
        record = replace(record, status=RUNNING, message="")
        self._work.write(stage.name, record)
        started = time.monotonic()
        (command,) = stage.commands
        taken = [*self._model_words(stage), *self._share_words(stage, record)]
        words = [*command.words, *taken, source.input_flag, *self._calls.inputs(stage, have)]
        try:
            calls.call(stage, command, words)
        except InputError:
            has_more = self._has_more(stage, record, have) if source.share is None else record.share < 1
            if not self._keeps_nothing(stage) or self._need(stage) is None or not has_more:
                raise
            calls.display.say(f"{stage.name}: nothing is kept of its first units; more of it is read")
        need, files = self._need(stage), sum(len(unit.files) for unit in have)
        size = sum(calls.fetcher.size(unit, need.file_bytes if need else 0.0) for unit in have)
        record.units = list(dict.fromkeys([*record.units, *names]))
        record.raw_bytes = record.raw_bytes + size if source.grows else size
        record.raw_files = record.raw_files + files if source.grows else files
        record.seconds += time.monotonic() - started
        record.status = DONE
        self._work.write(stage.name, record)
        if source.grows and not calls.options.keep_raw:
            calls.fetcher.remove(have)
        return True

    def _keeps_nothing(self, stage: Stage) -> bool:
        """Whether all was read, and no document kept: of a small slice that may be so."""
        path = self._work.path("corpus", stage.name, MANIFEST)
        return path.exists() and kept_characters(read_json(str(path))) == 0

    def _has_more(self, stage: Stage, record: Record, have: Sequence[Unit]) -> bool:
        dealt = {*record.units, *record.passed_over, *(unit.name for unit in have)}
        return any(unit.name not in dealt for unit in self.units(stage))

    def _guard(self, stage: Stage, record: Record, units: Sequence[Unit]) -> None:
        """Refuses units for which there is no room: for what is still to come, and as much again while it is made."""
        need, made = self._need(stage), self._yield(stage, record)
        if need is not None:
            to_come = [unit for unit in units if self._calls.fetcher.wanting([unit])]
            room = sum(need.size(unit, made) for unit in [*units, *to_come])
            self._calls.guard(stage, len(units), room)

    def taken(self, stage: Stage, units: Sequence[Unit]) -> tuple[list[Unit], dict[str, str]]:
        """Waits for the files of units; gives those that are there, and why their publisher has others no more."""
        have, gone = [], {}
        self._calls.fetcher.ahead(units)
        for unit in units:
            try:
                self._calls.fetcher.take(unit, self._calls.waiting(stage))
            except GoneError as error:
                gone[unit.name] = str(error)
                self._calls.display.say(f"{stage.name}: {unit.name} is passed over: {error}")
            else:
                have.append(unit)
        return have, gone

    def _need(self, stage: Stage) -> Need | None:
        """What the mixture needs of a source; None where all of it is made."""
        return self._calls.options.needs.get(stage.name)

    def _yield(self, stage: Stage, record: Record) -> Yield:
        """What came of the units of a source."""
        manifest = self._work.path("corpus", stage.name, MANIFEST)
        if not record.units or not record.raw_bytes or not manifest.exists():
            return Yield()
        text = kept_characters(read_json(str(manifest)))
        taken, files = record.raw_bytes * record.share, record.raw_files * record.share
        return Yield(taken, files, text, self.counted.get(stage.name))

    def _share_words(self, stage: Stage, record: Record) -> list[str]:
        """What a source is told of the share that it takes."""
        key = stage.source.share if stage.source is not None else None
        return [] if key is None or record.share == 1 else ["--set", f"{key}={record.share!r}"]

    def _model_words(self, stage: Stage) -> list[str]:
        """What CommonCrawl is told of the models that were made here."""
        words: list[str] = []
        if "cutoffs" in stage.needs:
            lines = self._work.path("models", "perplexity", "cutoffs.yaml").read_text(encoding="utf-8").splitlines()
            words += ["--set", f"perplexity.cutoffs={{{', '.join(line for line in lines if line[:1] != '#')}}}"]
        reference = self._work.record("reference") if "reference" in stage.needs else None
        if reference is not None and reference.status == DONE:
            words += ["--set", f"reference.model={stages_.REFERENCE}/reference.bin"]
        return words


def _amount(units: Sequence[object], share: float) -> str:
    """What a source that is made as a whole is made of, in words."""
    return f"{len(units):,} units" if share == 1 else f"{share:.3%} of {len(units):,} units"


def own_files(raw: Mapping[str, Any], together: str | None = None) -> list[Unit]:
    """The user's own files as units: each its own, or all of them one that is taken as it is given.

    Args:
        raw: What the recipe says of them.
        together: The group of this expression is the name of a unit of several files.

    Raises:
        InputError: They are not there.
    """
    patterns = [beside(pattern) for pattern in given_inputs(raw)]
    if not patterns:
        raise InputError("raw: publisher files needs input, a list of paths, globs or addresses")
    files = match(patterns)
    if raw.get(WHOLE):
        listing = fingerprint([[file.path.rpartition("/")[2], file.size] for file in files])[:16]
        sizes = [sum(max(0, file.size) for file in files), *[0] * (len(patterns) - 1)]
        named = tuple(RawFile(path, size) for path, size in zip(patterns, sizes, strict=True))
        return [Unit(f"{WHOLE}-{listing}", WHOLE, named)]
    groups: dict[str, list[InputFile]] = {}
    for file in files:
        found = re.search(together, file.path) if together else None
        groups.setdefault(_named(file) if found is None else found[1], []).append(file)
    return [_own_unit(name, members) for name, members in groups.items()]


def given_inputs(raw: Mapping[str, Any]) -> list[str]:
    """The paths, globs and addresses of the user's own files, as the recipe has them."""
    given = raw.get("input") or []
    return [str(pattern) for pattern in (given if isinstance(given, list) else [given])]


def _named(file: InputFile) -> str:
    """What a file is called as a unit: its path, without the commit of the hub that it is read at."""
    return _REVISION.sub("", file.path)


def _own_unit(name: str, files: Sequence[InputFile]) -> Unit:
    """Files as a unit: the folder of the first is its stratum."""
    raw = tuple(RawFile(file.path, file.size) for file in files)
    return Unit(name, _named(files[0]).rpartition("/")[0], raw)


def kept_characters(manifest: Mapping[str, Any]) -> float:
    """Characters of the text that a source kept."""
    ledger = Ledger()
    ledger.add_json(manifest["ledger"])
    return float(total(ledger.kept.values()).characters)
