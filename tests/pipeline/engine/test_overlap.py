"""Records with one id in a scope."""

import pytest

from pipeline.corpus.shard import Layout, Scope, Shard
from pipeline.engine import overlap
from pipeline.engine.overlap import hash_id, overlap_of, write_ids
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
        "2 record ids of a occur more than once there: are inputs given twice, or do they overlap? See a.gz, c.gz"
    )


def test_where_there_is_none_nothing_is_told(layout):
    assert overlap_of(layout, "work", scope("abd")) == ""
    assert overlap_of(layout, "work", scope("de")) == ""  # of e nothing was written
