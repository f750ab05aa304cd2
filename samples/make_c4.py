"""Builds the C4 sample: two WET files, and files of the published corpus as JSON lines and as Parquet.

Usage::

    python -m samples.make_c4 [--output DIR]

The pages of the WET files are in ``c4/pages.txt``; the published documents are put together from the prose in
``commoncrawl/prose``. All of it was written for this project. The same sources give the same bytes; those of Parquet
also depend on the version of pyarrow.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from samples.commoncrawl.wet import gzip_member, record_id, warcinfo
from samples.written import output_folder, write_files

SAMPLES = Path(__file__).parent
OUTPUT = SAMPLES / "c4"
MODULE = "samples.make_c4"
SEGMENT = "CC-MAIN-20260312010203-20260312040203"
WET_FILES = 2
NONE = "-"
TRAIN_ROWS, PARQUET_ROWS = 6, 5
# C4's hash says of these addresses that they are for validation.
VALIDATION_URLS = tuple(f"https://harbour-library.example/book/{number}" for number in (636, 1384))
PARAGRAPHS = 3  # of the prose in a document
COLUMNS = ("text", "timestamp", "url")


@dataclass
class SamplePage:
    """A page of ``pages.txt``."""

    url: str | None
    date: str | None = None
    language: str | None = None
    lines: list[bytes] = field(default_factory=list)

    def record(self, number: int) -> bytes:
        """Its WET record, with the headers in the crawl's order."""
        body = b"\n".join(self.lines)
        headers = [
            ("WARC-Type", "conversion"),
            ("WARC-Target-URI", self.url),
            ("WARC-Date", self.date),
            ("WARC-Record-ID", record_id(f"c4 sample {number}")),
            ("WARC-Identified-Content-Language", self.language),
            ("Content-Type", "text/plain"),
            ("Content-Length", str(len(body))),
        ]
        lines = ["WARC/1.0", *(f"{name}: {value}" for name, value in headers if value)]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body + b"\r\n\r\n"


def read_pages(text: str) -> list[SamplePage]:
    """Reads ``pages.txt``; its first lines say how it is written."""
    pages: list[SamplePage] = []
    times = 1
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if not line or line.startswith("#"):
            continue
        if word == "@page":
            pages.append(SamplePage(None if rest == NONE else rest))
        elif word == "@date":
            pages[-1].date = None if rest == NONE else rest
        elif word == "@language":
            pages[-1].language = rest
        elif word == "@repeat":
            times = int(rest)
        elif word == "@bytes":
            pages[-1].lines.append(bytes.fromhex(rest))
        elif word == "@long":
            count, repeated, behind = rest.split(" ", 2)
            pages[-1].lines.append(f"{repeated * int(count)} {behind}".encode())
        else:
            pages[-1].lines += [line.encode()] * times
            times = 1
    return pages


def wet_files() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the WET files; pages are dealt out in turn."""
    records = [page.record(n) for n, page in enumerate(read_pages((OUTPUT / "pages.txt").read_text(encoding="utf-8")))]
    for number in range(WET_FILES):
        members = [warcinfo(number), *records[number::WET_FILES]]
        yield f"{SEGMENT}-{number:05}.warc.wet.gz", b"".join(map(gzip_member, members))


def published_rows() -> list[dict[str, str]]:
    """Documents in C4's form: a few paragraphs of the prose each, first those for training."""
    files = sorted((SAMPLES / "commoncrawl" / "prose").glob("*.txt"))
    paragraphs = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line]
    urls = [f"https://www.harbour-library.example/shelf/{number}/" for number in range(TRAIN_ROWS + PARQUET_ROWS)]
    rows = []
    for number, url in enumerate([*urls, *VALIDATION_URLS]):
        text = "\n".join(paragraphs[PARAGRAPHS * number : PARAGRAPHS * (number + 1)])
        rows.append({"text": text, "timestamp": f"2019-04-{18 + number % 9}T10:{number:02}:15Z", "url": url})
    return rows


def published_files() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the files of the published corpus; the first has two rows more, which are no documents."""
    rows = published_rows()
    train, parquet, validation = rows[:TRAIN_ROWS], rows[TRAIN_ROWS:-2], rows[-2:]
    lines = _json_lines(train)
    broken = [b'{"text":"This row was cut in the mid\n', _json_lines([{**train[0], "text": None}])[0]]
    yield "c4-train.00000-of-00002.json.gz", gzip_member(b"".join([*lines[:3], *broken, *lines[3:]]))
    yield "c4-train.00001-of-00002.parquet", _parquet(parquet)
    yield "c4-validation.00000-of-00001.json.gz", gzip_member(b"".join(_json_lines(validation)))


def _json_lines(rows: list[dict[str, str]] | list[dict[str, str | None]]) -> list[bytes]:
    return [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in rows]


def _parquet(rows: list[dict[str, str]]) -> bytes:
    """Two row groups, as the larger files have many."""
    buffer = io.BytesIO()
    table = pa.table({name: [row[name] for row in rows] for name in COLUMNS})
    pq.write_table(table, buffer, compression="zstd", row_group_size=3)
    return buffer.getvalue()


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m samples.make_c4``."""
    write_files(MODULE, OUTPUT, output_folder(MODULE, OUTPUT, arguments), [*wet_files(), *published_files()])


if __name__ == "__main__":
    main()
