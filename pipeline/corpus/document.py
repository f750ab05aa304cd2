"""The document: what every source writes, and its Parquet schema.

Columns: ``id`` (stable, from the source's own key), ``text``, ``source``, ``url``, ``language``, ``created`` (time of
the record), ``license``, ``origin`` (the raw file and the offset of the record in it) and ``meta`` (a struct with the
source's own fields). Rejects have the same columns, and ``step`` and ``reason``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa

from pipeline.text import encodable

ORIGIN = pa.struct([("file", pa.string()), ("offset", pa.int64())])


@dataclass(slots=True)
class Document:
    """One document on its way through the steps; ``offset`` counts bytes, ``text`` is Unicode.

    ``number`` is its place among the documents of its shard, in reading order: the chain sets it; it is not written.
    """

    id: str
    text: str
    source: str
    file: str
    offset: int
    url: str | None = None
    language: str | None = None
    created: datetime | None = None
    license: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    number: int = -1

    @property
    def weight(self) -> int:
        """The characters of its text, URL and own fields: what limits on memory go by."""
        return len(self.text) + len(self.url or "") + sum(map(_weight, self.meta.values()))


def _weight(value: Any) -> int:
    """The characters of a field, or the items of a list; of a list of structs what these hold."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sum(len(part) for item in value for part in item.values() if isinstance(part, str))
    return len(value) if hasattr(value, "__len__") else 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A raw record that gave no document: why, in a word and in a sentence, and where it lies.

    It counts as failed where it is damaged, and as dropped where it is sound but no document (``failed=False``). Where
    many records lie at one offset, as in a compressed stream, ``number`` tells them apart.
    """

    reason: str
    message: str
    file: str
    offset: int
    failed: bool = True
    number: int = 0


@dataclass(frozen=True, slots=True)
class Reject:
    """A document that ended at a step, and why; a failed raw record becomes one whose text is the message."""

    document: Document
    step: str
    reason: str


def document_schema(meta: pa.StructType) -> pa.Schema:
    """The Arrow schema of a source's documents.

    Args:
        meta: The struct of the source's own fields.
    """
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("text", pa.large_string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            ("url", pa.string()),
            ("language", pa.string()),
            ("created", pa.timestamp("us", tz="UTC")),
            ("license", pa.string()),
            ("origin", ORIGIN),
            ("meta", meta),
        ]
    )


def reject_schema(meta: pa.StructType) -> pa.Schema:
    """The Arrow schema of a source's rejects: a document's columns, and the step and the reason of its end."""
    schema = document_schema(meta)
    return schema.append(pa.field("step", pa.string(), nullable=False)).append(
        pa.field("reason", pa.string(), nullable=False)
    )


def to_columns(documents: Sequence[Document], schema: pa.Schema) -> list[pa.Array]:
    """Turns documents into the columns of ``document_schema``, in its order.

    Surrogates, which no UTF-8 column can hold, become U+FFFD, one for one.
    """
    columns: dict[str, list[Any]] = {
        name: [getattr(d, name) for d in documents]
        for name in ("id", "text", "source", "url", "language", "created", "license", "meta")
    }
    columns["origin"] = [{"file": d.file, "offset": d.offset} for d in documents]
    return [_column(columns[f.name], f.type) for f in schema if f.name in columns]


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        return pa.array([_encodable_all(value) for value in values], kind)


def _encodable_all(value: Any) -> Any:
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {key: _encodable_all(item) for key, item in value.items()}
    return [_encodable_all(item) for item in value] if isinstance(value, (list, tuple)) else value


def parse_time(text: str | None) -> datetime | None:
    """Reads an ISO 8601 time, as WARC and most dumps write it, in UTC where it names no zone; None where it is none."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return time.astimezone(timezone.utc) if time.tzinfo else time.replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):  # the latter: a zone that moves the time out of the years 1 to 9999
        return None
