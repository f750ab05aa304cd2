"""Shards on an object store: fetched once, compared with their checksums, read as local ones."""

import hashlib
import json

import pytest

from tests.end_to_end.object_store import CREDENTIALS, object_store
from tests.trainer_bridge import runs
from tests.trainer_bridge.bucket_server import bucket_server
from trainer_bridge.command_line import local_path
from trainer_bridge.errors import TrainerError
from trainer_bridge.loader import Samples
from trainer_bridge.remote import local_shards
from trainer_bridge.train import configure, parse


@pytest.fixture(scope="module")
def store():
    with object_store() as found:
        yield found


@pytest.fixture
def environment(store, monkeypatch, tmp_path):
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": store.endpoint}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LLAMA_CORPUS_CACHE", str(tmp_path / "cache"))


def upload(store, folder, prefix):
    for path in sorted(folder.iterdir()):
        store.client.put_object(Bucket="bucket", Key=f"{prefix}/{path.name}", Body=path.read_bytes())
        if path.suffix == ".arrow":
            data = path.read_bytes()
            stats = json.dumps({"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
            store.client.put_object(Bucket="bucket", Key=f"{prefix}/_stats/{path.stem}.json", Body=stats)


@pytest.mark.usefixtures("environment")
def test_shards_come_from_s3_once(store, tmp_path, capsys):
    local = runs.shards(tmp_path / "local")
    upload(store, local, "mix")
    found = local_shards("s3://bucket/mix/")
    names = [path.name for path in sorted(local.glob("*.arrow"))]
    assert all((found / name).read_bytes() == (local / name).read_bytes() for name in names)
    assert capsys.readouterr().err.count("fetching shard") == len(names) == 2
    assert local_shards("s3://bucket/mix") == found
    assert capsys.readouterr().err == ""
    (found / names[0]).write_bytes(b"cut")  # a damaged copy is fetched anew
    assert local_shards("s3://bucket/mix") == found
    assert "fetching shard 1 of 2: s3://bucket/mix/data-00000" in capsys.readouterr().err
    here, there = (runs.train(data, tmp_path / "runs" / data.name, run={"steps": 2}) for data in (local, found))
    assert here == there

    other = runs.shards(tmp_path / "other", count=130)  # other shards under the same address
    upload(store, other, "mix")
    again = local_shards("s3://bucket/mix", str(tmp_path / "elsewhere"))
    assert again.parent == tmp_path / "elsewhere"
    rows = runs.config().data
    assert Samples(rows, again).reader.manifest == Samples(rows, other).reader.manifest


@pytest.mark.usefixtures("environment")
def test_what_cannot_be_read_is_named(store, tmp_path):
    local = runs.shards(tmp_path / "local")
    upload(store, local, "bad")
    store.client.put_object(Bucket="bucket", Key="bad/data-00001-of-00002.arrow", Body=b"another")
    with pytest.raises(TrainerError, match=r"s3://bucket/bad/data-00001-of-00002\.arrow does not have the checksum"):
        local_shards("s3://bucket/bad")
    assert not list((tmp_path / "cache").rglob("*.part"))
    with pytest.raises(TrainerError, match=r"s3://bucket/none is no shard folder: it has no manifest\.json"):
        local_shards("s3://bucket/none")
    with pytest.raises(TrainerError, match="s3://missing/none"):
        local_shards("s3://missing/none")
    with pytest.raises(TrainerError, match="allowed: a local folder, s3://, gs://"):
        local_shards("hdfs://x/y")
    with pytest.raises(SystemExit):
        parse(["--model", "tiny", "--output", "s3://bucket/run"])
    assert str(local_path("a/b")) == "a/b"


def test_an_address_stays_as_it_is():
    options = parse(["--model", "tiny", "--output", "run", "--data", "s3://bucket/mix #2"])
    assert configure(options).data.path == "s3://bucket/mix #2"


def test_shards_come_from_google_cloud_storage(tmp_path, monkeypatch):
    local = runs.shards(tmp_path / "local")
    objects = {f"mix/{path.name}": path.read_bytes() for path in local.iterdir()}
    objects |= {
        f"mix/_stats/{path.stem}.json": json.dumps(
            {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        ).encode()
        for path in local.glob("*.arrow")
    }
    with bucket_server({**objects, "mix/tokenizer.model": b"model"}) as host:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{host}")
        found = local_shards("gs://bucket/mix", str(tmp_path / "cache"))
        assert all((found / path.name).read_bytes() == path.read_bytes() for path in local.glob("*.arrow"))
        assert (found / "tokenizer.model").read_bytes() == b"model"
        with pytest.raises(TrainerError, match=r"gs://bucket/none is no shard folder: it has no manifest\.json"):
            local_shards("gs://bucket/none", str(tmp_path / "cache"))
