"""Files wherever they lie: local paths, gs://, s3://, hf://, and https:// through a local cache.

Local outputs appear under their final name by an atomic rename, once their bytes are on the disk. Outputs on an object
store are written to a local temporary file and uploaded whole, since closing a half-written upload would publish it.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import InputError, ModelError, OutputError
from pipeline.storage.fetch import CacheError, fetch, forget
from pipeline.storage.fetch_errors import FetchError
from pipeline.storage.locks import hold, is_abandoned
from pipeline.storage.objects import (
    abort_uploads,
    check_store,
    create_object,
    delete_objects,
    list_objects,
    object_exists,
    open_object,
    pinned,
    upload,
)

COPY_CHUNK = 4 << 20
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.I)
# What an output is called till it is whole. No file of anybody else's is called so: such files are removed by name.
TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")
_CANNOT_WRITE = {
    errno.ENOSPC,
    errno.EACCES,
    errno.EROFS,
    errno.EDQUOT,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.EFBIG,
    errno.EIO,
    errno.ENAMETOOLONG,
}


@dataclass(frozen=True, slots=True)
class InputFile:
    """One raw input file, or a part of one; they sort by path, then by place in the file.

    Attributes:
        path: Its path or URL.
        size: Its bytes, or those of the part (-1 where only reading would tell).
        start: The first byte of the part.
        end: The byte behind the part; None for the file's end.
    """

    path: str
    size: int
    start: int = 0
    end: int | None = None

    @property
    def is_part(self) -> bool:
        """Whether it is less than, or named otherwise than, the whole file."""
        return self.start > 0 or self.end is not None

    @property
    def place(self) -> list[int | None]:
        """Start and end of a part; nothing for a whole file."""
        return [self.start, self.end] if self.is_part else []

    def __lt__(self, other: InputFile) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[str, int, int, int]:
        return self.path, self.start, -1 if self.end is None else self.end, self.size


def is_remote(path: str) -> bool:
    """Tells whether a path names a file that is not on a local disk (gs://, s3://, https://...)."""
    return bool(_SCHEME.match(path))


def at_home(path: str) -> str:
    """A path with ``~`` as the user's home folder: a shell leaves it where it is quoted, or behind a ``=``."""
    return os.path.expanduser(path) if path.startswith("~") and not os.path.lexists(path) else path


def is_web(path: str) -> bool:
    """Tells whether a path is an http or https URL, which is fetched into the cache before it is read."""
    return path.lower().startswith(("http://", "https://"))


def require(path: str) -> None:
    """Checks that the files of a path can be reached: each store needs packages of its own.

    Raises:
        InputError: They are not installed, no store has such paths, or the store does not answer.
    """
    if not is_remote(path) or is_web(path):
        return
    if path.lower().startswith("file:"):
        raise InputError(f"{path} is an address of a local file: give its path, without file://")
    check_store(path)


def default_cache() -> Path:
    """The folder for fetched files: ``$LLAMA_CORPUS_CACHE``, else ``~/.cache/llama-corpus``."""
    if chosen := os.environ.get("LLAMA_CORPUS_CACHE"):
        return Path(chosen)
    try:
        return Path.home() / ".cache" / "llama-corpus"
    except RuntimeError:  # a user without a home, as in some containers
        return Path(tempfile.gettempdir()) / "llama-corpus"


def file_size(path: str) -> int:
    """The bytes of a local file; -1 where there is none to be seen."""
    try:
        return os.path.getsize(path)
    except OSError:  # a link to nowhere, or gone since it was listed
        return -1


def open_input(path: str, cache: Path | None = None) -> BinaryIO:
    """Opens a file for reading its raw bytes (nothing is decompressed).

    Args:
        path: A local path, a Beam path, or a URL (fetched into the cache first).
        cache: The cache folder; ``default_cache()`` where None.

    Raises:
        OSError: The file is missing or unreadable; a failed fetch is one, too.
        OutputError: The cache cannot be written.
    """
    if is_web(path):
        try:
            return fetch(path, cache or default_cache()).open("rb")
        except CacheError as error:
            raise OutputError(
                f"{error}. Free space there or choose another folder (--cache, LLAMA_CORPUS_CACHE), then run the same "
                "command again."
            ) from error
        except FetchError as error:
            raise OSError(str(error)) from error
    return open_object(path) if is_remote(path) else open(path, "rb")


def forget_cached(url: str, cache: Path | None = None) -> None:
    """Removes what ``open_input`` fetched from the cache.

    Raises:
        OutputError: It cannot be removed.
    """
    try:
        forget(url, cache or default_cache())
    except FetchError as error:
        raise OutputError(str(error)) from error


def exists(path: str) -> bool:
    """Tells whether a file is there."""
    return object_exists(path) if is_remote(path) else os.path.exists(path)


def list_names(folder: str, suffix: str) -> set[str]:
    """Names, without the suffix, of the files right below a folder that end in it; empty where there is no folder."""
    if is_remote(folder):
        names = [path for path in file_sizes(folder, suffix) if "/" not in path]
    else:
        names = os.listdir(folder) if os.path.isdir(folder) else []
    return {name[: -len(suffix)] for name in names if name.endswith(suffix) and not name.startswith(".")}


def list_tree(folder: str, suffix: str) -> list[str]:
    """Paths, relative to a folder and with ``/`` between their parts, of all files below it that end in a suffix."""
    return sorted(file_sizes(folder, suffix))


def file_sizes(folder: str, suffix: str) -> dict[str, int]:
    """The files of ``list_tree`` with their bytes, by one listing of an object store."""
    if is_remote(folder):
        below = join(folder, "")
        found = {path[len(below) :]: size for path, size in list_objects(below)}
        return {path: size for path, size in found.items() if path.endswith(suffix)}
    walk = os.walk(folder, onerror=_tell_unreadable)
    paths = [os.path.join(place, name) for place, _, names in walk for name in names if name.endswith(suffix)]
    return {os.path.relpath(path, folder).replace(os.sep, "/"): file_size(path) for path in paths}


def _tell_unreadable(error: OSError) -> None:
    """Ends a walk where a folder cannot be read: what lies there would be missing without a word."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise OutputError(f"the folder {error.filename} cannot be read: {error.strerror}. Make it readable.") from error


def join(folder: str, *names: str) -> str:
    """Joins path components on any file system."""
    return "/".join([folder.rstrip("/"), *names]) if is_remote(folder) else os.path.join(folder, *names)


def read_bytes(path: str) -> bytes:
    """Reads a whole small file."""
    with open_input(path) as handle:
        return handle.read()


def delete_tree(path: str) -> None:
    """Removes a folder or a file and all below it; nothing happens where there is none."""
    if not is_remote(path):
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError, IsADirectoryError):
            os.remove(path)
        return
    delete_objects([path, *(below for below, _ in list_objects(join(path, "")))])


def delete_files(paths: Sequence[str]) -> None:
    """Removes files; those that are not there do not matter, and what is a folder stays."""
    delete_objects([path for path in paths if is_remote(path)])
    for path in paths:
        if not is_remote(path):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                os.remove(path)


@contextlib.contextmanager
def atomic_output(path: str, buffer: int = -1, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Opens an output that appears under its final name only when the block ends well.

    Args:
        path: The final path, local or on an object store.
        buffer: The bytes that are gathered before they are written; -1 for Python's own choice.
        durable: Whether the name must hold these bytes behind a power cut, too, not only behind a kill.

    Yields:
        A binary handle with ``tell``; it may be closed in the block.

    Raises:
        OutputError: The disk is full or the place cannot be written; nothing is left behind.
    """
    remote = is_remote(path)
    folder = tempfile.gettempdir() if remote else os.path.dirname(path) or "."
    temporary = ""
    try:
        with refusals_told(os.path.join(folder, temporary_name()) if remote else path):
            os.makedirs(folder, exist_ok=True)
            temporary, handle, hold = _begin(folder, buffer)
            with handle, os.fdopen(hold):
                yield handle
                handle.close()
                if not remote:
                    if durable:
                        to_disk(temporary)
                    os.replace(temporary, path)
        if remote:
            with open(temporary, "rb") as source:
                upload(source, path)
    finally:
        with contextlib.suppress(OSError):  # it is gone where all went well
            os.remove(temporary)


def _begin(folder: str, buffer: int) -> tuple[str, BinaryIO, int]:
    """Makes a temporary file, which is locked till both are closed: its handle, and a second descriptor.

    The lock ends with the process, and ``remove_temporaries`` asks for it: one of a living attempt stays.
    """
    while True:
        temporary = os.path.join(folder, temporary_name())
        handle = open(temporary, "xb", buffer)  # noqa: SIM115 - closed by who asked for it
        hold(handle, wait=True)
        if os.path.exists(temporary):
            return temporary, handle, os.dup(handle.fileno())
        handle.close()  # it was taken for one of a dead attempt, before it was locked


@contextlib.contextmanager
def refusals_told(path: str) -> Iterator[None]:
    """Turns an error of the file system that the user can mend, such as a full disk, into an OutputError."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT_WRITE:
            raise
        if TEMPORARY.fullmatch(os.path.basename(path)):  # of an output on an object store
            way, place = "set TMPDIR to another folder", os.path.dirname(path)
        else:
            way, place = "choose another --output", path
        raise OutputError(
            f"cannot write {place}: {error.strerror or error}. Free space or {way}, then run the "
            "same command again: finished shards are kept."
        ) from error


def scratch_refusals_told() -> contextlib.AbstractContextManager[None]:
    """``refusals_told`` for what is put aside in the folder of temporary files."""
    return refusals_told(os.path.join(tempfile.gettempdir(), temporary_name()))


def temporary_name() -> str:
    """A new name for an output that is not whole yet; ``TEMPORARY`` matches it."""
    return f".{uuid.uuid4().hex}.tmp"


def to_disk(path: str) -> None:
    """Has a file's bytes, or a folder's names, written out, so that no power cut leaves a name with other contents."""
    descriptor = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: str, data: bytes) -> None:
    """Writes a small file, atomically."""
    with atomic_output(path) as handle:
        handle.write(data)


def create_bytes(path: str, data: bytes) -> bool:
    """Writes a small file where there is none; False, and nothing done, where there is one."""
    if is_remote(path):
        return create_object(path, data)
    if os.path.lexists(path):
        return False
    whole = os.path.join(os.path.dirname(path) or ".", temporary_name())
    write_bytes(whole, data)
    try:
        os.link(whole, path)  # of two processes at a time, one makes it
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        os.replace(whole, path)
    finally:
        with contextlib.suppress(OSError):
            os.remove(whole)
    return True


def remove_temporaries(folder: str) -> None:
    """Removes what killed attempts left half-written below a folder, and nothing that somebody is writing.

    On an object store an output appears whole; what is left of large ones are parts that nobody sees.
    """
    if is_remote(folder):
        abort_uploads(join(folder, ""))
        return
    for place, _, names in os.walk(folder):
        for name in names:
            if TEMPORARY.fullmatch(name):
                with contextlib.suppress(OSError):  # it is gone
                    _remove_dead(os.path.join(place, name))


def _remove_dead(temporary: str) -> None:
    """Removes a half-written output that no living process holds."""
    with open(temporary, "rb") as handle:
        if is_abandoned(handle):
            os.remove(temporary)


_REMEDIES = {
    "model": "Check the path in the recipe, or train one (docs/commoncrawl.md, Models).",
    "tokenizer": "Check --tokenizer, or train one: python -m tokenizer.train --corpus DIR",
}


def local_model(uri: str, sha256: str | None = None, what: str = "model") -> str:
    """Gives a model as a local file: models are loaded by C++ code that only opens paths.

    A relative path is looked up in the working directory, then beside the packages, where the embedded models lie.

    Args:
        uri: A path, a Beam path or a URL; the latter two are copied into the cache once.
        sha256: The expected checksum, in hex; checked where given.
        what: What it is called in errors, where it is something else that a recipe names, such as a list.

    Returns:
        A local path.

    Raises:
        ModelError: The model is missing, cannot be fetched, or has another checksum.
    """
    try:
        path = _local_path(uri, sha256)
    except (FetchError, OSError) as error:
        raise ModelError(f"cannot get the {what} {uri}: {error}") from error
    if not os.path.isfile(path):
        raise ModelError(f"there is no {what} at {uri}. {_REMEDIES.get(what, 'Check the path in the recipe.')}")
    if sha256 and file_sha256(path) != sha256:
        raise ModelError(
            f"the {what} {uri} has sha256 {file_sha256(path)}, the recipe asks for {sha256}. Fetch it again."
        )
    return path


def model_exists(uri: str) -> bool:
    """Tells whether ``local_model`` would find a model, which is not fetched; not for web addresses."""
    return exists(uri if is_remote(uri) else beside(uri))


def beside(path: str) -> str:
    """A relative path, or glob, of what is not in the working directory, beside the packages, if it is there."""
    other = str(Path(__file__).parents[2] / path)
    return other if not is_remote(path) and not glob.glob(path) and glob.glob(other) else path


def _local_path(uri: str, sha256: str | None) -> str:
    if is_web(uri):
        return str(fetch(uri, default_cache() / "models", checksum=f"sha256:{sha256}" if sha256 else None))
    if not is_remote(uri):
        return beside(uri)
    uri = pinned(uri)  # a model of a branch that moves on is another model
    cached = default_cache() / "models" / f"{hashlib.sha256(uri.encode()).hexdigest()[:16]}-{uri.rsplit('/', 1)[-1]}"
    if not cached.exists():
        with open_input(uri) as source, atomic_output(str(cached)) as target:
            shutil.copyfileobj(source, target, COPY_CHUNK)
    return str(cached)


def file_sha256(path: str) -> str:
    """The SHA-256 of a local file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while chunk := handle.read(COPY_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
