"""Conversations to ids and masks.

The text between two special ids is encoded in pieces: the prompt, the answer, the text that ends it. So each id is of
one of them alone, and the mask is known from where an id came. The ids are those of the whole text wherever no unit of
the tokenizer reaches over the border of two pieces: a merge over a border would have made one, and without such a merge
the sides do not know of each other. A piece within a text gets no space put first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tokenizer.chat.frames import BOS, EOS, Part, Place, filled
from tokenizer.chat.messages import Conversation, ConversationError, Message, Tags, Turn, check_messages, without_tags
from tokenizer.chat.template import Template, TemplateError
from tokenizer.encode import Encoder, Ids, Offsets

Mask = NDArray[np.bool_]
TooLong = Literal["turn", "ids", "refuse"]


@dataclass(frozen=True)
class Segment:
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
    ends_turn: bool = False


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
    """Refuses a tokenizer that lacks a special id that the template needs.

    Raises:
        TemplateError: It names the id.
    """
    numbers = {BOS: encoder.bos_id, EOS: encoder.eos_id}
    for name in (BOS, EOS):
        if name in template.special and numbers[name] < 0:
            raise TemplateError(
                f"the template {template.name} has {{{name}}}, and the tokenizer has no {name} id: take a tokenizer "
                "that has one, or a template without it"
            )


def segments(template: Template, conversation: Conversation, tags: Tags = "refuse") -> Iterator[Segment]:
    """The pieces of a conversation, in order.

    Args:
        template: The template.
        conversation: A checked conversation.
        tags: What becomes of the template's tags within messages.

    Raises:
        ConversationError: ``special_tag``, ``no_place_for_system``, or ``more_than_one_turn``.
    """
    begins = True
    for number, turn in enumerate(conversation.turns):
        for part, loss, is_last in _pieces(template, conversation.system, turn, number, tags):
            if isinstance(part, Place):
                yield Segment("", part.name, loss, False, is_last)
            else:
                yield Segment(part, None, loss, begins, is_last)
            begins = isinstance(part, Place)


Filling = tuple[tuple[Part, ...], dict[str, str], bool]  # a frame, what goes into it, and whether it has loss


def _pieces(
    template: Template, system: str | None, turn: Turn, number: int, tags: Tags
) -> Iterator[tuple[Part, bool, bool]]:
    """The texts and ids of a turn, whether each has loss, and whether it is the last."""
    frames = fillings(template, system, turn, number, tags)
    parts = [(part, loss) for frame, values, loss in frames for part in filled(frame, values)]
    for place, (part, loss) in enumerate(parts, 1):
        yield part, loss, place == len(parts)


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
    found = [_prompt(template, system, turn, number, tags)]
    if turn.answer is not None:
        answer = without_tags(turn.answer, template.tags, tags)
        values = {"answer": answer.strip() if template.strip else answer}
        found += [(template.frames[key], values, turn.train) for key in ("answer", "end")]
    return found


def _prompt(template: Template, system: str | None, turn: Turn, number: int, tags: Tags) -> Filling:
    """The frame of a turn of the user."""
    user, frames = turn.user, template.frames
    if number:
        if "later" not in frames:
            raise ConversationError(
                "more_than_one_turn", f"the template {template.name} has no turn after the first (its key later)"
            )
        return frames["later"], _values(template, tags, user=user), False
    if system is not None:
        if "first_with_system" not in frames:
            raise ConversationError(
                "no_place_for_system", f"the template {template.name} has no place for a system text"
            )
        return frames["first_with_system"], _values(template, tags, user=user, system=system), False
    if template.input_mark and template.input_mark in user:
        user, _, more = user.partition(template.input_mark)
        return frames["first_with_input"], _values(template, tags, user=user, input=more), False
    return frames["first"], _values(template, tags, user=user), False


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
        TemplateError: The tokenizer lacks a special id that the template needs.
    """
    check_tokenizer(encoder, template)
    found: list[Segment] = []
    sizes = []
    refused = {}
    for number, messages in enumerate(conversations):
        try:
            own = list(segments(template, check_messages(messages, prompt=prompt), tags))
        except ConversationError as error:
            refused[number] = error
            own = []
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
    plain = [segment for segment in found if segment.special is None]
    encoded, offsets = encoder.encode_batch(
        [segment.text for segment in plain], begins=[segment.begins for segment in plain]
    )
    numbers: dict[str, int] = {BOS: encoder.bos_id, EOS: encoder.eos_id}
    is_special = np.array([segment.special is not None for segment in found], np.bool_)
    lengths = np.ones(len(found), np.int64)
    lengths[~is_special] = np.diff(offsets)
    bounds = np.concatenate(([0], np.cumsum(lengths)))
    ids = np.empty(int(bounds[-1]), encoder.dtype)
    special = bounds[:-1][is_special]
    ids[special] = [numbers[segment.special] for segment in found if segment.special is not None]
    is_text = np.ones(len(ids), np.bool_)
    is_text[special] = False
    ids[is_text] = encoded
    return ids, bounds, np.repeat(np.array([segment.loss for segment in found], np.bool_), lengths)


def encode_conversation(
    encoder: Encoder, template: Template, messages: Sequence[Message], tags: Tags = "refuse"
) -> tuple[Ids, Mask]:
    """The ids of a conversation [T], and which of them have loss [T]: those of trained answers, and what ends them.

    Raises:
        ConversationError: It cannot be encoded; ``reason`` is a word for it.
        TemplateError: The tokenizer lacks a special id that the template needs.
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
        TemplateError: The tokenizer lacks a special id that the template needs.
    """
    encoded = encode_conversations(encoder, template, [messages], tags, prompt=True)
    if encoded.refused:
        raise encoded.refused[0]
    return encoded.ids
