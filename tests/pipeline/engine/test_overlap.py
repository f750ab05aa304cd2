"""Records with one id in a scope."""

import hashlib

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
        write_ids(layout, "work", shard, [hash_id(name) for name in ids])
    return layout


def scope(names: str) -> Scope:
    return Scope(names[0], tuple(Shard(name, (InputFile(f"in/{name}.gz", 1),), names[0]) for name in names))


@pytest.mark.parametrize("at_once", [1, 2, 64_000_000])
def test_it_is_told_which_files_hold_them(layout, monkeypatch, at_once):
    monkeypatch.setattr(overlap, "IDS_AT_ONCE", at_once)
    assert overlap_of(layout, "work", scope("abcd")) == (
        "2 record ids occur more than once in a: are inputs given twice, or do they overlap? See in/a.gz, in/c.gz"
    )


def test_where_there_is_none_nothing_is_told(layout):
    assert overlap_of(layout, "work", scope("abd")) == ""
    assert overlap_of(layout, "work", scope("de")) == ""  # of e nothing was written


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
