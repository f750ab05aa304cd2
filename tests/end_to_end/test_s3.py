"""Inputs, outputs and models on S3, through an emulation of it on loopback."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.end_to_end.commands import ROOT, SAMPLES, commoncrawl, outputs, run
from tests.end_to_end.object_store import CREDENTIALS, object_store


@pytest.fixture(scope="module")
def s3():
    with object_store() as store:
        for path in sorted(SAMPLES.glob("*.warc.wet.gz"))[:2]:
            store.client.upload_file(str(path), "bucket", f"wet/{path.name}")
        store.client.upload_file(str(ROOT / "samples/models/lid.176.ftz"), "bucket", "models/lid.176.ftz")
        yield store


def test_a_run_on_s3_makes_the_documents_of_a_local_run(tmp_path: Path, s3):
    client, flags = s3.client, s3.flags
    model = "language.model=s3://bucket/models/lid.176.ftz"
    environment = {**CREDENTIALS, "LLAMA_CORPUS_CACHE": str(tmp_path / "cache")}
    arguments = ["--input", "s3://bucket/wet/*.warc.wet.gz", "--output", "s3://bucket/corpus", "--set", model, *flags]
    first = run("sources.commoncrawl", *arguments, "--direct_num_workers", "2", **environment)
    assert "Wrote 2 of 2 shards" in first.stdout
    again = run("sources.commoncrawl", *arguments, "--direct_num_workers", "2", **environment)
    assert "Nothing to do: all 2 shards were done before." in again.stdout
    verified = run("pipeline.verify", "s3://bucket/corpus/commoncrawl", *flags, **environment)
    assert "all accounts add up" in verified.stdout

    listed = client.list_objects_v2(Bucket="bucket", Prefix="corpus/")["Contents"]
    keys = [entry["Key"] for entry in listed]
    assert not [key for key in keys if "/_work/" in key], "the work folder stays behind"
    commoncrawl(tmp_path / "local", "--input", *sorted(SAMPLES.glob("*.warc.wet.gz"))[:2])
    local = {k.split("commoncrawl/", 1)[1]: v for k, v in outputs(tmp_path / "local").items() if k.endswith(".parquet")}
    remote = {
        key.split("commoncrawl/", 1)[1]: client.get_object(Bucket="bucket", Key=key)["Body"].read()
        for key in keys
        if key.endswith(".parquet")
    }
    assert local.keys() == remote.keys()
    stats = json.loads(client.get_object(Bucket="bucket", Key=next(k for k in keys if "/_stats/" in k))["Body"].read())
    for output in stats["outputs"]:
        assert hashlib.sha256(remote[output["path"]]).hexdigest() == output["sha256"]
