"""From the ids of a conversation back to its messages: for what looks texts through, and for what traces an id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tokenizer.chat.encode import fillings
from tokenizer.chat.frames import BOS, EOS, Part, Place
from tokenizer.chat.messages import Message, Tags, check_messages
from tokenizer.chat.template import Template
from tokenizer.encode import Encoder, Ids

BETWEEN = "\n\n"  # of the messages in a document's text
NOWHERE = -1  # of an id that stands for no character of any message

Spans = NDArray[np.int64]
Source = tuple[int, str]  # where in the document's text a message begins, and the message


def text_of(messages: Sequence[Message]) -> str:
    """The text of a document that is a conversation: its messages, with a blank line between them."""
    return BETWEEN.join(str(message["content"]) for message in messages)


def conversation_spans(
    encoder: Encoder, template: Template, messages: Sequence[Message], tags: Tags = "refuse"
) -> tuple[Ids, Spans]:
    """The ids of a conversation [T], and which characters of ``text_of`` each stands for [T, 2], first and end.

    An id of the template stands for none. Of a message in which tags were escaped each id stands for all of it.

    Raises:
        ConversationError: It cannot be encoded.
    """
    conversation = check_messages(messages)
    sources = list(_sources(messages))
    ids: list[NDArray[np.int64]] = []
    spans: list[Spans] = []
    begins = True
    system = sources.pop(0) if conversation.system is not None else None
    for number, turn in enumerate(conversation.turns):
        held = {"user": sources[2 * number], "input": sources[2 * number], "answer": sources[2 * number + 1]}
        held |= {} if system is None else {"system": system}
        for key, values, _ in fillings(template, conversation.system, turn, number, tags):
            for text, places in _texts(template.frames[key], values):
                if isinstance(text, Place):
                    found = np.array([{BOS: encoder.bos_id, EOS: encoder.eos_id}[text.name]], np.int64)
                    own = np.full((1, 2), NOWHERE, np.int64)
                else:
                    raw, bounds = encoder.spans(text, begins=begins)
                    found, own = raw.astype(np.int64), _mapped(bounds, places, values, held)
                begins = isinstance(text, Place)
                ids.append(found)
                spans.append(own)
    return np.concatenate(ids).astype(encoder.dtype), np.concatenate(spans)


def _sources(messages: Sequence[Message]) -> Iterator[Source]:
    at = 0
    for message in messages:
        yield at, message["content"]
        at += len(message["content"]) + len(BETWEEN)


def _texts(frame: tuple[Part, ...], values: Mapping[str, str]) -> Iterator[tuple[str | Place, dict[str, int]]]:
    """The texts and ids of a frame, and where in each text what begins that was put into it."""
    text, places = "", dict[str, int]()
    for part in frame:
        if isinstance(part, Place) and part.name not in values:
            if text:
                yield text, places
            yield part, {}
            text, places = "", {}
        elif isinstance(part, Place):
            places[part.name] = len(text)
            text += values[part.name]
        else:
            text += part
    if text:
        yield text, places


def _mapped(bounds: Spans, places: Mapping[str, int], values: Mapping[str, str], held: Mapping[str, Source]) -> Spans:
    """Characters of the messages for characters of a piece."""
    mapped = np.full(bounds.shape, NOWHERE, np.int64)
    for name, begin in places.items():
        value, (at, message) = values[name], held[name]
        inside = (bounds[:, 0] < begin + len(value)) & (bounds[:, 1] > begin)
        first = message.rfind(value) if name == "input" else message.find(value)
        if first < 0:
            mapped[inside] = (at, at + len(message))
        else:
            mapped[inside] = np.clip(bounds[inside] - begin, 0, len(value)) + at + first
    return mapped
