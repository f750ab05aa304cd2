"""S3, by boto3: objects by their exact names, with limits of time and conditional writes, and without Beam.

Beam's own way to S3 waits for minutes in silence where a store does not answer, cannot write an empty object, and knows
no conditions. Flags are Beam's all the same (``--s3_endpoint_url`` and others).
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, BinaryIO, cast

from pipeline.errors import InputError, StoreError
from pipeline.storage.faults import one_line, told
from pipeline.storage.ranges import RangedFile

SCHEME = "s3://"
CONNECT_SECONDS = 5
READ_SECONDS = 12  # without a byte
ATTEMPTS = 4  # with the delays between them, a store that does not answer is told within a minute
READ_BYTES = 8 << 20  # asked for at once
DEAD_HOURS = 1  # after which an upload that has not ended is taken for one of a killed process
DELETED_AT_ONCE = 1000  # the most that S3 allows
_FLAGS = {
    "s3_access_key_id": "aws_access_key_id",
    "s3_secret_access_key": "aws_secret_access_key",
    "s3_session_token": "aws_session_token",
    "s3_endpoint_url": "endpoint_url",
    "s3_region_name": "region_name",
    "s3_api_version": "api_version",
    "s3_verify": "verify",
}
REQUESTER_PAYS = "LLAMA_CORPUS_S3_REQUESTER_PAYS"  # 1: this account may be billed for reading, as arXiv's bucket does
_NO_OBJECT = {"404", "NoSuchKey"}
_EMPTY = {"416", "InvalidRange"}  # what a range of an empty object gives
_NO_BUCKET = {"NoSuchBucket"}
_TAKEN = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}
_REFUSED = {"403", "AccessDenied", "AllAccessDisabled"}
_NO_CONDITIONS = {"501", "NotImplemented", "InvalidArgument", "InvalidRequest"}


def list_objects(prefix: str) -> Iterator[tuple[str, int]]:
    """The objects whose names begin with a prefix, and their bytes, in the order of their names."""
    bucket, key = _split(prefix)
    with _told(prefix, "list"):
        for page in client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            for entry in page.get("Contents", ()):
                yield f"{SCHEME}{bucket}/{entry['Key']}", int(entry["Size"])


def object_exists(path: str) -> bool:
    """Tells whether an object is there."""
    return _head(path) is not None


def open_object(path: str) -> BinaryIO:
    """Opens an object for reading; one that is replaced meanwhile cannot be read on.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    bucket, key = _split(path)
    with _told(path, "read"):
        try:
            answer = client().get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{READ_BYTES - 1}")
            data = answer["Body"].read()
        except Exception as error:
            if _code(error) in _NO_OBJECT:
                raise FileNotFoundError(f"there is no object {path}") from error
            if _code(error) not in _EMPTY:
                raise
            return io.BytesIO()
    size = int(answer.get("ContentRange", f"/{len(data)}").rpartition("/")[2])
    if size <= len(data):  # one request is all that a small object takes
        return io.BytesIO(data)
    return cast(BinaryIO, io.BufferedReader(_Reader(path, size, answer["ETag"]), READ_BYTES))


def upload(source: BinaryIO, path: str) -> None:
    """Writes an object of any size; it appears when all of it is there."""
    bucket, key = _split(path)
    with _told(path, "write"):
        client().upload_fileobj(source, bucket, key)


def create(path: str, data: bytes) -> bool:
    """Writes a small object where there is none of that name; False, and nothing done, where there is one.

    A store that knows no conditions is asked first instead, which leaves a moment for somebody else.
    """
    bucket, key = _split(path)
    arguments: dict[str, Any] = {"Bucket": bucket, "Key": key, "Body": data}
    with _told(path, "write"):
        try:
            client().put_object(**arguments, IfNoneMatch="*")
        except Exception as error:
            if _code(error) in _TAKEN:
                return False
            if _code(error) not in _NO_CONDITIONS and type(error).__name__ != "ParamValidationError":
                raise
            if _head(path) is not None:
                return False
            client().put_object(**arguments)
    return True


def delete_objects(paths: Sequence[str]) -> None:
    """Deletes objects; those that are not there do not matter."""
    keys: dict[str, list[str]] = {}
    for path in paths:
        bucket, key = _split(path)
        keys.setdefault(bucket, []).append(key)
    for bucket, names in keys.items():
        for start in range(0, len(names), DELETED_AT_ONCE):
            some = [{"Key": name} for name in names[start : start + DELETED_AT_ONCE]]
            with _told(f"{SCHEME}{bucket}/{some[0]['Key']}", "delete"):
                answer = client().delete_objects(Bucket=bucket, Delete={"Objects": some, "Quiet": True})
            for fault in answer.get("Errors", ()):
                raise StoreError(
                    f"cannot delete {SCHEME}{bucket}/{fault['Key']}: {fault.get('Message', fault['Code'])}"
                )


def abort_uploads(prefix: str) -> None:
    """Ends uploads of large objects that were begun more than ``DEAD_HOURS`` ago: killed processes leave such.

    Nothing tells such an upload from one under way but its age. Where listing them is not allowed, or not known to the
    store, they are left to a lifecycle rule of the bucket.
    """
    bucket, key = _split(prefix)
    dead = datetime.now(timezone.utc) - timedelta(hours=DEAD_HOURS)
    with _told(prefix, "list the uploads below"):
        try:
            pages = client().get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=key)
            found = [upload for page in pages for upload in page.get("Uploads", ())]
        except Exception as error:
            if _code(error) in _REFUSED | _NO_CONDITIONS:
                return
            raise
    for entry in found:
        if entry["Initiated"] < dead:
            with _told(f"{SCHEME}{bucket}/{entry['Key']}", "end an old upload of"):
                client().abort_multipart_upload(Bucket=bucket, Key=entry["Key"], UploadId=entry["UploadId"])


def check_bucket(path: str) -> None:
    """Asks for the bucket of a path.

    Raises:
        InputError: boto3 is not installed, there are no credentials, the store does not answer, or has no such bucket.
    """
    _check_bucket(_split(path)[0], _options())


@functools.cache
def _check_bucket(bucket: str, options: tuple[tuple[str, Any], ...]) -> None:
    s3 = f"{SCHEME}{bucket}"
    try:
        import botocore.exceptions as faults  # noqa: PLC0415 - where no store is used it need not be there
    except ImportError as error:
        raise InputError(f"{s3} cannot be reached: s3:// paths need pip install '.[aws]'") from error
    try:
        _client(options).head_bucket(Bucket=bucket)
    except (faults.NoCredentialsError, faults.PartialCredentialsError) as error:
        raise InputError(
            f"{s3} cannot be reached: {error}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or "
            "type aws configure."
        ) from error
    except faults.ClientError as error:
        if _code(error) in {*_NO_BUCKET, "404"}:
            raise InputError(f"there is no bucket {s3}. Check its name, or make it first.") from error
        # Anything else, such as a key that may read objects but not ask for the bucket, shows where it matters.
    except (faults.BotoCoreError, ValueError) as error:
        raise InputError(
            f"{s3} cannot be reached: {error} Check the network, --s3_endpoint_url and the region."
        ) from error


def client() -> Any:
    """The client that Beam's flags ask for; threads may share it."""
    return _client(_options())


@functools.cache
def _client(options: tuple[tuple[str, Any], ...]) -> Any:
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    patience = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
    client = boto3.client("s3", config=patience, **dict(options))
    if os.environ.get(REQUESTER_PAYS) == "1":
        for operation in ("GetObject", "HeadObject", "ListObjectsV2"):
            client.meta.events.register(f"before-parameter-build.s3.{operation}", _pay)
    return client


def _pay(params: dict[str, Any], **_: Any) -> None:
    """Says that this account pays for what is read."""
    params.setdefault("RequestPayer", "requester")


def _options() -> tuple[tuple[str, Any], ...]:
    """The options of a client, of Beam's flags, where Beam is at work."""
    beam = sys.modules.get("apache_beam.io.filesystems")
    flags = beam and beam.FileSystems._pipeline_options
    if not flags:
        return ()
    from apache_beam.options.pipeline_options import S3Options  # noqa: PLC0415

    given = flags.view_as(S3Options).get_all_options(drop_default=True)
    options = {option: given[flag] for flag, option in _FLAGS.items() if given.get(flag) is not None}
    if given.get("s3_disable_ssl"):
        options["use_ssl"] = False
    return tuple(sorted(options.items()))


class _Reader(RangedFile):
    """An object as a file, read by ranges."""

    def __init__(self, path: str, size: int, tag: str) -> None:
        super().__init__(size)
        self._path, self._tag = path, tag

    def readall(self) -> bytes:
        return self._read(self._size - self._at)

    def _read(self, size: int) -> bytes:
        last = min(self._at + size, self._size)
        if last <= self._at:
            return b""
        bucket, key = _split(self._path)
        with _told(self._path, "read"):
            answer = client().get_object(
                Bucket=bucket, Key=key, Range=f"bytes={self._at}-{last - 1}", IfMatch=self._tag
            )
            data = bytes(answer["Body"].read())
        self._at += len(data)
        return data


def _head(path: str) -> dict[str, Any] | None:
    bucket, key = _split(path)
    with _told(path, "reach"):
        try:
            return cast(dict[str, Any], client().head_object(Bucket=bucket, Key=key))
        except Exception as error:
            if _code(error) in _NO_OBJECT:
                return None
            raise


def _split(path: str) -> tuple[str, str]:
    bucket, _, key = path[len(SCHEME) :].partition("/")
    return bucket, key


def _code(error: Exception) -> str:
    """The code of an answer that is an error; empty for what is none."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def _told(path: str, what: str) -> contextlib.AbstractContextManager[None]:
    return told(path, what, _explained)


def _explained(error: Exception) -> str | None:
    """What happened and what to do, where boto3 raised the error; None elsewhere."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if not names & {"BotoCoreError", "ClientError", "Boto3Error"}:
        return None
    code = _code(error.__cause__ if isinstance(error.__cause__, Exception) and not _code(error) else error)
    if code in _NO_BUCKET:
        advice = "There is no such bucket: check its name, or make it first."
    elif code in _REFUSED:
        advice = "The credentials do not allow it: check them, and the bucket's rules."
    elif code in _TAKEN:
        advice = "It was replaced while it was read. Run the same command again."
    else:
        advice = "Check the network and the store, and run the same command again: what is finished is kept."
    return f"{one_line(error)}. {advice}"
