import gzip
import io
import json
from collections import Counter
from datetime import datetime, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from pipeline.corpus.document import Document, Refused
from pipeline.formats.parquet_rows import BATCH_ROWS
from sources.c4.published import PublishedReader

ROW = {"text": "One page.\nTwo lines.", "timestamp": "2019-04-18T10:00:15Z", "url": "https://www.a.example/b/"}


def read(data: bytes, limit: int = 1 << 20) -> tuple[list[Document | Refused], Counter[str]]:
    counters = Counter()
    return list(PublishedReader("c4", "dir/file", "en", limit, counters).read(io.BytesIO(data))), +counters


def lines(*rows) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet(table: pa.Table, **options) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def outcome(data: bytes, limit: int = 1 << 20) -> list[str]:
    return [i.reason if isinstance(i, Refused) else i.text for i in read(data, limit)[0]]


def test_a_row_becomes_a_document():
    (document,), counters = read(gzip.compress(lines(ROW)))
    key = xxhash.xxh3_128_hexdigest(b"https://www.a.example/b/\n2019-04-18T10:00:15+00:00")
    assert document == Document(
        f"c4/{key}", ROW["text"], "c4", "dir/file", 0, ROW["url"], "en",
        datetime(2019, 4, 18, 10, 0, 15, tzinfo=timezone.utc), None, {"normalized_url": "a.example/b"},
    )  # fmt: skip
    assert counters == {"text_bytes": len(lines(ROW)) - 1}


def test_json_and_parquet_give_the_same_documents():
    rows = [{**ROW, "text": f"Page {n}.", "url": f"https://a.example/{n}"} for n in range(2 * BATCH_ROWS + 3)]
    table = pa.Table.from_pylist(rows)
    stamps = pa.array([datetime(2019, 4, 18, 10, 0, 15)] * len(rows), pa.timestamp("us"))
    dictionary = table.set_column(table.schema.get_field_index("text"), "text", table["text"].dictionary_encode())
    large = table.cast(pa.schema([(name, pa.large_string()) for name in table.column_names]))
    reference = [(d.text, d.url, d.created, d.meta) for d in read(lines(*rows))[0]]
    for variant in (table, dictionary, large, table.select(["url", "text", "timestamp"])):
        found = read(parquet(variant, row_group_size=100))[0]
        assert [(d.text, d.url, d.created, d.meta) for d in found] == reference
        assert [d.offset for d in found] == list(range(len(rows)))
        assert [d.id for d in found] == [d.id for d in read(lines(*rows))[0]]
    (first, *_), _ = read(parquet(table.set_column(1, "timestamp", stamps)))
    assert first.created == datetime(2019, 4, 18, 10, 0, 15, tzinfo=timezone.utc)
    assert first.id == read(lines(rows[0]))[0][0].id


def test_a_row_without_a_text_fails_and_one_without_the_rest_stays():
    rows = [
        {**ROW, "text": None},
        {"url": ROW["url"]},
        {**ROW, "text": 3},
        {**ROW, "text": " \n"},
        {"text": "alone"},
        {**ROW, "url": None, "timestamp": "yesterday", "text": "odd"},
        {**ROW, "url": 5, "text": "number"},
    ]
    items, counters = read(lines(*rows))
    found = [i.reason if isinstance(i, Refused) else i.text for i in items]
    assert found == ["no_text", "no_text", "text_is_no_string", "empty_text", "alone", "odd", "number"]
    assert [i.message for i in items[:3]] == [
        "text is null; the row has text, timestamp, url",
        "text is missing; the row has url",
        "text is int; the row has text, timestamp, url",
    ]
    assert [i.failed for i in items[:4]] == [True, True, True, False]
    assert counters == {"text_bytes": len(lines(*rows)) - len(rows), "without_url": 3, "without_timestamp": 2}
    assert len({i.id for i in items[4:]}) == 3
    assert items[4].url is None


def test_a_row_that_comes_again_has_an_id_of_its_own():
    first, second = read(lines(ROW, ROW))[0]
    assert second.id == f"{first.id}@file@{second.offset}"


def test_a_warc_file_is_told_once():
    for data in (b"WARC/1.0\r\nWARC-Type: warcinfo\r\n" * 9, gzip.compress(b"WARC/1.0\r\nWARC-Type: x\r\n" * 9)):
        (refused,), _ = read(data)
        assert (refused.reason, refused.message) == ("broken_json", "this is a WARC file: give it with --from wet")


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (b"PAR1", ["damaged_parquet"]),
        (b"PAR1" + b"x" * 1000 + b"PAR1", ["damaged_parquet"]),
        (parquet(pa.table({"content": ["x"]})), ["no_columns"]),
        (parquet(pa.table({"text": pa.array([], pa.string())})), []),
        (parquet(pa.table({"text": ["a", None, "b"]})), ["a", "no_text", "b"]),
        (parquet(pa.table({"text": [1]})), ["text_is_no_string"]),
        (parquet(pa.table({"text": ["x" * 101, "y" * 100]})), ["record_too_large", "y" * 100]),
        (b"", ["empty_file"]),
        (b"[]", ["not_an_object"]),
    ],
)
def test_each_kind_of_damage(data, reasons):
    assert outcome(data, 100) == reasons


def test_bytes_that_are_no_utf8_are_replaced_in_either_form():
    column = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\x05\0\0\0\x08\0\0\0"), pa.py_buffer(b"caf\xe9!yes")]
    )
    found, counters = read(parquet(pa.table({"text": column})))
    assert [d.text for d in found] == ["caf\ufffd!", "yes"]
    assert counters["invalid_utf8"] == 1
    found, counters = read(b'{"text": "caf\xe9!"}\n{"text": "yes"}\n')
    assert [d.text for d in found] == ["caf\ufffd!", "yes"]
    assert counters["invalid_utf8"] == 1


def test_a_damaged_row_group_costs_itself():
    rows = [f"Row {n} " + bytes((n * 7 + k * k) % 90 + 33 for k in range(200)).decode() for n in range(300)]
    whole = parquet(pa.table({"text": rows}), row_group_size=100, compression="zstd", use_dictionary=False)
    place = pq.ParquetFile(io.BytesIO(whole)).metadata.row_group(1).column(0).data_page_offset
    damaged = bytearray(whole)
    damaged[place : place + 60] = bytes(60)
    found = outcome(bytes(damaged))
    assert found.count("damaged_row_group") == 1
    assert set(rows[:100] + rows[200:]) <= set(found)
