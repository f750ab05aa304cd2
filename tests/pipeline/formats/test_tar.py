"""Tars of every kind, sound, hostile and damaged."""

import gzip
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.formats.inflate import inflated
from pipeline.formats.tar import Fault, Member, is_tar, tar_headers, tar_members

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
    return list(tar_members(inflated(io.BytesIO(data)), LIMIT))


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


def test_a_wrong_check_sum_is_told_behind_the_members():
    packed = bytearray(gzip.compress(tar(("a.txt", b"one" * 300)), mtime=0))
    packed[-8] ^= 1
    member, fault = read(bytes(packed))
    assert (member.data, fault.reason, fault.failed) == (b"one" * 300, "corrupt_gzip", True)
    assert fault.message == "the archive's check sum is wrong: a member before its end is not what was packed"
    assert len(read(bytes(packed[:-8]))) == 2  # cut within the check sum


def test_members_that_point_out_of_the_folder_are_refused():
    data = tar(
        ("../up.txt", b"x"),
        ("/../up.txt", b"x"),
        ("a/../../up.txt", b"x"),
        ("C:\\x.txt", b"x"),
        ("\\\\h\\x", b"x"),
        ("good", b"y"),
    )
    assert reasons(data) == ["unsafe_name"] * 5 + ["good"]


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_absolute_names_lose_their_slash(format_):
    data = tar(("/a.txt", b"x"), ("//" + "d/" * 60 + "b.txt", b"y"), format_=format_)
    assert reasons(data) == ["a.txt", "d/" * 60 + "b.txt"]


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


def test_only_the_head_of_a_member_is_taken_where_no_more_is_wanted():
    data = tar(("a.eps", b"%!PS" + b"x" * 50_000), ("b.tex", b"y"))
    found = list(tar_members(inflated(io.BytesIO(data)), LIMIT, wanted=lambda n: 4 if n.endswith(".eps") else None))
    assert [(m.name, m.data, m.size) for m in found] == [("a.eps", b"%!PS", 50_004), ("b.tex", b"y", 1)]


def test_a_tar_is_not_read_beyond_its_limit():
    data = gzip.compress(tar(*((f"{n}.txt", b"x" * 9000) for n in range(100))))
    found = list(tar_members(inflated(io.BytesIO(data)), LIMIT, total=50_000))
    assert [item.reason if isinstance(item, Fault) else item.name for item in found] == [
        *(f"{n}.txt" for n in range(6)),
        "too_large",
    ]


def test_headers_are_read_without_the_bytes_between():
    data = tar(("a.txt", b"one" * 3000), ("d/" * 60 + "b.txt", b"two"), ("../c", b"3"))
    whole, heads = read(data), list(tar_headers(io.BytesIO(data)))
    assert [m._replace(data=b"") if isinstance(m, Member) else m for m in whole] == heads
    assert [item.reason if isinstance(item, Fault) else item.size for item in heads] == [9000, 3, "unsafe_name"]


@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_is_known_by_its_first_header(format_):
    data = tar(("a.tex", b"one"), format_=format_)
    assert is_tar(data)
    assert not is_tar(data[:511])
    assert not is_tar(b"\\documentclass{article}" * 100)
    assert not is_tar(bytes(1024))


def damaged(data: bytes, at: int, with_: bytes = b"\xff" * 8) -> bytes:
    return data[:at] + with_ + data[at + len(with_) :]


@pytest.mark.parametrize("damage", [b"\xff" * 8, bytes(512)])
def test_behind_a_damaged_header_it_goes_on_at_the_next(damage):
    inner = tar(("main.tex", b"x" * 600))  # a member that is a tar itself: its headers are not the archive's
    data = tar(("a.gz", b"one"), ("b.gz", inner), ("c.gz", b"three"), ("d.gz", b"four"))
    second = data.index(b"b.gz")
    found = list(
        tar_members(inflated(io.BytesIO(damaged(data, second, damage))), LIMIT, resumes=lambda n: n[1:] == ".gz")
    )
    assert [item.reason if isinstance(item, Fault) else item.name for item in found] == [
        "a.gz", "damaged_tar", "c.gz", "d.gz",
    ]  # fmt: skip
    assert [m.data for m in found if isinstance(m, Member)] == [b"one", b"three", b"four"]
    assert found[1].message.endswith(f"it goes on at byte {found[2].offset}")
    headers = tar_headers(io.BytesIO(damaged(data, second, damage)), lambda name: name[1:] == ".gz")
    assert [item.offset for item in headers if isinstance(item, Member)] == [
        item.offset for item in found if isinstance(item, Member)
    ]


def test_a_damaged_header_ends_the_archive_where_nothing_is_told_or_nothing_follows():
    data = tar(("a.gz", b"one"), ("b.gz", b"two"))
    cut = damaged(data, data.index(b"b.gz"))
    assert reasons(cut) == ["a.gz", "damaged_tar"]
    found = list(tar_members(inflated(io.BytesIO(cut)), LIMIT, resumes=lambda name: True))
    assert [item.reason for item in found if isinstance(item, Fault)] == ["damaged_tar"]
    assert found[-1].message.endswith("the rest is not read")
