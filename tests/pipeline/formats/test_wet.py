"""Pages of WET files, and what else their records are."""

import io
from collections import Counter

from pipeline.corpus.document import Refused
from pipeline.formats.wet import Page, page_document, read_pages
from tests.end_to_end.commands import wet_record

GOOD = wet_record(b"Title\nText.", "http://a.example/")
CUT = wet_record(b"Title\nText.", "http://a.example/", number=4)[:-9]


def read(data: bytes, limit: int = 1000):
    counters = Counter()
    return list(read_pages(io.BytesIO(data), "dir/a.wet", limit, counters)), counters


def test_pages_and_what_is_none():
    data = GOOD + wet_record(b"software: x", kind="warcinfo", number=2) + wet_record(b"x" * 1001, number=3) + CUT
    found, counters = read(data)
    assert [item.body if isinstance(item, Page) else (item.reason, item.failed) for item in found] == [
        "Title\nText.",
        ("not_a_conversion", False),
        ("record_too_large", True),
        "Title",  # what there is of a record that is cut, and that it is
        ("truncated_record", True),
    ]
    assert {item.file for item in found if isinstance(item, Refused)} == {"dir/a.wet"}
    assert counters == {"text_bytes": 16}


def test_what_is_no_utf8_is_replaced_and_counted_once_a_page():
    (bad, sound), counters = read(wet_record(b"caf\xe9 \xff") + wet_record("\ufffd".encode(), number=2))
    assert (bad.body, sound.body) == ("caf\ufffd \ufffd", "\ufffd")
    assert counters == {"text_bytes": 9, "invalid_utf8": 1}


def test_a_page_becomes_a_document():
    ((page,), _) = read(GOOD)
    document = page_document(page, "dir/a.wet", "c4", "One.\nTwo.", title="Title")
    assert (document.id, document.url, document.offset) == (page.record.record_id, "http://a.example/", 0)
    assert (document.source, document.file, document.text) == ("c4", "dir/a.wet", "One.\nTwo.")
    assert document.created.year > 2000
    assert document.meta == {
        "crawl_languages": None,
        "original_lines": 2,
        "original_characters": 9,
        "title": "Title",
    }
    page.record.headers["warc-identified-content-language"] = "eng"
    assert page_document(page, "a.wet", "c4", "").meta["crawl_languages"] == "eng"
    assert page_document(page, "a.wet", "c4", "").meta["original_lines"] == 0


def test_ids_that_repeat_in_a_file_are_told_apart_and_counted():
    (first, second, third), counters = read(GOOD + GOOD + wet_record(b"Other", number=2))
    assert second.id == f"{first.id}@{len(GOOD)}"
    assert len({first.id, second.id, third.id}) == 3
    assert counters["repeated_id"] == 1


def test_lengths_that_were_wrong_are_counted():
    wrong = GOOD.replace(b"Content-Length: 11", b"Content-Length: 5")
    assert wrong != GOOD
    (page, _), counters = read(wrong + wet_record(b"Other", number=2))
    assert (page.body, counters["repaired_length"]) == ("Title\nText.", 1)


def test_a_warc_of_responses_is_named():
    (refused,), _ = read(wet_record(b"HTTP/1.1 200 OK\r\n\r\n<p>x", kind="response"))
    assert (refused.reason, refused.failed) == ("raw_response", False)
    assert "this is a WARC file; give the WET files" in refused.message
