"""Stores that cannot be reached are told of at once."""

import socket

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.errors import InputError
from pipeline.storage.listing import match
from pipeline.storage.reach import check_reach


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
        check_reach("s3://b-bucket/x")


def test_other_paths_are_none_of_its_business():
    check_reach("corpus/a")
    check_reach("https://example.org/a")
