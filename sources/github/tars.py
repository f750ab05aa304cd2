"""Tars of repositories: GitHub's own (``name-<commit>/...``), or any with one or more repositories in it.

The licence of a repository may stand behind its files, so a tar is read twice: for the licences, then for the files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from filters.code.licenses import MAX_LICENSE_BYTES
from pipeline.corpus.document import Document, Refused
from pipeline.formats.inflate import Window, inflated
from pipeline.formats.tar import BLOCK, Fault, Member, tar_members
from sources.github.raw_file import FileReader, RawFile
from sources.github.repository import RepositoryFacts, RootFiles, tells

MAX_DEPTH = 2  # folders above a repository's files: owner/name
MAX_REPOSITORIES = 100_000  # in one tar; what more there are have no licence that is known
_GIT_ARCHIVE = re.compile(rb"52 comment=([0-9a-f]{40})\n")  # git archive: a pax header of the whole tar
_WITH_COMMIT = re.compile(r"(?P<name>.+)-(?P<commit>[0-9a-f]{40})")
_NPM_FOLDER, _NPM_SUFFIX = "package", ".tgz"  # npm pack puts every package in a folder of this name
_SKIPPED = frozenset({".git", ".hg", ".svn"})


class TarReader:
    """Reads the repositories of a tar.

    Args:
        path: The tar's path.
        reader: Makes documents of raw files.
        roots: Recognises licences.
    """

    def __init__(self, path: str, reader: FileReader, roots: RootFiles) -> None:
        self._path = path
        self._reader = reader
        self._roots = roots

    def look(self, stream: BinaryIO) -> dict[str, RepositoryFacts]:
        """The first reading: the facts of each repository that has any, by the folder that it is in the tar."""
        window = inflated(stream)
        commit = _commit(window)
        facts: dict[str, RepositoryFacts] = {}
        for item in tar_members(window, MAX_LICENSE_BYTES, wanted=_wanted_of_roots):
            if isinstance(item, Fault) or _wanted_of_roots(item.name) == 0:
                continue
            folder, name = _split(item.name)
            if folder in facts or len(facts) < MAX_REPOSITORIES:
                self._roots.look(facts.setdefault(folder, RepositoryFacts(ref=commit)), name, item.data)
        return facts

    def read(
        self, stream: BinaryIO, facts: Mapping[str, RepositoryFacts], counters: Counter[str]
    ) -> Iterator[Document | Refused]:
        """The second reading: each file of the tar."""
        licenses = {folder: known.license(self._reader.gate) for folder, known in facts.items()}

        def wanted(name: str) -> int | None:
            folder, path = _in_repository(name, facts)
            return None if self._reader.wants(licenses.get(folder), path) else 0

        for item in tar_members(inflated(stream), self._reader.max_bytes, wanted=wanted):
            if isinstance(item, Member):
                folder, path = _in_repository(item.name, facts)
                if _SKIPPED.isdisjoint(path.split("/")):
                    raw = self._raw_file(item, folder, path, licenses.get(folder), facts.get(folder))
                    yield self._reader.document(raw, counters)
            else:
                failed = item.failed and item.reason != "too_large"
                yield Refused(item.reason, item.message, self._path, item.offset, failed=failed)

    def _raw_file(
        self, member: Member, folder: str, path: str, license: str | None, facts: RepositoryFacts | None
    ) -> RawFile:
        is_npm = folder == _NPM_FOLDER and self._path.lower().endswith(_NPM_SUFFIX)
        name = _stem(self._path) if is_npm or not folder else folder
        found = _WITH_COMMIT.fullmatch(name)
        ref = found["commit"] if found else facts.ref if facts else None
        content = member.data if self._reader.wants(license, path) else None
        return RawFile(
            found["name"] if found else name, path, content, license, self._path, member.offset, member.size, ref
        )


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


def _split(name: str) -> tuple[str, str]:
    folder, _, last = _clean(name).rpartition("/")
    return folder, last


def _wanted_of_roots(name: str) -> int | None:
    """How much of a member tells of its repository: all of a licence file or metadata near the root, else nothing."""
    folder, last = _split(name)
    is_near = not folder or folder.count("/") < MAX_DEPTH
    return MAX_LICENSE_BYTES if is_near and tells(last) else 0


def _in_repository(name: str, roots: Mapping[str, RepositoryFacts]) -> tuple[str, str]:
    """The repository of a member, and its path there: the outermost folder that has facts, else the first folder."""
    parts = _clean(name).split("/")
    for depth in range(min(MAX_DEPTH, len(parts) - 1) + 1):
        folder = "/".join(parts[:depth])
        if folder in roots:
            return folder, "/".join(parts[depth:])
    return ("", parts[0]) if len(parts) == 1 else (parts[0], "/".join(parts[1:]))


def _stem(path: str) -> str:
    return re.sub(r"(?:\.tar)?(?:\.gz)?$|\.tgz$", "", path.rstrip("/").rpartition("/")[2])
