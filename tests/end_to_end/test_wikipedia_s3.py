"""Parts of dumps on S3, through an emulation of it on loopback, and the citations read from there."""

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.end_to_end.commands import ROOT, documents, run

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def flags():
    """Beam's flags for an S3 whose bucket holds the sample."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket="bucket")
    for path in (ROOT / "samples" / "wikipedia").glob("*.bz2"):
        client.upload_file(str(path), "bucket", f"dumps/{path.name}")
    yield [
        *("--s3_endpoint_url", endpoint, "--s3_region_name", "us-east-1"),
        *("--s3_access_key_id", "test", "--s3_secret_access_key", "test"),
    ]
    server.stop()


def test_dumps_on_s3_are_cut_by_their_indexes_and_give_the_documents_of_a_local_run(tmp_path, flags):
    common = ["--set", "shard_megabytes=0.003", "--direct_num_workers", "1"]
    remote = ["--input", "s3://bucket/dumps/*.bz2", "--output", "s3://bucket/corpus", *common, *flags]
    assert "Wrote 5 of 5 shards" in run("sources.wikipedia", *remote, **CREDENTIALS).stdout
    verified = run("pipeline.verify", "s3://bucket/corpus/wikipedia", *flags, **CREDENTIALS)
    assert "all accounts add up, 18 documents kept" in verified.stdout
    cited = run("sources.wikipedia.references", "s3://bucket/corpus/wikipedia", *flags, **CREDENTIALS).stdout

    run("sources.wikipedia", "--input", "samples/wikipedia/*.bz2", "--output", tmp_path, *common)
    assert len(documents(tmp_path, "*", "wikipedia")) == 18
    assert cited == run("sources.wikipedia.references", tmp_path / "wikipedia").stdout
