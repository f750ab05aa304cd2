"""A mixture on S3, through an emulation of it on loopback: corpus, token files and shards are all there."""

import json

import pytest

from tests.end_to_end.commands import run
from tests.end_to_end.object_store import CREDENTIALS, object_store
from tests.pipeline.mix.corpora import mix, prose, recipe, write_corpus, write_model

RECIPE = "sources: {a: {share: 60}, b: {share: 40}}\nseq_len: 16\nshard_rows: 100\nblock_tokens: 32\n"


@pytest.fixture
def store():
    with object_store() as made:
        yield made


def test_shards_on_s3_are_those_of_a_local_run(tmp_path, store):
    client, flags = store.client, store.flags
    write_corpus(tmp_path / "corpus", {"a": [prose(30, 1), prose(10, 2)], "b": [prose(20, 3)]})
    (tmp_path / "mine.yaml").write_text(RECIPE)
    write_model(tmp_path)
    for path in (tmp_path / "corpus").rglob("*.parquet"):
        client.upload_file(str(path), "bucket", str(path.relative_to(tmp_path)))
    client.upload_file(str(tmp_path / "tokenizer.model"), "bucket", "tokenizer.model")

    places = ["--corpus", "s3://bucket/corpus", "--tokenizer", "s3://bucket/tokenizer.model"]
    made = ["--proportions", tmp_path / "mine.yaml", *places, "--output", "s3://bucket/shards"]
    environment = {**CREDENTIALS, "LLAMA_CORPUS_CACHE": str(tmp_path / "cache")}
    done = run("pipeline.mix", *made, "--direct_num_workers", 1, *flags, **environment)
    assert "python -m pipeline.verify s3://bucket/shards" in done.stdout
    again = run("pipeline.mix", *made, "--direct_num_workers", 1, *flags, **environment)
    assert "Nothing to do: all shards were done before." in again.stdout
    assert "all accounts add up" in run("pipeline.verify", "s3://bucket/shards", *flags, **environment).stdout
    traced = run("pipeline.trace", "s3://bucket/shards", "--row", 3, "--token", 5, *flags, **environment).stdout
    assert "\n  raw      " in traced

    mix(tmp_path, recipe({"a": 60, "b": 40}))
    local = json.loads((tmp_path / "shards/manifest.json").read_text())
    for entry in local["shards"]:
        body = client.get_object(Bucket="bucket", Key=f"shards/{entry['file']}")["Body"].read()
        assert body == (tmp_path / "shards" / entry["file"]).read_bytes()
