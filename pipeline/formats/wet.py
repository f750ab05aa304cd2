"""Read the pages of WET files, as documents that know where they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from pipeline.corpus.document import Document, Refused, parse_time
from pipeline.formats.warc import ReadError, WarcRecord, read_records


class Page(NamedTuple):
    """A ``conversion`` record, and its body as text; what is no UTF-8 in it is U+FFFD."""

    record: WarcRecord
    body: str


def read_pages(stream: BinaryIO, path: str, limit: int, counters: Counter[str]) -> Iterator[Page | Refused]:
    """Reads the pages of a WET file, with one refusal for each record that is none.

    Args:
        stream: The raw bytes.
        path: The file's path.
        limit: The most bytes of a record.
        counters: Gets ``text_bytes``, and ``invalid_utf8`` for each page that has some.
    """
    for record in read_records(stream, max_record_bytes=limit):
        if isinstance(record, ReadError):
            yield Refused(record.reason, record.message, path, record.offset)
        elif record.kind != "conversion":
            yield Refused("not_a_conversion", f"record of type {record.kind!r}", path, record.offset, failed=False)
        else:
            counters["text_bytes"] += len(record.body)
            try:
                body = record.body.decode()
            except UnicodeDecodeError:
                body = record.body.decode(errors="replace")
                counters["invalid_utf8"] += 1
            yield Page(record, body)


def page_document(record: WarcRecord, path: str, source: str, text: str, **meta: Any) -> Document:
    """The document of a page: its id, URL, time, and the crawl's guess of its languages are those of the record.

    Args:
        record: The record.
        path: The file's path.
        source: The source's name.
        text: What the source takes for the page's text; its length and its lines go into the meta fields, too.
        **meta: The source's own fields.
    """
    return Document(
        id=record.record_id or f"{path.rpartition('/')[2]}@{record.offset}",
        text=text,
        source=source,
        file=path,
        offset=record.offset,
        url=record.url or None,
        created=parse_time(record.date),
        meta={
            "crawl_languages": record.headers.get("warc-identified-content-language"),
            "original_lines": text.count("\n") + 1 if text else 0,
            "original_characters": len(text),
            **meta,
        },
    )
