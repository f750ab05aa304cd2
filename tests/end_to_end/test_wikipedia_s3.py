"""Parts of dumps on S3, through an emulation of it on loopback, and the citations read from there."""

import pytest

from tests.end_to_end.commands import ROOT, documents, run
from tests.end_to_end.object_store import CREDENTIALS, object_store


@pytest.fixture
def flags():
    """Beam's flags for an S3 whose bucket holds the sample."""
    with object_store() as store:
        for path in (ROOT / "samples" / "wikipedia").glob("*.bz2"):
            store.client.upload_file(str(path), "bucket", f"dumps/{path.name}")
        yield store.flags


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
