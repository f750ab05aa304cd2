"""Files of published data, whatever they are packed in: their records, and the format that these are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, cast

from pipeline.formats.foreign import foreign
from pipeline.formats.json_array import read_json_objects
from pipeline.formats.json_lines import JsonRecord
from pipeline.formats.parquet_rows import PARQUET_MAGIC, ParquetRow, read_parquet_rows
from pipeline.formats.prefixed import Prefixed
from sources.instructions.formats.items import Fault, Format, Item, Record
from sources.instructions.formats.known import tell, unknown

LOOKED_AT = 32  # records, one of which must tell a file's format
UNKNOWN = "unknown_format"
Found = tuple[int, Record | Fault]


@dataclass(frozen=True)
class Told:
    """What a file's first records tell: its format, if any; those records; the first sound one of them."""

    format: Format | None
    head: list[Found]
    first: Record | None


def records_of(stream: BinaryIO, limit: int, counters: Counter[str]) -> Iterator[Found]:
    """The records of a file with their offsets, which in a Parquet file are their numbers; and what is none.

    Args:
        stream: Its raw bytes: a JSON list, JSON lines, either gzipped, or Parquet.
        limit: The most bytes of a record.
        counters: Gets ``text_bytes`` and ``invalid_utf8``.
    """
    head = stream.read(len(PARQUET_MAGIC))
    whole = cast(BinaryIO, Prefixed(head, stream))
    rows = read_parquet_rows(whole, None, limit) if head == PARQUET_MAGIC else read_json_objects(whole, limit)
    for row in rows:
        if isinstance(row, (JsonRecord, ParquetRow)):
            counters["text_bytes"] += row.size
            counters["invalid_utf8"] += row.invalid_utf8
            yield row.offset, row.value
        else:
            yield row.offset, Fault(row.reason, row.message)


def look(records: Iterator[Found], formats: dict[str, Format]) -> Told:
    """Tells the format of a file by its first records, which are taken from the iterator."""
    head: list[Found] = []
    first: Record | None = None
    for offset, record in records:
        head.append((offset, record))
        if not isinstance(record, Fault):
            first = record if first is None else first
            if found := tell(record, formats):
                return Told(found, head, first)
        if len(head) == LOOKED_AT:
            break
    return Told(None, head, first)


def items_of(
    records: Iterator[Found], formats: dict[str, Format], given: str | None, path: str
) -> Iterator[tuple[str, int, Item]]:
    """What the records of a file hold, with the name of its format and the offset of each.

    Args:
        records: All of them.
        formats: Those that are known.
        given: The format's name; None to tell it by the first records.
        path: The file's path.
    """
    if given is not None:
        for offset, item in formats[given].read(records, path):
            yield given, offset, item
        return
    told = look(records, formats)
    if told.format is None:
        place = next((offset for offset, record in told.head if record is told.first), 0)
        for offset, record in told.head:
            if isinstance(record, Fault):
                yield "", offset, record
        if told.first is not None:
            yield "", place, Fault(UNKNOWN, unknown(told.first))
        elif len(told.head) == LOOKED_AT:
            yield (
                "",
                told.head[-1][0],
                Fault(UNKNOWN, f"its first {LOOKED_AT} records are broken; the rest is not read"),
            )
        return
    for offset, item in told.format.read(chain(told.head, records), path):
        yield told.format.name, offset, item


def is_data(head: bytes) -> bool:
    """Whether a file may hold records, by its first bytes."""
    return head.startswith(PARQUET_MAGIC) or (not foreign(head) and head.lstrip()[:1] in (b"[", b"{", b""))
