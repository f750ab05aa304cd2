"""S3, through an emulation of it on loopback: exact names, empty objects, conditions, and faults in one line."""

import socket

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.errors import InputError, OutputError, StoreError
from pipeline.storage.filesystem import (
    list_names,
    open_input,
    require,
    write_bytes,
)
from pipeline.storage.listing import match
from pipeline.storage.objects import delete_objects, list_objects
from pipeline.storage.ownership import claim_folder
from tests.end_to_end.object_store import object_store
from tests.pipeline.storage.contract import (
    names_are_no_patterns,
    only_the_first_creates,
    read_by_parts,
    what_is_not_there,
)


@pytest.fixture(scope="module")
def store():
    with object_store() as store:
        yield store


@pytest.fixture
def s3(options, store):
    """The bucket, empty, for this process."""
    options(*store.flags)
    delete_objects([path for path, _ in list_objects("s3://bucket/")])
    return store


def paths(found) -> list[str]:
    return [path.removeprefix("s3://bucket/") for path, _ in found]


class TestObjects:
    def test_names_are_names_and_no_patterns(self, s3):
        names_are_no_patterns("s3://bucket")

    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            ("w/*.gz", ["w/a.gz", "w/b[1].gz"]),
            ("w/**", ["w/a.gz", "w/b[1].gz", "w/deep/c.gz"]),
            ("w/**.gz", ["w/a.gz", "w/b[1].gz", "w/deep/c.gz"]),
            ("w/", ["w/a.gz", "w/b[1].gz"]),
            ("w/?.gz", ["w/a.gz"]),
            ("w/[ab].gz", ["w/a.gz"]),
            ("w/[!b].gz", ["w/a.gz"]),
            ("w/b[1].gz", ["w/b[1].gz"]),
            ("*/a.gz", ["w/a.gz"]),
        ],
    )
    def test_patterns(self, s3, pattern, found):
        for name in ("w/a.gz", "w/b[1].gz", "w/deep/c.gz", "other"):
            write_bytes(f"s3://bucket/{name}", b"x")
        assert [file.path.removeprefix("s3://bucket/") for file in match([f"s3://bucket/{pattern}"])] == found

    def test_an_empty_object_and_a_large_one(self, s3):
        read_by_parts("s3://bucket", bytes(range(256)) * (20 << 12))  # 20 MiB: several parts, and several ranges

    def test_one_that_is_replaced_while_it_is_read(self, s3):
        write_bytes("s3://bucket/a", b"x" * (9 << 20))
        with open_input("s3://bucket/a") as handle:
            handle.read(1)
            write_bytes("s3://bucket/a", b"y" * (9 << 20))
            with pytest.raises(OSError, match=r"cannot read s3://bucket/a: .* It was replaced while it was read"):
                handle.read()

    def test_only_the_first_creates_it(self, s3):
        only_the_first_creates("s3://bucket")

    def test_what_is_not_there(self, s3):
        what_is_not_there("s3://bucket")

    def test_a_missing_bucket_is_told_in_one_line(self, s3):
        for call in (lambda: write_bytes("s3://nowhere/a", b"x"), lambda: list_names("s3://nowhere/a", "")):
            with pytest.raises(StoreError, match=r"^cannot \w+ s3://nowhere/a.*: .*There is no such bucket: .*$"):
                call()


class TestFolders:
    def test_a_stranger_s_folder_and_its_own(self, s3):
        write_bytes("s3://bucket/mine/a", b"x")
        with pytest.raises(OutputError, match=r"s3://bucket/mine is not empty \(a\), and nothing in it shows"):
            claim_folder("s3://bucket/mine", "pipeline.mix")
        owned = claim_folder("s3://bucket/new[1]", "pipeline.mix")
        owned.expect(["a", "b/c"])
        for name in ("a", "b/c", "b/stranger"):
            write_bytes(owned.path(name), b"x")
        with pytest.raises(OutputError, match=r"holds b/stranger, which python -m pipeline\.mix did not write"):
            owned.expect(["b/stranger"])
        claim_folder("s3://bucket/new[1]", "pipeline.mix").remove("a", "b")
        assert paths(list_objects("s3://bucket/new")) == ["new[1]/.owner.json", "new[1]/b/stranger"]


@pytest.fixture
def options(monkeypatch, tmp_path):
    """Sets Beam's flags for a test, on a machine that has no credentials but those given."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    before = FileSystems._pipeline_options
    yield lambda *flags: FileSystems.set_options(PipelineOptions(list(flags)))
    FileSystems.set_options(before)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_without_credentials(options):
    options()
    with pytest.raises(InputError, match=r"s3://a-bucket cannot be reached: .*credentials\. Set AWS_ACCESS_KEY_ID and"):
        match(["s3://a-bucket/x/*.gz"])


def test_where_nobody_listens(options):
    options("--s3_access_key_id=a", "--s3_secret_access_key=b", f"--s3_endpoint_url=http://127.0.0.1:{free_port()}")
    with pytest.raises(InputError, match=r"s3://b-bucket cannot be reached: .*connect.* Check the network, --s3_end"):
        require("s3://b-bucket/x")


def test_other_paths_are_none_of_its_business():
    require("corpus/a")
    require("https://example.org/a")
