"""Records that have one id."""

import hashlib
from pathlib import Path

import pytest

from pipeline.corpus.shard import Layout, Scope, Shard, write_json
from pipeline.engine import overlap
from pipeline.engine.overlap import hash_id, overlap_of, refuse_copies, write_ids
from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile

IDS = {"a": ["one", "two", "three"], "b": ["four"], "c": ["two", "five", "five"], "d": []}


@pytest.fixture
def layout(tmp_path) -> Layout:
    layout = Layout(str(tmp_path))
    for shard, ids in IDS.items():
        write_ids(layout, shard, [hash_id(name) for name in ids])
        write_json(layout.stats(shard), {"inputs": [{"path": f"in/{shard}.gz"}]})
    return layout


def test_it_is_told_which_files_hold_them(layout):
    assert overlap_of(layout, layout.done()) == (
        "2 ids occur more than once: are inputs given twice, or do they overlap? See in/a.gz, in/c.gz"
    )


def test_only_finished_shards_take_part(layout):
    Path(layout.stats("c")).unlink()
    write_json(layout.stats("e"), {"inputs": [{"path": "in/e.gz"}]})  # one that wrote no ids
    assert overlap_of(layout, layout.done()) == ""


def test_of_many_ids_a_sample_is_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(overlap, "IDS_AT_ONCE", 500)
    layout = Layout(str(tmp_path))
    for shard, numbers in (("a", range(2000)), ("b", range(1000, 3000)), ("c", range(5000, 5100))):
        write_ids(layout, shard, [hash_id(str(number)) for number in numbers])
        write_json(layout.stats(shard), {"inputs": [{"path": f"in/{shard}.gz"}]})
    found = sum(hash_id(str(number)) < 500 / 4100 * 2**64 for number in range(1000, 2000))
    assert 80 < found < 160
    assert overlap_of(layout, layout.done()).startswith(f"At least {found} ids occur more than once: ")
    assert overlap_of(layout, layout.done()).endswith(" See in/a.gz, in/b.gz")


def test_a_copy_of_an_input_is_refused(tmp_path):
    for name, text in (("a.gz", "bytes"), ("b.gz", "bytes"), ("c.gz", "other")):
        (tmp_path / name).write_text(text)
    layout = Layout(str(tmp_path / "out"))

    def planned(*names: str) -> list[Scope]:
        shards = tuple(Shard(name[0], (InputFile(str(tmp_path / name), 5),), "s") for name in names)
        return [Scope("s", shards)]

    refuse_copies(layout, planned("a.gz", "c.gz"), ())
    with pytest.raises(InputError, match=r"b\.gz has the same bytes as .*a\.gz: .* Give it once"):
        refuse_copies(layout, planned("a.gz", "b.gz"), ())
    sum_ = hashlib.sha256(b"bytes").hexdigest()
    write_json(layout.stats("a"), {"inputs": [{"path": "elsewhere/a.gz", "bytes": 5, "sha256": sum_}]})
    with pytest.raises(InputError, match=r"b\.gz has the same bytes as elsewhere/a\.gz"):
        refuse_copies(layout, planned("b.gz"), {"a"})
    refuse_copies(layout, planned("a.gz"), {"a"})  # the shard itself, moved
