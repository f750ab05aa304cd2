"""7z archives: literal ones that a well-known library wrote, the publisher's form, and every kind of damage."""

import base64
import bz2
import io
import lzma
import random
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples.sevenzip import write_archive
from sources.stackexchange.archive import find_posts, only_posts, posts_of
from sources.stackexchange.packed import BZIP2, BadArchive, Packed, bzip2_pieces, unpack
from sources.stackexchange.sevenzip import SIGNATURE, Member, read_members

REAL = Path(__file__).parents[3].parent / "shared" / "real" / "stackexchange"
ROOT = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n'
ROWS = b"".join(b'  <row Id="%d" PostTypeId="1" Body="%d" />\r\n' % (n, n * n * 7919) for n in range(20_000))
POSTS = ROOT + ROWS + b"</posts>"
BADGES = POSTS.replace(b"posts", b"badges")

# What py7zr 1.1 makes of Badges.xml and Posts.xml, solid, by method; in Base64.
SMALL = (
    b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>\r\n'
    b'<posts>\r\n  <row Id="1" PostTypeId="1" Score="2" Body="a" />\r\n</posts>'
)
LITERAL = {
    "bzip2": (
        "N3q8ryccAATBZ/4UFwEAAAAAAAAVAAAAAAAAAJ/m8MdCWmg5MUFZJlNZ/EScQQAAbt+JABJQA/BHkCBMAC+n3+AACIAAoACJBVU0mmRo"
        "9TEGmg0AGmgVVT0geo0ekABpoD0IQSRSSpkyD2gk5rUUSKsVIHFMpWK2gakn1DIh0O6tesfHJzUNCSkigTYkGdY7HsmmiuRRVtiS1epV"
        "LlyahQtVK1zdvpSqVlyFDKVJ6MGRctTuDawYsX5/F3JFOFCQ/EScQeAAegBrXQAAgTMHrg/VMHOqFyTT/rKXes6wQ9GfuvEXse0+aPZX"
        "T5eUEakG5jtiBaxp5dm8G4teVeYUI61bv7f0XPTkcL/Ze/jBOA3VZElYU8z+F3gw6jzioZ4QFXRCzx6qGcZPciwAykzJT2RxAAAAAAAX"
        "BoCkAQlzAAcLAQABISEBGAx7AAA="
    ),
    "lzma2": (
        "N3q8ryccAATtAyCG4gAAAAAAAAAUAAAAAAAAAMFrLw/gAN0Abl0Ad67T46P5ge+2M7BhYLUXzO7HZsD6vCdEhSSUqSI4yBVTLulE/S5/"
        "d7YdBlQwWfkjV7YTEpsx6UiGz2uqGripYHmscYjiHXXlEzPzZUnjKiWo0fZufJ3z9ujtjgYZK70KsZ5hVJWBbMpWO3DiCgAA4AB2AGRd"
        "AACBMweuD9SrxY1CFfazRXSh+HHqKcHWnv6oOr5/4YP1O+GolPsbDuVV+OqGhnJ82PtlfFrCTISMtVT15RpUved3Y2HQu2UF6hREsG/z"
        "qPAg1/x/C6C2lLK7Clt66W6JHJgAAAAAFwZ2AQlsAAcLAQABISEBGAx3AAA="
    ),
    "lzma": (
        "N3q8ryccAARodv1o7AAAAAAAAAAVAAAAAAAAAO/NDoAAd67T46P5ge+2M7BhYLUXzO7HZsD6vCdEhSSUqSI4yBVTLulE/S5/d7YdBlQw"
        "WfkjV7YTEpsx6UiGz2uqGripYHmscYjiHXXlEzPzZUnjKiWo0fZufJ3z9ujtjgYZK70KsZ5hVJWBbMpWO69Mtb//3lcAAOAAggBwXQAA"
        "gTMHrg/UkfZdQhX2s4nE4fnoUdV3+A1m/JLa3QeZqZMOHh/ywuY0grGOmNQzw5Y9AOdEKr8TAaBIkVpVdYgpKbWE+ULf5xoPR3OKOSMU"
        "bsiGiw+kHxv63silmO0YfsoqdrcFp4s5UW4eq8JCAAAAABcGdAEJeAAHCwEAASEhARgMgIMAAA=="
    ),
    "deflate": (
        "N3q8ryccAAS2HTqD2wAAAAAAAAAUAAAAAAAAADQvj9l7v3u/jX1Fbo5CWWpRcWZ+nq2SoZ6BkkJqXnJ+SmZeuq1SaUmaroWSvR0vl01J"
        "YnoxkFZQsCnKL1fwTAGqVVIIyC8uCaksSIVyg5Pzi1JtlYyUFJzyUyptlRKVFPRBevXBmt+TYFsB0GDyrYPoBgDgAHYAZF0AAIEzB64P"
        "1FFwvUDAkM7lyzKfGVQbza+WKRUZNJoGRAMWdoArsOoTmBIChK08lQzJMZafGg0mR5gDzugyZEbVyhOd/qCEHEJek0fd9hHKsufAr0ng"
        "aA2ST8MfYtTNp8KmQAAAAAAXBm8BCWwABwsBAAEhIQEYDHcAAA=="
    ),
    "copy": (
        "N3q8ryccAATZ9ZVrUAEAAAAAAAAVAAAAAAAAALBs5qXvu788P3htbCB2ZXJzaW9uPSIxLjAiIGVuY29kaW5nPSJ1dGYtOCI/Pg0KPHRh"
        "Z3M+DQogIDxyb3cgSWQ9IjEiIFBvc3RUeXBlSWQ9IjEiIFNjb3JlPSIyIiBCb2R5PSJhIiAvPg0KPC90YWdzPu+7vzw/eG1sIHZlcnNp"
        "b249IjEuMCIgZW5jb2Rpbmc9InV0Zi04Ij8+DQo8cG9zdHM+DQogIDxyb3cgSWQ9IjEiIFBvc3RUeXBlSWQ9IjEiIFNjb3JlPSIyIiBC"
        "b2R5PSJhIiAvPg0KPC9wb3N0cz7gAHoAal0AAIEzB64P1TG8sJck0/65xON0mJPWOFMK7OKSGk5N9T1LqUJLedtSSB12QbRV8dmDwalQ"
        "zDOAU4/jiry8E/91beUHCgfbl0HflwUEuUXXWDJSy8+bjDJP1ltgMXJpEOTsnr+sPNe+gAAAAAAXBoDeAQlyAAcLAQABISEBGAx7AAA="
    ),
    "bcj": (
        "N3q8ryccAAS/BX7S6gAAAAAAAAAVAAAAAAAAANYYmFPgAN0Abl0Ad67T46P5ge+2M7BhYLUXzO7HZsD6vCdEhSSUqSI4yBVTLulE/S5/"
        "d7YdBlQwWfkjV7YTEpsx6UiGz2uqGripYHmscYjiHXXlEzQn55MSI7xsylx41qTGlIuuH+FmE1WOkUSGASEgvAI8tBXJSgIA4ACCAGxd"
        "AACBMweuD9SrxY1CEPoia/m37055uZeSKuGmidM1AdwRiy2fYt8B/7jR5Dymyw3paJ3pHazvMrKCctyAakfqrqR0HzP+yRAaKYN2p9sJ"
        "A8E7yt1476ZwHj6V7JyYzDRf9GMSdGp9LBXuygAAAAAXBnYBCXQABwsBAAEhIQEYDICDAAA="
    ),
}
REFUSED = {
    "ppmd": (
        "N3q8ryccAAT8l62R3AAAAAAAAAAUAAAAAAAAADiE8gwA7slaiFQ7s4+jlt0qiZOc86EGXXEEUX7V7LRZDps+yU3Jl0ZGpI9IAX7iH1Fr"
        "ah++wtFz+Zcw6Btd9gHBvttgcKPo0uB7ujUb9QTcD3Fjf0BZF185Bz5HshxhRwlTjbtprFLIxADgAH4Abl0AAIEzB64P091PfUDAkNND"
        "xSotA6AQdp+6RCJ9uq4yj08wEKjJSFhFXpPAAkkUL4tCexits0arBy2bltwlMmFR3QxgaY9bNxq8mCYN4SxHRC9DNWBQDACB6RofKd2U"
        "vmk39lNbCB9xTtOspAAAAAAAFwZmAQl2AAcLAQABISEBGAx/AAA="
    ),
    "aes": (
        "N3q8ryccAASQFvh3FgEAAAAAAAAXAAAAAAAAANW935PH25dg8a37wd6zzLV9u6JiuJHm76T2kKfbWv2EDFn49iq8Df3fmP72mwfoqL31"
        "k9MGxPUAJaZO61Zw89mjrWjxWVfzJ8/Tr4LVg404fAV/qwaVbSWnHCg5SmLVzfLZwOt14epo+uU8RsPljkS1GpvJ1g/XXdXwgEurSsv4"
        "/fqwAuAAngCOXQAAgTMHrg/VNSsEMCnW3TnGFgP62Yf6qlKmXTZaN9PSbZamg1cfyqm3Bpk1Y3qQojEiatXqDQal4e8ZzkOnwfHmNyMO"
        "N9E5gf93AHKvQnfNiqG8JdiUpbkrFbLAB9l8YEFX2bI27FIOu7e16ieYtlR3xh7Kmg2M//hzSmxM+UirDHYOUJo4ejY5nw+wAAAAABcG"
        "gIABCYCWAAcLAQABISEBGAyAnwAA"
    ),
}


def archive(*files: tuple[str, bytes]) -> bytes:
    handle = io.BytesIO()
    write_archive(handle, [(name, [data]) for name, data in files])
    return handle.getvalue()


def with_right_sums(data: bytearray) -> bytes:
    """An archive whose table of contents was changed, with the check sums made to fit."""
    place, length = struct.unpack_from("<QQ", data, 12)
    data[28:32] = struct.pack("<I", zlib.crc32(bytes(data[32 + place : 32 + place + length])))
    data[8:12] = struct.pack("<I", zlib.crc32(bytes(data[12:32])))
    return bytes(data)


def each(data: bytes) -> tuple[bytes, str | None]:
    """What could be read, and the reason why no more."""
    pieces: list[bytes] = []
    try:
        for piece in posts_of(io.BytesIO(data)):
            pieces.append(piece)  # noqa: PERF402 - extend would lose what came before an error
    except BadArchive as error:
        return b"".join(pieces), error.reason
    return b"".join(pieces), None


@pytest.mark.parametrize("method", sorted(LITERAL))
def test_archives_that_py7zr_wrote(method):
    assert each(base64.b64decode(LITERAL[method])) == (SMALL, None)


@pytest.mark.parametrize(("method", "word"), [("ppmd", "PPMd"), ("aes", "password")])
def test_methods_that_are_not_read_are_named(method, word):
    with pytest.raises(BadArchive, match=word) as caught:
        list(posts_of(io.BytesIO(base64.b64decode(REFUSED[method]))))
    assert caught.value.reason == "unknown_method"


CODE = random.Random(2).randbytes(50_000) + b"\xe8\0\0\0\x01\xe9\xff\xff\xff\xff" * 20_000  # much to do for a filter


@pytest.mark.parametrize(
    ("method", "properties", "id"),
    [
        (b"\x03\x03\x01\x03", b"", lzma.FILTER_X86),
        (b"\x05", b"", lzma.FILTER_POWERPC),
        (b"\x03", b"\3", lzma.FILTER_DELTA),
    ],
)
def test_filters_are_taken_off_whatever_they_are_packed_with(method, properties, id):
    own = {"id": id, "dist": 4} if id == lzma.FILTER_DELTA else {"id": id}
    filtered = lzma.compress(CODE, lzma.FORMAT_RAW, filters=[own, {"id": lzma.FILTER_LZMA2}])
    inner = lzma.decompress(filtered, lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2}])
    assert inner != CODE
    data = bz2.compress(inner)
    packed = Packed(((BZIP2, b""), (method, properties)), 0, len(data), len(CODE))
    assert b"".join(unpack(io.BytesIO(data), packed)) == CODE


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ((b"\x21", b"\x03\x03\x01\x1b"), "LZMA2 and BCJ2"),
        ((b"\x03\x04\x01", b"\x04"), "PPMd and BCJ"),
        ((b"\x04\xf7\x11\x01",), "Zstandard"),
        ((b"\x77",), "a method 77"),
    ],
)
def test_methods_are_named_in_words(methods, words):
    packed = Packed(tuple((method, b"") for method in methods), 0, 1, 1)
    with pytest.raises(BadArchive, match=f"packed with {words}, which is not read here"):
        list(unpack(io.BytesIO(b"x"), packed))


def test_an_archive_with_two_tables_of_posts():
    assert each(archive(("a/Posts.xml", POSTS), ("b/Posts.xml", POSTS))) == (b"", "several_posts")


def test_members_have_their_places():
    data = archive(("Badges.xml", BADGES), ("empty.txt", b""), ("sub/Posts.xml", POSTS))
    badges, empty, posts = read_members(io.BytesIO(data))
    assert [(m.name, m.size) for m in (badges, empty, posts)] == [
        ("Badges.xml", len(BADGES)),
        ("empty.txt", 0),
        ("sub/Posts.xml", len(POSTS)),
    ]
    assert (posts.offset, posts.crc) == (len(BADGES), zlib.crc32(POSTS))
    assert find_posts(io.BytesIO(data)) == posts
    assert each(data) == (POSTS, None)


def test_an_archive_without_posts():
    assert each(archive(("Badges.xml", BADGES))) == (b"", "no_posts")
    start = struct.pack("<QQI", 0, 0, 0)
    empty = SIGNATURE + b"\0\4" + struct.pack("<I", zlib.crc32(start)) + start
    assert each(empty) == (b"", "no_posts")


@pytest.mark.parametrize("junk", [b"", b"7z", b"PK\3\4" + b"x" * 100, SIGNATURE, SIGNATURE + b"\0" * 26])
def test_what_is_no_archive(junk):
    found, reason = each(junk)
    assert found == b""
    assert reason in {"not_7z", "damaged_7z", "no_posts"}


def test_an_archive_that_was_cut_gives_what_is_left():
    whole = archive(("Badges.xml", BADGES), ("Posts.xml", POSTS), ("Users.xml", BADGES))
    lengths = []
    for cut in (len(whole) - 1, len(whole) - 100, len(whole) * 2 // 3, len(whole) // 3, 40, 32):
        found, reason = each(whole[:cut])
        assert POSTS.startswith(found)
        assert reason == "truncated_7z"
        lengths.append(len(found))
    assert lengths[:2] == [len(POSTS)] * 2
    assert 0 < lengths[2] < len(POSTS)
    assert lengths[3:] == [0, 0, 0]


@pytest.mark.parametrize("method", ["bzip2", "lzma2", "lzma"])
def test_the_codec_of_a_cut_archive_is_told_by_its_data(method):
    whole = base64.b64decode(LITERAL[method])
    assert each(whole[:-1]) == (SMALL, "truncated_7z")


def test_damage_in_the_data_costs_what_follows_it():
    data = bytearray(archive(("Posts.xml", POSTS)))
    data[len(data) // 2] ^= 1
    found, reason = each(bytes(data))
    assert reason == "damaged_7z"
    assert POSTS.startswith(found)


def test_data_that_was_changed_and_packed_again_has_a_wrong_check_sum():
    other = POSTS.replace(b'Id="7"', b'Id="8"')
    changed = bytearray(archive(("Posts.xml", other)))
    at = changed.index(struct.pack("<I", zlib.crc32(other)))
    changed[at : at + 4] = struct.pack("<I", zlib.crc32(POSTS))
    found, reason = each(with_right_sums(changed))
    assert (len(found), reason) == (len(POSTS), "damaged_7z")


def test_a_small_archive_that_unpacks_to_a_huge_one_comes_in_pieces():
    bomb = archive(("Posts.xml", b"\0" * 100_000_000))
    assert len(bomb) < 1000
    sizes = [len(piece) for piece in posts_of(io.BytesIO(bomb))]
    assert (sum(sizes), max(sizes)) == (100_000_000, 1 << 20)


def test_a_stream_that_promises_more_than_there_is():
    packed = Packed(((BZIP2, b""),), 32, 10, 1 << 60)
    with pytest.raises(BadArchive) as caught:
        list(unpack(io.BytesIO(archive(("a", b"b"))), packed))
    assert caught.value.reason == "truncated_7z"


def test_lzma_may_not_ask_for_all_memory():
    packed = Packed(((b"\x21", bytes([40])),), 32, 10, 10)
    with pytest.raises(BadArchive, match="LZMA asks for 4095 MB"):
        list(unpack(io.BytesIO(), packed))


@settings(max_examples=60)
@given(st.data())
def test_no_damage_raises_anything_else(data):
    whole = bytearray(archive(("Badges.xml", BADGES[:2000]), ("Posts.xml", POSTS[:2000])))
    header = 32 + struct.unpack_from("<Q", whole, 12)[0]
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(header, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found, _ = each(with_right_sums(whole))
    assert len(found) < 10_000


def test_bzip2_files():
    packed = bz2.compress(POSTS[:5000]) + bz2.compress(POSTS[5000:])
    assert b"".join(bzip2_pieces(io.BytesIO(packed))) == POSTS
    assert list(bzip2_pieces(io.BytesIO(b""))) == []
    for damaged, reason in (
        (packed[:-10], "truncated_bz2"),
        (packed[:2000], "truncated_bz2"),
        (b"no bzip2", "corrupt_bz2"),
    ):
        with pytest.raises(BadArchive) as caught:
            list(bzip2_pieces(io.BytesIO(damaged)))
        assert caught.value.reason == reason


def test_only_the_posts_of_several_tables():
    data = BADGES + POSTS + BADGES
    draw = random.Random(1)
    for size in (1, 7, 50, 1000, 1 << 20):
        step = size if size > 1000 else draw.randint(size, size * 3)
        source = data if size > 20 else BADGES[:200] + ROOT + b"x</posts>" + BADGES[:200]
        want = POSTS if size > 20 else ROOT + b"x</posts>"
        assert b"".join(only_posts(source[at : at + step] for at in range(0, len(source), step))) == want


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_a_real_archive():
    with (REAL / "conlang.meta.stackexchange.com.7z").open("rb") as handle:
        members = read_members(handle)
        assert [m.name for m in members][4:6] == ["Posts.xml", "Tags.xml"]
        assert isinstance(members[0], Member)
        posts = b"".join(posts_of(handle))
    assert posts == (REAL / "conlang.meta.stackexchange.com" / "Posts.xml").read_bytes()
