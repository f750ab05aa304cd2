"""The WET files of the CommonCrawl sample, from its written pages.

They have the form of today's crawls (header names and their order, CRLF, one gzip member a record, a ``warcinfo``
record first), as read from ``CC-MAIN-2026-12``. The same sources give the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import uuid
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from samples.commoncrawl.assemble import Page, expand, read_blocks, read_pages

SOURCES = Path(__file__).parent

# Names and times of a segment as the crawl gives them: start and end of the three hours it was fetched in.
SEGMENT = "CC-MAIN-20260312010203-20260312040203"
SEGMENT_START = datetime(2026, 3, 12, 1, 2, 3, tzinfo=timezone.utc)
SEGMENT_SECONDS = 3 * 60 * 60
CONVERTED = datetime(2026, 3, 24, 6, 41, 9, tzinfo=timezone.utc)
FILE_COUNT = 4
REFERENCE_URLS = "wikipedia_reference_urls.txt"
ABSENT_REFERENCES = 60  # addresses in that list that no page of the sample has
# A Wikipedia writes one address in many ways; these are given to the cited pages in turn.
CITATION_FORMS = (
    "https://{address}",
    "http://{address}",
    "https://{address}#History",
    "https://web.archive.org/web/20260401120000/https://{address}",
)

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, no time, system unknown: as the crawl's
GZIP_LEVEL = 9


def sample_pages() -> list[Page]:
    """All pages of the sample, in the order of the source files' names and of the pages in them."""
    library = read_blocks([SOURCES / "boilerplate.txt"])
    paths = sorted((SOURCES / "pages").glob("*.txt"))
    return [page for path in paths for page in read_pages(path, library)]


def wet_name(number: int) -> str:
    """File name of the WET file with this number."""
    return f"{SEGMENT}-{number:05}.warc.wet.gz"


def wet_bytes(number: int, pages: Sequence[Page]) -> bytes:
    """One packed WET file: the warcinfo record, then a record for each page, sorted by URL as in a crawl."""
    records = [warcinfo(number)] + [record(page) for page in sorted(pages, key=lambda page: page.url)]
    return b"".join(gzip_member(data) for data in records)


def gzip_member(data: bytes, level: int = GZIP_LEVEL) -> bytes:
    """``data`` as one gzip member without time or name, so that equal data gives equal bytes."""
    deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(data) + deflate.flush()
    return GZIP_HEADER + packed + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


def warcinfo(number: int) -> bytes:
    """The first record of a file. Its fields say that this is a sample and not a crawl."""
    fields = [
        ("Software-Info", "samples.make_commoncrawl"),
        ("Extracted-Date", CONVERTED.strftime("%a, %d %b %Y %H:%M:%S GMT")),
        ("robots", "none: no page of this file was fetched"),
        ("isPartOf", "CC-MAIN-2026-12"),
        ("operator", "none"),
        ("description", "Pages written as a sample in the format of a crawl of March 2026"),
        ("publisher", "none"),
    ]
    body = "".join(f"{name}: {value}\r\n" for name, value in fields).encode() + b"\r\n"
    headers = [
        ("WARC-Type", "warcinfo"),
        ("WARC-Date", f"{CONVERTED:%Y-%m-%dT%H:%M:%SZ}"),
        ("WARC-Filename", wet_name(number)),
        ("WARC-Record-ID", record_id(wet_name(number))),
        ("Content-Type", "application/warc-fields"),
    ]
    return _with_block(headers, body)


def record(page: Page) -> bytes:
    """One page as a record. Only ``conversion`` records carry a language."""
    digest = base64.b32encode(hashlib.sha1(page.body).digest()).decode()
    headers = [
        ("WARC-Type", page.record_type),
        ("WARC-Target-URI", page.url),
        ("WARC-Date", f"{_fetched(page.url):%Y-%m-%dT%H:%M:%SZ}"),
        ("WARC-Record-ID", record_id(f"text of {page.url}")),
        ("WARC-Refers-To", record_id(page.url)),
        ("WARC-Block-Digest", f"sha1:{digest}"),
    ]
    if page.language:
        headers.append(("WARC-Identified-Content-Language", page.language))
    metadata = page.record_type == "metadata"
    headers.append(("Content-Type", "application/warc-fields" if metadata else "text/plain"))
    return _with_block(headers, page.body)


def record_id(name: str) -> str:
    """A record identifier that depends on ``name`` alone."""
    return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}>"


def _with_block(headers: list[tuple[str, str]], body: bytes) -> bytes:
    lines = ["WARC/1.0", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body + b"\r\n\r\n"


def _fetched(url: str) -> datetime:
    """When the page was "fetched": a second of the segment's three hours, by hash of its URL."""
    offset = int.from_bytes(hashlib.sha1(url.encode()).digest()[:8], "big") % SEGMENT_SECONDS
    return SEGMENT_START + timedelta(seconds=offset)


def wet_files() -> Iterator[tuple[str, bytes]]:
    """Names and bytes of the sample's WET files. Pages are dealt out in turn, so every file holds a mixture."""
    pages = sample_pages()
    for number in range(FILE_COUNT):
        yield wet_name(number), wet_bytes(number, pages[number::FILE_COUNT])


def reference_urls() -> list[str]:
    """The addresses that the references of a Wikipedia hold: the cited pages' and some that do not occur here."""
    library = read_blocks([SOURCES / "boilerplate.txt"])
    absent = expand("reference-url", {}, library, REFERENCE_URLS, range(ABSENT_REFERENCES))
    cited = sorted(page.url for page in sample_pages() if page.cited)
    forms = itertools.cycle(CITATION_FORMS)
    present = (form.format(address=url.partition("://")[2]) for url, form in zip(cited, forms, strict=False))
    return sorted({*present, *absent})
