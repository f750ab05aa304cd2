"""The arXiv sample: made again into the same bytes, with a member of every kind."""

import io
import tarfile
from pathlib import Path

from samples.make_arxiv import main
from tests.samples.made import made_again

SAMPLES = Path(__file__).parents[2] / "samples" / "arxiv"


def test_the_sources_give_the_bytes_that_lie_there(tmp_path, capsys):
    made = made_again(main, SAMPLES, tmp_path, capsys)
    assert len(made) == 11
    there = {p.relative_to(SAMPLES) for p in SAMPLES.rglob("*") if p.is_file() and SAMPLES / "papers" not in p.parents}
    assert there == made


def members(tar: str) -> dict[str, bytes]:
    with tarfile.open(SAMPLES / "bulk" / tar) as archive:
        files = [member for member in archive if member.isfile()]
        return {member.name: archive.extractfile(member).read() for member in files}


def test_the_bulk_tars_have_members_of_every_kind():
    old, new = members("arXiv_src_9902_001.tar"), members("arXiv_src_2103_001.tar")
    assert list(old) == ["9902/cond-mat9902015.gz", "9902/hep-th9902001.gz", "9902/hep-th9902002.gz"]
    assert [name for name, data in new.items() if not data.startswith(b"\x1f\x8b")] == [
        "2103/2103.00003.pdf",
        "2103/2103.00004.gz",
    ]
    with tarfile.open(fileobj=io.BytesIO(new["2103/2103.00001.gz"]), mode="r:gz") as inner:
        assert {"main.tex", "sections/model.tex", "figures/coast.eps", "00README.XXX"} < set(inner.getnames())
    with tarfile.open(fileobj=io.BytesIO(members("arXiv_src_2103_002.tar")["2103/2103.00010.gz"])) as hostile:
        assert "../../outside.tex" in hostile.getnames()


def test_the_papers_are_in_three_encodings():
    with tarfile.open(fileobj=io.BytesIO(members("arXiv_src_9902_001.tar")["9902/cond-mat9902015.gz"])) as inner:
        assert "Müller-Großmann".encode("latin-1") in inner.extractfile("letter.tex").read()
