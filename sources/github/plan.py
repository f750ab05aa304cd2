"""What the inputs are, and in which shards they are read: dumps one by one, repositories in groups of some size."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from filters.code.licenses import LicenseGate
from pipeline.corpus.shard import Scope, Shard, plan_shards
from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile, is_remote
from pipeline.storage.listing import Known, match
from sources.github.folders import NAME_MARK, SKIPPED, is_repository, look_at, repository_name, walk
from sources.github.raw_file import FileReader
from sources.github.repository import LicenseFiles, Licenses

SCOPE = "all"
MAX_DEPTH = 4  # folders of folders that are looked into: input/owner/name, the-stack/data/go/*.parquet
NAMES_SHOWN = 3
_KINDS = (
    ("json", re.compile(r".*\.(?:json\.gz|(?:jsonl|ndjson)(?:\.gz)?)", re.I)),
    ("parquet", re.compile(r".*\.parquet", re.I)),
    ("tar", re.compile(r".*\.(?:tar(?:\.gz)?|tgz)", re.I)),
)
_MORE_JSON = re.compile(r".*/?[^/]+\.json|.*/?[^/.]+-?\d{6,}(?:\.gz)?", re.I)  # given by name, or by a glob
_LOOKED_AT = 500  # repositories for which the user is told that it takes a moment


@dataclass
class Found:
    """What is at the inputs.

    Attributes:
        repositories: Folders, with the mark before the repository's name.
        dumps: Files of rows, and tars.
        links: Folders' links that are not followed.
        loose: Files that lie beside repositories, in none.
        avoid: The absolute path of a folder that is passed over.
        known: The dumps by what they are, whatever their names.
    """

    repositories: list[str] = field(default_factory=list)
    dumps: list[InputFile] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    avoid: str | None = None
    known: Known = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The scopes of a run, and sentences for the user about what was found."""

    scopes: list[Scope]
    sentences: list[str]


def kind_of(path: str) -> str | None:
    """What a dump is by its name: ``json``, ``parquet`` or ``tar``; None for a folder, which ends in a slash."""
    if path.endswith("/"):
        return None
    named = next((kind for kind, pattern in _KINDS if pattern.fullmatch(path)), None)
    return named or ("json" if _MORE_JSON.fullmatch(path) else None)


def plan_inputs(patterns: Sequence[str], reader: FileReader, say: Callable[[str], None]) -> Plan:
    """Finds dumps and repositories, and groups them in shards; all of them are one scope.

    Args:
        patterns: Paths of dumps and folders, globs, Beam paths, URLs.
        reader: Knows the recipe, and the folder that is avoided.
        say: Told what takes a while.

    Raises:
        InputError: A pattern matches nothing, or what is no input of this source.
    """
    found = Found(avoid=reader.avoid)
    for pattern in patterns:
        _find(pattern, found)
    folders = _distinct(found.repositories)
    if len(folders) > _LOOKED_AT:
        say(f"looking at {len(folders):,} repositories")
    repositories, licenses = _repositories(folders, reader)
    dumps = plan_shards(found.dumps, SCOPE, 1)[0].shards if found.dumps else ()
    shards = [*dumps, *_group(repositories, reader.recipe.shard_megabytes, {shard.name for shard in dumps})]
    return Plan([Scope(SCOPE, tuple(shards))], list(_sentences(found, folders, licenses, reader.gate)))


def _distinct(repositories: Sequence[str]) -> list[str]:
    """Repositories without those that others are under another name: a link's, or one given twice."""
    found: dict[str, str] = {}
    for place in sorted(set(repositories), key=os.fsencode):
        found.setdefault(os.path.realpath(place), place)
    return list(found.values())


def _find(pattern: str, found: Found) -> None:
    if is_remote(pattern):
        found.dumps += [_dump(file) for file in match([pattern], known=found.known)]
        return
    paths = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True), key=os.fsencode)
    if not paths:
        raise InputError(
            f"--input {pattern!r} matches nothing. Give a dump, a folder of repositories, or a glob in quotes."
        )
    for path in paths:
        if os.path.isdir(path):
            _find_repositories(path, found)
        elif len(paths) > 1 and kind_of(path) is None:
            found.loose.append(path)
        else:
            found.dumps += [_dump(file) for file in match([glob.escape(path)], known=found.known)]
    if not found.repositories and not found.dumps:
        raise InputError(
            f"--input {pattern!r} holds neither repositories nor dumps. Give a folder of checked-out repositories, one "
            "repository, tars of them, or exports (.json.gz, .jsonl, .parquet)."
        )


def _dump(file: InputFile) -> InputFile:
    if kind_of(file.path) is None:
        hint = "; unpack it first, and give its folder" if re.search(r"\.(?:zip|7z|rar|xz|bz2|zst)$", file.path) else ""
        raise InputError(
            f"{file.path} is no input of this source{hint}. It takes folders of repositories, tars of them (.tar, "
            ".tar.gz, .tgz), and exports as JSON lines (.json.gz, .jsonl, .jsonl.gz) or .parquet"
        )
    return file


def _find_repositories(folder: str, found: Found) -> None:
    if is_repository(folder):
        parent, name = os.path.split(os.path.normpath(folder))
        place = f"{parent or '.'}{NAME_MARK}{name}/" if name not in {".", "..", ""} else f"{folder.rstrip('/')}/"
        found.repositories.append(place)
    elif any(os.scandir(folder)) and not _holds_repositories(folder) and not _is_container(folder, MAX_DEPTH):
        found.repositories.append(f"{os.path.normpath(folder)}/")
    else:
        _look_into(folder, "", found, MAX_DEPTH)


def _look_into(root: str, below: str, found: Found, depth: int) -> None:
    """Takes what a folder of folders holds: repositories, folders of repositories, dumps."""
    for entry in sorted(os.scandir(os.path.join(root, below)), key=lambda entry: os.fsencode(entry.name)):
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.name in SKIPPED or os.path.abspath(entry.path) == found.avoid:
            continue
        if entry.is_symlink():
            found.links.append(entry.path)
        elif entry.is_dir(follow_symlinks=False):
            if depth > 1 and not is_repository(entry.path) and _is_container(entry.path, depth - 1):
                _look_into(root, name, found, depth - 1)
            else:
                found.repositories.append(f"{root.rstrip('/')}{NAME_MARK}{name}/")
        elif any(pattern.fullmatch(entry.name) for _, pattern in _KINDS):
            found.dumps.append(InputFile(entry.path, entry.stat(follow_symlinks=False).st_size))
        else:
            found.loose.append(entry.path)


def _is_container(folder: str, depth: int) -> bool:
    """Whether a folder that is no repository holds only dumps, repositories, or folders of them."""
    try:
        entries = [entry for entry in os.scandir(folder) if not (entry.name.startswith(".") or entry.is_symlink())]
    except OSError:
        return False
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    dumps = sum(any(pattern.fullmatch(entry.name) for _, pattern in _KINDS) for entry in entries)
    if len(folders) + dumps < len(entries):
        return False
    return dumps > 0 or any(is_repository(e.path) or (depth > 1 and _is_container(e.path, depth - 1)) for e in folders)


def _holds_repositories(folder: str) -> bool:
    """Whether a folder holds a repository, whatever else lies there."""
    return any(entry.is_dir(follow_symlinks=False) and is_repository(entry.path) for entry in os.scandir(folder))


def _repositories(folders: Sequence[str], reader: FileReader) -> tuple[list[InputFile], list[tuple[str, str | None]]]:
    """The folders as inputs, with the bytes of the files that will be read; and the licence of each."""
    files = LicenseFiles(reader.gate)
    inputs, licenses = [], []
    for folder in folders:
        license = Licenses(look_at(folder, files, reader, deep=False), reader.gate).root
        licenses.append((repository_name(folder), license))
        wanted = (e.size for e in walk(folder, reader.avoid) if e.kind == "file" and reader.wants(license, e.path))
        inputs.append(InputFile(folder, sum(size for size in wanted if size <= reader.max_bytes)))
    return inputs, licenses


def _group(repositories: Sequence[InputFile], megabytes: float, taken: set[str]) -> Iterator[Shard]:
    """Repositories, in the order of their paths, in shards of some size."""
    prefix = "repositories"
    while any(name.startswith(prefix) for name in taken):
        prefix += "_"
    group: list[InputFile] = []
    number = 0
    for file in repositories:
        if group and sum(one.size for one in group) + file.size > megabytes * 1e6:
            yield Shard(f"{prefix}-{number:05d}", tuple(group), SCOPE)
            group, number = [], number + 1
        group.append(file)
    if group:
        yield Shard(f"{prefix}-{number:05d}", tuple(group), SCOPE)


def _sentences(
    found: Found, folders: Sequence[str], licenses: Sequence[tuple[str, str | None]], gate: LicenseGate
) -> Iterator[str]:
    if found.dumps:
        yield _of_dumps([kind_of(dump.path) for dump in found.dumps])
    if folders:
        allowed = Counter(str(name) for _, name in licenses if gate.judge(name).reason is None)
        listed = ", ".join(f"{count:,} {name}" for name, count in allowed.most_common())
        count = f"{len(folders):,} repositor{'y' if len(folders) == 1 else 'ies'}"
        yield f"{count}: {listed or 'none of them with a licence that is allowed'}"
    others: dict[str, list[str]] = {}
    for repo, name in licenses:
        if gate.judge(name).reason is not None:
            others.setdefault(name or "no licence", []).append(repo)
    if others:
        commonest = sorted(others.items(), key=lambda item: (-len(item[1]), item[0]))
        parts = [f"{len(repos):,} {name} ({_some(repos)})" for name, repos in commonest]
        yield f"dropped for their licence: {_some(parts, 8)}"
    if found.links:
        yield f"not followed: {_counted(len(found.links), 'link')} ({_some(found.links)})"
    if found.loose:
        yield f"in no repository, and not read: {_counted(len(found.loose), 'file')} ({_some(found.loose)})"


def _of_dumps(kinds: Sequence[str | None]) -> str:
    tars = kinds.count("tar")
    parts = [f"{_counted(len(kinds) - tars, 'dump')} of rows"] if tars < len(kinds) else []
    if tars:
        parts.append(f"{_counted(tars, 'tar')} (licences in tars are told while they are read)")
    return ", ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _some(names: Sequence[str], shown: int = NAMES_SHOWN) -> str:
    return ", ".join(names[:shown]) + (f", and {len(names) - shown:,} more" if len(names) > shown else "")
