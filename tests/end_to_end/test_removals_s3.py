"""Opt-out and decontamination of a corpus and token shards on S3, through an emulation: the bytes of local folders."""

import json
import shutil

import pytest

from benchmarks.leaks import sample, whole, write_lines
from pipeline.decontaminate.command import main as decontaminate
from pipeline.optout.command import main as take_out
from pipeline.removals.matching import load_removals
from pipeline.verify.absent import absent_from_shards, absent_from_source
from tests.end_to_end.object_store import CREDENTIALS, object_store
from tests.pipeline.mix.corpora import mix, recipe, write_model
from tests.pipeline.optout.made import files_of, make_source, write_list, write_raw

FOLDERS = ("corpus", "shards")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus of two sources and shards that draw all of it, into which a sample was planted."""
    import numpy as np

    root, planted = tmp_path_factory.mktemp("made"), sample(np.random.default_rng(0), 40)
    for name in "ab":
        write_raw(root, name, 2, pages=10)
    page = root / "raw" / "a" / "part-1.txt"
    first, *others = page.read_text().splitlines(keepends=True)
    page.write_text("".join([first.rstrip("\n") + " " + whole(planted).replace("\n", " ") + "\n", *others]))
    for name in "ab":
        make_source(root, name)
    write_model(root)
    mix(root, recipe({"a": 70, "b": 30}, shard_rows=60, heldout_tokens=80), budget=2500)
    write_lines(root / "evals" / "leaked.jsonl", [planted])
    write_list(root / "removals.tsv", "url\thttps://a.example/0/3", "url\thttps://b.example/1/4")
    return root


@pytest.fixture
def bucket(made, monkeypatch):
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with object_store() as store:
        for folder in FOLDERS:
            for path in sorted(p for p in (made / folder).rglob("*") if p.is_file() and p.name != ".lock"):
                store.client.upload_file(str(path), "bucket", str(path.relative_to(made)))
        yield store


def keys(store):
    listed = store.client.list_objects_v2(Bucket="bucket")["Contents"]
    found = {e["Key"]: store.client.get_object(Bucket="bucket", Key=e["Key"])["Body"].read() for e in listed}
    return {
        name: data
        for name, data in found.items()
        if "/_timing/" not in name and not name.endswith((".lock", "log.jsonl")) and name.startswith(FOLDERS)
    }


def apply_both(root, given, corpus, report, *flags):
    """The loss goes off for samples, then documents are taken out."""
    evals, listed = str(given / "evals"), str(given / "removals.tsv")
    common = ["--quiet", "--corpus", corpus, *flags]
    decontaminate([f"{root}/shards", "--against", evals, "--report", report, "--mask", *common])
    decontaminate([f"{root}/corpus", f"{root}/shards", "--against", evals, "--report", f"{report}2", *common])
    take_out([f"{root}/corpus", f"{root}/shards", "--list", listed, "--apply", "--date", "2026-03-31", *common])


def test_they_do_on_s3_what_they_do_in_folders(made, bucket, tmp_path):
    for folder in FOLDERS:
        shutil.copytree(made / folder, tmp_path / folder)
    apply_both(tmp_path, made, str(tmp_path / "corpus"), str(tmp_path / "overlap"))
    apply_both("s3://bucket", made, "s3://bucket/corpus", "s3://bucket/overlap", *bucket.flags)
    local = {name: data for name, data in files_of(tmp_path).items() if name.startswith(FOLDERS)}
    assert json.loads(local["shards/manifest.json"])["loss_mask"]["tokens"]["a"] > 0
    assert json.loads(local["shards/manifest.json"])["optout"]["documents"] == 2
    assert keys(bucket) == local
    removals = load_removals(str(made / "removals.tsv"))
    assert absent_from_shards("s3://bucket/shards", removals, "s3://bucket/corpus") == []
    assert [absent_from_source(f"s3://bucket/corpus/{name}", removals) for name in "ab"] == [[], []]
    apply_both("s3://bucket", made, "s3://bucket/corpus", "s3://bucket/overlap", *bucket.flags)
    assert keys(bucket) == local
