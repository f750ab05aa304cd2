"""Folders that are repositories: found, listed in one order, and read as one input each.

Links are not followed, and what is no plain file is not opened. Of ``.git`` the remote and the commit are read, and
nothing else.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from filters.code.licenses import MAX_LICENSE_BYTES, is_license_file
from pipeline.corpus.document import Document, Refused
from pipeline.source import UNREADABLE
from sources.github.raw_file import FileReader, RawFile, is_commit
from sources.github.repository import LicenseFiles, Licenses, Nearer, RepositoryFacts, tells, tells_a_repository

SKIPPED = frozenset({".git", ".hg", ".svn"})  # of version control: no part of the tree
# Stands in a path before a repository's name, as rsync has it: repos/./owner/name.
NAME_MARK = "/./"
_GIT_BYTES = 1 << 20  # of a file in .git that is looked at
_REMOTE = re.compile(r"url\s*=\s*(?:\w+://)?(?:[^@\s/]+@)?github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?\s*$", re.M)
_BRANCH = re.compile(r"ref:\s*(refs/heads/[\w./+@-]+)\s*")

Kind = Literal["file", "link", "special_file", "unreadable_file"]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a folder holds at a path: its kind, and the bytes of a file; or what the system said of it."""

    path: str
    kind: Kind
    size: int = 0
    message: str = ""


def walk(root: str, avoid: str | None = None) -> Iterator[Entry]:
    """All that is below a folder, in one order: its files by the bytes of their names, then what its folders hold.

    Args:
        root: The folder.
        avoid: The absolute path of a folder that is passed over.

    Yields:
        Entries, with paths below the folder.
    """
    pending = [""]
    while pending:
        below = pending.pop()
        try:
            with os.scandir(os.path.join(root, below)) as found:
                entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            yield Entry(below or ".", "unreadable_file", message=str(error.strerror))
            continue
        folders = []
        for entry in entries:
            path = f"{below}/{entry.name}" if below else entry.name
            if entry.name in SKIPPED:
                continue
            if entry.is_dir(follow_symlinks=False):
                if os.path.abspath(entry.path) != avoid:
                    folders.append(path)
            else:
                yield _entry(entry, path)
        pending += reversed(folders)


def _entry(entry: os.DirEntry[str], path: str) -> Entry:
    if entry.is_symlink():
        return Entry(path, "link")
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        return Entry(path, "unreadable_file", message=str(error.strerror))
    return Entry(path, "file", status.st_size) if stat.S_ISREG(status.st_mode) else Entry(path, "special_file")


def read_plain(path: str, limit: int) -> bytes:
    """Reads a file up to a limit; a link is not followed, and what is no plain file is not read.

    Raises:
        OSError: It is none, or unreadable.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path} is no plain file")
        parts = []
        while limit > 0 and (part := os.read(descriptor, min(limit, status.st_size + 1))):
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def is_repository(folder: str) -> bool:
    """Whether a folder says that it is a repository: by ``.git``, a licence file, or package metadata."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.name == ".git" or tells_a_repository(entry.name, entry.is_dir()) for entry in entries)
    except OSError:
        return False


def look_at(folder: str, files: LicenseFiles, reader: FileReader, deep: bool = True) -> RepositoryFacts:
    """The facts of a repository: from all files in it that tell licences, and its remote and commit from ``.git``.

    Args:
        folder: The folder.
        files: Recognises licences.
        reader: Knows which folders are passed over.
        deep: Whether folders in folders are looked at, too, where the licence of the whole is allowed; it does not
            depend on them, unless its licence file is a link.
    """
    facts = RepositoryFacts()
    below: list[Entry] = []
    for entry in walk(folder, reader.avoid):
        path = entry.path.replace(os.sep, "/")
        if tells(path) and reader.paths.judge(path) != "vendored":
            if path.count("/") < 2:
                _look_at_file(facts, folder, entry, files)
            else:
                below.append(entry)
    links = facts.folders[""].links if "" in facts.folders else {}
    if links or (deep and reader.gate.judge(Licenses(facts, reader.gate).root).reason is None):
        for entry in below:
            _look_at_file(facts, folder, entry, files)
    git = os.path.join(folder, ".git")
    if os.path.isdir(git) and not os.path.islink(git):
        _look_at_git(facts, git)
    return facts


def _look_at_file(facts: RepositoryFacts, folder: str, entry: Entry, files: LicenseFiles) -> None:
    path, place = entry.path.replace(os.sep, "/"), os.path.join(folder, entry.path)
    if entry.kind == "link":
        if (data := _linked(folder, place)) is not None and is_license_file(path.rpartition("/")[2]):
            files.look(facts, path, data)
        else:
            files.look_at_link(facts, path, _target(place))
    elif entry.kind == "file" and (data := _read_if_plain(place, MAX_LICENSE_BYTES + 1)) is not None:
        files.look(facts, path, data)


def _linked(folder: str, place: str) -> bytes | None:
    """The bytes of the file that a link names, whatever its name; None where that is outside the repository."""
    root, target = os.path.realpath(folder), os.path.realpath(place)
    inside = target.startswith(os.path.join(root, "")) and not target.startswith(os.path.join(root, ".git", ""))
    return _read_if_plain(target, MAX_LICENSE_BYTES + 1) if inside else None


def _target(place: str) -> str:
    try:
        return os.readlink(place).replace(os.sep, "/")
    except OSError:
        return ""


def _look_at_git(facts: RepositoryFacts, git: str) -> None:
    remote = _REMOTE.search(_git_text(git, "config"))
    facts.hosted = remote[1] if remote else None
    head = _git_text(git, "HEAD").strip()
    branch = _BRANCH.fullmatch(head)
    if branch and ".." not in branch[1]:
        commit = _git_text(git, branch[1]).strip()
        packed = re.search(rf"^([0-9a-f]{{40}}) {re.escape(branch[1])}$", _git_text(git, "packed-refs"), re.M)
        head = packed[1] if not commit and packed else commit
    facts.ref = head if is_commit(head) else None


def _git_text(git: str, name: str) -> str:
    return (_read_if_plain(os.path.join(git, *name.split("/")), _GIT_BYTES) or b"").decode("utf-8", "replace")


def _read_if_plain(path: str, limit: int) -> bytes | None:
    try:
        return read_plain(path, limit)
    except OSError:
        return None


def repository_name(folder: str) -> str:
    """The name that the plan gave a repository's folder: what stands behind the mark in its path."""
    _, mark, name = folder.rstrip("/").rpartition(NAME_MARK)
    return name if mark else os.path.basename(os.path.abspath(folder))


class FolderStream:
    """A repository's folder as one input: each ``read`` gives one record, a line of JSON and the bytes of a file.

    The first record is about the repository. What the licence or the path drops is listed, not read, so it does not
    count for the checksum of the input either.

    Args:
        folder: The folder.
        facts: What was seen of it.
        reader: Knows what is of use, the largest file that is read, and the folder that is avoided.
    """

    def __init__(self, folder: str, facts: RepositoryFacts, reader: FileReader) -> None:
        self._records = self._all(folder, facts, Licenses(facts, reader.gate), reader)

    def read(self, size: int = -1) -> bytes:
        """The next record, whatever the size asked for; nothing at the end."""
        return next(self._records, b"")

    def __enter__(self) -> FolderStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._records.close()

    @staticmethod
    def _all(folder: str, facts: RepositoryFacts, licenses: Licenses, reader: FileReader) -> Any:
        yield _record({"license": licenses.root, "ref": facts.ref, "hosted": facts.hosted})
        for entry in walk(folder, reader.avoid):
            about = {"path": entry.path, "kind": entry.kind, "size": entry.size, "message": entry.message}
            if entry.kind != "file":
                yield _record(about)
                continue
            path = entry.path.replace(os.sep, "/")
            nearer = about["nearer"] = licenses.nearer(path)
            if entry.size > reader.max_bytes or not reader.wants(licenses.root, path, nearer):
                yield _record(about)
                continue
            try:
                data = read_plain(os.path.join(folder, entry.path), reader.max_bytes + 1)
            except OSError as error:
                yield _record({**about, "kind": UNREADABLE, "message": str(error.strerror or error)})
                continue
            yield _record({**about, "size": len(data), "read": True}, data)


def _record(about: dict[str, Any], data: bytes = b"") -> bytes:
    return json.dumps(about).encode() + b"\n" + data  # ASCII: names that are no UTF-8 are escaped


def open_folder(folder: str, reader: FileReader, files: LicenseFiles) -> FolderStream:
    """Opens a repository's folder.

    Raises:
        OSError: It is gone, or cannot be listed.
    """
    os.listdir(folder)
    return FolderStream(folder, look_at(folder, files, reader), reader)


def read_folder(
    stream: BinaryIO, folder: str, reader: FileReader, counters: Counter[str]
) -> Iterator[Document | Refused]:
    """Reads what ``open_folder`` opened."""
    about = json.loads(stream.read())
    name = about["hosted"] or repository_name(folder)
    while record := stream.read():
        head, _, data = record.partition(b"\n")
        entry = json.loads(head)
        place = os.path.join(folder, entry["path"])
        if entry["kind"] != "file":
            message = entry["message"] or f"it is a {entry['kind'].replace('_', ' ')}; it is not followed or opened"
            failed = entry["kind"] == UNREADABLE
            yield Refused(entry["kind"], f"{name}/{entry['path']}: {message}", place, 0, failed=failed)
            continue
        path = entry["path"].replace(os.sep, "/")
        content = data if entry.get("read") else None
        nearer = Nearer(*entry["nearer"]) if entry["nearer"] else None
        if entry["size"] > reader.max_bytes and reader.wants(about["license"], path, nearer):
            message = f"{name}/{path}: it has {entry['size']:,} bytes, over {reader.max_bytes:,}"
            yield Refused("too_large", message, place, 0, failed=False)
            continue
        raw = RawFile(
            repo=name,
            path=path,
            content=content,
            license=about["license"],
            file=place,
            offset=0,
            size=entry["size"],
            ref=about["ref"],
            hosted=bool(about["hosted"]),
            nearer=nearer,
        )
        yield reader.document(raw, counters)
