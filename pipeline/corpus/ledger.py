"""The ledger: every raw record of a shard ends as kept, dropped for a reason at a step, or failed.

One ``Ledger`` counts one shard; ledgers add up over shards. At every step ``entered = left + dropped + failed`` in
documents, and what leaves one step enters the next; ``check`` proves it.

Where a source joins records to one document, such as answers to their question, its read step counts ``records`` of the
raw files, and those ``joined`` to the document of another: ``records = entered + joined``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

RECORDS = "records"
JOINED = "joined"


@dataclass(slots=True)
class Tally:
    """Documents, and the characters of their text."""

    documents: int = 0
    characters: int = 0

    def add(self, documents: int, characters: int) -> None:
        """Adds to both counts."""
        self.documents += documents
        self.characters += characters

    def as_json(self) -> dict[str, int]:
        """The tally as it stands in stats files."""
        return {"documents": self.documents, "characters": self.characters}


@dataclass(slots=True)
class StepLedger:
    """What entered and left one step, what it dropped and what failed in it, by reason, and its own counters."""

    entered: Tally = field(default_factory=Tally)
    left: Tally = field(default_factory=Tally)
    dropped: dict[str, Tally] = field(default_factory=dict)
    failed: dict[str, Tally] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str, characters: int) -> None:
        """Counts one dropped document."""
        self.dropped.setdefault(reason, Tally()).add(1, characters)

    def fail(self, reason: str, characters: int) -> None:
        """Counts one failed document or record."""
        self.failed.setdefault(reason, Tally()).add(1, characters)

    def as_json(self) -> dict[str, Any]:
        """The step as it stands in stats files."""
        return {
            "entered": self.entered.as_json(),
            "left": self.left.as_json(),
            "dropped": {reason: self.dropped[reason].as_json() for reason in sorted(self.dropped)},
            "failed": {reason: self.failed[reason].as_json() for reason in sorted(self.failed)},
            "counters": dict(sorted(self.counters.items())),
        }


@dataclass(slots=True)
class Ledger:
    """The accounts of a shard, or of many: steps in their order, then what was kept by subset."""

    steps: dict[str, StepLedger] = field(default_factory=dict)
    kept: dict[str, Tally] = field(default_factory=dict)

    def step(self, name: str) -> StepLedger:
        """The account of a step; it is opened, after the steps there are, at its first mention."""
        return self.steps.setdefault(name, StepLedger())

    def keep(self, subset: str, characters: int) -> None:
        """Counts one kept document."""
        self.kept.setdefault(subset, Tally()).add(1, characters)

    def as_json(self) -> dict[str, Any]:
        """The ledger as it stands in stats files; the steps are a list, to hold their order."""
        return {
            "steps": [{"step": name, **step.as_json()} for name, step in self.steps.items()],
            "kept": {subset: self.kept[subset].as_json() for subset in sorted(self.kept)},
        }

    def add_json(self, data: Mapping[str, Any]) -> None:
        """Adds a ledger that ``as_json`` gave."""
        for entry in data["steps"]:
            step = self.step(entry["step"])
            step.entered.add(**entry["entered"])
            step.left.add(**entry["left"])
            for kind, tallies in (("dropped", step.dropped), ("failed", step.failed)):
                for reason, tally in entry[kind].items():
                    tallies.setdefault(reason, Tally()).add(**tally)
            step.counters.update(entry["counters"])
        for subset, tally in data["kept"].items():
            self.kept.setdefault(subset, Tally()).add(**tally)

    def pass_through(self, name: str) -> None:
        """Lets what met no such step pass through the last one: of several shards, not all may have had it."""
        if name in self.steps:
            before = [step for other, step in self.steps.items() if other != name]
            self.steps[name] = StepLedger(
                replace(before[-1].left) if before else Tally(),
                total(self.kept.values()),
                *(getattr(self.steps[name], part) for part in ("dropped", "failed", "counters")),
            )

    def check(self) -> list[str]:
        """Reconciles the accounts to the unit; returns a sentence for each sum that does not add up."""
        faults = []
        previous: tuple[str, Tally] | None = None
        for name, step in self.steps.items():
            gone = sum(t.documents for t in (*step.dropped.values(), *step.failed.values()))
            if step.entered.documents != step.left.documents + gone:
                faults.append(f"step {name}: {step.entered.documents} entered, {step.left.documents} left, {gone} gone")
            records, joined = step.counters.get(RECORDS), step.counters.get(JOINED, 0)
            if records is not None and records != step.entered.documents + joined:
                faults.append(f"step {name}: {records} records, {joined} joined, {step.entered.documents} entered")
            if previous and previous[1] != step.entered:
                faults.append(f"{previous[1]} left step {previous[0]}, {step.entered} entered step {name}")
            previous = (name, step.left)
        kept = total(self.kept.values())
        if previous and previous[1] != kept:
            faults.append(f"{previous[1]} left step {previous[0]}, {kept} was kept")
        return faults


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies."""
    result = Tally()
    for tally in tallies:
        result.add(tally.documents, tally.characters)
    return result
