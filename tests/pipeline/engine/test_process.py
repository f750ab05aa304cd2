import hashlib
import json

import numpy as np
import pytest

from pipeline.corpus.shard import Layout, Shard
from pipeline.engine.exchange.files import decide_range, hand_out_group
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.process import hash_shard, read_decided, write_shard
from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile, file_sha256
from tests.pipeline.line_source import LineRecipe, LineSource
from tests.pipeline.runs import FILES, rows, write_input

GRID = Grid(1, 2)
STATS = {"scope": {"name": "b", "fingerprint": "f"}, "configuration": "c"}


@pytest.fixture
def source() -> LineSource:
    return LineSource(LineRecipe(min_characters=1))


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(str(tmp_path / "out"))


@pytest.fixture
def shard(tmp_path) -> Shard:
    path = write_input(tmp_path / "raw") / "b.txt"
    return Shard("b", (InputFile(str(path), path.stat().st_size),), "b")


def loaded(source: LineSource) -> list:
    steps = source.steps_after_dedup()
    for step in steps:
        step.load()
    return steps


def decide(source: LineSource, layout: Layout, shard: Shard) -> None:
    hash_shard(source, layout, shard, "work", GRID, 0, None)
    for partition in range(2):
        decide_range(layout, "work", GRID, partition, "drop_all")
    hand_out_group(layout, "work", GRID, 0, ["b"])


def test_one_shard_from_raw_bytes_to_stats(source, layout, shard, tmp_path):
    decide(source, layout, shard)
    decided = read_decided(layout, shard, "work")
    assert decided.mask.tolist() == [True, True, False]
    write_shard(source, layout, shard, loaded(source), decided, STATS, None)
    stats = layout.read_stats("b")
    outputs, rejects = stats.pop("outputs"), stats.pop("rejects")
    assert stats == {
        "shard": "b",
        "scope": {"name": "b", "fingerprint": "f"},
        "configuration": "c",
        "inputs": [
            {
                "path": f"{tmp_path}/raw/b.txt",
                "bytes": len(FILES["b.txt"]),
                "sha256": hashlib.sha256(FILES["b.txt"]).hexdigest(),
                "records": 3,
                "failed": 1,
            }
        ],
        "ledger": {
            "steps": [
                {
                    "step": "read",
                    "entered": {"documents": 3, "characters": 24},
                    "left": {"documents": 1, "characters": 24},
                    "dropped": {"comment": {"documents": 1, "characters": 0}},
                    "failed": {"damaged": {"documents": 1, "characters": 0}},
                    "counters": {"text_bytes": 24},
                },
                *(
                    {
                        "step": step,
                        "entered": {"documents": 1, "characters": entered},
                        "left": {"documents": 1, "characters": left},
                        "dropped": {},
                        "failed": {},
                        "counters": {},
                    }
                    for step, entered, left in (("length", 24, 24), ("dedup", 24, 17), ("words", 17, 17))
                ),
            ],
            "kept": {"long": {"documents": 1, "characters": 17}},
        },
        "messages": {"read: comment": "only a comment", "read: damaged": "damaged at 26"},
        "ids_sha256": file_sha256(layout.ids("b")),
    }
    assert [(o["path"], o["documents"], o["characters"]) for o in outputs] == [("long/b.parquet", 1, 17)]
    assert (rejects["path"], rejects["documents"]) == ("_rejects/b.parquet", 2)
    (row,) = rows(tmp_path / "out", "long")
    assert row["text"] == "in a and b\nonly b"
    assert row["meta"] == {"kept_lines": 2, "line_numbers": [0, 1]}


def test_without_dedup_nothing_is_hashed(layout, shard):
    source = LineSource(LineRecipe(dedup="off"))
    write_shard(source, layout, shard, loaded(source), None, STATS, None)
    assert [step["step"] for step in layout.read_stats("b")["ledger"]["steps"]] == ["read", "length", "words"]


def test_a_shard_is_hashed_once(source, layout, shard, tmp_path):
    hash_shard(source, layout, shard, "work", GRID, 0, None)
    (tmp_path / "raw" / "b.txt").unlink()
    hash_shard(source, layout, shard, "work", GRID, 0, None)
    hash_shard(source, layout, shard, "other", GRID, 0, None)
    assert read_inputs(layout, "work")[0]["sha256"] == hashlib.sha256(FILES["b.txt"]).hexdigest()
    assert read_inputs(layout, "other")[0]["sha256"] is None


def read_inputs(layout: Layout, work: str) -> list[dict]:
    with open(layout.hashed_inputs(work, "b")) as handle:
        return json.load(handle)


@pytest.mark.parametrize(
    "data",
    [
        FILES["b.txt"] + b"\n\nmore",
        b"in a and b",
        FILES["b.txt"].replace(b"only b", b"0nly b"),  # as many bytes, documents and lines as before
        None,
    ],
)
def test_a_file_that_changes_between_the_passes(source, layout, shard, tmp_path, data):
    decide(source, layout, shard)
    path = tmp_path / "raw" / "b.txt"
    path.unlink() if data is None else path.write_bytes(data)
    decided = read_decided(layout, shard, "work")
    with pytest.raises(InputError, match=r"raw/b\.txt changed while the run was at work on it\. Once it is at rest,"):
        write_shard(source, layout, shard, loaded(source), decided, STATS, None)
    assert layout.done() == set()
    assert not list((tmp_path / "out").rglob("*.parquet"))
    assert (tmp_path / "out" / "_scopes" / "b.redo").exists()


def test_accounts_that_do_not_add_up_are_never_written(layout, shard):
    class Forgets(LineSource):
        def subset(self, document):
            document.text += " and more"
            return "all"

    source = Forgets(LineRecipe(dedup="off"))
    with pytest.raises(AssertionError, match=r"the accounts of shard b do not add up: .* was kept"):
        write_shard(source, layout, shard, loaded(source), None, STATS, None)
    assert layout.done() == set()


def test_timing_tells_the_time_of_each_step_and_the_memory(source, layout, shard):
    decide(source, layout, shard)
    write_shard(source, layout, shard, loaded(source), read_decided(layout, shard, "work"), STATS, None)
    with open(layout.timing("b")) as handle:
        timing = json.load(handle)
    assert list(timing["steps"]) == ["read", "length", "dedup", "words"]
    assert timing["seconds"] >= sum(timing["steps"].values()) - 0.01
    assert timing["peak_bytes"] > 10_000_000
    with open(layout.timing("b.hash")) as handle:
        assert list(json.load(handle)["steps"]) == ["read", "length"]


def test_the_mask_has_a_flag_for_each_unit_of_the_documents_that_reached_dedup(layout, shard):
    source = LineSource(LineRecipe(min_characters=30))
    decide(source, layout, shard)
    assert read_decided(layout, shard, "work").mask.tolist() == []
    assert read_decided(layout, shard, "work").mask.dtype == np.bool_
