"""OpenAssistant's trees of messages: threads to learn from, and ranked answers as pairs; both from one reading.

LAION-AI/Open-Assistant: ``oasst-data/oasst_data/schemas.py`` has the form of trees and messages,
``model/model_training/custom_datasets/oasst_dataset.py`` says which threads are used (``load_oasst_export``), and
``ranking_collator.py`` that the five best answers to a prompt are compared. Files hold a tree a line
(``*.trees.jsonl.gz``), or a message a line (``*.messages.jsonl.gz``, and the Parquet files of the hub), those of a tree
one behind the other. A tree from outside may hold anything: it is walked without recursion, and as deep as is sensible.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from operator import attrgetter
from typing import Any

from filters.instructions.turns import ASSISTANT, USER, Turn
from pipeline.corpus.document import parse_time
from sources.instructions.formats.items import (
    Conversation,
    Fault,
    Item,
    Pair,
    Record,
    Records,
    key_of,
    kind_of,
    names_of,
    shown,
    text_fault,
    text_or_none,
)

ROLES = {"prompter": USER, "assistant": ASSISTANT}
READY = "ready_for_export"
MOST_RANK = 1 << 31
UNRANKED = -1


@dataclass
class Message:
    """A message of a tree.

    Attributes:
        id: Its id.
        parent: That of the message it answers; None for the first.
        role: Who wrote it.
        text: What.
        rank: Its place among the answers to one message, from 0; ``UNRANKED`` where it has none.
        unwanted: Why it takes no part: it is ``deleted`` or ``synthetic``.
        language: Its language.
        record: The record that it stands in, or is.
        offset: Where that begins.
        depth: How many messages come before it.
        above: The message that it answers.
        replies: Those that answer it, in the order of the file.
    """

    id: str
    parent: str | None
    role: str
    text: str
    rank: int
    unwanted: str | None
    language: str | None
    record: Record
    offset: int
    depth: int = 0
    above: Message | None = None
    replies: list[Message] = field(default_factory=list)

    def thread(self) -> list[Message]:
        """The messages from the first to this one."""
        found, message = [self], self.above
        while message is not None:
            found.append(message)
            message = message.above
        return found[::-1]


@dataclass(frozen=True)
class Oasst:
    """OpenAssistant's trees, or their messages.

    Attributes:
        best: Of the answers to one prompt so many are followed, by rank; None for all.
        states: The states of trees that are taken.
        keep_synthetic: Whether messages stay that a model wrote.
        most_answers: Of the answers to one prompt so many are compared, by rank.
        pairs: Which of them: ``all`` two, ``adjacent`` ones, or the best with the ``worst``.
        max_depth: Messages in a thread; a tree's deeper ones are left out.
    """

    best: int | None = 1
    states: tuple[str, ...] = (READY,)
    keep_synthetic: bool = False
    most_answers: int = 5
    pairs: str = "all"
    max_depth: int = 64
    name: str = "oasst"
    columns: tuple[str, ...] = (
        *("message_id", "parent_id", "message_tree_id", "tree_state", "text", "role", "lang", "review_result"),
        *("deleted", "rank", "synthetic", "model_name", "created_date"),
    )

    def tells(self, record: Record) -> bool:
        """By a tree's fields, or by a message's."""
        return any(
            record.keys() >= fields for fields in ({"message_tree_id", "prompt"}, {"message_id", "text", "role"})
        )

    def read(self, records: Records, path: str) -> Iterator[tuple[int, Item]]:
        """Threads and pairs of each tree."""
        group: list[tuple[int, Record]] = []
        tree: Any = None
        for offset, record in records:
            if isinstance(record, Fault):
                yield offset, record
            elif "message_id" not in record:
                yield from self._flat(group, tree)
                group = []
                for item in self._tree(record, offset):
                    yield offset, item
            else:
                own = key_of(record.get("message_tree_id")) or (tree if record.get("parent_id") else None)
                own = own or key_of(record.get("message_id"))
                if own != tree:
                    yield from self._flat(group, tree)
                    group, tree = [], own
                group.append((offset, record))
        yield from self._flat(group, tree)

    def _tree(self, record: Record, offset: int) -> Iterator[Item]:
        """What a record holds that is a whole tree."""
        root = record.get("prompt")
        if not isinstance(root, dict):
            reason = "missing_field" if root is None else "wrong_type"
            yield Fault(reason, f"prompt is a {kind_of(root)}, not a message; the record has {names_of(record)}")
            return
        messages: list[Message] = []
        faults: list[Fault] = []
        waiting: list[tuple[Any, Message | None]] = [(root, None)]
        while waiting:
            node, above = waiting.pop()
            found = self._message(node, offset)
            if isinstance(found, Fault):
                faults.append(found)
                continue
            found.above, found.depth = above, above.depth + 1 if above else 0
            messages.append(found)
            if above is not None:
                above.replies.append(found)
            replies = node.get("replies") or []
            if not isinstance(replies, list):
                faults.append(Fault("wrong_type", f"the replies of {found.id} are a {kind_of(replies)}, not a list"))
                continue
            waiting += [(reply, found) for reply in reversed(replies)]
        yield from self._judged(key_of(record.get("message_tree_id")), record.get("tree_state"), messages, faults)

    def _flat(self, group: list[tuple[int, Record]], tree: str | None) -> Iterator[tuple[int, Item]]:
        """What the messages of one tree hold, which are a record each; the others of its records are joined to it."""
        if not group:
            return
        start = group[0][0]
        messages: list[Message] = []
        faults: list[Fault] = []
        for offset, record in group:
            found = self._message(record, offset)
            if isinstance(found, Fault):
                faults.append(found._replace(offset=offset))
            else:
                messages.append(found)
        messages, more = _linked(messages)
        for item in self._judged(tree, group[0][1].get("tree_state"), messages, [*faults, *more]):
            yield start if item.offset is None else item.offset, item

    def _message(self, node: Any, offset: int) -> Message | Fault:
        if not isinstance(node, dict):
            return Fault("wrong_type", f"a message is a {kind_of(node)}, not an object: {shown(node)}")
        if fault := text_fault(node, "text", "role"):
            return fault
        key = key_of(node.get("message_id"))
        if key is None:
            return Fault("missing_field", f"message_id is {shown(node.get('message_id'))}; there are {names_of(node)}")
        role = ROLES.get(node["role"])
        if role is None:
            return Fault("unknown_role", f"message {key} is from {shown(node['role'])}, neither prompter nor assistant")
        rank = node.get("rank")
        if isinstance(rank, float) and rank.is_integer():  # a column with nulls, as pandas writes it
            rank = int(rank)
        if isinstance(rank, bool) or not isinstance(rank, int) or not 0 <= rank < MOST_RANK:
            rank = UNRANKED
        unwanted = "deleted" if node.get("deleted") else None
        if not unwanted and node.get("synthetic") and not self.keep_synthetic:
            unwanted = "synthetic"
        parent = key_of(node.get("parent_id"))
        return Message(key, parent, role, node["text"], rank, unwanted, text_or_none(node.get("lang")), node, offset)

    def _judged(self, tree: str | None, state: Any, messages: list[Message], faults: list[Fault]) -> Iterator[Item]:
        """The threads and pairs of a tree whose messages are linked, and what is wrong with it."""
        yield from faults
        roots = [message for message in messages if message.above is None]
        if state is not None and state not in self.states:
            yield Fault("tree_state", f"the tree {tree} is {shown(state)}, not {', '.join(self.states)}", failed=False)
            return
        if not roots:
            if not faults:
                yield Fault("no_message", f"the tree {tree} has no message")
            return
        if roots[0].record.get("review_result") is False:
            yield Fault("not_reviewed", f"the prompt of the tree {tree} did not pass its review", failed=False)
            return
        sound, more = _without_doubles(messages)
        yield from more
        deep = sum(message.depth >= self.max_depth for message in sound)
        if deep:
            yield Fault("too_deep", f"{deep:,} messages of the tree {tree} come behind {self.max_depth} others")
        sound = [message for message in sound if message.depth < self.max_depth]
        found: list[Item] = [*self._threads(sound), *self._pairs(sound)]
        yield from found
        if not found:
            yield Fault("no_thread", f"no thread of the tree {tree} has answers that are taken", failed=False)

    def _threads(self, messages: list[Message]) -> Iterator[Conversation]:
        """Threads from the first message to each answer below which no other is taken."""
        inside: set[int] = set()
        taken = []
        for message in messages:  # each comes behind the one that it answers
            if (message.above is None or id(message.above) in inside) and self._follows(message):
                inside.add(id(message))
                taken.append(message)
        goes_on: set[int] = set()
        for message in reversed(taken):
            if message.above is not None and (message.role == ASSISTANT or id(message) in goes_on):
                goes_on.add(id(message.above))
        for message in taken:
            if message.role == ASSISTANT and id(message) not in goes_on:
                thread = message.thread()
                yield Conversation(_turns(thread), message.id, *_facts(thread[0], message))

    def _follows(self, message: Message) -> bool:
        """Whether a message takes part in threads, where the one above it does."""
        if message.unwanted:
            return False
        if message.role == USER or self.best is None:
            return True
        if message.rank == UNRANKED:
            return message.above is None or len(message.above.replies) <= 1
        return message.rank < self.best

    def _pairs(self, messages: list[Message]) -> Iterator[Pair]:
        """Of each prompt's answers that have unlike ranks, the better and the worse."""
        taken: set[int] = set()
        for message in messages:
            if message.unwanted or (message.above is not None and id(message.above) not in taken):
                continue
            taken.add(id(message))
            if message.role != USER:
                continue
            ranked = [r for r in message.replies if r.role == ASSISTANT and r.rank >= 0 and not r.unwanted]
            answers = heapq.nsmallest(self.most_answers, ranked, key=attrgetter("rank"))
            if len(answers) < 2:
                continue
            thread = message.thread()
            for better, worse in self._compared(answers):
                if better.rank == worse.rank:
                    continue
                facts, language, created, offset = _facts(thread[0], better)
                facts = {**facts, "chosen_rank": better.rank, "rejected_rank": worse.rank}
                key, margin = f"{better.id}-{worse.id}", float(worse.rank - better.rank)
                turns = _turns(thread)
                yield Pair(turns, better.text, worse.text, margin, key, facts, language, created, offset)

    def _compared(self, answers: list[Message]) -> list[tuple[Message, Message]]:
        if self.pairs == "adjacent":
            return list(pairwise(answers))
        return [(answers[0], answers[-1])] if self.pairs == "worst" else list(combinations(answers, 2))


def _linked(messages: list[Message]) -> tuple[list[Message], list[Fault]]:
    """Links messages to those that they answer; those that hang on none, or on one another, are faults.

    Returns:
        The messages that hang on the first, each behind the one that it answers.
    """
    known: dict[str, Message] = {}
    faults = []
    for message in messages:
        if message.id in known:
            faults.append(_double(message))
        else:
            known[message.id] = message
    below: dict[str, list[Message]] = {}
    roots = []
    for message in known.values():
        if message.parent is None:
            roots.append(message)
        else:
            below.setdefault(message.parent, []).append(message)
    faults += [
        Fault("second_root", f"message {root.id} answers none, nor is it the first", True, root.offset)
        for root in roots[1:]
    ]
    linked, waiting = [], roots[:1]
    while waiting:
        message = waiting.pop()
        linked.append(message)
        message.replies = below.pop(message.id, [])
        for reply in reversed(message.replies):
            reply.above, reply.depth = message, message.depth + 1
            waiting.append(reply)
    reached = {message.id: message for message in [*linked, *roots[1:]]}
    faults += _unreached([message for message in known.values() if message.id not in reached], known)
    return linked, faults


def _unreached(messages: list[Message], known: dict[str, Message]) -> Iterator[Fault]:
    """Why messages do not hang on the first one: at the end of what each answers one is missing, or it is a circle."""
    causes: dict[str, str] = {}
    for message in messages:
        way: dict[str, None] = {}
        at: Message | None = message
        while at is not None and at.id not in causes and at.id not in way:
            way[at.id] = None
            at = None if at.parent is None else known.get(at.parent)
        if at is None:
            cause = "missing_parent" if known[next(reversed(way))].parent is not None else "second_root"
        else:
            cause = causes.get(at.id, "cycle")
        causes.update(dict.fromkeys(way, cause))
        told = {
            "missing_parent": "answers, or hangs on one that answers, what is not beside it (messages of one tree must "
            "stand one behind the other: sort by message_tree_id)",
            "second_root": "hangs on a message that answers none, nor is the first",
            "cycle": "hangs on messages that answer one another in a circle",
        }
        yield Fault(cause, f"message {message.id} {told[cause]}; it answers {message.parent}", True, message.offset)


def _double(message: Message) -> Fault:
    return Fault("duplicate_message", f"message {message.id} is there twice; the first is taken", True, message.offset)


def _without_doubles(messages: list[Message]) -> tuple[list[Message], list[Fault]]:
    """A tree's messages without those whose id another has before, and what hangs on them."""
    seen: set[str] = set()
    gone: set[int] = set()
    kept, faults = [], []
    for message in messages:
        if message.id in seen:
            faults.append(_double(message)._replace(offset=None))
            gone.add(id(message))
            if message.above is not None:
                message.above.replies = [reply for reply in message.above.replies if reply is not message]
        elif message.above is not None and id(message.above) in gone:
            gone.add(id(message))
        else:
            seen.add(message.id)
            kept.append(message)
    return kept, faults


def _turns(thread: list[Message]) -> list[Turn]:
    return [Turn(message.role, message.text, message.role == ASSISTANT) for message in thread]


def _facts(first: Message, last: Message) -> tuple[dict[str, Any], str | None, Any, int]:
    """What a thread's document says of it: fields of ``meta``, language, time, and where its record begins."""
    facts = {"tree": first.id, "model": text_or_none(last.record.get("model_name"))}
    created = last.record.get("created_date")
    return facts, last.language, parse_time(created) if isinstance(created, str) else None, last.offset
