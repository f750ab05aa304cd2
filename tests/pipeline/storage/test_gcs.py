"""gs://, through an emulation of it on loopback, where that and Google's client are installed."""

import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

from pipeline.errors import InputError, StoreError
from pipeline.storage import gcs
from pipeline.storage.filesystem import file_sizes, require, write_bytes
from pipeline.storage.ownership import claim_folder
from tests.pipeline.storage.contract import (
    names_are_no_patterns,
    only_the_first_creates,
    read_by_parts,
    what_is_not_there,
)

pytest.importorskip("google.cloud.storage")
SERVER = shutil.which("fake-gcs-server")


@pytest.fixture
def bucket(monkeypatch):
    if SERVER is None:
        pytest.skip("there is no fake-gcs-server")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{listener.getsockname()[1]}"
    port = place.partition(":")[2]
    command = [SERVER, "-scheme", "http", "-host", "127.0.0.1", "-port", port, "-backend", "memory"]
    with subprocess.Popen([*command, "-public-host", place], stderr=subprocess.DEVNULL) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://{place}")
        gcs._client.cache_clear()
        gcs._check_bucket.cache_clear()
        asked = urllib.request.Request(
            f"http://{place}/storage/v1/b?project=p", b'{"name": "bucket"}', {"Content-Type": "application/json"}
        )
        for _ in range(200):
            try:
                urllib.request.urlopen(asked).close()
                break
            except OSError:
                time.sleep(0.05)
        yield "gs://bucket"
        server.kill()
        gcs._client.cache_clear()


def test_objects(bucket):
    names_are_no_patterns(bucket)
    only_the_first_creates(bucket)
    what_is_not_there(bucket)


def test_reading_by_parts(bucket):
    read_by_parts(bucket, bytes(range(256)) * (9 << 12))


def test_a_folder_of_its_own(bucket):
    owned = claim_folder(f"{bucket}/new[1]", "pipeline.mix")
    owned.expect(["a", "b/c"])
    for name in ("a", "b/c", "b/stranger"):
        write_bytes(owned.path(name), b"x")
    claim_folder(f"{bucket}/new[1]", "pipeline.mix").remove("a", "b")
    assert set(file_sizes(f"{bucket}/new[1]", "")) == {".owner.json", "b/stranger"}


def test_a_missing_bucket_is_told_in_one_line(bucket):
    with pytest.raises(InputError, match=r"^there is no bucket gs://nowhere\. Check its name, or make it first\.$"):
        require("gs://nowhere/x")
    with pytest.raises(StoreError, match=r"^cannot write gs://nowhere/x: .*There is no such bucket or object: .*$"):
        write_bytes("gs://nowhere/x", b"x")
