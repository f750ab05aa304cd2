import json
import platform
from importlib import metadata

import pyarrow

from pipeline.corpus.manifest import all_stats, build_manifest, read_manifest, timing, versions, write_manifest
from pipeline.corpus.shard import Layout, write_json
from tests.pipeline.runs import run, write_input


def stats(name: str, read: int, kept: int, rejects: bool = False) -> dict:
    """The stats of a shard that read so many documents of ten characters, and kept so many."""
    tally = {"documents": read, "characters": 10 * read}
    left = {"documents": kept, "characters": 10 * kept}
    gone = {"bad_word": {"documents": read - kept, "characters": 10 * (read - kept)}}
    return {
        "shard": name,
        "inputs": [{"path": f"{name}.txt", "bytes": 9, "sha256": "s"}],
        "ledger": {
            "steps": [
                {"step": "read", "entered": tally, "left": tally, "dropped": {}, "failed": {}, "counters": {"n": 1}},
                {"step": "words", "entered": tally, "left": left, "dropped": gone, "failed": {}, "counters": {}},
            ],
            "kept": {"all": left},
        },
        "outputs": [{"path": f"all/{name}.parquet", **left}],
        "rejects": {"path": f"_rejects/{name}.parquet", **gone["bad_word"]} if rejects else None,
    }


def test_the_sum_of_two_shards():
    manifest = build_manifest([stats("a", 5, 3, rejects=True), stats("b", 2, 2)], "lines", {"recipe": {}})
    assert manifest.pop("versions") == versions()
    steps = manifest["ledger"]["steps"]
    assert [(s["step"], s["entered"], s["left"], s["counters"]) for s in steps] == [
        ("read", {"documents": 7, "characters": 70}, {"documents": 7, "characters": 70}, {"n": 2}),
        ("words", {"documents": 7, "characters": 70}, {"documents": 5, "characters": 50}, {}),
    ]
    assert steps[1]["dropped"] == {"bad_word": {"documents": 2, "characters": 20}}
    del manifest["ledger"]
    assert manifest == {
        "source": "lines",
        "configuration": {"recipe": {}},
        "shards": 2,
        "messages": {},
        "outputs": [
            {"path": "all/a.parquet", "documents": 3, "characters": 30},
            {"path": "all/b.parquet", "documents": 2, "characters": 20},
        ],
        "rejects": [{"path": "_rejects/a.parquet", "documents": 2, "characters": 20}],
        "inputs": [{"path": f"{name}.txt", "bytes": 9, "sha256": "s"} for name in "ab"],
    }


def test_messages_of_several_shards_are_told_once_a_kind():
    shards = [{**stats(name, 1, 1), "messages": {"read: cut": name, f"read: {name}": name}} for name in "ab"]
    assert build_manifest(shards, "lines", {})["messages"] == {
        "read: a": ["a"],
        "read: b": ["b"],
        "read: cut": ["a", "b"],
    }


def test_no_shard_at_all():
    manifest = build_manifest([], "lines", {})
    assert (manifest["shards"], manifest["ledger"]) == (0, {"steps": [], "kept": {}})


def test_stats_come_in_the_order_of_their_names(tmp_path):
    layout = Layout(str(tmp_path))
    for name in ("b", "a-10", "a"):
        write_json(layout.stats(name), stats(name, 1, 1))
    assert [entry["shard"] for entry in all_stats(layout)] == ["a", "a-10", "b"]


def test_it_is_written_and_read(tmp_path):
    layout = Layout(str(tmp_path))
    assert read_manifest(layout) is None
    write_json(layout.stats("a"), stats("a", 1, 1))
    written = write_manifest(layout, "lines", {}, layout.done())
    assert read_manifest(layout) == written
    assert written["timing"] == {"worker_seconds": 0.0, "steps": {}, "peak_bytes": 0}


def test_timing_adds_seconds_up_and_takes_the_largest_memory(tmp_path):
    layout = Layout(str(tmp_path))
    for name, seconds, peak in (("a", 1.5, 100), ("b", 2.25, 300), ("a.hash", 0.5, 200)):
        write_json(
            layout.timing(name), {"seconds": seconds, "steps": {"read": 0.25, name: seconds}, "peak_bytes": peak}
        )
    assert timing(layout) == {
        "worker_seconds": 4.25,
        "steps": {
            "read (hashing pass)": 0.25,
            "a.hash (hashing pass)": 0.5,
            "read": 0.5,
            "a": 1.5,
            "b": 2.25,
        },
        "peak_bytes": 300,
    }


def test_versions_name_what_can_change_an_output():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["pyarrow"] == pyarrow.__version__
    assert found["apache-beam"] == metadata.version("apache-beam")
    assert {"numpy", "sentencepiece", "llama-corpus"} < found.keys()


def test_a_library_that_was_installed_as_another_wheel_is_named():
    import fasttext
    import kenlm

    assert fasttext
    assert kenlm
    found = versions()
    assert found["fasttext"][0].isdigit()
    assert found["kenlm"][0].isdigit()


def test_only_the_manifest_holds_times(tmp_path):
    root = run(write_input(tmp_path / "raw"), tmp_path / "out").layout.root
    manifest = json.loads((tmp_path / "out" / "lines" / "manifest.json").read_bytes())
    assert set(manifest["timing"]["steps"]) == {  # what the first pass did, the second one goes on from
        *("read", "dedup", "words"),
        *("read (hashing pass)", "length (hashing pass)"),
    }
    assert manifest["timing"] == timing(Layout(root))


def test_of_messages_for_one_reason_three_kinds_are_told():
    texts = ["cut at 1", "cut at 22", "page 'x' is cut", "page 'y' is cut", "packed", "empty"]
    shards = [
        {**stats(name, 1, 1), "messages": {"read: bad": text}} for name, text in zip("abcdef", texts, strict=True)
    ]
    assert build_manifest(shards, "lines", {})["messages"] == {"read: bad": ["cut at 1", "page 'x' is cut", "packed"]}
