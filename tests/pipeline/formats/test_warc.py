import gzip
import io
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats.warc import ReadError, WarcRecord, read_records

REAL = Path(__file__).parents[3].parent / "shared" / "real" / "commoncrawl"
MIB = 1 << 20


def zipped(data: bytes, level: int = 9) -> bytes:
    return gzip.compress(data, level, mtime=0)


def make(body: bytes, *, length: int | str | None = -1, url: str = "http://a.example/", eol: bytes = b"\r\n") -> bytes:
    """One record; a length of -1 is the right one, None is none."""
    lines = [b"WARC/1.0", b"WARC-Type: conversion", b"WARC-Target-URI: " + url.encode()]
    if length is not None:
        lines.append(b"Content-Length: %d" % len(body) if length == -1 else f"Content-Length: {length}".encode())
    return eol.join([*lines, b"", body, b"", b""])


def read(data: bytes, **options) -> list[WarcRecord | ReadError]:
    return list(read_records(io.BytesIO(data), **options))


def bodies(items) -> list[bytes]:
    return [item.body for item in items if isinstance(item, WarcRecord)]


def reasons(items) -> list[str]:
    return [item.reason for item in items if isinstance(item, ReadError)]


def members(records: list[bytes]) -> bytes:
    return b"".join(zipped(record) for record in records)


A, B, C = make(b"Title A\nfirst text\n"), make(b"Title B\nsecond\n"), make("Title C\nдругой\n".encode())
BODIES = [b"Title A\nfirst text\n", b"Title B\nsecond\n", "Title C\nдругой\n".encode()]


# What a record holds


def test_all_fields_of_a_record():
    data = (
        b"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: <http://a.example/x>\r\n"
        b"WARC-Date: 2019-07-15T00:02:11Z\r\nWARC-Record-ID: <urn:uuid:1-2>\r\n"
        b"WARC-Identified-Content-Language: eng,deu\r\nContent-Length: 5\r\n\r\na\nb\n\n\r\n\r\n"
    )
    assert read(data) == [
        WarcRecord(
            kind="conversion",
            url="http://a.example/x",
            date="2019-07-15T00:02:11Z",
            record_id="urn:uuid:1-2",
            offset=0,
            headers={
                "warc-type": "conversion",
                "warc-target-uri": "<http://a.example/x>",
                "warc-date": "2019-07-15T00:02:11Z",
                "warc-record-id": "<urn:uuid:1-2>",
                "warc-identified-content-language": "eng,deu",
                "content-length": "5",
            },
            body=b"a\nb\n\n",
        )
    ]


def test_headers_of_every_odd_kind():
    data = (
        b"WARC/1.1  \r\nwarc-TYPE:resource\r\nNo colon here\r\nWARC-Target-URI: http://a.example/\r\n\t?folded\r\n"
        b"   twice\r\nwarc-target-uri: http://second.example/\r\nX-Empty:\r\nX-Latin: caf\xe9\r\nX-Nul: a\0b\r\n"
        b"Content-Length: 3\r\nContent-Length: 99\r\n\r\nabc\r\n\r\n"
    )
    (record,) = read(data)
    assert record.headers == {
        "warc-type": "resource",
        "warc-target-uri": "http://a.example/ ?folded twice",
        "x-empty": "",
        "x-latin": "caf\ufffd",
        "x-nul": "a\0b",
        "content-length": "3",
    }
    assert (record.kind, record.body, record.repair) == ("resource", b"abc", "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"\r\n\r\n\r\n",
        b"\n\n\n\n",
        b"\0\0binary\xff\xfe\0",
        b"one\nWARC/1.0\nWARC/1.0\r\n\r\ntwo\n",
        b"quoted\r\n\r\n" + A + B + b"end",
        b"x" * (3 * MIB),
    ],
    ids=["empty", "newline", "crlf", "newlines", "binary", "version_lines", "records", "large"],
)
@pytest.mark.parametrize("pack", [bytes, zipped])
def test_a_right_length_is_believed_whatever_the_body_holds(body, pack):
    items = read(pack(A) + pack(make(body)) + pack(B))
    assert bodies(items) == [BODIES[0], body, BODIES[1]]
    assert [item.repair for item in items] == ["", "", ""]


# How files are packed


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_plain_offsets_are_bytes_of_the_file(eol):
    first, second = make(b"one\n", eol=eol), make(b"two\n", eol=eol)
    items = read(first + second)
    assert bodies(items) == [b"one\n", b"two\n"]
    assert [item.offset for item in items] == [0, len(first)]


def test_offsets_of_a_member_for_each_record():
    items = read(members([A, B, C]))
    assert bodies(items) == BODIES
    assert [item.offset for item in items] == [0, len(members([A])), len(members([A, B]))]


def test_offsets_in_one_member_for_all_are_of_the_inflated_stream():
    items = read(zipped(A + B + C))
    assert bodies(items) == BODIES
    assert [item.offset for item in items] == [0, len(A), len(A + B)]


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_members_cut_anywhere(size):
    whole = A + B + C
    items = read(members([whole[at : at + size] for at in range(0, len(whole), size)]))
    assert bodies(items) == BODIES
    assert {item.repair for item in items} == {""}


@pytest.mark.parametrize("level", [0, 9])
def test_levels_of_compression(level):
    assert bodies(read(zipped(A + B, level))) == BODIES[:2]


def test_padding_between_and_behind_members_is_no_damage():
    assert bodies(read(members([A]) + b"\0" * 700_000 + members([B]) + b"\0" * 3)) == BODIES[:2]
    assert reasons(read(members([A]) + b"\0" * 512)) == []


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, and raises in the end if asked to."""

    def __init__(self, data: bytes, error: bool = False):
        self.data, self.error = data, error

    def read(self, size=-1):
        given, self.data = self.data[:5], self.data[5:]
        if not given and self.error:
            raise OSError("the disk is gone")
        return given


def test_short_reads():
    assert bodies(read_records(Trickle(members([A, B, C])))) == BODIES
    assert bodies(read_records(Trickle(A + B + C))) == BODIES


def test_an_error_of_the_stream_is_the_callers():
    items = read_records(Trickle(A + B, error=True))
    with pytest.raises(OSError, match="the disk is gone"):
        list(items)


# Lengths that are wrong


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
@pytest.mark.parametrize("error", [-9, -3, -2, -1, 1, 2, 3, 4, 5, 50, 10_000, 10**12])
@pytest.mark.parametrize("pack", [bytes, zipped])
def test_a_wrong_length_costs_nothing(pack, error, eol):
    body = b"The title\nand a text of some lines\nto the end.\n"
    data = pack(A) + pack(make(body, length=len(body) + error, eol=eol)) + pack(make(BODIES[1], eol=eol)) + pack(C)
    items = read(data)
    assert reasons(items) == []
    assert bodies(items) == [BODIES[0], body, BODIES[1], BODIES[2]]
    assert [item.repair for item in items] == ["", "content_length", "", ""]


@pytest.mark.parametrize("error", [-3, 2, 700_000, 3 * MIB])
@pytest.mark.parametrize("pack", [bytes, zipped])
def test_a_wrong_length_of_a_large_body(pack, error):
    body = b"A line of a large page.\n" * 100_000
    large = make(body, length=len(body) + error)
    items = read(pack(A) + pack(large) + pack(B) + pack(large) + pack(make(body)) + pack(C))
    assert [(len(item.body), item.repair) for item in items] == [
        (len(BODIES[0]), ""),
        (len(body), "content_length"),
        (len(BODIES[1]), ""),
        (len(body), "content_length"),
        (len(body), ""),
        (len(BODIES[2]), ""),
    ]


@pytest.mark.parametrize("length", [None, "", "abc", "-5", "1e3", "12, 12", "9" * 5000])
@pytest.mark.parametrize("pack", [bytes, zipped])
def test_a_length_that_is_no_number_is_a_missing_one(pack, length):
    items = read(pack(A) + pack(make(BODIES[1], length=length)) + pack(C))
    assert bodies(items) == BODIES
    assert [item.repair for item in items] == ["", "missing_content_length", ""]


def test_more_line_ends_than_close_a_record_are_the_bodys():
    items = read(A + b"\r\n" + B)
    assert bodies(items) == [BODIES[0] + b"\r\n", BODIES[1]]
    assert [item.repair for item in items] == ["content_length", ""]


def test_a_missing_length_of_the_last_record():
    items = read(A + make(BODIES[1], length=None))
    assert bodies(items) == BODIES[:2]
    assert reasons(items) == []


def test_resynchronising_is_not_led_astray_by_lines_that_are_no_header():
    body = b"WARC/1.0\nWARC/1.0\nis a version line\nWARC/1.0\nNote: a colon\n\nWARC/1.1\n"
    items = read(make(body, length=None) + B)
    assert bodies(items) == [body, BODIES[1]]


def test_all_lengths_wrong_in_a_file_of_bare_newlines():
    data = b"".join(make(body, length=9999, eol=b"\n") for body in BODIES)
    items = read(data)
    assert bodies(items) == BODIES
    assert [item.repair for item in items] == ["content_length"] * 3


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_lengths_wrong_throughout_a_file_of_paragraphs(eol):
    """One number for all: some lengths end at the end of a paragraph, of this page or of one far behind."""
    pages = [b"".join(b"Page %d, paragraph %d.\n\n" % (n, k) for k in range(n % 7 + 1)) for n in range(200)]
    for length in (20, 24, 25, 48, 500, 3000):
        items = read(b"".join(make(page, length=length, eol=eol) for page in pages))
        assert [body.rstrip() for body in bodies(items)] == [page.rstrip() for page in pages]
        assert reasons(items) == []


def test_once_a_length_was_wrong_no_body_holds_the_start_of_a_record():
    wrong = make(BODIES[0], length=3)
    swallowing = make(BODIES[1], length=len(BODIES[1]) + 4 + len(C) - 4)  # it ends where the next record does
    items = read(wrong + swallowing + C)
    assert bodies(items) == BODIES
    assert [item.repair for item in items] == ["content_length", "content_length", ""]


def test_a_byte_order_mark_costs_nothing():
    for data in (b"\xef\xbb\xbf" + A + B, zipped(b"\xef\xbb\xbf" + A) + zipped(B)):
        items = read(data)
        assert bodies(items) == BODIES[:2]
        assert reasons(items) == []


def test_a_writer_that_leaves_the_closing_out_between_members():
    items = read(members([A.removesuffix(b"\r\n\r\n"), B.removesuffix(b"\r\n"), C]))
    assert bodies(items) == BODIES
    assert {item.repair for item in items} == {""}


# The end of the data


def test_the_last_record_is_cut():
    data = A + B[:-10]
    items = read(data)
    assert bodies(items) == [BODIES[0], b"Title B\ns"]
    assert items[1].repair == "truncated"
    assert items[2] == ReadError(
        "truncated_record",
        f"The data ends in the record at {len(A)}, whose body should have 15 bytes.",
        len(A),
    )


@pytest.mark.parametrize("eol", [b"\r\n", b"\n"])
def test_a_page_cut_at_a_blank_line_is_cut(eol):
    page = b"Title\nFirst paragraph.\n\nSecond paragraph.\n\n"
    cut = make(page, eol=eol)
    cut = cut[: cut.index(b"Second")]
    items = read(A + cut)
    assert [item.repair for item in items[:2]] == ["", "truncated"]
    assert reasons(items) == ["truncated_record"]
    # The check sum of its gzip member says that the record is whole: so the length is wrong.
    items = read(zipped(A) + zipped(cut))
    assert [item.repair for item in items] == ["", "content_length"]


def test_the_last_header_is_cut():
    items = read(A + B[:40])
    assert bodies(items) == BODIES[:1]
    assert reasons(items) == ["truncated_record"]


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
def test_a_cut_closing_is_no_loss(missing):
    items = read(A + B[:-missing])
    assert bodies(items) == BODIES[:2]
    assert {item.repair for item in items} == {""}


def test_truncation_of_a_gzip_at_every_byte():
    data = members([A, B, C])
    ends = [len(members([A])), len(members([A, B])), len(data)]
    for cut in range(2, len(data)):
        items = read(data[:cut])
        whole = sum(end <= cut for end in ends)
        assert bodies(items) == BODIES[:whole]
        assert reasons(items) == ([] if cut in ends else ["truncated_gzip"])
        assert all(isinstance(item, WarcRecord) for item in items[:whole])


def test_truncation_of_a_single_member_at_every_byte():
    data = zipped(A + B + C)
    for cut in range(2, len(data)):
        inflated = len(zlib.decompressobj(31).decompress(data[:cut]))
        # The first record fills the damaged member as far as one can tell, until the second is seen.
        whole = sum(inflated >= end for end in (len(A) + 1, len(A + B), len(A + B + C)))
        items = read(data[:cut])
        assert bodies(items)[:whole] == BODIES[:whole]
        assert len(bodies(items)) <= whole + 1
        assert reasons(items) == ["truncated_gzip"]


# Damage in the middle


@pytest.mark.parametrize(
    "garbage",
    [b"x", b"<html>not gzip</html>" * 40, b"\x1f\x8b\x08", b"\x1f\x8b\x08" + b"\0" * 5 + b"\0\x03" + b"\xff" * 90],
    ids=["one_byte", "text", "magic", "member_header"],
)
def test_garbage_between_members(garbage):
    first = members([A])
    items = read(first + garbage + members([B, C]))
    assert bodies(items) == BODIES
    assert items[1] == ReadError(
        "corrupt_gzip", f"The gzip member at byte {len(first)} is damaged: fetch the file again.", len(first)
    )
    assert len(items) == 4


def test_garbage_behind_the_last_member():
    for trailing in (b"trailing", b"\n", b"<html>" * 50_000):
        items = read(members([A, B]) + trailing)
        assert bodies(items) == BODIES[:2]
        assert reasons(items) == ["trailing_bytes"]
        assert items[-1].offset == len(members([A, B]))
    assert reasons(read(members([A, B]) + zipped(C)[:1])) == ["truncated_gzip"]
    assert reasons(read(b"no gzip at all" + members([A])[:9])) == ["not_warc"]


@pytest.mark.parametrize("size", [100, 5_000, 700_000])
def test_a_stretch_of_garbage_over_members_is_one_error(size):
    noise = b"".join(zlib.crc32(b"%d" % i).to_bytes(4, "little") for i in range(size // 4))
    second = members([B])
    items = read(members([A]) + second[: len(second) // 2] + noise + second[20:] + noise + members([C]))
    assert bodies(items) == [BODIES[0], BODIES[2]]
    assert reasons(items) == ["corrupt_gzip"]


def test_two_damaged_stretches_are_two_errors():
    items = read(members([A]) + b"xx" + members([B]) + b"yy" + members([C]))
    assert bodies(items) == BODIES
    assert reasons(items) == ["corrupt_gzip", "corrupt_gzip"]


@pytest.mark.parametrize("trailer_byte", [-8, -5, -4, -1])
def test_a_wrong_check_sum_costs_the_members_record(trailer_byte):
    second = bytearray(members([B]))
    second[trailer_byte] ^= 0x40
    items = read(members([A]) + second + members([C]))
    assert bodies(items) == [BODIES[0], BODIES[2]]
    assert reasons(items) == ["corrupt_gzip"]


def test_a_wrong_check_sum_of_a_member_of_many_records_costs_none():
    data = bytearray(zipped(A + B))
    data[-6] ^= 1
    items = read(data + members([C]))
    assert bodies(items) == BODIES
    assert reasons(items) == ["corrupt_gzip"]


def test_records_before_the_damage_in_a_large_member():
    """More than one call's input lies before the damage, and much of the failing call's."""
    pages = [make(b"%010d " % zlib.crc32(b"%d" % i) * 100) for i in range(4000)]
    data = bytearray(zipped(b"".join(pages), 1))
    at = len(data) * 3 // 4
    data[at : at + 300] = b"\xff" * 300
    # The first bytes of the damage still inflate to something, so a page may come behind those that are whole.
    whole = len(zlib.decompressobj(31).decompress(data[:at])) // len(pages[0])
    items = read(bytes(data) + members([A]))
    assert {len(page) for page in pages[: whole + 1]} == {len(pages[0])}
    assert b"".join(bodies(items)[:whole]) == b"".join(page.partition(b"\r\n\r\n")[2][:-4] for page in pages[:whole])
    assert whole <= len(bodies(items)) - 1 < whole + 20
    assert bodies(items)[-1] == BODIES[0]
    assert reasons(items) == ["corrupt_gzip"]


def test_a_wrong_length_right_before_damage():
    items = read(members([make(BODIES[0], length=999)]) + b"damage" + members([B]))
    assert bodies(items) == BODIES[:2]
    assert reasons(items) == ["corrupt_gzip"]


def test_the_first_member_is_damaged():
    items = read(b"\x1e" + members([A, B])[1:])
    assert bodies(items) == BODIES[1:2]
    assert reasons(items) == ["corrupt_gzip"]


def test_garbage_between_plain_records():
    items = read(b"leading\n" + A + b"garbage\n" * 5 + B + C)
    assert bodies(items) == BODIES
    assert [(item.reason, item.offset) for item in items if isinstance(item, ReadError)] == [
        ("garbage", 0),
        ("garbage", len(A) + 8),
    ]


def test_a_header_without_a_type():
    items = read(A + B.replace(b"WARC-Type", b"WARC-Tape") + C)
    assert bodies(items) == [BODIES[0], BODIES[2]]
    assert reasons(items) == ["bad_header"]


@pytest.mark.parametrize(
    "line",
    [b"X: " + b"y" * 70_000 + b"\r\n", b"X: y\r\n" * 20_000, b"X: y\r\n  z\r\n" * 9_000],
    ids=["line", "lines", "folded"],
)
def test_a_header_longer_than_64_kib(line):
    items = read(A + B.replace(b"Content-Length", line + b"Content-Length") + C)
    assert bodies(items) == [BODIES[0], BODIES[2]]
    assert reasons(items) == ["header_too_large"]


# Files that are something else


def test_an_empty_file():
    assert read(b"") == [ReadError("empty_file", "The file is empty.", 0)]


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><html><body>503 Slow down</body></html>\n" * 3000,
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400,
        b"\n\r\n\n",
        b"\0" * 100_000,
        b"WARC/1.0 is a format.\nWARC-Type: is one of its headers.\n",
        zipped(b"just some text\n" * 100),
        zipped(b""),
    ],
    ids=["html", "png", "line_ends", "zeros", "about_warc", "zipped_text", "zipped_nothing"],
)
def test_not_a_warc(data):
    (error,) = read(data)
    assert (error.reason, error.offset) == ("not_warc", 0)


def test_not_a_warc_is_told_without_reading_a_large_file_to_its_end():
    stream = io.BytesIO(b"no record here\n" * MIB)
    assert reasons(read_records(stream, max_record_bytes=MIB)) == ["not_warc"]
    assert stream.tell() < 4 * MIB


# Bounds


@pytest.mark.parametrize("length", [-1, None, 7])
@pytest.mark.parametrize("pack", [bytes, zipped])
def test_a_record_too_large_is_one_error(pack, length):
    large = make(b"line\n" * 600_000, length=length)
    items = read(pack(A) + pack(large) + pack(B) + pack(large) + pack(large) + pack(C), max_record_bytes=MIB)
    assert bodies(items) == BODIES
    assert reasons(items) == ["record_too_large"] * 3


def test_the_limit_is_the_body():
    assert bodies(read(make(b"x" * 1000), max_record_bytes=1000)) == [b"x" * 1000]
    assert reasons(read(make(b"x" * 1001) + A, max_record_bytes=1000)) == ["record_too_large"]


def peak_of(data: bytes, **options) -> tuple[int, list[str]]:
    """Peak of memory while reading, and the errors."""
    stream = io.BytesIO(data)
    tracemalloc.start()
    try:
        found = reasons(read_records(stream, **options))
        return tracemalloc.get_traced_memory()[1], found
    finally:
        tracemalloc.stop()


def test_memory_for_a_record_of_the_largest_size():
    peak, errors = peak_of(zipped(make(b"0123456789abcde\n" * MIB), 1) + members([A]), max_record_bytes=16 * MIB)
    assert errors == []
    assert peak < 24 * MIB


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * (64 * MIB),
        make(b"", length=None) + b"\0" * (64 * MIB),
        b"WARC/1.0\r\nWARC-Type: conversion\r\nX: " + b"a" * (64 * MIB),
        make(b"\n" * (64 * MIB)),
        b"\r\n" * (32 * MIB),
    ],
    ids=["zeros", "endless_body", "endless_header", "newlines", "only_newlines"],
)
def test_memory_for_a_small_file_that_inflates_to_a_huge_one(data):
    packed = zipped(data, 1) + members([A])
    del data
    peak, errors = peak_of(packed, max_record_bytes=MIB)
    assert peak < 8 * MIB
    assert len(errors) <= 1


def test_memory_for_many_empty_members():
    peak, errors = peak_of(members([A]) + zipped(b"") * 30_000 + members([B]))
    assert errors == []
    assert peak < 8 * MIB


# Whatever happens to a file

FILES = {
    "members": members([A, B, C, A, B]),
    "one_member": zipped(A + B + C + A + B),
    "plain": A + B + C + A + B,
    "bare_newlines": b"".join(make(body, eol=b"\n") for body in [*BODIES, *BODIES[:2]]),
}
ALL_BODIES = [*BODIES, *BODIES[:2]]
RECORD_ENDS = {"members": [len(members([A, B, C, A, B][:n])) for n in range(1, 6)]}
RECORD_ENDS["plain"] = [len(b"".join([A, B, C, A, B][:n])) for n in range(1, 6)]


@pytest.mark.parametrize("kind", ["members", "plain"])
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_costs_one_record(kind, data):
    whole, ends = FILES[kind], RECORD_ENDS[kind]
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    hit = sum(end <= at for end in ends)
    found = bodies(read(changed))
    assert found[:hit] == ALL_BODIES[:hit]
    behind = hit + 1
    if kind == "plain" and at >= ends[hit] - 4:  # the closing is also what the next record is found by
        behind += 1
    assert len(found) >= 5 - (behind - hit)
    assert found[len(found) - (5 - behind) :] == ALL_BODIES[behind:]


damage = st.one_of(
    st.tuples(st.just("cut"), st.floats(0, 1), st.just(b"")),
    st.tuples(st.just("overwrite"), st.floats(0, 1), st.binary(min_size=1, max_size=60)),
    st.tuples(
        st.just("insert"), st.floats(0, 1), st.one_of(st.binary(max_size=60), st.sampled_from([A, members([B])]))
    ),
    st.tuples(st.just("remove"), st.floats(0, 1), st.binary(min_size=1, max_size=60)),
)


@pytest.mark.parametrize("kind", sorted(FILES))
@given(changes=st.lists(damage, min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_no_damage_raises_or_costs_what_lies_before_it(kind, changes):
    whole, first = FILES[kind], 1.0
    for what, where, payload in changes:
        at = int(where * len(whole))
        first = min(first, at / max(len(FILES[kind]), 1))
        keep = {"cut": len(whole), "overwrite": at + len(payload), "insert": at, "remove": at + len(payload)}[what]
        whole = whole[:at] + (payload if what in ("overwrite", "insert") else b"") + whole[keep:]
    items = read(whole)
    assert items
    intact = sum(end <= first * len(FILES[kind]) for end in RECORD_ENDS.get(kind, []))
    # Line ends put in between two records are the first one's, as they are for a reader of lines.
    assert [body.rstrip() for body in bodies(items)[:intact]] == [body.rstrip() for body in ALL_BODIES[:intact]]


# Real files


@pytest.mark.skipif(not REAL.is_dir(), reason="the real samples are not beside the checkout")
@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("wet/CC-MAIN-2026-12-first110.warc.wet.gz", {"warcinfo": 1, "conversion": 109}),
        (
            "warc/dolma_sample-0000.warc.gz",
            {"warcinfo": 1, "request": 22, "response": 22, "metadata": 1, "resource": 2},
        ),
        ("warc/jwarc_cc.warc.gz", {"response": 1}),
        ("whirlwind/whirlwind.warc", {"warcinfo": 1, "request": 1, "response": 1, "metadata": 1}),
        ("whirlwind/whirlwind.warc.gz", {"warcinfo": 1, "request": 1, "response": 1, "metadata": 1}),
        ("whirlwind/whirlwind.warc.wat", {"warcinfo": 1, "metadata": 1}),
        ("whirlwind/whirlwind.warc.wat.gz", {"warcinfo": 1, "metadata": 1}),
        ("whirlwind/whirlwind.warc.wet", {"warcinfo": 1, "conversion": 1}),
        ("whirlwind/whirlwind.warc.wet.gz", {"warcinfo": 1, "conversion": 1}),
        (
            "eugeneware/CC-MAIN-20140820021334-00006-ip-10-180-136-8.ec2.internal.warc",
            {"warcinfo": 1, "request": 4, "response": 4, "metadata": 4},
        ),
        (
            "eugeneware/CC-MAIN-20140820021334-00006-ip-10-180-136-8.ec2.internal.warc.wat",
            {"warcinfo": 1, "metadata": 8},
        ),
        (
            "eugeneware/CC-MAIN-20140820021334-00006-ip-10-180-136-8.ec2.internal.warc.wet",
            {"warcinfo": 1, "conversion": 3},
        ),
        (
            "odd/transfer_compression_brotli.warc.gz",
            {"warcinfo": 1, "request": 1, "response": 1, "metadata": 1, "resource": 1},
        ),
    ],
)
def test_real_files_as_fastwarc_reads_them(name, kinds):
    from fastwarc.warc import ArchiveIterator

    with (REAL / name).open("rb") as stream:
        items = list(read_records(stream))
    assert reasons(items) == []
    with (REAL / name).open("rb") as stream:
        theirs = [(r.headers["WARC-Type"], r.reader.read()) for r in ArchiveIterator(stream, parse_http=False)]
    assert [(item.kind, item.body) for item in items] == theirs
    assert {item.repair for item in items} == {""}
    assert {kind: sum(item.kind == kind for item in items) for kind in kinds} == kinds


@pytest.mark.skipif(not REAL.is_dir(), reason="the real samples are not beside the checkout")
def test_real_offsets_lead_to_the_record():
    data = (REAL / "wet/CC-MAIN-2026-12-first110.warc.wet.gz").read_bytes()
    items = read(data)
    for item in items[::10]:
        assert zlib.decompressobj(31).decompress(data[item.offset :]).endswith(item.body + b"\r\n\r\n")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real samples are not beside the checkout")
def test_real_file_whose_first_length_is_too_small_and_whose_last_record_is_cut():
    items = read((REAL / "wet/CC-MAIN-2014-10-head.warc.wet").read_bytes())
    assert len(bodies(items)) == 59
    assert reasons(items) == ["truncated_record"]
    repaired = [item for item in items if isinstance(item, WarcRecord) and item.repair]
    assert [(item.repair, item.headers["content-length"], len(item.body)) for item in repaired] == [
        ("content_length", "634", 636),
        ("truncated", "4310", 1737),
    ]
    assert repaired[0].body.endswith(b"Creative Commons Attribution-ShareAlike 3.0 License.\n")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real samples are not beside the checkout")
def test_real_file_of_bare_newlines_and_wrong_lengths():
    items = read((REAL / "wet/CC-MAIN-2023-40-lf-cut.warc.wet").read_bytes())
    assert [item.kind for item in items] == ["warcinfo", "conversion", "conversion"]
    assert {item.repair for item in items} == {"content_length"}
    assert items[1].body.decode().endswith("\nНовости Екатеринбурга |\n Горсправка 2009-2019\n")
    assert items[2].body.decode().endswith("\n首页")


@pytest.mark.skipif(not REAL.is_dir(), reason="the real samples are not beside the checkout")
def test_real_truncated_gzip():
    items = read((REAL / "odd/transfer_compression_none_truncated.warc.gz").read_bytes())
    assert [item.kind for item in items[:-1]] == ["warcinfo", "request"]
    assert reasons(items) == ["truncated_gzip"]
