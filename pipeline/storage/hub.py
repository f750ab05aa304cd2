"""Repositories on the Hugging Face hub (hf://), by its own library: read by ranges, pinned to a commit.

    hf://datasets/owner/name[@revision]/path      a data set's file
    hf://owner/name[@revision]/path               a model's

Files are read in place, a block at a time, by the library's file system, which retries: memory is a block for each open
file, and nothing lies on the disk. The library's cache on disk would hold every input that was ever read: 305 GB for
C4's English part, terabytes for The Stack. The price is that a source that reads twice fetches twice.

The token is ``HF_TOKEN``, else that of ``hf auth login``; ``HF_ENDPOINT`` leads to another hub.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, NoReturn, cast

from pipeline.errors import InputError, StoreError
from pipeline.storage import faults
from pipeline.storage.ranges import ReadableFile

SCHEME = "hf://"
READ_BYTES = 8 << 20  # asked for at once
INSTALL = "pip install '.[hub]'"
_ADDRESS = re.compile(
    r"hf://(?:(?P<kind>datasets|spaces|models)/)?(?P<repository>(?!(?:datasets|spaces|models|buckets)/)[\w.-]+/[\w.-]+)"
    r"(?:@(?P<revision>refs/(?:pr|convert)/[^/@]+|[^/@]+))?(?:/(?P<name>.*))?",
    re.S | re.I,
)
_KINDS = {"datasets": "dataset", "spaces": "space", "models": "model", None: "model"}
_MAIN = "main"
_LOGIN = "Set HF_TOKEN, or type hf auth login"
_NO_ACCOUNT = f"the hub does not know who asks. {_LOGIN}."
# By the names of the library's errors, the narrower ones first; what answers with a status has it below.
_MESSAGES = {
    "LocalTokenNotFoundError": _NO_ACCOUNT,
    "OfflineModeIsEnabled": "HF_HUB_OFFLINE is set. Unset it.",
    "GatedRepoError": f"its owner gives access on demand: ask for it on its page. {_LOGIN} of an account that has it.",
    "RepositoryNotFoundError": "there is no such repository, or none that the token may see. Check the name. "
    f"{_LOGIN}, if it is private.",
    "RevisionNotFoundError": "the repository has no such branch, tag or commit. Check the revision.",
    "EntryNotFoundError": "there is no such file in the repository. Check its name, and the revision.",
}
_ANSWERS = {
    401: _NO_ACCOUNT,
    403: "the token has not the right to do it ({line}). Make one that has it, in the hub's settings.",
    409: "somebody else changed the repository meanwhile. Run the same command again.",
    412: "somebody else changed the repository meanwhile. Run the same command again.",
    429: "the hub asks for patience (429). Wait some minutes, and run the same command again.",
}
_NAMES_OF_HTTP = ("httpx", "requests", "urllib3")  # what the library's versions go through


@dataclass(frozen=True)
class Address:
    """A place on the hub.

    Attributes:
        kind: ``dataset``, ``model`` or ``space``.
        repository: ``owner/name``.
        revision: A branch, a tag or a commit; None for the main branch.
        name: The path of a file or a folder in the repository; empty for all of it.
    """

    kind: str
    repository: str
    revision: str | None
    name: str

    def __str__(self) -> str:
        kind = "" if self.kind == "model" else f"{self.kind}s/"
        revision = f"@{self.revision.replace('/', '%2F')}" if self.revision else ""
        return f"{SCHEME}{kind}{self.repository}{revision}" + (f"/{self.name}" if self.name else "")


def parse(path: str) -> Address:
    """Takes an address apart.

    Raises:
        InputError: It is none.
    """
    found = _ADDRESS.fullmatch(path)
    if found is None:
        raise InputError(
            f"{path} is no address of the hub: hf://datasets/owner/name/path, or hf://datasets/owner/name@revision/path"
        )
    kind = found["kind"].lower() if found["kind"] else None
    revision = found["revision"].replace("%2F", "/").replace("%2f", "/") if found["revision"] else None
    return Address(_KINDS[kind], found["repository"], revision, found["name"] or "")


def pinned(path: str) -> str:
    """The path with the commit that its revision stands for now, so that what is read cannot change any more.

    Raises:
        InputError: There is no such repository or revision, or the hub does not answer.
    """
    address = parse(path)
    commit = _commit(address.kind, address.repository, address.revision)
    return str(replace(address, revision=commit)) + ("/" if path.endswith("/") and not address.name else "")


def list_objects(prefix: str) -> Iterator[tuple[str, int]]:
    """The files whose names begin with a prefix, and their bytes, in the order of their names."""
    address = parse(prefix)
    folder = address.name.rpartition("/")[0]
    root = prefix[: len(prefix) - len(address.name)].rstrip("/")
    with told(prefix, "list"):
        try:
            entries = api().list_repo_tree(
                address.repository, folder or None, recursive=True, revision=address.revision, repo_type=address.kind
            )
            found = {entry.path: int(entry.size) for entry in entries if hasattr(entry, "size")}
        except Exception as error:
            if "EntryNotFoundError" in _kinds(error):
                return
            raise
    yield from sorted((f"{root}/{name}", size) for name, size in found.items() if name.startswith(address.name))


def object_exists(path: str) -> bool:
    """Tells whether a file is there."""
    address = parse(path)
    with told(path, "reach"):
        found = api().get_paths_info(
            address.repository, [address.name], revision=address.revision, repo_type=address.kind
        )
        return any(entry.path == address.name and hasattr(entry, "size") for entry in found)


def open_object(path: str) -> BinaryIO:
    """Opens a file for reading.

    Raises:
        OSError: It is not there, or cannot be read.
    """
    address = parse(path)
    exact = str(replace(address, revision=address.revision or _MAIN))  # else the library looks for an @ in the name
    with told(path, "read"):
        handle = _files().open(exact, "rb", block_size=READ_BYTES, cache_type="none")
    return cast(BinaryIO, io.BufferedReader(_Told(handle, path), READ_BYTES))


def upload(source: BinaryIO, path: str) -> None:
    """Refuses: a repository grows by commits, and these are pipeline.publish's."""
    _refuse(path)


def create(path: str, data: bytes) -> bool:
    """Refuses, as ``upload`` does."""
    _refuse(path)


def delete_objects(paths: Sequence[str]) -> None:
    """Refuses, as ``upload`` does."""
    _refuse(paths[0])


def check_bucket(path: str) -> None:
    """Asks for the repository of a path.

    Raises:
        InputError: The library is not installed, there is no such repository, or the hub does not answer.
    """
    address = parse(path)
    _commit(address.kind, address.repository, address.revision)


def api() -> Any:
    """The library's client.

    Raises:
        InputError: It is not installed.
    """
    try:
        import huggingface_hub  # noqa: PLC0415 - where no hub is used it need not be there
        import huggingface_hub.utils as tools  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"hf:// paths need {INSTALL}") from error
    tools.disable_progress_bars()
    return huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="llama-corpus")


def has_token() -> bool:
    """Whether there is a token, right or wrong."""
    from huggingface_hub import get_token  # noqa: PLC0415

    return bool(get_token())


def told(path: str, what: str) -> contextlib.AbstractContextManager[None]:
    """Turns what the library raises into an error of one line that says what to do."""
    return faults.told(path, what, lambda error: _message(error, path))


def _message(error: BaseException, path: str) -> str | None:
    """What happened and what to do, where the library or what it goes through raised the error; None elsewhere."""
    kinds = _kinds(error)
    for kind, message in _MESSAGES.items():
        if kind in kinds:
            return message
    status = int(getattr(getattr(error, "response", None), "status_code", 0) or 0)
    if status:
        return _ANSWERS.get(status, "{line}. Run the same command again later: what is finished is kept.").format(
            line=_line(error)
        )
    if type(error).__module__.split(".")[0].rstrip("0123456789") in _NAMES_OF_HTTP:
        return (
            f"the hub does not answer ({_line(error)}). Check the network, and HF_ENDPOINT if it is set, and run the "
            "same command again: what is finished is kept."
        )
    if (below := error.__cause__) is not None and (found := _message(below, path)):
        return found
    return f"{_line(error)}." if type(error).__module__.startswith(("huggingface_hub", "hf_xet")) else None


def _line(error: BaseException) -> str:
    """An error's message in a line, without the number of the request that the library puts there."""
    said = getattr(error, "server_message", None) or str(error) or type(error).__name__
    said = re.sub(r"\(Request ID: [^)]*\)|\s+For more information check: \S+", "", said)
    return re.sub(r"\s+", " ", said).strip().rstrip(".")


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _refuse(path: str) -> NoReturn:
    raise StoreError(f"cannot write {path}: the hub is only read here. python -m pipeline.publish writes to it.")


@functools.cache
def _commit(kind: str, repository: str, revision: str | None) -> str:
    """The commit that a revision stands for; it stays the same for the whole of a run."""
    where = Address(kind, repository, revision, "")
    try:
        with told(str(where), "reach"):
            return str(api().repo_info(repository, repo_type=kind, revision=revision).sha)
    except StoreError as error:
        raise InputError(str(error)) from error


def _files() -> Any:
    from huggingface_hub import HfFileSystem  # noqa: PLC0415

    return HfFileSystem(endpoint=os.environ.get("HF_ENDPOINT"))


class _Told(ReadableFile):
    """An open file of the library's, whose errors are told."""

    def __init__(self, handle: Any, path: str) -> None:
        super().__init__()
        self._handle, self._path = handle, path

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._handle.seek(offset, whence))

    def tell(self) -> int:
        return int(self._handle.tell())

    def readall(self) -> bytes:
        parts = []
        while data := self._read(READ_BYTES):
            parts.append(data)
        return b"".join(parts)

    def _read(self, size: int) -> bytes:
        with told(self._path, "read"):
            return bytes(self._handle.read(size))

    def close(self) -> None:
        if not self.closed:
            self._handle.close()
        super().close()
