"""Shards on an object store, copied once to the local disk: the trainer maps them into memory.

pyarrow's own clients of S3 and of Google Cloud Storage are used; credentials, region and ``AWS_ENDPOINT_URL`` come
from the environment, as for other tools.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pyarrow import fs

from pipeline.storage.filesystem import default_cache
from trainer_bridge.errors import TrainerError
from trainer_bridge.shards import shard_files
from trainer_bridge.template import NAME as TEMPLATE
from trainer_bridge.vocabulary import NAME

STORES = ("s3://", "gs://")
ATTEMPTS, SECONDS = 4, 30  # of a request, each; so that a dead endpoint is told within minutes
BLOCK = 8 << 20
SMALL = ("manifest.json", "state.json")


def local_shards(path: str, cache: str | None = None) -> Path:
    """A folder of shards as a local one: itself, or its copy in the cache.

    A copy belongs to one manifest: other shards under the same address get a copy of their own. Each file is compared
    with the checksum in the mixture's ``_stats``, and gets its name when it is whole. Processes of one machine share
    the copy; one of them fetches.

    Args:
        path: local, ``s3://`` or ``gs://``.
        cache: where copies are kept; None: ``shards`` in the project's cache.

    Raises:
        TrainerError: nothing there, no access, or bytes that are not those that were written.
    """
    if not path.startswith(STORES):
        if "://" in path:
            raise TrainerError(f"{path} cannot be read; allowed: a local folder, {', '.join(STORES)}")
        return Path(path)
    store, root = _open_store(path)
    manifest = _read(store, root, path, SMALL[0])
    name = hashlib.sha256(path.rstrip("/").encode() + b"\n" + manifest).hexdigest()[:24]
    folder = (Path(cache) if cache else default_cache() / "shards") / name
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder.with_suffix(".lock")):
        for small in SMALL:
            _put(folder / small, manifest if small == SMALL[0] else _read(store, root, path, small))
        for name in (NAME, TEMPLATE):
            _fetch_beside(store, root, folder, name)
        names = [file.name for file in shard_files(folder)]
        for number, file in enumerate(names):
            _fetch_shard(store, root, path, folder, file, f"shard {number + 1} of {len(names)}")
    return folder


def _open_store(path: str) -> tuple[Any, str]:
    """The store's client, and the folder as it names it."""
    scheme, _, root = path.rstrip("/").partition("://")
    if not root:
        raise TrainerError(f"{path} names no bucket")
    try:
        if scheme == "gs":
            emulator = os.environ.get("STORAGE_EMULATOR_HOST")
            limit = timedelta(seconds=ATTEMPTS * SECONDS)
            if not emulator:
                return fs.GcsFileSystem(retry_time_limit=limit), root
            protocol, _, host = emulator.rpartition("://")
            store = fs.GcsFileSystem(
                anonymous=True, scheme=protocol or "http", endpoint_override=host, retry_time_limit=limit
            )
            return store, root
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if region is None and not endpoint:
            region = fs.resolve_s3_region(root.partition("/")[0])
        store = fs.S3FileSystem(
            endpoint_override=endpoint,
            region=region,
            connect_timeout=SECONDS,
            request_timeout=SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        )
    except OSError as error:
        raise TrainerError(f"{path} cannot be reached: {error}") from error
    return store, root


def _read(store: Any, root: str, path: str, name: str) -> bytes:
    try:
        with store.open_input_stream(f"{root}/{name}") as source:
            data: bytes = source.read()
    except FileNotFoundError as error:
        raise TrainerError(f"{path} is no shard folder: it has no {name}") from error
    except OSError as error:
        raise TrainerError(f"{path}/{name} cannot be read: {error}") from error
    return data


def _fetch_beside(store: Any, root: str, folder: Path, name: str) -> None:
    """The tokenizer or the template beside the shards, if there is one."""
    if not (folder / name).is_file() and store.get_file_info(f"{root}/{name}").type == fs.FileType.File:
        _put(folder / name, _read(store, root, root, name))


def _fetch_shard(store: Any, root: str, path: str, folder: Path, name: str, which: str) -> None:
    """One shard, where it is not there yet; its stats say how long it is, and what its checksum."""
    target = folder / name
    try:
        stats = json.loads(_read(store, root, path, f"_stats/{Path(name).stem}.json"))
        size, sha256 = int(stats["bytes"]), str(stats["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise TrainerError(f"{path}/_stats of {name} cannot be read: {error!r}") from error
    if target.is_file() and target.stat().st_size == size:
        return
    sys.stderr.write(f"fetching {which}: {path}/{name} ({size / 1e6:,.0f} MB)\n")
    digest = hashlib.sha256()
    with _whole_file(target) as handle:
        try:
            with store.open_input_stream(f"{root}/{name}") as source:
                while block := _next_block(source, f"{path}/{name}"):
                    digest.update(block)
                    handle.write(block)
        except FileNotFoundError as error:
            raise TrainerError(f"missing shard: {path}/{name}") from error
        if digest.hexdigest() != sha256:
            raise TrainerError(f"damaged shard: {path}/{name} does not have the checksum that its stats say")


def _next_block(source: Any, what: str) -> bytes:
    """Some bytes of a stream; the store's errors told apart from the local disk's."""
    try:
        block: bytes = source.read(BLOCK)
    except OSError as error:
        raise TrainerError(f"{what} cannot be read: {error}") from error
    return block


def _put(path: Path, data: bytes) -> None:
    """Writes a small file, whole or not at all."""
    with _whole_file(path) as handle:
        handle.write(data)


@contextmanager
def _whole_file(path: Path) -> Iterator[Any]:
    """A file that gets its name at the end of the block, or is not there."""
    descriptor, partial = tempfile.mkstemp(suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            yield handle
        shutil.move(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits until no other process of this machine fetches the same."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
