import gzip
import io
import random
import tracemalloc

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats.json_lines import JsonFault, JsonRecord, read_json_lines

ROWS = [{"text": "one\ntwo"}, {"text": "caf\u00e9"}, {"n": 3}]
LINES = b"".join(orjson.dumps(row) + b"\n" for row in ROWS)


def read(data: bytes, limit: int = 1 << 20) -> list[JsonRecord | JsonFault]:
    return list(read_json_lines(io.BytesIO(data), limit))


def values(data: bytes, limit: int = 1 << 20) -> list:
    return [r.value if isinstance(r, JsonRecord) else r.reason for r in read(data, limit)]


def test_plain_and_gzipped_files_give_the_same_records():
    assert values(LINES) == values(gzip.compress(LINES)) == ROWS
    assert [LINES[r.offset : r.offset + r.size] for r in read(LINES)] == LINES.split(b"\n")[:-1]
    members = b"".join(gzip.compress(line + b"\n") for line in LINES.split(b"\n")[:-1])
    assert values(members) == ROWS


def test_what_ends_lines_and_what_is_nothing():
    assert values(b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n")) == ROWS
    assert values(LINES.replace(b"\n", b"\n\n \n") + b'{"last": 1}') == [*ROWS, {"last": 1}]
    assert values(b"") == ["empty_file"]
    assert values(b"\n") == []


def test_a_broken_line_costs_itself():
    data = b'{"a": 1}\n{"a": \n[1]\n"x"\n{"a": 2}\n' + b"[" * 100_000 + b'\n{"a": 3}\n\xff\xfe\x00\n{"a":NaN}\n'
    found = values(data)
    assert found[:5] == [{"a": 1}, "broken_json", "not_an_object", "not_an_object", {"a": 2}]
    assert found[5:8] == ["broken_json", {"a": 3}, "broken_json"]
    assert found[8]["a"] != found[8]["a"]
    assert [r.offset for r in read(b'x\n{"a": 1}\n')] == [0, 2]


def test_bytes_that_are_no_utf8_are_replaced_and_told():
    (record,) = read(b'{"text": "caf\xe9 noir"}\n')
    assert record == JsonRecord({"text": "caf\ufffd noir"}, 0, 21, True)
    (record,) = read(b'{"text": "\\ud83d half"}\n')
    assert record.value == {"text": "\ud83d half"}
    assert not record.invalid_utf8


def test_a_line_over_the_limit_is_never_held():
    long = b'{"text": "' + b"x" * 50_000_000 + b'"}\n'
    data = gzip.compress(LINES + long + LINES, 1)
    tracemalloc.start()
    found = values(data, 1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [*ROWS, "record_too_large", *ROWS]
    assert peak < 8 << 20
    fault = read(b"x" * 100, 99)[0]
    assert fault == JsonFault("record_too_large", "the line has 100 bytes, over 99", 0)


def test_damage_in_a_gzip_costs_the_line_that_it_cuts():
    draw = random.Random(1)
    body = b"".join(b'{"n": %d, "x": %d}\n' % (n, draw.getrandbits(256)) for n in range(2000))
    whole = gzip.compress(body)
    cut = values(whole[: len(whole) // 2])
    assert cut[-1] == "truncated_gzip"
    assert [row["n"] for row in cut[:-1]] == list(range(len(cut) - 1))
    assert len(cut) > 500
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    found = values(bytes(damaged) + gzip.compress(LINES))
    assert "corrupt_gzip" in found
    assert found[-3:] == ROWS


@given(st.lists(st.one_of(st.dictionaries(st.text(), st.text()), st.binary()), max_size=8), st.integers(1, 60))
def test_every_line_is_one_record_or_one_fault(rows, limit):
    lines = [row.replace(b"\n", b"") if isinstance(row, bytes) else orjson.dumps(row) for row in rows]
    data = b"\n".join([b"{}", *lines])
    assert len(read(data, limit)) == 1 + sum(len(line) > limit or bool(line.strip()) for line in lines)
