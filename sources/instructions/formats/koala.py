"""Koala's mix: JSON lines whose ``fields`` say which parts follow one another, and on which there is loss.

young-geng/koala_data_pipeline (``process_chat_data.py``, ``create_hf_data_v2.py``) writes them, young-geng/EasyLM
(``EasyLM/data.py``, ``TextProcessor``) reads them. ``[marker_user+human_0+marker_gpt],gpt_1,<|eos|>``: parts are parted
by commas; what stands in brackets has no loss; what ``+`` joins is joined with a space. Markers tell who speaks:
``marker_gpt_bad`` that the answer is a bad one, of which Koala learns only what bad answers are like.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from filters.instructions.turns import ASSISTANT, USER, Turn
from sources.instructions.formats.items import (
    MOST_PARTS,
    Conversation,
    Fault,
    Item,
    Record,
    Records,
    each,
    kind_of,
    names_of,
    shown,
    text_fault,
    text_or_none,
)

FIELDS = "fields"
BAD_MARK = "marker_gpt_bad"
_PART = re.compile(r"(human|gpt_bad|gpt)_(\d{1,9})")
_SPECIAL = re.compile(r"<\|(?:bos|eos|\d{1,9})\|>")
_TELLS = 2  # fields of parts that a record has at least


class _Field(NamedTuple):
    """A field of the string: the names that are joined, and whether it stands in brackets."""

    names: list[str]
    bracketed: bool


@dataclass(frozen=True)
class Koala:
    """Koala's lines; those of the chat data before markers were added, too, which have no ``fields``.

    Attributes:
        bad_answers: ``untrained``: they stay, without loss. ``drop``: conversations with one go.
    """

    bad_answers: str = "untrained"
    name: str = "koala"
    columns: tuple[str, ...] = ()  # its parts have numbers: all columns are read

    def tells(self, record: Record) -> bool:
        """By the names of its parts."""
        return sum(1 for name in record if _PART.fullmatch(name)) >= _TELLS

    def read(self, records: Records, path: str) -> Iterator[tuple[int, Item]]:
        """One conversation a record."""
        return each(records, self._item)

    def _item(self, record: Record) -> Item:
        parts = [name for name in record if isinstance(name, str) and _PART.fullmatch(name)]
        if fault := text_fault(record, *parts):
            return fault
        if record.get(FIELDS) is None:
            fields = [_Field([name], name.startswith("human")) for name in sorted(parts, key=_number)]
        elif isinstance(record[FIELDS], str):
            fields = _fields(record[FIELDS])
        else:
            return Fault("wrong_type", f"fields is a {kind_of(record[FIELDS])}, not text")
        if len(fields) > MOST_PARTS:
            return Fault("too_many_turns", f"fields has {len(fields):,} parts")
        found = _turns(record, fields)
        if isinstance(found, Fault):
            return found
        turns, bad = found
        if bad and self.bad_answers == "drop":
            return Fault("bad_answer", "an answer is marked as a bad one", failed=False)
        return Conversation(turns, text_or_none(record.get("id")), {"bad_answers": bad} if bad else {})


def _number(name: str) -> int:
    found = _PART.fullmatch(name)
    return int(found[2]) if found else 0


def _fields(text: str) -> list[_Field]:
    fields = []
    for part in text.split(","):
        named = part.strip()
        bracketed = named.startswith("[") and named.endswith("]")
        inner = named[1:-1] if bracketed else named
        if inner and not _SPECIAL.fullmatch(inner):
            fields.append(_Field(inner.split("+"), bracketed))
    return fields


def _turns(record: Record, fields: list[_Field]) -> tuple[list[Turn], int] | Fault:
    """The turns of a record in the order of its fields, and how many answers are bad ones."""
    turns: list[Turn] = []
    asked: list[str] = []  # of the user's turn under way
    bad = is_bad = 0
    for field in fields:
        for name in field.names:
            if name.startswith("{"):
                return Fault("encoded_tokens", f"fields names {shown(name)}, which holds ids of tokens, not text")
            value = record.get(name)
            if not isinstance(value, str):
                what = "missing" if value is None else f"a {kind_of(value)}"
                return Fault(
                    "missing_field", f"fields names {shown(name)}, which is {what}; there are {names_of(record)}"
                )
            if name.startswith("marker_"):
                if name == "marker_user" and asked:
                    turns.append(Turn(USER, " ".join(asked)))
                    asked = []
                is_bad = name == BAD_MARK if name.startswith("marker_gpt") else is_bad
            elif name.startswith("gpt_"):
                if asked:
                    turns.append(Turn(USER, " ".join(asked)))
                    asked = []
                is_bad = is_bad or name.startswith("gpt_bad_")
                turns.append(Turn(ASSISTANT, value, not (field.bracketed or is_bad)))
                bad, is_bad = bad + is_bad, False
            else:
                asked.append(value)
    if asked:
        turns.append(Turn(USER, " ".join(asked)))
    return turns, bad
