"""Splitting of long conversations between rounds of question and answer, never within a turn.

Source: FastChat, ``fastchat/data/split_long_conversation.py``, with two differences: the last round is kept where it
begins a piece (there it is lost), and no empty piece comes before a round that is too long by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from filters.instructions.turns import SYSTEM, Turn


class Piece(NamedTuple):
    """A piece of a conversation: its first turn, the one behind its last, and its tokens, with those of the system."""

    start: int
    end: int
    tokens: int


# FastChat adds so much to each turn for what its template puts around it.
TEMPLATE_TOKENS = 6


def split_rounds(lengths: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """Cuts rounds into runs, each as long as the limit allows.

    Args:
        lengths: Of each round.
        limit: The most of a run; a round that is longer is a run by itself.

    Returns:
        First round and the one behind the last, of each run.
    """
    cuts, held = [0], 0
    for place, length in enumerate(lengths):
        if held and held + length > limit:
            cuts.append(place)
            held = 0
        held += length
    return list(zip(cuts, [*cuts[1:], len(lengths)], strict=True)) if lengths else []


def split_turns(turns: Sequence[Turn], limit: int, count: Callable[[str], int]) -> list[Piece]:
    """Cuts a conversation into pieces, before each of which the system's turn is said anew, where there is one.

    Args:
        turns: In order: a system's turn or none, then rounds of a user's and an assistant's.
        limit: The most tokens of a piece.
        count: Counts the tokens of a text.
    """
    head = sum(turn.role == SYSTEM for turn in turns[:1])
    sizes = [count(turn.content) + TEMPLATE_TOKENS for turn in turns]
    own, sizes = sum(sizes[:head]), sizes[head:]
    rounds = [sum(sizes[place : place + 2]) for place in range(0, len(sizes), 2)]
    return [
        Piece(head + 2 * start, head + 2 * end, own + sum(rounds[start:end]))
        for start, end in split_rounds(rounds, limit - own)
    ]


def estimated_tokens(text: str, bytes_per_token: float) -> int:
    """The tokens of a text, where no tokenizer counts them: its bytes in UTF-8, divided."""
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / bytes_per_token)
