r"""HH-RLHF: pairs of dialogues that are alike up to their last answers (anthropics/hh-rlhf).

Lines ``{"chosen", "rejected"}``; a turn begins with an empty line and ``Human:`` or ``Assistant:``. The folder says
what was asked for (``harmless-base``, ``helpful-online``, ...), the file's name whether it is for training or tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from filters.instructions.turns import ASSISTANT, USER, Turn
from sources.instructions.formats.items import Fault, Item, Record, Records, each, pair_of, shown, text_fault

_TURN = re.compile(r"(?:\A\s{0,10}|\n\n)(Human|Assistant):")
_ROLES = {"Human": USER, "Assistant": ASSISTANT}
_PARTS = re.compile(r"(harmless|helpful)-[a-z-]+|red-team-attempts")
_SPLITS = ("train", "test")


@dataclass(frozen=True)
class HhRlhf:
    """HH-RLHF's lines."""

    name: str = "hh-rlhf"
    columns: tuple[str, ...] = ("chosen", "rejected")

    def tells(self, record: Record) -> bool:
        """By its two fields."""
        return record.keys() >= {*self.columns}

    def read(self, records: Records, path: str) -> Iterator[tuple[int, Item]]:
        """One pair a record."""
        *folders, name = path.replace("\\", "/").split("/")
        part = folders[-1] if folders and _PARTS.fullmatch(folders[-1]) else None
        split = next((split for split in _SPLITS if name.startswith(split)), None)
        return each(records, partial(_pair, facts={"part": part, "split": split}))


def _pair(record: Record, facts: dict[str, str | None]) -> Item:
    if fault := text_fault(record, "chosen", "rejected"):
        return fault
    dialogues = []
    for name in ("chosen", "rejected"):
        turns = _turns(record[name])
        if turns is None:
            return Fault("unknown_role", f"{name} does not begin with Human: or Assistant:, but {shown(record[name])}")
        dialogues.append(turns)
    return pair_of(dialogues[0], dialogues[1], facts=facts)


def _turns(text: str) -> list[Turn] | None:
    """The turns of a dialogue; None where something stands before the first."""
    before, *parts = _TURN.split(text)
    if before.strip():
        return None
    return [Turn(_ROLES[role], said.strip()) for role, said in zip(parts[::2], parts[1::2], strict=True)]
