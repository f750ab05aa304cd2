"""Publishing to the Hugging Face hub.

Large files go up first, a few at a time, and are not seen by anybody; then a commit makes them visible together with
the accounts and the card. Up to 1,000 changed files that is one commit: readers see the old state or the new one. More
go in commits of 1,000 (the largest that the library itself makes), the card in the last one.

The same command goes on where it stopped: files of earlier commits are known by their checksums in the repository's
listing, and not read again; of those that went up without a commit the hub has the contents, and takes no bytes of
them. A commit names its parent, so that what somebody else commits meanwhile is not written over.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console

from pipeline.errors import InputError, OutputError, name_a_few
from pipeline.publish.command import COMMAND
from pipeline.publish.contents import Item
from pipeline.publish.folder import check_sum
from pipeline.publish.outcome import CARD, Difference, Sending
from pipeline.publish.rows import made_from, write_as_parquet
from pipeline.storage.filesystem import COPY_CHUNK, is_remote, open_input, read_bytes
from pipeline.storage.hub import SCHEME, Address, api, has_token, parse, told
from pipeline.storage.ownership import RECORD, is_sealed, parse_record, record_content

FILES_AT_ONCE = 32
BYTES_AT_ONCE = 8 << 30  # of files that must lie on the disk first: converted ones, and those of object stores
FILES_IN_A_COMMIT = 1_000
IN_MEMORY = 10 << 20  # what the hub may take as a part of the commit itself
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass
class _State:
    """The repository: its head, its files, and the names that earlier publications recorded; no head: there is none."""

    head: str | None = None
    private: bool = False
    files: dict[str, Any] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class Hub:
    """A data set repository on the hub.

    Args:
        to: ``hf://owner/name``; ``hf://datasets/owner/name`` is the same.
        revision: The branch; the main one where None.
        private: Whether a new repository is private.
        overwrite: Whether a card that somebody edited may be written over.

    Raises:
        InputError: It is no address of a repository, it is public and must not be, or there is no token.
    """

    def __init__(self, to: str, revision: str | None, *, private: bool, overwrite: bool) -> None:
        address = parse(to.rstrip("/"))
        if address.name or address.revision or address.kind == "space" or to.lower().startswith(f"{SCHEME}models/"):
            raise InputError(f"--to {to}: give hf://owner/name, of a data set; --revision names a branch.")
        if revision is not None and _COMMIT.fullmatch(revision):
            raise InputError("--revision names a commit, which cannot change. Give a branch.")
        self._address = replace(address, kind="dataset", revision=revision)
        self._private, self._overwrite = private, overwrite
        self._api = api()
        self.name = str(self._address)
        if not has_token():
            raise InputError(
                f"there is no token for {self.name}. Set HF_TOKEN to one that may write, or hf auth login."
            )
        self._state = self._look()
        if private and self._state.head is not None and not self._state.private:
            raise InputError(f"{self.name} is public. Make it private in its settings first, or choose another.")

    def compare(self, items: Sequence[Item], card: bytes) -> Difference:
        """Finds what differs, by the checksums in the repository's listing.

        Raises:
            OutputError: The card was edited, or a name is taken by a file that the command did not write.
        """
        state = self._state
        with told(self.name, "read"):
            to_send = tuple(item for item in items if not self._is_there(item))
            old = self._read(CARD) if CARD in state.files else b""
        if old and not self._overwrite and not is_sealed(old, COMMAND):
            raise OutputError(f"the card of {self.name} was edited, or is another's; --overwrite writes over it.")
        taken = sorted(item.name for item in to_send if item.name in state.files.keys() - state.names)
        if taken:
            raise OutputError(
                f"{self.name} holds {name_a_few(taken, whole=True)}, which python -m {COMMAND} did not write, and "
                "would write over. Choose another repository, or another --revision."
            )
        stale = state.names & state.files.keys() - {item.name for item in items} - {CARD}
        return Difference(to_send, len(items) - len(to_send), tuple(sorted(stale)), old != card)

    def send(self, items: Sequence[Item], difference: Difference, card: bytes, console: Console) -> str:
        """Sends what differs, and removes what is no more; gives a sentence on where it is."""
        sending = Sending(difference.to_send, console)
        with told(self.name, "publish to"), sending:
            head = self._ready()
            names = {item.name for item in items} | {CARD}
            pending: list[Any] = []
            for batch in _batches(difference.to_send):
                pending += self._upload(batch, sending)
                if len(pending) >= FILES_IN_A_COMMIT:
                    head = self._commit(head, pending, names | self._state.names)
                    pending = []
            pending += [self._addition(CARD, card), *map(self._deletion, difference.stale)]
            head = self._commit(head, pending, names)
        return f"Output: {self._api.endpoint}/datasets/{self._address.repository}, commit {head}"

    def _look(self) -> _State:
        with told(self.name, "reach"):
            state = self._head()
            if state.head is None:
                return state
            at = self._at(state.head)
            entries = self._api.list_repo_tree(at.repository, recursive=True, revision=state.head, repo_type=at.kind)
            state.files = {entry.path: entry for entry in entries if hasattr(entry, "size")}
            self._state = state
            if RECORD in state.files:
                state.names = set(parse_record(self._read(RECORD), self.name, COMMAND))
            return state

    def _head(self) -> _State:
        """The head of the branch, else of the main branch, of which the new one will be made."""
        for revision in dict.fromkeys((self._address.revision, None)):
            try:
                info = self._api.repo_info(self._address.repository, repo_type="dataset", revision=revision)
            except Exception as error:
                kinds = {kind.__name__ for kind in type(error).__mro__}
                if "RepositoryNotFoundError" in kinds and "GatedRepoError" not in kinds:
                    return _State()
                if "RevisionNotFoundError" not in kinds or revision is None:
                    raise
            else:
                return _State(info.sha, bool(info.private))
        return _State()

    def _ready(self) -> str | None:
        """Makes the repository and the branch, where they are not there; gives the branch's head."""
        address, state = self._address, self._state
        if state.head is None:
            self._api.create_repo(address.repository, repo_type="dataset", private=self._private or None, exist_ok=True)
        if address.revision:
            self._api.create_branch(address.repository, branch=address.revision, repo_type="dataset", exist_ok=True)
        if state.head is not None:
            return state.head
        info = self._api.repo_info(address.repository, repo_type="dataset", revision=address.revision)
        return str(info.sha) if info.sha else None

    def _is_there(self, item: Item) -> bool:
        entry = self._state.files.get(item.name)
        if entry is None:
            return False
        if item.converted:
            return made_from(str(replace(self._at(self._state.head), name=item.name))) == item.origin
        if entry.size != item.size:
            return False
        if entry.lfs is not None:
            return bool(entry.lfs.sha256 == (item.sha256 or hashlib.sha256(read_bytes(item.path)).hexdigest()))
        data = read_bytes(item.path)
        return bool(entry.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest())

    def _upload(self, batch: Sequence[Item], sending: Sending) -> list[Any]:
        """Sends the contents of some files, which are not seen yet; gives what a commit needs of them.

        Raises:
            OutputError: A file is not what its account says.
        """
        with tempfile.TemporaryDirectory() as folder:
            additions = [self._addition(item.name, _local(item, folder)) for item in batch]
            self._api.preupload_lfs_files(
                self._address.repository, additions, repo_type="dataset", revision=self._address.revision
            )
        for item, addition in zip(batch, additions, strict=True):
            if not item.converted:
                check_sum(item, addition.upload_info.sha256.hex())
            sending.sent(item)
        return additions

    def _commit(self, head: str | None, operations: Sequence[Any], names: set[str]) -> str:
        record = self._addition(RECORD, record_content(COMMAND, names))
        done = self._api.create_commit(
            self._address.repository,
            [*operations, record],
            commit_message=f"python -m {COMMAND}",
            repo_type="dataset",
            revision=self._address.revision,
            parent_commit=head,
        )
        return str(done.oid)

    def _addition(self, name: str, content: bytes | str) -> Any:
        from huggingface_hub import CommitOperationAdd  # noqa: PLC0415

        return CommitOperationAdd(name, content)

    def _deletion(self, name: str) -> Any:
        from huggingface_hub import CommitOperationDelete  # noqa: PLC0415

        return CommitOperationDelete(name)

    def _read(self, name: str) -> bytes:
        return read_bytes(str(replace(self._at(self._state.head), name=name)))

    def _at(self, head: str | None) -> Address:
        return replace(self._address, revision=head)


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Runs of files that are sent together."""
    batch: list[Item] = []
    size = 0
    for item in items:
        if batch and (len(batch) == FILES_AT_ONCE or size + item.size > BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.size
    if batch:
        yield batch


def _local(item: Item, folder: str) -> bytes | str:
    """A file as the library takes it: the path of a local one, which is converted or fetched first where it must be.

    A small one that would be gone before the commit, which may hold all of it, is given as its bytes.
    """
    if not item.converted and not is_remote(item.path):
        return item.path
    handle, path = tempfile.mkstemp(dir=folder)
    with contextlib.closing(os.fdopen(handle, "wb")) as output:
        if item.converted:
            write_as_parquet(item.path, item.origin, output, masked=item.masked)
        else:
            with open_input(item.path) as source:
                shutil.copyfileobj(source, output, COPY_CHUNK)
    return read_bytes(path) if os.path.getsize(path) <= IN_MEMORY else path
