"""gs://, through an emulation of it on loopback, where that and Google's client are installed."""

import io
import shutil
import socket
import subprocess
import time
import urllib.request

import pytest

from pipeline.errors import InputError, StoreError
from pipeline.storage import gcs
from pipeline.storage.filesystem import (
    create_bytes,
    delete_files,
    delete_tree,
    exists,
    file_sizes,
    list_names,
    open_input,
    read_bytes,
    require,
    write_bytes,
)
from pipeline.storage.listing import match
from pipeline.storage.objects import list_objects
from pipeline.storage.ownership import claim_folder

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
    for name in ("v[2]/a", "v2/a", "x*/a", "x1/a", "q?/b", "v[2]/deep/c", "empty"):
        write_bytes(f"{bucket}/{name}", b"" if name == "empty" else name.encode())
    assert file_sizes(f"{bucket}/v[2]", "") == {"a": 6, "deep/c": 11}
    assert list_names(f"{bucket}/x*", "a") == {""}
    assert (read_bytes(f"{bucket}/q?/b"), read_bytes(f"{bucket}/empty")) == (b"q?/b", b"")
    assert [file.path for file in match([f"{bucket}/x?/*"])] == [f"{bucket}/x*/a", f"{bucket}/x1/a"]
    delete_files([f"{bucket}/x*/a", f"{bucket}/none"])
    delete_tree(f"{bucket}/v[2]")
    left = [f"{bucket}/{name}" for name in ("empty", "q?/b", "v2/a", "x1/a")]
    assert [path for path, _ in list_objects(f"{bucket}/")] == left
    assert (create_bytes(f"{bucket}/c", b"1"), create_bytes(f"{bucket}/c", b"2")) == (True, False)
    assert (read_bytes(f"{bucket}/c"), exists(f"{bucket}/none")) == (b"1", False)
    with pytest.raises(FileNotFoundError):
        open_input(f"{bucket}/none")


def test_reading_by_parts(bucket):
    data = bytes(range(256)) * (9 << 12)
    write_bytes(f"{bucket}/large", data)
    with open_input(f"{bucket}/large") as handle:
        assert handle.read(3) == b"\0\1\2"
        assert handle.seek(-2, io.SEEK_END) == len(data) - 2
        assert handle.read() == b"\xfe\xff"
        handle.seek(0)
        assert handle.read() == data


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
