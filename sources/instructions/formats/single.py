"""The formats with one question and one answer a record: Alpaca, WizardLM, gpt4all.

Alpaca (tatsu-lab/stanford_alpaca, ``alpaca_data.json``): ``instruction``, ``input``, which may be empty, ``output``.
WizardLM (nlpxucan/WizardLM, ``alpaca_evol_instruct_70k.json``): ``instruction``, ``output``.
gpt4all (nomic-ai/gpt4all, ``gpt4all-training/data.py`` and ``clean.py``): ``prompt``, ``response``, ``source``; in the
raw files the first two may be objects with the text in ``value`` or ``description``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sources.instructions.formats.items import (
    Conversation,
    Item,
    Record,
    Records,
    each,
    key_of,
    question_and_answer,
    text_fault,
    text_or_none,
)
from sources.instructions.recipe import BEFORE_INPUT


@dataclass(frozen=True)
class Alpaca:
    """Alpaca's list. The user's turn is the instruction and, where there is one, its input, which ``meta`` repeats.

    Attributes:
        before_input: What stands between the two.
    """

    before_input: str = BEFORE_INPUT
    name: str = "alpaca"
    columns: tuple[str, ...] = ("instruction", "input", "output")

    def tells(self, record: Record) -> bool:
        """By its three fields."""
        return record.keys() >= {*self.columns}

    def read(self, records: Records, path: str) -> Iterator[tuple[int, Item]]:
        """One conversation a record."""
        return each(records, self._item)

    def _item(self, record: Record) -> Item:
        if fault := text_fault(record, "instruction", "output"):
            return fault
        given = record.get("input")
        if given is not None and (fault := text_fault(record, "input")):
            return fault
        given = (given or "").strip()
        question = record["instruction"].strip()
        facts = {"input": given} if given and question else {}
        question = f"{question}{self.before_input}{given}" if given and question else question or given
        return Conversation(question_and_answer(question, record["output"]), key_of(record.get("id")), facts)


@dataclass(frozen=True)
class WizardLM:
    """WizardLM's list of evolved instructions."""

    name: str = "wizardlm"
    columns: tuple[str, ...] = ("instruction", "output")

    def tells(self, record: Record) -> bool:
        """By its two fields, where there is no third."""
        return record.keys() >= {*self.columns} and "input" not in record

    def read(self, records: Records, path: str) -> Iterator[tuple[int, Item]]:
        """One conversation a record."""
        return each(records, self._item)

    def _item(self, record: Record) -> Item:
        if fault := text_fault(record, *self.columns):
            return fault
        return Conversation(question_and_answer(record["instruction"], record["output"]), key_of(record.get("idx")))


@dataclass(frozen=True)
class Gpt4All:
    """gpt4all's lines."""

    name: str = "gpt4all"
    columns: tuple[str, ...] = ("prompt", "response", "source")

    def tells(self, record: Record) -> bool:
        """By prompt and response."""
        return record.keys() >= {"prompt", "response"}

    def read(self, records: Records, path: str) -> Iterator[tuple[int, Item]]:
        """One conversation a record."""
        return each(records, self._item)

    def _item(self, record: Record) -> Item:
        plain = {name: _inner(record[name]) for name in ("prompt", "response") if name in record}
        if fault := text_fault(plain, "prompt", "response"):
            return fault
        facts = {"part": text_or_none(record.get("source"))}
        return Conversation(question_and_answer(plain["prompt"], plain["response"]), key_of(record.get("id")), facts)


def _inner(value: Any) -> Any:
    """The text in an object, as ``clean.py`` takes it out."""
    if not isinstance(value, dict):
        return value
    return value.get("value", value.get("description", value))
