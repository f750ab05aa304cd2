"""Tars of repositories: GitHub's own (``name-<commit>/...``), or any with one or more repositories in it.

The licence of a repository may stand behind its files, so a tar is read twice: for the licences, then for the files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import BinaryIO

from filters.code.licenses import MAX_LICENSE_BYTES
from pipeline.corpus.document import Document, Refused
from pipeline.formats.inflate import Window, inflated
from pipeline.formats.tar import BLOCK, Fault, Member, tar_members
from sources.github.raw_file import FileReader, RawFile
from sources.github.repository import LicenseFiles, Licenses, RepositoryFacts, tells

MAX_DEPTH = 2  # folders above a repository's files: owner/name
_GIT_ARCHIVE = re.compile(rb"52 comment=([0-9a-f]{40})\n")  # git archive: a pax header of the whole tar
_WITH_COMMIT = re.compile(r"(?P<name>.+)-(?P<commit>[0-9a-f]{40})")
_NPM_FOLDER, _NPM_SUFFIX = "package", ".tgz"  # npm pack puts every package in a folder of this name
_SKIPPED = frozenset({".git", ".hg", ".svn"})


class TarReader:
    """Reads the repositories of a tar.

    Args:
        path: The tar's path.
        reader: Makes documents of raw files.
        files: Recognises licences.
    """

    def __init__(self, path: str, reader: FileReader, files: LicenseFiles) -> None:
        self._path = path
        self._reader = reader
        self._files = files

    def look(self, stream: BinaryIO) -> dict[str, RepositoryFacts]:
        """The first reading: the facts of each repository that has any, by the folder that it is in the tar."""
        window = inflated(stream)
        commit = _commit(window)
        whole = RepositoryFacts(ref=commit)
        for item in tar_members(window, MAX_LICENSE_BYTES, wanted=self._wanted):
            if isinstance(item, Fault):
                if item.target:
                    self._files.look_at_link(whole, _clean(item.name), item.target)
            elif self._wanted(item.name):
                self._files.look(whole, _clean(item.name), item.data)
        return _repositories(whole)

    def _wanted(self, name: str) -> int:
        """How much of a member tells of licences: all of a licence file or metadata, else nothing."""
        path = _clean(name)
        return MAX_LICENSE_BYTES if tells(path) and self._reader.paths.judge(path) != "vendored" else 0

    def read(
        self, stream: BinaryIO, facts: Mapping[str, RepositoryFacts], counters: Counter[str]
    ) -> Iterator[Document | Refused]:
        """The second reading: each file of the tar."""
        licenses = {folder: Licenses(known, self._reader.gate) for folder, known in facts.items()}
        unknown = Licenses(None, self._reader.gate)

        def wanted(name: str) -> int | None:
            folder, path = _in_repository(name, facts)
            known = licenses.get(folder, unknown)
            return None if self._reader.wants(known.root, path, known.nearer(path)) else 0

        for item in tar_members(inflated(stream), self._reader.max_bytes, wanted=wanted):
            if isinstance(item, Member):
                folder, path = _in_repository(item.name, facts)
                if _SKIPPED.isdisjoint(path.split("/")):
                    raw = self._raw_file(item, folder, path, licenses.get(folder, unknown), facts.get(folder))
                    yield self._reader.document(raw, counters)
            else:
                failed = item.failed and item.reason != "too_large"
                yield Refused(item.reason, item.message, self._path, item.offset, failed=failed)

    def _raw_file(
        self, member: Member, folder: str, path: str, licenses: Licenses, facts: RepositoryFacts | None
    ) -> RawFile:
        is_npm = folder == _NPM_FOLDER and self._path.lower().endswith(_NPM_SUFFIX)
        name = _stem(self._path) if is_npm or not folder else folder
        found = _WITH_COMMIT.fullmatch(name)
        ref = found["commit"] if found else facts.ref if facts else None
        nearer = licenses.nearer(path)
        return RawFile(
            repo=found["name"] if found else name,
            path=path,
            content=member.data if self._reader.wants(licenses.root, path, nearer) else None,
            license=licenses.root,
            file=self._path,
            offset=member.offset,
            size=member.size,
            ref=ref,
            nearer=nearer,
        )


def _repositories(whole: RepositoryFacts) -> dict[str, RepositoryFacts]:
    """What was seen in a tar by repository: the outermost folders, near its root, that declare anything."""
    near = {folder for folder in whole.folders if not folder or folder.count("/") < MAX_DEPTH}
    facts: dict[str, RepositoryFacts] = {}
    for folder, known in whole.folders.items():
        root, below = _in_repository(f"{folder}/x" if folder else "x", near)
        if root in near:
            of = facts.setdefault(root, RepositoryFacts(ref=whole.ref, overflowed=whole.overflowed))
            of.folders[below.rpartition("/")[0]] = known
    for path, nearer in whole.sidecars.items():
        root, below = _in_repository(path, near)
        if root in facts:
            facts[root].sidecars[below] = nearer
    return facts


def _commit(window: Window) -> str | None:
    """The commit that ``git archive``, and with it GitHub, writes at the begin of a tar."""
    head = window.take(2 * BLOCK)
    window.give_back(head)
    found = _GIT_ARCHIVE.match(head, BLOCK)
    return found[1].decode() if found and head[156:157] == b"g" else None


def _clean(name: str) -> str:
    while name.startswith("./"):
        name = name[2:]
    return name


def _in_repository(name: str, roots: Container[str]) -> tuple[str, str]:
    """The repository of a member, and its path there: the outermost folder that has facts, else the first folder."""
    parts = _clean(name).split("/")
    for depth in range(min(MAX_DEPTH, len(parts) - 1) + 1):
        folder = "/".join(parts[:depth])
        if folder in roots:
            return folder, "/".join(parts[depth:])
    return ("", parts[0]) if len(parts) == 1 else (parts[0], "/".join(parts[1:]))


def _stem(path: str) -> str:
    return re.sub(r"(?:\.tar)?(?:\.gz)?$|\.tgz$", "", path.rstrip("/").rpartition("/")[2])
