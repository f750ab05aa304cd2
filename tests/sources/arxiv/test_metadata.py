"""arXiv's metadata: read in lines, put aside by month, looked up."""

import gzip
import io
import json

import pytest

from pipeline.errors import InputError
from sources.arxiv import metadata
from sources.arxiv.metadata import MetadataReader, Record, lines_of, metadata_digest, prepare_metadata


def line(identifier: str, **fields: object) -> bytes:
    return json.dumps({"id": identifier, **fields}).encode()


FULL = line(
    "2103.00001",
    title="A\n  Paper",
    categories="math.CO cs.DM",
    license="http://x/",
    versions=[{"version": "v1"}, {"version": "v2"}],
)
LINES = [
    FULL,
    line("hep-th/9901001", title=None, versions=[]),
    line("2104.00001", title="Other month"),
    b"{broken",
    b'["a list"]',
    line("not an id"),
    b"[" * 100_000,
    b"",
    line("2103.00002", title=3, license="  ", versions="v1"),
]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_papers_of_the_months_are_put_aside_and_found(tmp_path, pack):
    path = tmp_path / "m.json"
    path.write_bytes(pack(b"\n".join(LINES)))
    assert prepare_metadata(str(path), str(tmp_path), {"2103", "9901"}, None) == (3, 1, 4)
    reader = MetadataReader(str(tmp_path))
    assert reader.get("2103.00001", "2103") == Record("A Paper", "math.CO cs.DM", "http://x/", 2)
    assert reader.get("2103.00002", "2103") == Record(None, None, None, None)
    assert reader.get("hep-th/9901001", "9901") == Record(None, None, None, None)
    assert reader.get("2104.00001", "2104") is None


def test_what_is_put_aside_in_parts_is_one(tmp_path, monkeypatch):
    monkeypatch.setattr(metadata, "HELD_BYTES", 100)
    path = tmp_path / "m.json"
    path.write_bytes(b"\n".join(line(f"2103.{n:05d}", title=f"Paper {n}") for n in range(50)))
    assert prepare_metadata(str(path), str(tmp_path), {"2103"}, None).papers == 50
    reader = MetadataReader(str(tmp_path))
    assert [reader.get(f"2103.{n:05d}", "2103") for n in (0, 49)] == [
        Record("Paper 0", None, None, None),
        Record("Paper 49", None, None, None),
    ]


def test_a_line_beyond_all_bounds_costs_only_itself():
    data = b"one\n" + b"x" * (metadata.LINE_BYTES + 3_000_000) + b"\ntwo\nthree"
    assert list(lines_of(io.BytesIO(data))) == [b"one", b"?", b"two", b"three"]


def test_a_zip_or_a_missing_file_is_refused(tmp_path):
    (tmp_path / "archive.zip").write_bytes(b"PK\x03\x04...")
    with pytest.raises(InputError, match="unzip it"):
        metadata_digest(str(tmp_path / "archive.zip"), None)
    with pytest.raises(InputError, match="cannot be read"):
        metadata_digest(str(tmp_path / "none.json"), None)
    (tmp_path / "m.json").write_bytes(FULL)
    assert metadata_digest(str(tmp_path / "m.json"), None)["bytes"] == len(FULL)
