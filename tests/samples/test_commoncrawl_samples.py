"""The CommonCrawl sample: it is what its sources say, and it has the form of a crawl."""

import gzip
import hashlib
import io
import random
import zlib
from collections import Counter
from pathlib import Path

import fasttext
import kenlm
import orjson
import pytest
import sentencepiece
from fastwarc.warc import ArchiveIterator
from hypothesis import given
from hypothesis import strategies as st

from filters.commoncrawl.reference_url import normalize_url
from samples import make_commoncrawl
from samples.commoncrawl import free_texts, train_models, wet
from samples.commoncrawl.assemble import Blocks, expand, fill, read_blocks, read_pages

SAMPLE = Path(make_commoncrawl.__file__).parent / "commoncrawl"
NAMES = [f"CC-MAIN-20260312010203-20260312040203-0000{number}.warc.wet.gz" for number in range(4)]
CONVERSION_HEADERS = [
    "WARC-Type",
    "WARC-Target-URI",
    "WARC-Date",
    "WARC-Record-ID",
    "WARC-Refers-To",
    "WARC-Block-Digest",
    "WARC-Identified-Content-Language",
    "Content-Type",
    "Content-Length",
]


def members(data):
    """The unpacked gzip members of a file."""
    found = []
    while data:
        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        found.append(inflate.decompress(data))
        data = inflate.unused_data
    return found


def committed_records():
    return [
        (record.headers["WARC-Type"], dict(record.headers), record.reader.read())
        for name in NAMES
        for record in ArchiveIterator(io.BytesIO((SAMPLE / name).read_bytes()), parse_http=False, strict_mode=True)
    ]


# The sources give what is committed.


def test_four_files_are_committed():
    assert sorted(path.name for path in SAMPLE.glob("*.gz")) == NAMES


def test_sources_give_the_committed_records():
    made = dict(wet.wet_files())
    assert sorted(made) == NAMES
    for name in NAMES:
        assert members(made[name]) == members((SAMPLE / name).read_bytes())


@pytest.mark.skipif("ng" in zlib.ZLIB_RUNTIME_VERSION, reason="zlib-ng packs the same text into other bytes")
def test_sources_give_the_committed_bytes(tmp_path):
    make_commoncrawl.main(["wet", "--output", str(tmp_path)])
    for name in [*NAMES, "wikipedia_reference_urls.txt"]:
        assert (tmp_path / name).read_bytes() == (SAMPLE / name).read_bytes()


# The files have the form of a crawl.


def test_each_record_is_a_gzip_member_without_time_or_name():
    for name in NAMES:
        data = (SAMPLE / name).read_bytes()
        assert data.count(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff") == len(members(data))
        assert all(member.startswith(b"WARC/1.0\r\n") for member in members(data))
        assert all(member.endswith(b"\r\n\r\n") for member in members(data))


def test_records_by_type():
    types = Counter(headers["WARC-Type"] for _, headers, _ in committed_records())
    assert types == {"warcinfo": 4, "conversion": 155, "metadata": 2}


def test_first_record_names_its_file():
    for name in NAMES:
        first = members((SAMPLE / name).read_bytes())[0].decode()
        assert first.startswith("WARC/1.0\r\nWARC-Type: warcinfo\r\nWARC-Date: 2026-03-24T06:41:09Z\r\n")
        assert f"WARC-Filename: {name}\r\n" in first
        assert first.endswith("publisher: none\r\n\r\n\r\n\r\n")


def test_headers_stand_in_the_order_of_todays_crawls():
    orders = Counter(tuple(headers) for kind, headers, _ in committed_records() if kind == "conversion")
    without_language = tuple(name for name in CONVERSION_HEADERS if "Language" not in name)
    assert orders == {tuple(CONVERSION_HEADERS): 153, without_language: 2}


def test_languages_of_the_headers():
    languages = Counter(
        headers.get("WARC-Identified-Content-Language", "none").split(",")[0]
        for kind, headers, _ in committed_records()
        if kind == "conversion"
    )
    assert languages == {
        "eng": 87, "deu": 12, "fra": 10, "spa": 9, "rus": 9, "zho": 9, "ita": 5, "pol": 4,
        "por": 2, "nld": 2, "jpn": 2, "ara": 2, "none": 2,
    }  # fmt: skip


def test_lengths_count_bytes_and_digests_hold():
    for name in NAMES:
        data = (SAMPLE / name).read_bytes()
        for record in ArchiveIterator(io.BytesIO(data), parse_http=False, strict_mode=True):
            if record.headers["WARC-Type"] != "warcinfo":
                assert record.verify_block_digest()


def test_size_of_the_sample():
    unpacked = b"".join(gzip.decompress((SAMPLE / name).read_bytes()) for name in NAMES)
    assert 250_000 < len(unpacked) < 500_000
    bodies = sorted(len(body) for kind, _, body in committed_records() if kind == "conversion")
    assert bodies[0] == 0
    assert 1_400 < bodies[len(bodies) // 2] < 3_600


# The odd pages are odd in the way that their titles say.


def body_of(url):
    found = [body for _, headers, body in committed_records() if headers.get("WARC-Target-URI") == url]
    assert len(found) == 1
    return found[0]


def test_a_body_line_equals_the_version_line():
    assert b"\nWARC/1.0\nWARC-Type: conversion\n" in body_of("https://warc-notes.example/what-a-record-looks-like")


def test_markup_stands_as_text():
    assert b"<script>alert(1)</script>\n" in body_of("https://html-as-text.example/escape-your-output")


def test_three_nul_bytes():
    assert body_of("https://nul-bytes.example/firmware-changelog").count(b"\0") == 3


def test_invalid_utf8_in_one_page():
    invalid = []
    for _, headers, body in committed_records():
        try:
            body.decode()
        except UnicodeDecodeError:
            invalid.append(headers["WARC-Target-URI"])
    assert invalid == ["https://latin1-leftovers.example/vicar-of-ashgrove"]


def test_combining_accents_no_break_spaces_and_a_line_separator():
    assert "Cafe\N{COMBINING ACUTE ACCENT} or café?".encode() in body_of("https://combining-accents.example/cafe")
    timetable = body_of("https://no-break.example/timetable").decode()
    assert (timetable.count("\N{NO-BREAK SPACE}"), timetable.count("\N{LINE SEPARATOR}")) == (10, 1)


def test_an_address_in_unicode():
    assert body_of("https://müsli-werkstatt.example/größe?farbe=grün&name=Łódź").startswith(b"Our workshop")


def test_two_addresses_with_one_text():
    address = "https://wire.northpress.example/story/20260305-grain-prices"
    first, second = body_of(address), body_of(address + "?utm_source=feed&amp;utm_medium=rss")
    # Only what a site counts anew for each visitor differs: the number of partners, the minutes to read.
    changed = [(a, b) for a, b in zip(first.split(b"\n"), second.split(b"\n"), strict=True) if a != b]
    counted = (b"We and our", b"We value your privacy", b"Facebook X")
    assert all(line.startswith(counted) or line.endswith(b"min read") for pair in changed for line in pair)


# Reference URLs.


def test_reference_urls_name_the_cited_pages_in_many_forms_and_others():
    urls = (SAMPLE / "wikipedia_reference_urls.txt").read_text().splitlines()
    pages = {headers.get("WARC-Target-URI", "") for _, headers, _ in committed_records()}
    assert (len(urls), len(set(urls) & pages)) == (114, 14)
    assert len({normalize_url(url) for url in urls} & {normalize_url(page) for page in pages}) == 54


# The language of the sources.

LIBRARY = Blocks({"greeting": ["Hello, {name}!", "{1-3} of {a|b}"]}, {"name": ["Ada"]})


def test_block_is_filled_from_arguments_lists_and_numbers():
    assert next(expand("greeting", {}, LIBRARY, "seed")) == "Hello, Ada!"
    assert next(expand("greeting", {"name": "Bo"}, LIBRARY, "seed")) == "Hello, Bo!"


def test_unknown_slot_is_an_error():
    with pytest.raises(KeyError):
        fill("{nobody}", {}, {}, random.Random(0))


@given(st.integers(0, 999), st.integers(0, 999), st.integers())
def test_number_slots_stay_in_their_range(low, span, seed):
    number = int(fill(f"{{{low}-{low + span}}}", {}, {}, random.Random(seed)))
    assert low <= number <= low + span


def test_pages_are_read_as_written(tmp_path):
    source = tmp_path / "pages.txt"
    source.write_text(
        "comment\n@page http://a.example/\n@language eng\n@cited\nTitle\n@use greeting name=Cy_Z\n\n\n"
        "@page http://b.example/\n@type metadata\n@raw\n\\xff\\u00e9\\n\n"
    )
    first, second = read_pages(source, LIBRARY)
    assert first.body.split(b"\n")[:2] == [b"Title", b"Hello, Cy Z!"]
    assert (first.url, first.language, first.cited) == ("http://a.example/", "eng", True)
    assert (second.body, second.record_type, second.language) == (b"\xff\xc3\xa9\n\n", "metadata", None)


def test_unknown_directive_names_its_line(tmp_path):
    source = tmp_path / "pages.txt"
    source.write_text("@page http://a.example/\n@fold\n")
    with pytest.raises(ValueError, match=r"pages\.txt:2: cannot follow '@fold': unknown directive"):
        read_pages(source, LIBRARY)


def test_name_defined_twice_is_an_error(tmp_path):
    source = tmp_path / "blocks.txt"
    source.write_text("@block one\ntext\n@block one\ntext\n")
    with pytest.raises(ValueError, match="@block one is defined twice"):
        read_blocks([source])


# The models.

MODELS = SAMPLE.parent / "models"
SHA256 = {
    "lid.176.ftz": "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
    "en.sp.model": "848231018ce66cdd909d2e8e86a08a5ced7d9a83a6a7738df25b620ea7a2b7c1",
    "en.arpa.bin": "12324c999cc7fb46cc5c99610feb801f39962a5bc849516f8058284db05f501b",
    "reference.ftz": "0af0f17de8d9dd3f1474a264f6abd661fed6b10e9776baf524e6eaf26356cbcf",
}
ENCYCLOPEDIC = "The river rises in the hills to the north of the town and flows into the sea after eighty kilometres."
SALAD = "cheap orchid mortgage unboil quantum gasket coupon, llama percolating invoice elbow best replica hexagon."


@pytest.mark.parametrize("name", SHA256)
def test_model_is_the_documented_one(name):
    assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() == SHA256[name]


def test_language_model_record_names_the_packages_and_the_committed_prose():
    recorded = orjson.loads((MODELS / "en.lm.json").read_bytes())
    prose = sorted((SAMPLE / "prose").glob("*.txt"))
    names = ["dict-jargon.txt", "dict-devil.txt", "gnome-user-docs.txt", "debian-handbook.txt"]
    assert [file["name"] for file in recorded["inputs"]] == [*names, *(path.name for path in prose)]
    assert [file["sha256"] for file in recorded["inputs"][4:]] == [
        hashlib.sha256(path.read_bytes()).hexdigest() for path in prose
    ]
    assert {file["name"]: file["sha256"] for file in recorded["outputs"]} == {
        name: SHA256[name] for name in ("en.sp.model", "en.arpa.bin")
    }


def test_perplexity_models_know_prose_from_salad():
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(MODELS / "en.sp.model"))
    model = kenlm.Model(str(MODELS / "en.arpa.bin"))
    assert (pieces.vocab_size(), model.order) == (4000, 5)

    def perplexity(text):
        words = pieces.encode_as_pieces(text.lower())
        return round(10 ** (-model.score(" ".join(words)) / (len(words) + 1)), 1)

    assert (perplexity(ENCYCLOPEDIC), perplexity(SALAD)) == (51.6, 394.6)


def test_free_texts_are_the_longer_paragraphs_of_each_package(tmp_path):
    long, short = "A paragraph of more than forty characters is prose. " * 4, "Too short."
    dictionary = f"hacker\n     {short}\n\n     {long}\n\n     {long}\nluser\n     {long}\n"
    page = (
        f'<page xmlns="http://projectmallard.org/1.0/"><title>{long}</title><p>See <em>{long}</em></p><p>No.</p></page>'
    )
    section = f"<html><body><h1>{long}</h1><div class='para'>{long}</div><pre>{long}</pre></body></html>"
    for path, data in {
        "usr/share/dictd/jargon.dict.dz": gzip.compress(dictionary.encode()),
        "usr/share/dictd/devil.dict.dz": gzip.compress(dictionary.encode()),
        "usr/share/help/C/gnome-help/a.page": page.encode(),
        "usr/share/doc/debian-handbook/html/en-US/a.html": section.encode(),
    }.items():
        with pytest.raises(FileNotFoundError, match="holds nothing of the Debian package "):
            free_texts.write_texts(tmp_path, tmp_path)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    texts = {path.name: path.read_text().splitlines() for path in free_texts.write_texts(tmp_path, tmp_path)}
    line = long.strip()
    assert texts == {
        "dict-jargon.txt": [f"{line} {line}", f"luser {line}"],
        "dict-devil.txt": [f"{line} {line}", f"luser {line}"],
        "gnome-user-docs.txt": [f"See {line}"],
        "debian-handbook.txt": [line],
    }


def test_classifier_knows_report_from_shop():
    model = fasttext.load_model(str(MODELS / "reference.ftz"))
    assert (model.is_quantized(), model.get_dimension()) == (True, 16)
    assert sorted(model.labels) == ["__label__other", "__label__reference"]

    def best(text):
        return model.f.predict(text + "\n", 1, 0.0, "strict")[0][1]

    assert best("The census of 1881 records that the parish had 412 inhabitants, most of them miners.") == (
        "__label__reference"
    )
    assert best("Add to basket! Lovely quality, my husband would buy again. Free delivery on orders over £50.") == (
        "__label__other"
    )


def test_training_pages_follow_from_the_templates():
    library = train_models.training_library()
    cited, others = (list(train_models.training_pages(kind, 40, library)) for kind in ("reference", "other"))
    assert len(set(cited) | set(others)) == 80
    assert cited == list(train_models.training_pages("reference", 40, library))
    # The classifier's pages and the sample's are different ones.
    titles = {body.split(b"\n")[0].decode("utf-8", "replace") for _, _, body in committed_records()}
    assert not {page.split("\n")[0] for page in cited + others} & titles
