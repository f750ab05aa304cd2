"""Conversations and pairs as lists of messages, as the hub's data sets and most trainers have them today.

TRL (``docs/source/dataset_formats.md``) calls it conversational: ``messages`` of ``{"role", "content"}``; pairs have
``chosen`` and ``rejected``, with their prompt in ``prompt`` or at the beginning of both, and all may be plain text
("standard"). Other copies say ``conversation`` or ``conversations``. UltraFeedback has ``score_chosen`` and
``score_rejected``; OpenAI's fine-tuning files have ``weight`` 0 for an answer that is not learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
    pair_of,
    shown,
    text_fault,
    text_or_none,
)

ROLES = {"user": USER, "assistant": ASSISTANT, "system": SYSTEM, "developer": SYSTEM}
_LISTS = ("messages", "conversation", "conversations")
_ANSWERS = ("chosen", "rejected")
_MARGINS = ("margin", "score_chosen", "score_rejected")
_MOST = 1e100  # of a margin; NaN is not less


@dataclass(frozen=True)
class Messages:
    """Records with lists of messages, and pairs with a prompt of their own."""

    name: str = "messages"
    columns: tuple[str, ...] = ("id", "conversation_id", *_LISTS, "prompt", *_ANSWERS, *_MARGINS, "model")

    def tells(self, record: Record) -> bool:
        """By a list of messages, or by two answers and their prompt."""
        if record.keys() >= {*_ANSWERS}:
            return "prompt" in record or isinstance(record["chosen"], list)
        listed = next((record[name] for name in _LISTS if name in record), None)
        first = listed[0] if isinstance(listed, list) and listed else None
        return "messages" in record or (isinstance(first, dict) and "role" in first)

    def read(self, records: Records, path: str) -> Iterator[tuple[int, Item]]:
        """One conversation, or one pair, a record."""
        return each(records, _item)


def _item(record: Record) -> Item:
    key = key_of(record.get("id")) or key_of(record.get("conversation_id"))
    facts = {"model": text_or_none(record.get("model"))}
    if record.keys() & {*_ANSWERS}:
        return _pair(record, key, facts)
    name = next((name for name in _LISTS if name in record), _LISTS[0])
    turns = _turns(record, name)
    return turns if isinstance(turns, Fault) else Conversation(turns, key, facts)


def _pair(record: Record, key: str | None, facts: dict[str, Any]) -> Item:
    prompt = _turns(record, "prompt", USER) if record.get("prompt") is not None else []
    if isinstance(prompt, Fault):
        return prompt
    dialogues = []
    for name in _ANSWERS:
        turns = _turns(record, name, ASSISTANT)
        if isinstance(turns, Fault):
            return turns
        whole = bool(turns) and turns[0].role != ASSISTANT  # then the prompt is in it, too
        dialogues.append(turns if whole else [*prompt, *turns])
    return pair_of(dialogues[0], dialogues[1], _margin(record), key, facts)


def _margin(record: Record) -> float | None:
    """How much better the first answer is, where the record says it."""
    values = [record.get(name) for name in _MARGINS]
    margin, better, worse = (
        float(value) if isinstance(value, (int, float)) and abs(value) < _MOST else None for value in values
    )
    if margin is None and better is not None and worse is not None:
        margin = better - worse
    return margin if margin is not None and margin > 0 else None


def _turns(record: Record, name: str, plain: str | None = None) -> list[Turn] | Fault:
    """The turns of a list of messages; of a plain text, where that may stand in its place, the one of that role."""
    listed = record.get(name)
    if plain is not None and isinstance(listed, str):
        return [Turn(plain, listed)]
    if not isinstance(listed, list):
        reason = "missing_field" if listed is None else "wrong_type"
        return Fault(reason, f"{name} is a {kind_of(listed)}, not a list; the record has {names_of(record)}")
    if len(listed) > MOST_PARTS:
        return Fault("too_many_turns", f"{name} has {len(listed):,} turns")
    turns = []
    for number, message in enumerate(listed):
        turn = _turn(message)
        if isinstance(turn, Fault):
            return Fault(turn.reason, f"{name}, turn {number}: {turn.message}")
        turns.append(turn)
    return turns


def _turn(message: Any) -> Turn | Fault:
    if not isinstance(message, dict):
        return Fault("wrong_type", f"it is a {kind_of(message)}, not an object: {shown(message)}")
    if fault := text_fault(message, "role"):
        return fault
    role = ROLES.get(message["role"].strip().lower())
    if role is None:
        return Fault("unknown_role", f"its role is {shown(message['role'])}, which is none of {', '.join(ROLES)}")
    content = _text(message)
    if isinstance(content, Fault):
        return content
    learned = message.get("train") is not False and message.get("weight") != 0
    return Turn(role, content, role == ASSISTANT and learned)


def _text(message: Record) -> str | Fault:
    """What a message says, which may be in parts."""
    parts = message.get("content")
    if not isinstance(parts, list):
        return text_fault(message, "content") or str(parts)
    for part in parts:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            kind = part.get("type") if isinstance(part, dict) else kind_of(part)
            return Fault("wrong_type", f"its content has a part that is no text: {shown(kind)}")
    return "".join(part["text"] for part in parts)
