"""Zips of every kind, sound, hostile and damaged."""

import contextlib
import io
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.books.archive import BadArchive, zip_text

LIMIT = 10_000


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # of 1980: test names hold the bytes
    return buffer.getvalue()


def test_a_zip_gives_its_first_text():
    assert zip_text(zipped(("pic.jpg", b"x"), ("b.txt", b"two"), ("a/a.TXT", b"one")), LIMIT) == ("a/a.TXT", b"one")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "damaged_zip"),
        (b"PK\x05\x06", "damaged_zip"),
        (zipped(("a.jpg", b"x")), "no_text"),
        (zipped(("bomb.txt", b"\0" * 3_000_000)), "too_large"),
        (zipped(("a.txt", b"one" * 100))[:-30], "damaged_zip"),
        (zipped(("a.txt", b"one" * 100)).replace(b"\x4b", b"\x4c", 1)[1:], "damaged_zip"),
        (zipped(*((f"{n:0100d}", b"") for n in range(8000))), "too_large"),
    ],
)
def test_bad_zips_say_why(data, reason):
    with pytest.raises(BadArchive) as refused:
        zip_text(data, LIMIT)
    assert refused.value.reason == reason


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)), max_size=10))
def test_no_damage_to_a_zip_raises_anything_else(changes):
    data = bytearray(zipped(("a.txt", b"one two three " * 50)))
    for place, value in changes:
        data[place % len(data)] = value
    with contextlib.suppress(BadArchive):
        assert len(zip_text(bytes(data), LIMIT)[1]) <= LIMIT
