import json

import pytest

from pipeline.errors import InputError, OutputError
from pipeline.mix.blocks import TokenFile
from pipeline.mix.folder import write_documents
from pipeline.report.corpus import find
from tests.pipeline.report.corpora import Made, make_source

SHARDS = {"a": [Made("hello world"), Made("no", "length", "too_short")], "b": [Made("again hello")]}


def test_a_corpus_or_one_of_its_sources_is_found(tmp_path):
    make_source(tmp_path, SHARDS)
    make_source(tmp_path, SHARDS, "wikipedia")
    assert [c.name for c in find([str(tmp_path)]).sources] == ["commoncrawl", "wikipedia"]
    assert [c.name for c in find([f"{tmp_path}/wikipedia/"]).sources] == ["wikipedia"]
    twice = find([str(tmp_path / "wikipedia"), str(tmp_path)])
    assert [c.name for c in twice.sources] == ["wikipedia", "commoncrawl"]


def test_the_accounts_of_a_source(tmp_path):
    make_source(tmp_path, SHARDS)
    (corpus,) = find([str(tmp_path)]).sources
    assert (corpus.read.documents, corpus.kept.documents, corpus.kept.characters) == (3, 2, 22)
    assert [(s, k, r, t.documents) for s, k, r, t in corpus.ends()] == [("length", "dropped", "too_short", 1)]
    assert [(f.subset, f.shard, f.documents) for f in corpus.documents] == [("head", "a", 1), ("head", "b", 1)]
    assert [f.shard for f in corpus.rejects] == ["a"]
    assert corpus.timing["worker_seconds"] == 3.0
    assert corpus.finished


def test_a_run_that_has_not_ended_is_summed_from_its_stats(tmp_path):
    make_source(tmp_path, SHARDS, finished=False)
    (corpus,) = find([str(tmp_path)]).sources
    assert not corpus.finished
    assert (corpus.name, corpus.manifest["shards"], corpus.kept.documents) == ("commoncrawl", 2, 2)


def test_a_mixture_is_found_and_its_held_out_set_is_none(tmp_path):
    (tmp_path / "shards" / "heldout").mkdir(parents=True)
    (tmp_path / "shards" / "manifest.json").write_text('{"mixture": {}, "kind": "train"}')
    (tmp_path / "shards" / "heldout" / "manifest.json").write_text('{"kind": "heldout"}')
    (mixture,) = find([str(tmp_path / "shards")]).mixtures
    assert mixture.manifest["kind"] == "train"


def test_shards_of_another_corpus_are_refused(tmp_path):
    corpora = [make_source(tmp_path / name, {"s0": [Made(text)]}) for name, text in (("one", "a"), ("two", "b"))]
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/manifest.json").write_text('{"mixture": {"commoncrawl": {}}, "kind": "train"}')
    (entry,) = json.loads((corpora[0] / "manifest.json").read_text())["outputs"]
    file = TokenFile(0, f"commoncrawl/{entry['path']}", 0, 1, 1, entry["sha256"], "")
    write_documents(str(tmp_path / "shards/documents.parquet"), [file], ["commoncrawl"])
    assert find([str(corpora[0]), str(tmp_path / "shards")]).mixtures
    with pytest.raises(
        InputError, match=r"shards was made of another corpus than .*two/commoncrawl: commoncrawl/.* is not"
    ):
        find([str(corpora[1]), str(tmp_path / "shards")])


def test_a_folder_without_a_corpus_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no manifest\.json"):
        find([str(tmp_path)])
    with pytest.raises(InputError, match=r"holds no manifest\.json"):
        find([str(tmp_path / "nowhere")])


@pytest.mark.parametrize(
    "damage", ["{", "{}", "[]", '{"ledger": {"steps": [{"step": "read"}], "kept": {}}}', '{"ledger": 3}']
)
def test_a_damaged_manifest_is_told(tmp_path, damage):
    root = make_source(tmp_path, SHARDS)
    (root / "manifest.json").write_text(damage)
    with pytest.raises(OutputError, match="is damaged"):
        find([str(tmp_path)])


def test_the_manifest_alone_is_read(tmp_path):
    """Ten thousand stats files are not opened where their sum is there."""
    root = make_source(tmp_path, SHARDS)
    for file in (root / "_stats").iterdir():
        file.write_text("{")
    assert find([str(tmp_path)]).sources[0].kept.documents == 2
    assert json.loads((root / "manifest.json").read_text())["shards"] == 2


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("inputs", None),
        ("inputs", [{"path": 3, "bytes": 1}]),
        ("configuration", None),
        ("outputs", 5),
        ("shards", "x"),
        ("source", 5),
        ("timing", {"worker_seconds": "x", "steps": {}, "peak_bytes": 1}),
        ("versions", None),
    ],
)
def test_a_part_of_a_manifest_that_is_something_else_is_told(tmp_path, part, value):
    root = make_source(tmp_path, SHARDS)
    manifest = json.loads((root / "manifest.json").read_text())
    (root / "manifest.json").write_text(json.dumps(manifest | {part: value}))
    with pytest.raises(OutputError, match="is damaged"):
        find([str(tmp_path)])
