"""What a repository declares of the licences of its files: for all of it, for folders, and for files.

At the root licence files and package metadata tell the licence of the repository. The same files in a folder tell that
of the folder, and REUSE's tables those of the files that they name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import xxhash

from filters.code.licenses import UNRECOGNIZED, LicenseGate, LicenseText, is_license_file
from filters.code.licenses.names import (
    TEXTS_FOLDER,
    is_license_folder,
    is_license_of_folder,
    licensed_prefix,
    sidecar_of,
)
from filters.code.licenses.reuse import DEP5, REUSE_TOML, ReuseTable, read_dep5, read_reuse_toml
from sources.github.metadata import MAX_METADATA, METADATA

MAX_SEEN = 10_000  # recognised texts that are held
MAX_FOLDERS = 100_000  # of one repository of which licences are held; behind them nothing is known of any file


ANY_FILE = "\0"  # a path that only such patterns match as match any


class Nearer(NamedTuple):
    """What is declared nearer to a file than at the root of its repository.

    Attributes:
        license: An SPDX expression, or what is declared instead of one.
        place: The file that says so, below the root.
        closest: Whether what the file says of itself decides, where it does; else both hold.
    """

    license: str
    place: str
    closest: bool = True


@dataclass
class FolderFacts:
    """What the files in a folder declare.

    Attributes:
        licenses: What its licence files say, by name.
        texts: What the texts in its ``LICENSES`` folder say, which count where it has no licence file.
        prefixed: What is declared for its files whose names begin so, in lower case.
        links: Its licence files that are links, with the paths that they name.
        declared: What its package metadata declare, by the name of the file.
        reuse: REUSE's table.
    """

    licenses: dict[str, LicenseText] = field(default_factory=dict)
    texts: dict[str, LicenseText] = field(default_factory=dict)
    prefixed: dict[str, Nearer] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    declared: dict[str, list[str]] = field(default_factory=dict)
    reuse: ReuseTable | None = None

    def license(self, gate: LicenseGate) -> str | None:
        """The folder's licence: an SPDX expression, or what is declared instead of one."""
        declared = [one for name in METADATA for one in self.declared.get(name, ()) if not gate.is_unspecific(one)]
        return gate.repository(self.licenses or self.texts, declared)

    @property
    def names(self) -> str:
        """The files that tell its licence."""
        return ", ".join(sorted([*(self.licenses or self.texts), *self.declared]))


@dataclass
class RepositoryFacts:
    """What was seen of a repository so far.

    Attributes:
        folders: What its folders declare, by their paths below its root, which is the empty one.
        sidecars: Files beside others that declare their licences, by the paths of those others.
        ref: The commit or the branch that is checked out.
        hosted: Its name on GitHub, where its remote tells.
        overflowed: Whether it has more than is held, so that nothing is known.
    """

    folders: dict[str, FolderFacts] = field(default_factory=dict)
    sidecars: dict[str, Nearer] = field(default_factory=dict)
    ref: str | None = None
    hosted: str | None = None
    overflowed: bool = False

    def at(self, folder: str) -> FolderFacts:
        """The facts of a folder, to add to."""
        if folder not in self.folders and len(self.folders) >= MAX_FOLDERS:
            self.overflowed = True
            return FolderFacts()
        return self.folders.setdefault(folder, FolderFacts())

    def license(self, gate: LicenseGate) -> str | None:
        """The repository's licence: an SPDX expression, or what is declared instead of one."""
        root = self.folders.get("")
        if self.overflowed:
            return UNRECOGNIZED
        found = root.license(gate) if root else None
        if found is None and root and root.reuse and (whole := root.reuse.of(ANY_FILE)):
            return whole.license
        return found


class Licenses:
    """The licences of a repository's files.

    Args:
        facts: All that was seen of it.
        gate: Puts declarations together.
    """

    def __init__(self, facts: RepositoryFacts | None, gate: LicenseGate) -> None:
        facts = facts or RepositoryFacts()
        for folder, known in facts.folders.items():
            _follow(facts, folder, known)
        self.root = facts.license(gate)
        self._sidecars = facts.sidecars
        self._tables = {folder: known.reuse for folder, known in facts.folders.items() if known.reuse}
        self._folders: dict[str, Nearer] = {}
        for folder, known in facts.folders.items():
            if folder and (license := known.license(gate)) is not None:
                self._folders[folder] = Nearer(license, f"{folder}/{known.names}")
        self._prefixed = {folder: known.prefixed for folder, known in facts.folders.items() if known.prefixed}
        self._default: Nearer | None = None
        root = facts.folders.get("")
        if root and root.texts and not root.licenses and gate.judge(self.root).reason:
            allowed = {one for text in root.texts.values() for one in text.found if gate.judge(one).reason is None}
            if allowed:  # each file of such a repository says which of them it is under
                self._default = Nearer(str(self.root), TEXTS_FOLDER)
                self.root = gate.all_of(sorted(allowed))

    def nearer(self, path: str) -> Nearer | None:
        """What is declared nearer to a file than at the root; None where nothing is.

        Args:
            path: The file's path below the root.
        """
        if path in self._sidecars:
            return self._sidecars[path]
        if self._prefixed and (found := self._of_prefix(path)):
            return found
        if not self._folders and not self._tables:
            return self._default
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in self._tables and (found := self._of_table(folder, path)):
                return found
            if folder in self._folders:
                return self._folders[folder]
        return self._default

    def _of_prefix(self, path: str) -> Nearer | None:
        folder, _, name = path.rpartition("/")
        prefixes = self._prefixed.get(folder, {})
        return next((nearer for prefix, nearer in prefixes.items() if name.lower().startswith(prefix)), None)

    def _of_table(self, folder: str, path: str) -> Nearer | None:
        table = self._tables[folder]
        place = DEP5 if table.crosses else REUSE_TOML
        place = f"{folder}/{place}" if folder else place
        if table.broken:
            return Nearer(UNRECOGNIZED, place, closest=False)
        found = table.of(path[len(folder) + 1 :] if folder else path)
        return Nearer(found.license, place, found.closest) if found else None


def _follow(facts: RepositoryFacts, folder: str, known: FolderFacts) -> None:
    """Takes the licence files that links name, where they are in the repository; others are not recognised."""
    for name, target in known.links.items():
        parts = folder.split("/") if folder else []
        for part in target.split("/"):
            if part == ".." and parts:
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        of = facts.folders.get("/".join(parts[:-1])) if parts and not target.startswith("/") else None
        known.licenses[name] = of.licenses.get(parts[-1], LicenseText(frozenset())) if of else LicenseText(frozenset())


class LicenseFiles:
    """Looks at the files that tell licences; a text that comes again is recognised by its hash.

    Args:
        gate: Recognises licences.
    """

    def __init__(self, gate: LicenseGate) -> None:
        self._gate = gate
        self._seen: dict[int, LicenseText] = {}

    def look(self, facts: RepositoryFacts, path: str, data: bytes) -> None:
        """Adds to the facts what a file says; ``tells`` says which do."""
        folder, _, name = path.rpartition("/")
        above, _, last = folder.rpartition("/")
        if of := sidecar_of(path):
            facts.sidecars[of] = Nearer(self._of_text(data), path)
        elif name in METADATA:
            if declared_there := METADATA[name](data[:MAX_METADATA]):
                facts.at(folder).declared[name] = declared_there
        elif name == REUSE_TOML:
            facts.at(folder).reuse = read_reuse_toml(data)
        elif path.endswith(DEP5) and last == ".reuse":
            facts.at(above).reuse = read_dep5(data)
        elif last == TEXTS_FOLDER:
            if "exception" not in name:  # it only adds permissions
                facts.at(above).texts[f"{last}/{name}"] = self._text(data)
        elif is_license_folder(last) and not above.endswith(TEXTS_FOLDER):
            facts.at(above).licenses[f"{last}/{name}"] = self._text(data)
        elif not folder or is_license_of_folder(name):
            facts.at(folder).licenses[name] = self._text(data)
        elif prefix := licensed_prefix(name):
            facts.at(folder).prefixed[prefix] = Nearer(self._of_text(data), path)

    def look_at_link(self, facts: RepositoryFacts, path: str, target: str) -> None:
        """Adds a licence file that is a link; only after all others is it followed, within its repository."""
        folder, _, name = path.rpartition("/")
        if is_license_file(name):
            facts.at(folder).links[name] = target

    def _of_text(self, data: bytes) -> str:
        return self._gate.all_of(sorted(self._text(data).found)) or UNRECOGNIZED

    def _text(self, data: bytes) -> LicenseText:
        key = xxhash.xxh3_64_intdigest(data)
        if key not in self._seen:
            if len(self._seen) >= MAX_SEEN:
                self._seen.clear()
            self._seen[key] = self._gate.read(data)
        return self._seen[key]


_TEXT_ENDS = ("txt", "md", "rst", "html")


def tells(path: str) -> bool:
    """Whether a file tells licences, by its path in its repository."""
    folder, _, name = path.rpartition("/")
    if name in METADATA or is_license_file(name) or name == REUSE_TOML or sidecar_of(name):
        return True
    last = folder.rpartition("/")[2]
    if last == TEXTS_FOLDER:
        return True
    if name == "dep5":
        return last == ".reuse"
    return is_license_folder(last) and any(name.rpartition(".")[1:] in (("", name), (".", end)) for end in _TEXT_ENDS)


def tells_a_repository(name: str, is_folder: bool) -> bool:
    """Whether an entry at its root tells that a folder is a repository: it tells its licence."""
    if is_folder:
        return name in (TEXTS_FOLDER, ".reuse") or is_license_folder(name)
    return name in METADATA or name == REUSE_TOML or is_license_file(name)
