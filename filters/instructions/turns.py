"""Turns of a conversation, and the rules on their order: users and assistants take turns, and an answer comes last.

Source: FastChat, ``fastchat/data/clean_sharegpt.py`` (``clean_html_one_sample``), which cuts an answer at the
beginning, a question at the end, and everything from the first turn without text on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

SYSTEM, USER, ASSISTANT = "system", "user", "assistant"
FENCE = "```"
_BEFORE_FENCE = " \t>*+-.)0123456789"  # signs of quotations and lists, in which it may stand


class Turn(NamedTuple):
    """One turn: who speaks, what, and whether a model is to learn it (of an answer; never of the others)."""

    role: str
    content: str
    train: bool = False


@dataclass(frozen=True)
class TurnRules:
    """What becomes of a conversation whose turns are not in order.

    Attributes:
        leading_answer: An answer before any question: ``cut`` it, as FastChat does, or ``reject`` the conversation.
        trailing_question: A question without an answer at the end: likewise.
        empty_turn: A turn without text: ``cut`` it and all that follows, as FastChat does, or ``reject``. Where nothing
            is left before it, the conversation goes in either case.
        cut_text: An answer at the end that breaks off, which is told by a block of code that is not closed: ``reject``
            or ``keep``.
        keep_untrained: Whether conversations stay in which no answer is to be learned, such as those of Koala's that
            hold only bad ones.
    """

    leading_answer: Literal["cut", "reject"] = "cut"
    trailing_question: Literal["cut", "reject"] = "cut"
    empty_turn: Literal["cut", "reject"] = "cut"
    cut_text: Literal["reject", "keep"] = "reject"
    keep_untrained: bool = False


class Judged(NamedTuple):
    """The turns that stay; or why the conversation goes."""

    turns: list[Turn]
    reason: str | None = None


def in_order(turns: Sequence[Turn], rules: TurnRules) -> Judged:
    """Trims a conversation at its ends, and judges the order of what is between.

    Args:
        turns: All turns; a system's may come first.
        rules: What is cut, and what is rejected.
    """
    head = [turn for turn in turns[:1] if turn.role == SYSTEM]
    rest = list(turns[len(head) :])
    if any(turn.role == SYSTEM for turn in rest):
        return Judged(list(turns), "system_not_first")
    if rest and rest[0].role == ASSISTANT:
        if rules.leading_answer == "reject":
            return Judged(list(turns), "begins_with_answer")
        rest = rest[1:]
    if rest and rest[-1].role == USER:
        if rules.trailing_question == "reject":
            return Judged(list(turns), "ends_with_question")
        rest = rest[:-1]
    if not rest:
        return Judged(list(turns), "no_answer")
    if reason := out_of_turn(rest):
        return Judged(list(turns), reason)
    return Judged([*head, *rest])


def out_of_turn(turns: Sequence[Turn]) -> str | None:
    """Which of two speaks twice in a row, the first turn being a user's; None where they take turns."""
    expected = USER
    for turn in turns:
        if turn.role != expected:
            return f"two_{turn.role}_turns"
        expected = ASSISTANT if expected == USER else USER
    return None


def with_text(turns: Sequence[Turn], rules: TurnRules) -> Judged:
    """Judges what the turns say, once they are in order and clean: empty ones, and an answer that breaks off.

    Args:
        turns: The turns; an empty system's is left out.
        rules: What is cut, and what is rejected.
    """
    head = [turn for turn in turns[:1] if turn.role == SYSTEM]
    rest = list(turns[len(head) :])
    head = [turn for turn in head if not is_empty(turn.content)]
    first = next((place for place, turn in enumerate(rest) if is_empty(turn.content)), None)
    if first is not None:
        kept = first // 2 * 2  # whole rounds of question and answer
        if not kept or rules.empty_turn == "reject":
            return Judged(list(turns), "empty_question" if rest[first].role == USER else "empty_answer")
        rest = rest[:kept]
    if rules.cut_text == "reject" and is_cut(rest[-1].content):
        return Judged(list(turns), "cut_text")
    if not rules.keep_untrained and not any(turn.train for turn in rest):
        return Judged(list(turns), "no_trained_answer")
    return Judged([*head, *rest])


def is_cut(content: str) -> bool:
    """Whether a turn breaks off within a block of code: its last fence opens one, and there is an odd number of them.

    A fence within a line, as where an answer speaks of fences, opens none; of blocks in one another those outside have
    longer fences.
    """
    if not content.count(FENCE) % 2:
        return False
    opened = 0
    for line in content.split("\n"):
        text = line.lstrip(_BEFORE_FENCE)
        behind = text.lstrip("`")
        ticks = len(text) - len(behind)
        if not opened and ticks >= len(FENCE) and "`" not in behind:
            opened = ticks
        elif opened and ticks >= opened and not behind.strip():
            opened = 0
    return opened > 0


def is_empty(content: str) -> bool:
    """Whether a turn says nothing; FastChat takes one that begins with no printable character for such, too."""
    return not content or not content[0].isprintable()


def prompt_fault(turns: Sequence[Turn]) -> str | None:
    """Why the turns before two answers are no prompt: they must take turns, have text, and end with a question."""
    rest = turns[1:] if turns and turns[0].role == SYSTEM else turns
    if not rest:
        return "no_prompt"
    if any(turn.role == SYSTEM for turn in rest):
        return "system_not_first"
    if reason := out_of_turn(rest):
        return reason
    if rest[-1].role != USER:
        return "prompt_ends_with_answer"
    empty = next((turn for turn in turns if is_empty(turn.content)), None)
    return None if empty is None else "empty_question" if empty.role == USER else "empty_answer"


def joined(contents: Sequence[str]) -> str:
    """The text of a document: what is said, parted by an empty line."""
    return "\n\n".join(contents)
