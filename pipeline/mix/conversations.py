"""Conversations of a corpus: read from ``meta.messages`` of a Parquet file, and encoded by a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.mix import chat
from pipeline.mix.chat import MESSAGES, ChatCoding
from pipeline.mix.faults import DamagedFile
from pipeline.mix.token_files import Coding
from tokenizer.chat.encode import Encoded, encode_conversations, shortened
from tokenizer.chat.messages import ConversationError
from tokenizer.chat.spans import NOWHERE, Spans, conversation_spans, text_of
from tokenizer.chat.template import Template
from tokenizer.encode import Encoder, Ids

META = "meta"
KINDS = "a list of {role: string, content: string, train: bool or none}"
Messages = list[Mapping[str, Any]] | None


def columns(schema: pa.Schema) -> list[str]:
    """The columns that conversations are read from; none where the file has none.

    Raises:
        DamagedFile: There is a ``meta.messages`` of another type.
    """
    meta = schema.field(META).type if META in schema.names else None
    if meta is None or not pa.types.is_struct(meta) or meta.get_field_index(MESSAGES) < 0:
        return []
    kind = meta.field(MESSAGES).type
    if pa.types.is_null(kind):
        return []
    if not _is_list(kind) or not pa.types.is_struct(kind.value_type) or not _has_fields(kind.value_type):
        raise DamagedFile(f"its meta.{MESSAGES} holds {kind}, not {KINDS}")
    return [f"{META}.{MESSAGES}"]


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _has_fields(kind: pa.StructType) -> bool:
    fields = {field.name: field.type for field in kind}
    texts = all(pa.types.is_string(f) or pa.types.is_large_string(f) for f in map(fields.get, ("role", "content")) if f)
    train = fields.get("train", pa.bool_())
    return {"role", "content"} <= fields.keys() and texts and (pa.types.is_boolean(train) or pa.types.is_null(train))


def messages_of(batch: pa.RecordBatch) -> list[Messages]:
    """The messages of each row; None of one that is no conversation, as it has no list, or an empty one.

    A message that is null, or has a null, is there, and refused when it is encoded.
    """
    lists = batch.column(META).field(MESSAGES)
    valid = np.asarray(batch.column(META).is_valid()) & np.asarray(lists.is_valid())
    structs = lists.values
    fields = zip((field.name for field in structs.type), structs.flatten(), strict=True)  # flatten: with nulls of all
    values = {name: column.to_pylist() for name, column in fields if name in ("role", "content", "train")}
    found: list[Mapping[str, Any]] = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    offsets = np.asarray(lists.offsets).tolist()
    return [
        found[first:last] if there and last > first else None
        for there, first, last in zip(valid.tolist(), offsets[:-1], offsets[1:], strict=True)
    ]


def encode(
    encoder: Encoder, template: Template, conversations: Sequence[Sequence[Mapping[str, Any]]], coding: ChatCoding
) -> Encoded:
    """Encodes conversations as a recipe says."""
    encoded = encode_conversations(encoder, template, conversations, coding.tags)
    return encoded if coding.longest is None else shortened(encoded, coding.longest, coding.too_long)


def count(account: dict[str, Any], encoded: Encoded) -> None:
    """Adds conversations to an account."""
    account["conversations"] += len(encoded.offsets) - 1 - len(encoded.refused)
    account["cut"] += len(encoded.cut)
    account["trained"] += int(np.count_nonzero(encoded.loss))
    for reason, number in chat.reasons(list(encoded.refused.values())).items():
        account["refused"][reason] = account["refused"].get(reason, 0) + number


def columns_of_document(template: Template | None) -> list[str]:
    """The columns that decide the ids of a document."""
    return ["text"] if template is None else ["text", f"{META}.{MESSAGES}"]


def messages_in(document: Mapping[str, Any]) -> Messages:
    """The messages of a document, as it was read from its Parquet file; None where it is no conversation."""
    found = (document.get(META) or {}).get(MESSAGES)
    return None if not found else [message or {} for message in found]


def document_spans(
    encoder: Encoder, coding: Coding, template: Template | None, document: Mapping[str, Any]
) -> tuple[Ids, Spans]:
    """The ids of a document [T], and which characters of its text each stands for [T, 2]; an id of a frame for none.

    A conversation that was cut has more ids here, of which the first are its own; one of which nothing is known, none.

    Args:
        encoder: The tokenizer.
        coding: How documents became ids.
        template: The template of conversations, where there is one.
        document: What ``columns_of_document`` names.
    """
    messages = None if template is None else messages_in(document)
    if template is not None and coding.chat is not None and messages is not None:
        try:
            ids, spans = conversation_spans(encoder, template, messages, coding.chat.tags)
        except ConversationError:
            return np.empty(0, encoder.dtype), np.empty((0, 2), np.int64)
        if text_of(messages) != document["text"]:  # it is not known where in the text they are
            return np.empty(0, encoder.dtype), np.empty((0, 2), np.int64)
        return ids, spans
    ids, spans = encoder.spans(document["text"] or "")
    frame = np.full((1, 2), NOWHERE, np.int64)
    framed = [[encoder.bos_id]] * coding.bos, [[encoder.eos_id]] * coding.eos
    return (
        np.concatenate([*framed[0], ids, *framed[1]]).astype(encoder.dtype),
        np.concatenate([*[frame] * coding.bos, spans, *[frame] * coding.eos]),
    )
