"""Shards and scopes: the units of work, of output, of resume, and of dedup; and where each keeps its files.

A shard is a short list of consecutive input files, or of parts of one. A scope is the set of shards that are
deduplicated together. Both follow from the sorted input list and the recipe alone, so every run of a command plans the
same.

Layout of a source's folder::

    <subset>/<shard>.parquet      the documents
    _rejects/<shard>.parquet      what was dropped or failed, with step and reason
    _stats/<shard>.json           the shard's accounts; written last, so its presence marks the shard done
    _timing/<shard>.json          seconds and memory of each step: the one file that differs from run to run
    _ids/<shard>.npy              hashes of ids, sorted: of all records, or of what is kept (see engine.overlap)
    _seen/<scope>.blocks          hashes of the units of a scope that others may join (see engine.growth)
    _scopes/<scope>.json          which shards the scope holds; beside it <scope>.redo, where it must be made again
    _work/<scope>/...             hashes, decisions, measures of a scope under way; removed when the scope is done
    manifest.json                 totals, configuration, versions, inputs, ledger
    .parts/<i>-of-<n>.part        part i of n was here; locked while it is at work; removed when all is done
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import InputError, OutputError
from pipeline.recipe import fingerprint
from pipeline.storage.filesystem import InputFile, join, list_names, read_bytes, write_bytes

STATS = "_stats"
TIMING = "_timing"
WORK = "_work"
READINGS = "readings"
PARTS = ".parts"
PART = ".part"
SCOPES = "_scopes"
IDS = "_ids"
SEEN = "_seen"
BLOCKS = ".blocks"
REDO = ".redo"
MANIFEST = "manifest.json"
UNKNOWN_BYTES = 256 << 20  # taken for the size of a file that tells none before it is fetched: twice a WET file
MAX_NAME = 150  # characters; file systems allow 255 bytes, from which the suffixes go
_SUFFIXES = re.compile(r"\.(gz|bz2|xz|zst|7z|tar|warc|wet|wat|json|jsonl|ndjson|xml|parquet|txt)$", re.I)
_CRAWL = re.compile(r"CC-MAIN-\d{4}-\d{2}(?!\d)")


@dataclass(frozen=True, slots=True)
class Shard:
    """The unit of work: consecutive input files, and the scope that they are deduplicated in."""

    name: str
    inputs: tuple[InputFile, ...]
    scope: str

    @property
    def size(self) -> int:
        """Bytes of raw input; files of unknown size count as ``UNKNOWN_BYTES``."""
        return sum(UNKNOWN_BYTES if file.size < 0 else file.size for file in self.inputs)


@dataclass(frozen=True, slots=True)
class Scope:
    """The shards that are deduplicated together, in the order that breaks ties.

    Attributes:
        name: Names it among those of its source.
        shards: The shards.
        after: The scopes that it is deduplicated against, where it may join others, or others it; else None.
        after_bytes: Their raw size.
    """

    name: str
    shards: tuple[Shard, ...]
    after: tuple[str, ...] | None = None
    after_bytes: int = 0

    @property
    def fingerprint(self) -> str:
        """Identifies the scope's inputs: it changes with any of their names, sizes, or places in their files.

        The folder that they lie in does not count: a corpus goes on where its inputs were moved, or mounted elsewhere.
        """
        inputs = [[s.name, [[_name(f.path), f.size, *f.place] for f in s.inputs]] for s in self.shards]
        return fingerprint({"inputs": inputs, "after": self.after} if self.after else inputs)

    @property
    def size(self) -> int:
        """Bytes of raw input."""
        return sum(shard.size for shard in self.shards)


def plan_shards(inputs: Sequence[InputFile], scope: str, scope_files: int) -> list[Scope]:
    """Plans one shard for each file, or part of a file, and groups the shards in scopes.

    Args:
        inputs: The input files or parts of files; their order does not matter.
        scope: ``files`` (runs of ``scope_files`` shards, each named after its first), ``crawl`` (by the crawl's name in
            the path) or ``all``.
        scope_files: Shards in a scope of kind ``files``.

    Raises:
        InputError: The crawl of a file cannot be told from its path.
    """
    inputs, first = sorted(set(inputs)), ""
    taken: set[str] = set()
    parts: Counter[str] = Counter()
    scopes: dict[str, list[Shard]] = {}
    for number, file in enumerate(inputs):
        name = _shard_name(file, parts[file.path], taken)
        parts[file.path] += 1
        if scope == "files" and number % scope_files == 0:
            first = name
        group = first if scope == "files" else _scope_name(file.path, scope)
        scopes.setdefault(group, []).append(Shard(name, (file,), group))
    return [Scope(name, tuple(members)) for name, members in scopes.items()]


def _shard_name(file: InputFile, part: int, taken: set[str]) -> str:
    """The file's name without its suffixes, the part's number, and a hash of its folders' names where that is taken.

    The first keeps the plain name, so that files that join in a later run do not change it. Of the folders no more are
    hashed than tell the file from others, so that files keep their shards' names where all of them are moved. Names
    differ in more than case, for file systems that do not tell it.
    """
    plain = _stem(file.path)[:MAX_NAME] + (f"-{part:05d}" if file.is_part else "")
    names = file.path.rstrip("/").split("/")
    name, above = plain, 1
    while name.lower() in taken and above <= len(names):
        above += 1
        tail = "/".join(names[-above:])
        name = f"{plain}-{hashlib.sha256(tail.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    taken.add(name.lower())
    return name


def _name(path: str) -> str:
    """What a path ends in: the name of a file or, where a folder is the input, of a folder."""
    return path.rstrip("/").rpartition("/")[2]


def _stem(path: str) -> str:
    name = os.path.basename(path.rstrip("/"))
    while (shorter := _SUFFIXES.sub("", name)) != name and shorter:
        name = shorter
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip("._") or "shard"


def _scope_name(path: str, scope: str) -> str:
    if scope == "all":
        return "all"
    found = _CRAWL.search(path)
    if not found:
        raise InputError(f"dedup.scope=crawl needs the crawl's name (CC-MAIN-YYYY-WW) in each path; {path} has none")
    return found[0]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one source's files lie below ``<output>/<source>``."""

    root: str

    def stats(self, shard: str) -> str:
        """The stats file of a shard."""
        return join(self.root, STATS, f"{shard}.json")

    def timing(self, shard: str) -> str:
        """The timing file of a shard."""
        return join(self.root, TIMING, f"{shard}.json")

    def hashes(self, scope: str, position: int) -> str:
        """The distinct unit hashes of the shard at a position of its scope, by dedup band."""
        return join(self.root, WORK, scope, "hashes", f"{position:06d}.blocks")

    def group(self, scope: str, group: int) -> str:
        """The distinct unit hashes of a group of shards, by dedup partition."""
        return join(self.root, WORK, scope, "groups", f"{group:06d}.blocks")

    def units(self, scope: str, shard: str) -> str:
        """For each unit of a shard, in reading order, which hash it has and whether it may stay."""
        return join(self.root, WORK, scope, "units", f"{shard}.arrow")

    def hashed_inputs(self, scope: str, shard: str) -> str:
        """Sizes and checksums of a shard's raw files when they were hashed."""
        return join(self.root, WORK, scope, "inputs", f"{shard}.json")

    def reading(self, scope: str, shard: str) -> str:
        """What a pass read of a shard's raw files, for the next."""
        return join(self.root, WORK, scope, READINGS, f"{shard}.pickle")

    def decisions(self, scope: str, number: int) -> str:
        """For each group of shards of a scope, what was decided in one range of partitions."""
        return join(self.root, WORK, scope, "decisions", f"{number:06d}.blocks")

    def drops(self, scope: str, shard: str) -> str:
        """Which of the distinct hashes of a shard are dropped."""
        return join(self.root, WORK, scope, "drops", f"{shard}.arrow")

    def seen_parts(self, scope: str) -> str:
        """The folder with the hashes that are new in each partition of a scope that others may join."""
        return join(self.root, WORK, scope, "seen")

    def seen(self, scope: str) -> str:
        """The hashes of the units of a scope that others may join, but for those that scopes before it have."""
        return join(self.root, SEEN, f"{scope}{BLOCKS}")

    def measured(self, scope: str, shard: str) -> str:
        """What a survey measured of each document of a shard."""
        return join(self.root, WORK, scope, "measured", f"{shard}.arrow")

    def settled(self, scope: str) -> str:
        """What a survey found in a scope."""
        return join(self.root, WORK, scope, "settled.json")

    def ids(self, shard: str) -> str:
        """The hashes of the ids of a shard's records."""
        return join(self.root, IDS, f"{shard}.npy")

    def part(self, number: int, count: int) -> str:
        """The mark of one of the parts that make the source together."""
        return join(self.root, PARTS, f"{number}-of-{count}{PART}")

    def parts(self) -> list[tuple[int, int]]:
        """The parts of which there are marks, each with the number of parts."""
        found = (name.split("-of-") for name in list_names(join(self.root, PARTS), PART))
        return sorted((int(pair[0]), int(pair[1])) for pair in found if len(pair) == 2 and "".join(pair).isdecimal())

    @property
    def work(self) -> str:
        """The folder of scopes under way."""
        return join(self.root, WORK)

    def scope(self, scope: str) -> str:
        """The record of what a scope holds."""
        return join(self.root, SCOPES, f"{scope}.json")

    def redo(self, scope: str) -> str:
        """The mark that a scope must be made again, all of it."""
        return join(self.root, SCOPES, f"{scope}{REDO}")

    @property
    def manifest(self) -> str:
        """The manifest."""
        return join(self.root, MANIFEST)

    def done(self) -> set[str]:
        """Names of the shards whose stats are there."""
        return list_names(join(self.root, STATS), ".json")

    def read_stats(self, shard: str) -> dict[str, Any]:
        """Reads a shard's stats."""
        return read_json(self.stats(shard))


def write_json(path: str, value: Any) -> None:
    """Writes readable JSON with its keys in the order given, atomically; escapes it where UTF-8 cannot hold it."""
    write_bytes(path, as_json(value))


def as_json(value: Any) -> bytes:
    """What ``write_json`` writes."""
    try:
        data = json.dumps(value, indent=1, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # the path of an input that is no UTF-8
        data = json.dumps(value, indent=1).encode()
    return data + b"\n"


def read_json(path: str) -> dict[str, Any]:
    """Reads a mapping that ``write_json`` wrote.

    Raises:
        OutputError: It is none any more.
    """
    try:
        return dict(json.loads(read_bytes(path)))
    except (ValueError, TypeError) as error:
        raise OutputError(
            f"{path} is damaged: {error}. Remove it and run the source's command again, which makes what it stood for."
        ) from error


def shards_of(scopes: Iterable[Scope]) -> list[Shard]:
    """All shards of the scopes."""
    return [shard for scope in scopes for shard in scope.shards]
