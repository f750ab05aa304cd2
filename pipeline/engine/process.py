"""What a worker does with one shard: hash its units, or read it again, filter it and write it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.corpus.document import Document, Reject
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.promised import fulfil, promise_new
from pipeline.corpus.shard import TIMING, Layout, Shard, write_json
from pipeline.corpus.sink import ShardSink
from pipeline.engine.dedup import read_mask, write_unit_hashes
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.memory import peak_bytes
from pipeline.engine.overlap import hash_id, write_ids
from pipeline.errors import InputError
from pipeline.readings import forget
from pipeline.source import DropDuplicates, Round, Source, read_shard, removals_of, rounds_of, tells_overlap
from pipeline.steps import READ_STEP, Chain, Step
from pipeline.storage.filesystem import exists, join, read_bytes, write_bytes
from pipeline.units import Units

if TYPE_CHECKING:
    from pipeline.removals.matching import Removals

MESSAGE_CHARACTERS = 300
FORMAT = 2  # of stats files and documents; part of the configuration that outputs must share


@dataclass(frozen=True)
class Decided:
    """What one round of dedup decided for a shard.

    Attributes:
        mask: One flag a unit, in reading order: whether it stays.
        inputs: Path, size and checksum of each raw file when it was hashed.
    """

    mask: npt.NDArray[np.bool_]
    inputs: list[dict[str, Any]]


def hash_shard(
    source: Source,
    layout: Layout,
    shard: Shard,
    work: str,
    grid: Grid,
    position: int,
    cache: Path | None,
    earlier: Sequence[Decided] = (),
    reading: str | None = None,
) -> None:
    """Dedup pass 1 for one shard; nothing happens where its hash file is there.

    Args:
        source: The source.
        layout: Its folder.
        shard: The shard.
        work: The name of the round's work folder.
        grid: How its scope is cut.
        position: Its place in the scope.
        cache: The cache folder for fetched files.
        earlier: What the earlier rounds decided; their number tells which round this is.
        reading: Where what is read is kept for the next pass; None to keep nothing.
    """
    path = layout.hashes(work, position)
    if exists(path):
        return
    started = time.perf_counter()
    rounds = rounds_of(source)
    this = rounds[len(earlier)]
    chain = Chain([*deduplicating(rounds, earlier), *loaded(this.steps)], source.name)
    inputs: list[dict[str, Any]] = []
    items = read_shard(source, shard, cache, Counter(), inputs, reading)

    def units() -> Iterator[Units]:
        for item in chain.run(items):
            if isinstance(item, Document):
                yield this.dedup.hashes(item)
        write_json(layout.hashed_inputs(work, shard.name), inputs)  # all is read; the hash file comes after, and last

    write_unit_hashes(path, layout.units(work, shard.name), units(), this.dedup.policy, grid, position)
    write_timing(layout, f"{shard.name}{'' if this is rounds[-1] else f'.{this.name}'}.hash", started, chain)


def deduplicating(rounds: Sequence[Round], decided: Sequence[Decided]) -> list[Step]:
    """The steps, loaded, of the rounds that are decided, each with what it decided."""
    steps: list[Step] = []
    for round_, decision in zip(rounds, decided, strict=False):
        steps += [*loaded(round_.steps), DropDuplicates(round_.dedup, decision.mask, round_.name)]
    return steps


def loaded(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps, with their models loaded."""
    for step in steps:
        step.load()
    return steps


def read_decided(layout: Layout, shard: Shard, work: str) -> Decided:
    """Reads what dedup decided for a shard."""
    mask = read_mask(layout.units(work, shard.name), layout.drops(work, shard.name))
    return Decided(mask, json.loads(read_bytes(layout.hashed_inputs(work, shard.name))))


def write_shard(
    source: Source,
    layout: Layout,
    shard: Shard,
    steps: list[Step],
    decided: Decided | None,
    stats: dict[str, Any],
    cache: Path | None,
    earlier: Sequence[Decided] = (),
    measured_inputs: list[dict[str, Any]] | None = None,
    reading: str | None = None,
) -> None:
    """Reads a shard, applies every step, writes its outputs, and last its stats.

    Args:
        source: The source.
        layout: Its folder.
        shard: The shard.
        steps: The steps after dedup, with their models loaded, told what a survey settled.
        decided: What dedup decided; None where the source is not deduplicated.
        stats: What the stats file says beside the accounts: scope, configuration, what a survey settled.
        cache: The cache folder for fetched files.
        earlier: What the rounds of dedup before that decided.
        measured_inputs: Path, size and checksum of each raw file when a survey read it; None where there is none.
        reading: Where a pass before kept what it read; None where nothing is kept. It is removed.

    Raises:
        InputError: A file changed since it was hashed or surveyed; its scope is marked to be made again.
    """
    started = time.perf_counter()
    decisions = [*earlier, *([] if decided is None else [decided])]
    dedup = deduplicating(rounds_of(source), decisions)
    before = [] if decided is not None else loaded(source.steps_before_dedup())
    removals = removals_of(source)
    last, written = _leaving_out(removals)
    chain = Chain([*dedup, *before, *steps, *last], source.name)
    inputs: list[dict[str, Any]] = []
    items = read_shard(source, shard, cache, chain.ledger.step(READ_STEP).counters, inputs, reading)
    are_records, ids = tells_overlap(source), list[int]()  # else of what is kept: verify holds these to be unique
    messages: dict[tuple[str, str], str] = {}
    with ShardSink(layout.root, shard.name, source.meta, source.rejects) as sink:
        for item in chain.run(items):
            if isinstance(item, Reject):
                if are_records and item.step != READ_STEP:
                    ids.append(hash_id(item.document.id))
                if (reject := written(item)) is not None:
                    sink.reject(reject)
                messages.setdefault((item.step, item.reason), item.document.text)
            else:
                subset = source.subset(item)
                chain.ledger.keep(subset, len(item.text))
                sink.keep(item, subset)
                ids.append(hash_id(item.id))
        exhausted = all(step.exhausted for step in dedup if isinstance(step, DropDuplicates))
        earlier_inputs = [*(d.inputs for d in decisions), *([] if measured_inputs is None else [measured_inputs])]
        if not exhausted or any(then != inputs for then in earlier_inputs):
            write_bytes(layout.redo(shard.scope), b"")
            raise InputError(
                f"{shard.inputs[0].path} changed while the run was at work on it. Once it is at rest, run the same "
                f"command again: what was deduplicated together with it is made again."
            )
        files = sink.files
        promise_new(layout, shard.name, files)
        outputs, rejects = sink.finish()
    ids_sha256 = write_ids(layout, shard.name, ids)
    write_json(
        layout.stats(shard.name),
        {
            "shard": shard.name,
            **stats,
            "inputs": inputs,
            "ledger": _checked(chain.ledger, shard),
            "messages": _first_messages(chain.ledger, messages),
            "outputs": [asdict(output) for output in outputs],
            "rejects": asdict(rejects) if rejects else None,
            "ids_sha256": ids_sha256,
            **({} if removals is None else {"optout": [removals.sha256]}),
        },
    )
    fulfil(layout, shard.name, files)
    forget(reading)
    write_timing(layout, shard.name, started, chain)


def _leaving_out(removals: Removals | None) -> tuple[list[Step], Callable[[Reject], Reject | None]]:
    """The last step of a source with a list of removals, and what is written of a reject there."""
    if removals is None:
        return [], lambda reject: reject
    from pipeline.removals.step import DropListedTexts, written_reject  # noqa: PLC0415 - most runs have no list

    last: list[Step] = [DropListedTexts(removals)] if removals.judges_texts else []
    return last, partial(written_reject, removals=removals)


def _first_messages(ledger: Ledger, texts: dict[tuple[str, str], str]) -> dict[str, str]:
    """For each reason for which the read step refused, or any step failed, what the first such record said."""
    return {
        f"{step}: {reason}": text.lstrip().partition("\n")[0][:MESSAGE_CHARACTERS]
        for (step, reason), text in texts.items()
        if step == READ_STEP or reason in ledger.step(step).failed
    }


def _checked(ledger: Ledger, shard: Shard) -> dict[str, Any]:
    faults = ledger.check()
    if faults:
        raise AssertionError(f"the accounts of shard {shard.name} do not add up: {'; '.join(faults)}")
    return ledger.as_json()


def write_timing(layout: Layout, name: str, started: float, chain: Chain) -> None:
    """Writes how long a shard took, by step, and the worker's peak memory so far."""
    timing = {
        "seconds": round(time.perf_counter() - started, 3),
        "steps": {step: round(seconds, 3) for step, seconds in chain.seconds.items()},
        "peak_bytes": peak_bytes(),
    }
    write_bytes(join(layout.root, TIMING, f"{name}.json"), json.dumps(timing).encode())
