"""What the records of all formats become: conversations, pairs of answers, faults; and how their fields are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from filters.instructions.turns import ASSISTANT, USER, Turn

SHOWN = 200  # characters of a value, or of the names of fields, in a message
MOST_PARTS = 100_000  # turns of one record; a conversation of 16 MB has fewer unless they say nothing


@dataclass(frozen=True)
class Conversation:
    """A conversation as a record has it.

    Attributes:
        turns: Its turns.
        key: Its own id; None where it has none.
        facts: What else the record tells, by the names of the fields of ``meta``.
        language: The code of its language, where the record says it.
        created: When it was written, likewise.
        offset: Where its record begins, where that is not the record that was read last.
    """

    turns: list[Turn]
    key: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    created: datetime | None = None
    offset: int | None = None


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt, of which the first was preferred; fields as those of ``Conversation``.

    Attributes:
        prompt: The turns before them, the last a user's.
        chosen: The better answer.
        rejected: The other one.
        margin: By how much it is better, in the terms of its dataset; None where that does not say.
    """

    prompt: list[Turn]
    chosen: str
    rejected: str
    margin: float | None = None
    key: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    language: str | None = None
    created: datetime | None = None
    offset: int | None = None


class Fault(NamedTuple):
    """Why a record, or a part of one, is none of both; whether it is damaged, or sound and not wanted."""

    reason: str
    message: str
    failed: bool = True
    offset: int | None = None


Item = Conversation | Pair | Fault
Record = Mapping[str, Any]
Records = Iterator[tuple[int, Record | Fault]]  # each with its offset; faults where there is none


class Format(Protocol):
    """A format of published data."""

    @property
    def name(self) -> str:
        """Its name on the command line, and in documents."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that are read, as the columns of a Parquet file."""

    def tells(self, record: Record) -> bool:
        """Whether a record is of this format, by its fields alone: they may hold what they should not."""

    def read(self, records: Records, path: str) -> Iterator[tuple[int, Item]]:
        """Makes of records what they hold; faults are passed on.

        Args:
            records: Those of one file.
            path: The file's.
        """


def each(records: Records, make: Callable[[Record], Item]) -> Iterator[tuple[int, Item]]:
    """One item for each record."""
    for offset, record in records:
        yield offset, record if isinstance(record, Fault) else make(record)


def question_and_answer(question: str, answer: str) -> list[Turn]:
    """A conversation of one round."""
    return [Turn(USER, question), Turn(ASSISTANT, answer, train=True)]


def pair_of(
    chosen: list[Turn],
    rejected: list[Turn],
    margin: float | None = None,
    key: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Item:
    """A pair of two dialogues, which must be alike up to their last answers."""
    for name, turns in (("chosen", chosen), ("rejected", rejected)):
        if len(turns) > MOST_PARTS:
            return Fault("too_many_turns", f"{name} has {len(turns):,} turns")
        if not turns or turns[-1].role != ASSISTANT:
            return Fault("no_answer", f"{name} does not end with an answer", failed=False)
    prompt = [turn._replace(train=False) for turn in chosen[:-1]]
    if prompt != [turn._replace(train=False) for turn in rejected[:-1]]:
        return Fault("unlike_prompts", "chosen and rejected differ before their last answers", failed=False)
    return Pair(prompt, chosen[-1].content, rejected[-1].content, margin, key, facts or {})


def text_fault(record: Record, *names: str) -> Fault | None:
    """Says which of the fields that must be text is missing, or is none."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str):
            continue
        if value is None:
            what = "null" if name in record else "missing"
            return Fault("missing_field", f"{name} is {what}; the record has {names_of(record)}")
        return Fault("wrong_type", f"{name} is a {kind_of(value)}, not text: {shown(value)}")
    return None


def names_of(record: Record) -> str:
    """The names of a record's fields, to be shown."""
    return ", ".join(sorted(map(str, record))[:20])[:SHOWN]


def kind_of(value: Any) -> str:
    """What JSON calls a value."""
    known = {dict: "object", list: "list", bool: "truth value", int: "number", float: "number", str: "text"}
    return "null" if value is None else known.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """The beginning of a value, without a look at all of it where it is large."""
    if isinstance(value, str):
        return repr(value[:SHOWN])
    if isinstance(value, (dict, list)):
        return f"of {len(value):,}"
    return repr(value)[:SHOWN] if not isinstance(value, int) or abs(value) < 10**18 else "a number of many digits"


def text_or_none(value: Any) -> str | None:
    """A value that may be left out, where it is text."""
    return value if isinstance(value, str) and value else None


def key_of(value: Any) -> str | None:
    """A record's own id: text, or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return str(value)
    return text_or_none(value)
