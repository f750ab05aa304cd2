"""ShareGPT's conversations, as Vicuna was trained on: with the HTML of the page, or cleaned.

lm-sys/FastChat, ``data/dummy_conversation.json``: ``{"id", "conversations": [{"from": "human" | "gpt", "value"}]}``.
Other copies say ``user``, ``chatgpt``, ``bing``, ``bard`` or ``system``, have ``items`` for ``conversations`` or
``idx`` for ``id`` (WizardLM's second set), ``model`` or ``plugins``, ``system`` or ``system_prompt`` beside the list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from filters.instructions.turns import ASSISTANT, SYSTEM, USER, Turn
from sources.instructions.formats.items import (
    MOST_PARTS,
    Conversation,
    Fault,
    Item,
    Record,
    Records,
    each,
    key_of,
    kind_of,
    names_of,
    shown,
    text_fault,
    text_or_none,
)

ROLES = {
    "human": USER,
    "user": USER,
    "gpt": ASSISTANT,
    "chatgpt": ASSISTANT,
    "assistant": ASSISTANT,
    "bing": ASSISTANT,
    "bard": ASSISTANT,
    "system": SYSTEM,
}
PLUGINS = "plugins"
SYSTEM_FIELDS = ("system", "system_prompt")


@dataclass(frozen=True)
class ShareGpt:
    """ShareGPT's list."""

    name: str = "sharegpt"
    columns: tuple[str, ...] = ("id", "idx", "conversations", "items", "model", PLUGINS, *SYSTEM_FIELDS)

    def tells(self, record: Record) -> bool:
        """By its list of turns."""
        return bool(record.keys() & {"conversations", "items"})

    def read(self, records: Records, path: str) -> Iterator[tuple[int, Item]]:
        """One conversation a record."""
        return each(records, _item)


def _item(record: Record) -> Item:
    listed = record.get("conversations", record.get("items"))
    if not isinstance(listed, list):
        reason = "missing_field" if listed is None else "wrong_type"
        return Fault(reason, f"conversations is a {kind_of(listed)}, not a list; the record has {names_of(record)}")
    if len(listed) > MOST_PARTS:
        return Fault("too_many_turns", f"the conversation has {len(listed):,} turns")
    turns = []
    for number, turn in enumerate(listed):
        if not isinstance(turn, dict):
            return Fault("wrong_type", f"turn {number} is a {kind_of(turn)}, not an object: {shown(turn)}")
        if fault := text_fault(turn, "from", "value"):
            return Fault(fault.reason, f"turn {number}: {fault.message}")
        role = ROLES.get(turn["from"].strip().lower())
        if role is None:
            known = ", ".join(ROLES)
            return Fault("unknown_role", f"turn {number} is from {shown(turn['from'])}, which is none of {known}")
        turns.append(Turn(role, turn["value"], role == ASSISTANT))
    system = next(filter(None, (text_or_none(record.get(name)) for name in SYSTEM_FIELDS)), None)
    if system and not (turns and turns[0].role == SYSTEM):
        turns.insert(0, Turn(SYSTEM, system, False))
    key = key_of(record.get("id")) or key_of(record.get("idx"))
    facts = {"model": text_or_none(record.get("model")), PLUGINS: record.get(PLUGINS) is not None}
    return Conversation(turns, key, facts)
