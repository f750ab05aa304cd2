"""A shard's way through a source's steps: from the raw files, or from where a pass before came to.

The steps stand in stages: those before the first round of dedup; what that decided, and the steps before the second;
and so on. What has passed some stages is put aside (``pipeline.readings``), and the next pass goes on from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from pipeline.corpus.document import Document, Reject
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.shard import Shard
from pipeline.readings import Found, Reading, Recorder, open_reading
from pipeline.source import DropDuplicates, Round, Source, read_shard, removals_of, rounds_of
from pipeline.steps import READ_STEP, Batch, Chain, Step, timed


@dataclass(frozen=True)
class Decided:
    """What one round of dedup decided for a shard.

    Attributes:
        mask: One flag a unit, in reading order: whether it stays.
        inputs: Path, size and checksum of each raw file when it was hashed.
    """

    mask: npt.NDArray[np.bool_]
    inputs: list[dict[str, Any]]


@dataclass
class Passage:
    """One pass of a shard.

    Attributes:
        source: The source.
        shard: The shard.
        cache: The cache folder for fetched files.
        decided: What the rounds of dedup before this pass decided.
        reading: Where what passes the stages is kept for the next pass; None to keep nothing.
        ledger: The accounts of all steps.
        seconds: Time spent in each step.
        inputs: Path, size and checksum of each raw file; complete once all has passed.
        exhausted: Whether what dedup had decided was for as many units as there were; known then, too.
    """

    source: Source
    shard: Shard
    cache: Path | None
    decided: Sequence[Decided] = ()
    reading: str | None = None
    ledger: Ledger = field(default_factory=Ledger)
    seconds: dict[str, float] = field(default_factory=dict)
    inputs: list[dict[str, Any]] = field(default_factory=list)
    exhausted: bool = True

    def run(self, then: Sequence[Step] = (), *, keep: bool = False) -> Iterator[Document | Reject]:
        """Passes the shard through the stages that its decided rounds open, then through more steps.

        Args:
            then: The steps behind the stages, loaded.
            keep: Whether what has passed the stages is kept for the next pass.
        """
        rounds = rounds_of(self.source)
        stages = min(len(self.decided) + 1, len(rounds)) or 1
        hangs_on = {level: self._hangs_on(level) for level in range(1, stages + 1)}
        with open_reading(self.reading, self.shard, hangs_on) or nullcontext() as kept:
            first = self._steps(rounds, kept.level if kept else 0, stages)
            passed = self._begin(kept, first)
            if keep and self.reading and (first or not kept):
                passed = self._recorded(self.reading, passed, stages, first, len(self.ledger.steps))
            behind = [*self._behind(rounds, stages), *then]
            for rejects, documents in Chain(behind, self.source.name, self.ledger, self.seconds).go_on(passed):
                yield from rejects
                yield from documents
        self._look([*first, *behind])

    def _begin(self, kept: Reading | None, steps: Sequence[Step]) -> Iterator[Batch]:
        """What has passed the stages: all of it from the raw files, or the rest of it from a reading."""
        if kept is None:
            counters = self.ledger.step(READ_STEP).counters
            items = read_shard(self.source, self.shard, self.cache, counters, self.inputs)
            return Chain(steps, self.source.name, self.ledger, self.seconds).batches(items)
        self.ledger.add_json(kept.found.ledger)
        self.inputs += kept.found.inputs
        self.exhausted = kept.found.exhausted
        batches = timed(kept.batches(), self.seconds)
        return Chain(steps, self.source.name, self.ledger, self.seconds).go_on(batches)

    def _recorded(
        self, path: str, passed: Iterator[Batch], stages: int, steps: Sequence[Step], accounts: int
    ) -> Iterator[Batch]:
        """The same batches, which become a reading, with the first accounts: those of the stages."""
        with Recorder(path, self.shard, stages, self._hangs_on(stages)) as recorder:
            for batch in passed:
                recorder.put(batch)
                yield batch
            self._look(steps)
            ledger = Ledger(dict(islice(self.ledger.steps.items(), accounts)))
            recorder.finish(Found(ledger.as_json(), self.inputs, self.exhausted))

    def _steps(self, rounds: Sequence[Round], passed: int, stages: int) -> list[Step]:
        """The steps, loaded, of the stages behind the first ``passed``."""
        if not rounds:
            return [] if passed else list(loaded(self.source.steps_before_dedup()))
        steps: list[Step] = []
        for number in range(passed, stages):
            steps += [*self._dedup(rounds, number), *loaded(rounds[number].steps)]
        return steps

    def _behind(self, rounds: Sequence[Round], stages: int) -> list[Step]:
        """The steps, loaded, behind the stages once all rounds are decided."""
        if not rounds or len(self.decided) < stages:
            return []
        before = [] if self.source.dedup else loaded(self.source.steps_before_dedup())
        return [*self._dedup(rounds, stages), *before]

    def _dedup(self, rounds: Sequence[Round], stage: int) -> list[Step]:
        """What a stage begins with: the decision of the round before it."""
        if not stage:
            return []
        round_, decision = rounds[stage - 1], self.decided[stage - 1]
        return [DropDuplicates(round_.dedup, decision.mask, round_.name)]

    def _hangs_on(self, stages: int) -> list[Any]:
        """What the outcome of so many stages hangs on beside the raw files."""
        removals = removals_of(self.source)
        masks = [xxhash.xxh3_64_hexdigest(np.packbits(d.mask).tobytes()) for d in self.decided[: stages - 1]]
        return [removals and removals.sha256, masks]

    def _look(self, steps: Sequence[Step]) -> None:
        self.exhausted &= all(step.exhausted for step in steps if isinstance(step, DropDuplicates))


def loaded(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps, with their models loaded."""
    for step in steps:
        step.load()
    return steps
