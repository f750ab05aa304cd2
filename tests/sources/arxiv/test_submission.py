"""Submissions of every packing, and those that ask for too much."""

import contextlib
import gzip
import io
import tarfile
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples.make_arxiv import tar_of
from sources.arxiv.recipe import SubmissionLimits
from sources.arxiv.submission import BadSubmission, unpack

LIMITS = SubmissionLimits(packed_megabytes=1, unpacked_megabytes=4, file_megabytes=1, text_megabytes=2, files=50)
TEX = b"\\documentclass{article}\\begin{document}x\\end{document}"


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # the same bytes in every run


def reason(data: bytes, limits: SubmissionLimits = LIMITS) -> str:
    with pytest.raises(BadSubmission) as refused:
        unpack(data, "a.tex", limits)
    return refused.value.reason


@pytest.mark.parametrize("pack", [bytes, gzipped, lambda data: gzipped(gzipped(data))])
@pytest.mark.parametrize("files", [{"a.tex": TEX}, {"d/b.tex": TEX, "c.bbl": b"y"}])
def test_every_packing_gives_the_same_files(pack, files):
    data = tar_of(files) if len(files) > 1 else TEX
    assert unpack(pack(data), "a.tex", LIMITS).files == files


def test_figures_give_their_first_bytes_alone():
    submission = unpack(tar_of({"a.tex": TEX, "b.EPS": b"%!PS" + b"x" * 3_000_000}), "", LIMITS)
    assert submission.files == {"a.tex": TEX, "b.EPS": b"%!PS" + b"x" * 1020}
    assert len(submission) == len(TEX) + 1024


def test_paths_that_lead_out_are_left_out_and_others_are_made_plain():
    submission = unpack(tar_of({"../a.tex": TEX, "/b.tex": TEX, "./c/./d.tex": TEX}), "", LIMITS)
    assert (submission.files, submission.left_out) == (
        {"b.tex": TEX, "c/d.tex": TEX},
        Counter(unsafe_name=1),
    )


def test_the_later_of_two_files_of_one_name_stays():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for data in (b"one", b"two"):
            info = tarfile.TarInfo("a.tex")
            info.size = 3
            archive.addfile(info, io.BytesIO(data))
    assert unpack(buffer.getvalue(), "", LIMITS).files == {"a.tex": b"two"}


def test_a_large_file_that_is_no_tex_is_left_out():
    submission = unpack(tar_of({"a.tex": TEX, "b.dat": bytes(1_100_000)}), "", LIMITS)
    assert (submission.files, submission.left_out) == ({"a.tex": TEX}, Counter(too_large=1))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (gzipped(bytes(50_000_000)), "too_large"),  # a bomb
        (gzipped(tar_of({"a.tex": TEX, "b.png": bytes(50_000_000)})), "too_large"),  # a bomb among the figures
        (tar_of({"a.tex": TEX * 30_000}), "too_large"),
        (tar_of({f"{n}.tex": b"x" * 900_000 for n in range(3)}), "too_large"),
        (tar_of({f"{n}.tex": b"" for n in range(51)}), "too_many_files"),
        (gzipped(TEX)[:-12], "truncated_gzip"),
        (gzipped(tar_of({"a.tex": TEX, "b.tex": TEX * 100}))[:-40], "truncated_gzip"),
        (tar_of({"a.tex": TEX, "b.tex": TEX * 100})[:3000], "truncated_tar"),
    ],
    ids=[
        "bomb",
        "bomb_among_figures",
        "long_file",
        "long_files",
        "many_files",
        "cut_gzip",
        "cut_packed_tar",
        "cut_tar",
    ],
)
def test_what_asks_for_too_much_or_is_damaged_fails(data, expected):
    assert reason(data) == expected


def test_what_stands_behind_a_whole_gzip_is_passed_over():
    assert unpack(gzipped(TEX) + b"junk" * 10, "a.tex", LIMITS).files == {"a.tex": TEX}


@given(st.binary(max_size=2000), st.integers(0, 2), st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255))))
def test_no_bytes_raise_anything_else(data, kind, changes):
    packed = bytearray([data, gzipped(data), gzipped(tar_of({"a.tex": data}))][kind])
    for place, value in changes:
        packed[place % max(1, len(packed)) : place % max(1, len(packed)) + 1] = bytes([value])
    with contextlib.suppress(BadSubmission):
        assert len(unpack(bytes(packed), "a.tex", LIMITS)) <= LIMITS.text_megabytes << 20
