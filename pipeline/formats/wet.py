"""Read the pages of WET files, as documents that know where they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from pipeline.corpus.document import Document, Refused, parse_time
from pipeline.formats.warc import ReadError, WarcRecord, read_records

_OTHER = (
    "record of type {!r}; the text of pages is in records of type 'conversion', which WET files (*.warc.wet.gz) hold"
)
_OTHERS = {
    "response": (
        "raw_response",
        "a page as the server sent it: this is a WARC file; give the WET files (*.warc.wet.gz)",
    )
}


class Page(NamedTuple):
    """A ``conversion`` record, an id that no other page of the file has, its body as text with U+FFFD for no UTF-8."""

    record: WarcRecord
    id: str
    body: str


def read_pages(
    stream: BinaryIO,
    path: str,
    limit: int,
    counters: Counter[str],
    prepare: Callable[[bytes], bytes] = bytes,
) -> Iterator[Page | Refused]:
    """Reads the pages of a WET file, with one refusal for each record that is none.

    Args:
        stream: The raw bytes.
        path: The file's path.
        limit: The most bytes of a record.
        counters: Gets ``text_bytes``, and counts of the pages with ``invalid_utf8``, with a ``repaired_length`` (see
            ``WarcRecord.repair``), and with a ``repeated_id``, which the page's offset then tells from the others.
        prepare: What is done to a body's bytes before they are decoded.
    """
    ids: set[str] = set()
    for record in read_records(stream, max_record_bytes=limit):
        if isinstance(record, ReadError):
            yield Refused(record.reason, record.message, path, record.offset)
        elif record.kind != "conversion":
            reason, message = _OTHERS.get(record.kind, ("not_a_conversion", _OTHER))
            yield Refused(reason, message.format(record.kind), path, record.offset, failed=False)
        else:
            counters["text_bytes"] += len(record.body)
            prepared = prepare(record.body)
            try:
                body = prepared.decode()
            except UnicodeDecodeError:
                body = prepared.decode(errors="replace")
                counters["invalid_utf8"] += 1
            if record.repair in ("content_length", "missing_content_length"):
                counters["repaired_length"] += 1
            name = record.record_id or f"{path.rpartition('/')[2]}@{record.offset}"
            if name in ids:
                counters["repeated_id"] += 1
                name = f"{name}@{record.offset}"
            ids.add(name)
            yield Page(record, name, body)


def page_document(page: Page, path: str, source: str, text: str, **meta: Any) -> Document:
    """The document of a page: its id, URL, time, and the crawl's guess of its languages are those of the record.

    Args:
        page: The page.
        path: The file's path.
        source: The source's name.
        text: What the source takes for the page's text; its length and its lines go into the meta fields, too.
        **meta: The source's own fields.
    """
    record = page.record
    return Document(
        id=page.id,
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
