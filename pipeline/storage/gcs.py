"""Google's store (gs://), by its own client: objects by their exact names, with limits of time and conditional writes.

As S3 it does not go through Beam. ``--project`` is Beam's flag all the same, and ``STORAGE_EMULATOR_HOST`` leads to an
emulation of the store.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, cast

from pipeline.errors import InputError
from pipeline.storage.faults import one_line, told

SCHEME = "gs://"
TIMEOUT = (5, 12)  # seconds to connect, and without a byte
PATIENCE = 40.0  # seconds in which a request is tried again
READ_BYTES = 8 << 20  # asked for at once
DELETERS = 16
_THEIRS = {"GoogleAPICallError", "GoogleAuthError", "RetryError", "InvalidResponse", "RequestException"}


def list_objects(prefix: str) -> Iterator[tuple[str, int]]:
    """The objects whose names begin with a prefix, and their bytes, in the order of their names."""
    bucket, key = _split(prefix)
    with _told(prefix, "list"):
        for blob in client().list_blobs(bucket, prefix=key, timeout=TIMEOUT, retry=_retry()):
            yield f"{SCHEME}{bucket}/{blob.name}", int(blob.size)


def object_exists(path: str) -> bool:
    """Tells whether an object is there."""
    with _told(path, "reach"):
        return bool(_blob(path).exists(timeout=TIMEOUT, retry=_retry()))


def open_object(path: str) -> BinaryIO:
    """Opens an object for reading; one that is replaced meanwhile cannot be read on.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    bucket, key = _split(path)
    with _told(path, "read"):
        blob = client().bucket(bucket).get_blob(key, timeout=TIMEOUT, retry=_retry())
        if blob is None:
            raise FileNotFoundError(f"there is no object {path}")
        options = {"if_generation_match": blob.generation, "timeout": TIMEOUT, "retry": _retry()}
        return cast(BinaryIO, _Told(blob.open("rb", chunk_size=READ_BYTES, **options), path))


def upload(source: BinaryIO, path: str) -> None:
    """Writes an object of any size; it appears when all of it is there."""
    with _told(path, "write"):
        _blob(path).upload_from_file(source, rewind=True, timeout=TIMEOUT, retry=_retry())


def create(path: str, data: bytes) -> bool:
    """Writes a small object where there is none of that name; False, and nothing done, where there is one."""
    with _told(path, "write"):
        try:
            _blob(path).upload_from_string(data, if_generation_match=0, timeout=TIMEOUT, retry=_retry())
        except Exception as error:
            if _status(error) == 412:
                return False
            raise
    return True


def delete_objects(paths: Sequence[str]) -> None:
    """Deletes objects; those that are not there do not matter."""
    with ThreadPoolExecutor(DELETERS) as pool:
        list(pool.map(_delete, paths))


def _delete(path: str) -> None:
    with _told(path, "delete"):
        try:
            _blob(path).delete(timeout=TIMEOUT, retry=_retry())
        except Exception as error:
            if _status(error) != 404:
                raise


def check_bucket(path: str) -> None:
    """Asks for the bucket of a path.

    Raises:
        InputError: The client is not installed, there are no credentials, the store does not answer, or has no such
            bucket.
    """
    _check_bucket(_split(path)[0])


@functools.cache
def _check_bucket(bucket: str) -> None:
    try:
        there = client().bucket(bucket).exists(timeout=TIMEOUT, retry=_retry())
    except ImportError as error:
        raise InputError(f"{SCHEME}{bucket} cannot be reached: gs:// paths need pip install '.[gcp]'") from error
    except Exception as error:
        if not _is_theirs(error):
            raise
        if _status(error) in {401, 403}:  # it may be that objects can be read all the same
            return
        raise InputError(
            f"{SCHEME}{bucket} cannot be reached: {one_line(error)}. Check the network, and the credentials "
            "(gcloud auth application-default login)."
        ) from error
    if not there:
        raise InputError(f"there is no bucket {SCHEME}{bucket}. Check its name, or make it first.")


def client() -> Any:
    """The client of Beam's ``--project``; threads may share it."""
    beam = sys.modules.get("apache_beam.io.filesystems")
    flags = beam and beam.FileSystems._pipeline_options
    return _client(flags.get_all_options().get("project") if flags else None)


@functools.cache
def _client(project: str | None) -> Any:
    from google.cloud import storage  # type: ignore[attr-defined]  # noqa: PLC0415 - where it is not used

    if os.environ.get("STORAGE_EMULATOR_HOST"):
        from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415

        return storage.Client(project=project or "none", credentials=AnonymousCredentials())
    return storage.Client(project=project)


def _retry() -> Any:
    from google.cloud.storage.retry import DEFAULT_RETRY  # noqa: PLC0415

    return DEFAULT_RETRY.with_timeout(PATIENCE)


def _blob(path: str) -> Any:
    bucket, key = _split(path)
    return client().bucket(bucket).blob(key)


def _split(path: str) -> tuple[str, str]:
    bucket, _, key = path[len(SCHEME) :].partition("/")
    return bucket, key


class _Told:
    """An open object; what the client raises while it is read is told as ``_told`` does."""

    def __init__(self, handle: Any, path: str) -> None:
        self._handle, self._path = handle, path

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._handle, name)
        return functools.partial(self._call, found) if name in {"read", "read1", "readinto", "readline"} else found

    def _call(self, function: Any, *arguments: Any) -> Any:
        with _told(self._path, "read"):
            return function(*arguments)

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._handle)


def _status(error: Exception) -> int:
    """The HTTP status of an answer that is an error; 0 for what is none."""
    status = getattr(error, "code", None) or getattr(getattr(error, "response", None), "status_code", 0)
    return int(status) if isinstance(status, int) else 0


def _is_theirs(error: Exception) -> bool:
    return bool({kind.__name__ for kind in type(error).__mro__} & _THEIRS)


def _told(path: str, what: str) -> contextlib.AbstractContextManager[None]:
    return told(path, what, _explained)


def _explained(error: Exception) -> str | None:
    """What happened and what to do, where the client raised the error; None elsewhere."""
    if not _is_theirs(error):
        return None
    advice = {
        401: "Check the credentials (gcloud auth application-default login).",
        403: "The credentials do not allow it: check them, and the bucket's rules.",
        404: "There is no such bucket or object: check its name.",
        412: "It was replaced while it was read. Run the same command again.",
    }.get(_status(error), "Check the network, and run the same command again: what is finished is kept.")
    return f"{one_line(error)}. {advice}"
