"""An emulation of S3 on loopback for tests: an empty bucket, and the flags that point Beam at it."""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class ObjectStore:
    """The bucket ``bucket``: its server's address, a client, and Beam's flags."""

    endpoint: str
    client: Any

    @property
    def flags(self) -> list[str]:
        where = ["--s3_endpoint_url", self.endpoint, "--s3_region_name", "us-east-1"]
        return [*where, "--s3_access_key_id", "test", "--s3_secret_access_key", "test"]


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Starts the emulation; what it holds belongs to the process, so what another test left is removed first."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="bucket")
    try:
        yield ObjectStore(endpoint, client)
    finally:
        server.stop()
