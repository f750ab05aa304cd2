"""Tars and zips of every kind, sound, hostile and damaged."""

import contextlib
import gzip
import io
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.books.archive import BadArchive, Fault, Member, tar_members, zip_text

LIMIT = 10_000


def tar(*members: tuple[str, bytes], format_: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format_) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def read(data: bytes) -> list[Member | Fault]:
    return list(tar_members(io.BytesIO(data), LIMIT))


def reasons(data: bytes) -> list[str]:
    return [item.reason if isinstance(item, Fault) else item.name for item in read(data)]


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_members_come_with_names_bytes_and_offsets(format_, pack):
    long = "d/" * 60 + "Größe.txt" if format_ != tarfile.USTAR_FORMAT else "d/size.txt"
    data = tar(("a.txt", b"one" * 300), (long, b"two"), ("empty.txt", b""), format_=format_)
    found = read(pack(data))
    assert [(m.name, m.data) for m in found] == [("a.txt", b"one" * 300), (long, b"two"), ("empty.txt", b"")]
    assert found[0].offset == 0
    assert data[found[2].offset :].startswith(b"empty.txt")


def test_members_that_point_out_of_the_folder_are_refused():
    data = tar(
        ("../up.txt", b"x"), ("a/../../up.txt", b"x"), ("/root.txt", b"x"), ("C:\\x.txt", b"x"), ("good.txt", b"y")
    )
    assert reasons(data) == ["unsafe_name"] * 4 + ["good.txt"]


def test_links_and_devices_are_passed_over():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo("member")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("good.txt"))
    assert reasons(buffer.getvalue()) == ["link", "link", "good.txt"]


def test_a_member_beyond_the_limit_costs_only_itself():
    data = gzip.compress(tar(("bomb.txt", b"\0" * 5_000_000), ("good.txt", b"y")))
    assert len(data) < 20_000
    assert reasons(data) == ["too_large", "good.txt"]


def test_a_header_that_claims_a_long_name_beyond_all_bounds_ends_the_tar():
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    assert reasons(info.tobuf(tarfile.GNU_FORMAT)) == ["damaged_tar"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ["truncated_tar"]),
        (b"no tar at all" * 100, ["damaged_tar"]),
        (tar(("a.txt", b"one")), ["a.txt"]),
        (tar(("a.txt", b"one"))[:1024], ["a.txt"]),
        (tar(("a.txt", b"one"))[:515], ["a.txt"]),
        (tar(("a.txt", b"one"))[:514], ["truncated_tar"]),
        (tar(("a.txt", b"one"), ("b.txt", b"two" * 400))[:2000], ["a.txt", "truncated_tar"]),
        (gzip.compress(tar(("a.txt", b"one"), ("b.txt", b"two" * 400)), 0)[:1600], ["a.txt", "truncated_gzip"]),
    ],
)
def test_damage_ends_the_tar_with_one_fault(data, expected):
    assert reasons(data) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=20), st.booleans())
def test_no_damage_raises_or_gives_more_than_the_limit(changes, packed):
    data = bytearray(tar(("a.txt", b"one" * 300), ("b.txt", b"two" * 100)))
    for place, value in changes:
        data[place] = value
    for item in read(gzip.compress(bytes(data)) if packed else bytes(data)):
        assert isinstance(item, Fault) or len(item.data) <= LIMIT


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
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
