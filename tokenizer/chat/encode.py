"""Conversations to ids and masks.

The text between two special ids is encoded in pieces: the prompt, the answer, the text that ends it. So each id is of
one of them alone, and the mask is known from where an id came. The ids are those of the whole text wherever no unit of
the tokenizer reaches over the border of two pieces: a merge over a border would have made one, and without such a merge
the sides do not know of each other. A piece within a text gets no space put first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tokenizer.chat.frames import BOS, EOS, filled
from tokenizer.chat.messages import Conversation, ConversationError, Message, Tags, Turn, check_messages, without_tags
from tokenizer.chat.template import Template, TemplateError
from tokenizer.encode import Encoder, Ids, Offsets

Mask = NDArray[np.bool_]
TooLong = Literal["turn", "ids", "refuse"]


class Segment(NamedTuple):
    """A piece of a conversation that is encoded by itself.

    Attributes:
        text: Its text; "" for an id.
        special: ``bos`` or ``eos``, or None.
        loss: Whether its ids are learned.
        begins: Whether a text begins with it.
        ends_turn: Whether an answer, with what ends it, ends with it.
    """

    text: str
    special: str | None
    loss: bool
    begins: bool
    ends_turn: bool


@dataclass(frozen=True)
class Encoded:
    """Conversations, encoded.

    Attributes:
        ids: All ids [T].
        offsets: Conversation d has the ids from ``offsets[d]`` to ``offsets[d + 1]`` [D + 1]; a refused one has none.
        loss: Which ids have loss [T].
        turn_ends: Behind which ids turns end, ascending.
        refused: Why conversations were refused, by number.
        cut: The numbers of those that were cut, as they were too long.
    """

    ids: Ids
    offsets: Offsets
    loss: Mask
    turn_ends: Offsets
    refused: dict[int, ConversationError]
    cut: tuple[int, ...] = ()


def check_tokenizer(encoder: Encoder, template: Template) -> None:
    """Refuses a tokenizer that lacks a special id that the template needs, or that ends each text with a space.

    Of the latter, a prompt that is encoded apart from its answer has an id that the whole text does not have.

    Raises:
        TemplateError: It says so.
    """
    if encoder.adds_space_behind:
        raise TemplateError(
            "the tokenizer puts a space behind each text (treat_whitespace_as_suffix), and so between a prompt and its "
            "answer, which are encoded apart: take one that puts it before"
        )
    numbers = {BOS: encoder.bos_id, EOS: encoder.eos_id}
    for name in (BOS, EOS):
        if name in template.special and numbers[name] < 0:
            raise TemplateError(
                f"the template {template.name} has {{{name}}}, and the tokenizer has no {name} id: take a tokenizer "
                "that has one, or a template without it"
            )


def segments(template: Template, conversation: Conversation, tags: Tags = "refuse") -> list[Segment]:
    """The pieces of a conversation, in order.

    Args:
        template: The template.
        conversation: A checked conversation.
        tags: What becomes of the template's tags within messages.

    Raises:
        ConversationError: ``special_tag``, ``no_place_for_system``, or ``more_than_one_turn``.
    """
    found: list[Segment] = []
    begins, frames = True, template.pieces
    for number, turn in enumerate(conversation.turns):
        for key, values, loss in fillings(template, conversation.system, turn, number, tags):
            for piece in frames[key]:
                if isinstance(piece, str):
                    found.append(Segment("", piece, loss, False, False))
                    begins = True
                else:
                    found.append(Segment(filled(piece, values), None, loss, begins, False))
                    begins = False
        found[-1] = found[-1]._replace(ends_turn=True)
    return found


Filling = tuple[str, dict[str, str], bool]  # the key of a frame, what goes into it, and whether it has loss


def fillings(template: Template, system: str | None, turn: Turn, number: int, tags: Tags) -> list[Filling]:
    """The frames of a turn, each of which is encoded by itself, with what goes into them.

    Args:
        template: The template.
        system: The system text of the conversation.
        turn: The turn.
        number: Its number, from 0 on.
        tags: What becomes of the template's tags within messages.

    Raises:
        ConversationError: See ``segments``.
    """
    key, values = _prompt(template, system, turn.user, number, tags)
    if turn.answer is None:
        return [(key, values, False)]
    answer = without_tags(turn.answer, template.tags, tags)
    given = {"answer": answer.strip() if template.strip else answer}
    return [(key, values, False), ("answer", given, turn.train), ("end", given, turn.train)]


def _prompt(template: Template, system: str | None, user: str, number: int, tags: Tags) -> tuple[str, dict[str, str]]:
    """The key of the frame of a turn of the user, and what goes into it."""
    if number:
        if template.later is None:
            raise ConversationError(
                "more_than_one_turn", f"the template {template.name} has no turn after the first (its key later)"
            )
        return "later", _values(template, tags, user=user)
    if system is not None:
        if template.first_with_system is None:
            raise ConversationError(
                "no_place_for_system", f"the template {template.name} has no place for a system text"
            )
        return "first_with_system", _values(template, tags, user=user, system=system)
    if template.input_mark and template.input_mark in user:
        user, _, more = user.partition(template.input_mark)
        return "first_with_input", _values(template, tags, user=user, input=more)
    return "first", _values(template, tags, user=user)


def _values(template: Template, tags: Tags, **texts: str) -> dict[str, str]:
    values = {name: without_tags(text, template.tags, tags) for name, text in texts.items()}
    if template.strip:
        user = values["user"]
        values["user"] = user.rstrip() if "system" in values else user.strip()
    return values


def encode_conversations(
    encoder: Encoder,
    template: Template,
    conversations: Sequence[Sequence[Message] | None],
    tags: Tags = "refuse",
    *,
    prompt: bool = False,
) -> Encoded:
    """Encodes conversations; one that cannot be is left without ids, and told.

    Args:
        encoder: The tokenizer.
        template: The template.
        conversations: D conversations; see ``check_messages``.
        tags: What becomes of the template's tags within messages: ``refuse`` the conversation, or ``escape`` them.
        prompt: Whether they end with a turn of the user.

    Raises:
        TemplateError: See ``check_tokenizer``.
    """
    check_tokenizer(encoder, template)
    found: list[Segment] = []
    sizes = []
    refused = {}
    for number, messages in enumerate(conversations):
        own: list[Segment] = []
        try:
            own = segments(template, check_messages(messages, prompt=prompt), tags)
        except ConversationError as error:
            refused[number] = error
        sizes.append(len(own))
        found += own
    ids, bounds, loss = _encode_segments(encoder, found)
    ends = bounds[1:][np.array([segment.ends_turn for segment in found], np.bool_)]
    return Encoded(ids, bounds[np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))], loss, ends, refused)


def shortened(encoded: Encoded, longest: int, how: TooLong) -> Encoded:
    """Conversations of which none is longer than so many ids.

    Args:
        encoded: The conversations.
        longest: Most ids of one.
        how: ``turn`` cuts a longer one behind its last turn that fits; ``ids`` behind so many ids, as the trainers of
            Alpaca and Vicuna do; ``refuse`` takes none. One of which no id with loss is left is refused: ``too_long``.
    """
    lengths = np.diff(encoded.offsets)
    refused, cut = dict(encoded.refused), []
    keep = lengths.copy()
    for number in np.flatnonzero(lengths > longest).tolist():
        first = int(encoded.offsets[number])
        end = first + longest
        if how == "turn":
            end = int(np.append(0, encoded.turn_ends)[np.searchsorted(encoded.turn_ends, end, side="right")])
        if how == "refuse" or end <= first or not encoded.loss[first:end].any():
            refused[number] = ConversationError("too_long", f"it has {lengths[number]:,} ids, {longest:,} is the most")
            keep[number] = 0
        else:
            keep[number] = end - first
            cut.append(number)
    if not (keep < lengths).any():
        return encoded
    inside = np.arange(len(encoded.ids)) - np.repeat(encoded.offsets[:-1], lengths) < np.repeat(keep, lengths)
    before = np.concatenate(([0], np.cumsum(inside)))
    ends = encoded.turn_ends[inside[encoded.turn_ends - 1]]
    offsets = before[encoded.offsets]
    return Encoded(encoded.ids[inside], offsets, encoded.loss[inside], before[ends], refused, tuple(cut))


def _encode_segments(encoder: Encoder, found: Sequence[Segment]) -> tuple[Ids, Offsets, Mask]:
    """The ids of segments [T], where each begins, and the end [S + 1], and which ids have loss [T]."""
    texts, special, losses, begins, _ = zip(*found, strict=True) if found else ((), (), (), (), ())
    is_special = np.array([name is not None for name in special], np.bool_)
    plain = [name is None for name in special]
    encoded, offsets = encoder.encode_batch(list(compress(texts, plain)), begins=list(compress(begins, plain)))
    lengths = np.ones(len(found), np.int64)
    lengths[~is_special] = np.diff(offsets)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    ids = np.empty(int(bounds[-1]), encoder.dtype)
    places = bounds[:-1][is_special]
    numbers = {BOS: encoder.bos_id, EOS: encoder.eos_id}
    ids[places] = [numbers[name] for name in special if name is not None]
    is_text = np.ones(len(ids), np.bool_)
    is_text[places] = False
    ids[is_text] = encoded
    return ids, bounds, np.repeat(np.array(losses, np.bool_), lengths)


def encode_conversation(
    encoder: Encoder, template: Template, messages: Sequence[Message], tags: Tags = "refuse"
) -> tuple[Ids, Mask]:
    """The ids of a conversation [T], and which of them have loss [T]: those of trained answers, and what ends them.

    Raises:
        ConversationError: It cannot be encoded; ``reason`` is a word for it.
        TemplateError: See ``check_tokenizer``.
    """
    encoded = encode_conversations(encoder, template, [messages], tags)
    if encoded.refused:
        raise encoded.refused[0]
    return encoded.ids, encoded.loss


def encode_prompt(encoder: Encoder, template: Template, messages: Sequence[Message], tags: Tags = "refuse") -> Ids:
    """The ids [T] of a conversation that ends with a turn of the user, up to where the answer begins.

    They are the first ids of the same conversation with its answer.

    Raises:
        ConversationError: It cannot be encoded; ``reason`` is a word for it.
        TemplateError: See ``check_tokenizer``.
    """
    encoded = encode_conversations(encoder, template, [messages], tags, prompt=True)
    if encoded.refused:
        raise encoded.refused[0]
    return encoded.ids
