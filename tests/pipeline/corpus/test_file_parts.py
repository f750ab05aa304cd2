"""Parts of one large file as shards of their own."""

import hashlib
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.corpus.shard import plan_shards, shards_of
from pipeline.source import read_shard
from pipeline.storage.filesystem import InputFile
from tests.pipeline.line_source import LineSource

DATA = b"one\n\ntwo\n\nthree\n\nfour"


def names(*inputs: InputFile) -> list[str]:
    return [shard.name for shard in shards_of(plan_shards(inputs, "all", 1))]


def test_parts_are_numbered_in_the_order_of_the_file():
    parts = [InputFile("a/dump.xml.bz2", 90, 110, 200), InputFile("a/dump.xml.bz2", 100, 10, 110)]
    parts.append(InputFile("a/dump.xml.bz2", 10, 0, 10))
    assert names(*parts) == ["dump-00000", "dump-00001", "dump-00002"]
    (scope,) = plan_shards(parts, "all", 1)
    assert [shard.inputs[0].start for shard in scope.shards] == [0, 10, 110]


def test_parts_of_files_of_one_name_and_whole_files_are_told_apart():
    found = names(
        InputFile("a/x.gz", 5, 0, 5), InputFile("a/x.gz", 5, 5), InputFile("b/x.gz", 5, 0, 5), InputFile("c/x.gz", 9)
    )
    assert found[:2] == ["x-00000", "x-00001"]
    assert found[2].startswith("x-00000-")
    assert found[3] == "x"


def test_the_fingerprint_tells_places_apart_and_is_that_of_old_for_whole_files():
    plans = [[InputFile("a", 5)], [InputFile("a", 5, 0, 5)], [InputFile("a", 5, 5, 10)], [InputFile("a", 5, 5)]]
    found = [plan_shards(plan, "all", 1)[0].fingerprint for plan in plans]
    assert len(set(found)) == 4
    assert found[0] == hashlib.sha256(b'[["a", [["a", 5]]]]').hexdigest()


def test_a_part_is_read_and_hashed_alone(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(DATA)
    (shard,) = shards_of(plan_shards([InputFile(str(path), 10, 5, 15)], "all", 1))
    entries: list = []
    documents = list(read_shard(LineSource(), shard, None, Counter(), entries))
    assert [(d.text, d.offset) for d in documents] == [("two", 5), ("three", 10)]
    sha256 = hashlib.sha256(b"two\n\nthree").hexdigest()
    assert entries == [
        {"path": str(path), "bytes": 10, "sha256": sha256, "start": 5, "end": 15, "records": 2, "failed": 0}
    ]


def test_the_entry_of_a_whole_file_names_no_place(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(DATA)
    (shard,) = shards_of(plan_shards([InputFile(str(path), len(DATA))], "all", 1))
    entries: list = []
    assert len(list(read_shard(LineSource(), shard, None, Counter(), entries))) == 4
    assert list(entries[0]) == ["path", "bytes", "sha256", "records", "failed"]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5, unique=True))
def test_a_part_behind_the_end_of_the_file_is_short_and_no_error(tmp_path_factory, ends):
    path = tmp_path_factory.mktemp("parts") / "x.txt"
    path.write_bytes(DATA)
    for end in ends:
        (shard,) = shards_of(plan_shards([InputFile(str(path), end, 15, 15 + end)], "all", 1))
        entries: list = []
        list(read_shard(LineSource(), shard, None, Counter(), entries))
        assert entries[0]["bytes"] == min(end, len(DATA) - 15)
