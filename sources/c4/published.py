"""The published C4: JSON lines with text, timestamp and url, or the same rows as Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, cast

import xxhash

from filters.c4.url import normalize_c4_url
from pipeline.corpus.document import Document, Refused, parse_time
from pipeline.formats.json_lines import JsonFault, read_json_lines
from pipeline.formats.parquet_rows import PARQUET_MAGIC, ParquetFault, read_parquet_rows
from pipeline.formats.prefixed import Prefixed

WARC_START = "it begins 'WARC/"
COLUMNS = ("text", "timestamp", "url")
NAMES_SHOWN, CHARACTERS_SHOWN = 8, 200  # of a row's columns, where it has no text


@dataclass
class PublishedReader:
    """Reads one file of the published corpus.

    Attributes:
        source: The source's name, for the documents.
        path: The file's path, likewise.
        language: The language of all documents.
        limit: The most bytes of a row.
        counters: The read step's counters.
    """

    source: str
    path: str
    language: str | None
    limit: int
    counters: Counter[str]
    _seen: set[int] = field(default_factory=set)  # hashes of ids: a row that comes again must not give one twice

    def read(self, stream: BinaryIO) -> Iterator[Document | Refused]:
        """Documents, and rows that are none, in the order of the file; offsets of Parquet rows are their numbers."""
        head = stream.read(len(PARQUET_MAGIC))
        whole = cast(BinaryIO, Prefixed(head, stream))
        yield from self._parquet(whole) if head == PARQUET_MAGIC else self._json(whole)

    def _json(self, stream: BinaryIO) -> Iterator[Document | Refused]:
        for record in read_json_lines(stream, self.limit):
            if not isinstance(record, JsonFault):
                self.counters["invalid_utf8"] += record.invalid_utf8
                self.counters["text_bytes"] += record.size
                yield self._document(record.value, record.offset)
            elif record.reason == "broken_json" and not record.offset and WARC_START in record.message:
                yield self._refused(record.reason, "this is a WARC file: give it with --from wet", 0)
                return
            else:
                yield self._refused(record.reason, record.message, record.offset)

    def _parquet(self, stream: BinaryIO) -> Iterator[Document | Refused]:
        for row in read_parquet_rows(stream, COLUMNS, self.limit, required=("text",)):
            if isinstance(row, ParquetFault):
                yield self._refused(row.reason, row.message, row.offset)
            else:
                self.counters["invalid_utf8"] += row.invalid_utf8
                self.counters["text_bytes"] += row.size
                yield self._document(row.value, row.offset)

    def _document(self, row: Mapping[str, Any], offset: int) -> Document | Refused:
        text = row.get("text")
        if not isinstance(text, str):
            reason = "no_text" if text is None else "text_is_no_string"
            what = "null" if text is None and "text" in row else "missing" if text is None else type(text).__name__
            names = ", ".join(sorted(map(str, row))[:NAMES_SHOWN])[:CHARACTERS_SHOWN]
            return self._refused(reason, f"text is {what}; the row has {names}", offset)
        if not text.strip():
            return self._refused("empty_text", "text is empty", offset, failed=False)
        url, created = row.get("url"), _time(row.get("timestamp"))
        if not isinstance(url, str) or not url:
            url = None
            self.counters["without_url"] += 1
        self.counters["without_timestamp"] += created is None
        identifier = self._id(url, created.isoformat() if created else "", offset)
        document = Document(identifier, text, self.source, self.path, offset, url, self.language, created)
        document.meta["normalized_url"] = None if url is None else normalize_c4_url(url)
        return document

    def _id(self, url: str | None, time: str, offset: int) -> str:
        """By URL and time where there are any, else by the place; a repeated one gets the place, too."""
        place = f"{self.path.rpartition('/')[2]}@{offset}"
        if url is None:
            return f"c4/{place}"
        key = f"{url}\n{time}".encode("utf-8", "surrogatepass")
        repeated = (number := xxhash.xxh3_64_intdigest(key)) in self._seen
        self._seen.add(number)
        return f"c4/{xxhash.xxh3_128_hexdigest(key)}" + (f"@{place}" if repeated else "")

    def _refused(self, reason: str, message: str, offset: int, *, failed: bool = True) -> Refused:
        return Refused(reason, message, self.path, offset, failed=failed)


def _time(value: Any) -> datetime | None:
    return parse_time(value.isoformat() if isinstance(value, datetime) else value if isinstance(value, str) else None)
