"""The manifest of a source: totals over all its shards, configuration, versions, inputs with checksums, the ledger."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from pipeline.corpus.ledger import Ledger
from pipeline.corpus.shard import MANIFEST, STATS, TIMING, Layout, read_json, write_json
from pipeline.errors import InputError, OutputError
from pipeline.recipe import fingerprint
from pipeline.storage.filesystem import exists, is_remote, join, list_names, read_bytes
from pipeline.storage.listing import match

T = TypeVar("T")

CONFIGURATION = "configuration.json"
OPT_OUT = "opt_out"  # the step behind all others in which documents went that a list of removals means
KINDS_OF_MESSAGES = 3  # for each reason
READERS_REMOTE = 32
READ_AT_ONCE = 256  # small files: of stats, of a shard's measures
PASSES = {"hash": "hashing", "survey": "survey"}  # what ends the name of a timing file of a pass before the last
_VARYING = re.compile(r"\d+|'[^']*'|\S*/\S*")  # numbers, what is quoted, and paths: in what messages of one kind differ
_VERSIONED = (
    "llama-corpus",
    "apache-beam",
    "pyarrow",
    "numpy",
    "fasttext",
    "kenlm",
    "sentencepiece",
    "langdetect",
    "licenseclassifier",
    "lxml",
)
# Other names under which the same library can be installed.
_WHEELS = {"fasttext": ("fasttext-community", "fasttext-wheel"), "kenlm": ("ufal-kenlm",)}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change an output; of a wheel with another name, this, too."""
    return {"python": platform.python_version(), **{package: _version(package) for package in _VERSIONED}}


def _version(package: str) -> str:
    from importlib import metadata  # noqa: PLC0415 - where shards are made

    for name in (package, *_WHEELS.get(package, ())):
        with contextlib.suppress(metadata.PackageNotFoundError):
            return metadata.version(name) + ("" if name == package else f" ({name})")
    return "not installed"


def all_stats(layout: Layout, names: Iterable[str] | None = None) -> Iterator[dict[str, Any]]:
    """The stats of done shards, many of a store read at a time, in order; a few of them are held.

    Args:
        layout: The source's folder.
        names: The shards; all that are done, in the order of their names, where None.
    """
    yield from read_ahead(layout, layout.read_stats, sorted(layout.done()) if names is None else names)


def read_ahead(layout: Layout, read: Callable[[str], T], names: Iterable[str]) -> Iterator[T]:
    """Reads a small file for each name, in order, many of a store at a time; what is read ahead is bounded."""
    left, remote = iter(names), is_remote(layout.root)
    with ThreadPoolExecutor(READERS_REMOTE if remote else 1) as pool:
        while some := list(islice(left, READ_AT_ONCE)):
            yield from pool.map(read, some) if remote else map(read, some)


def build_manifest(all_of_them: Iterable[Mapping[str, Any]], source: str, configuration: Any) -> dict[str, Any]:
    """Adds up the stats of all done shards.

    Args:
        all_of_them: The stats, in the order of the shards' names.
        source: The source's name.
        configuration: What the source's ``describe`` gave.

    Returns:
        The manifest, without times.
    """
    ledger, shards, inputs, outputs, rejects = Ledger(), 0, [], [], []
    messages: dict[str, list[str]] = {}
    lists: dict[str, int] = {}  # of removals, by checksum: how many shards were made, or made again, by them
    surveys: dict[str, Any] = {}  # by scope: what was found there before its documents were judged
    for stats in all_of_them:
        shards += 1
        ledger.add_json(stats["ledger"])
        if "survey" in stats:
            surveys[stats["scope"]["name"]] = stats["survey"]
        for reason, text in stats.get("messages", {}).items():
            _add_kind(messages.setdefault(reason, []), text)
        for sha256 in stats.get("optout", ()):
            lists[sha256] = lists.get(sha256, 0) + 1
        inputs += stats["inputs"]
        outputs += stats["outputs"]
        rejects += [stats["rejects"]] if stats["rejects"] else []
    ledger.pass_through(OPT_OUT)
    return {
        "source": source,
        "configuration": configuration,
        "versions": versions(),
        "shards": shards,
        **({"optout": dict(sorted(lists.items()))} if lists else {}),
        "ledger": ledger.as_json(),
        "messages": dict(sorted(messages.items())),
        **({"surveys": surveys} if surveys else {}),
        "outputs": outputs,
        "rejects": rejects,
        "inputs": inputs,
    }


def _add_kind(texts: list[str], text: str) -> None:
    """Adds a message unless as many kinds are known, or one that differs in numbers and names alone."""
    kinds = {_VARYING.sub("#", known) for known in texts}
    if len(texts) < KINDS_OF_MESSAGES and _VARYING.sub("#", text) not in kinds:
        texts.append(text)


def write_manifest(layout: Layout, source: str, configuration: dict[str, Any], done: Collection[str]) -> dict[str, Any]:
    """Builds the manifest, adds the worker seconds of all shards, writes and returns it.

    Args:
        layout: The source's folder.
        source: Its name.
        configuration: What decides all shards.
        done: The shards that are done.

    Raises:
        OutputError: A shard is of another configuration: another run wrote to the folder at the same time.
    """
    manifest = build_manifest(_of_configuration(layout, configuration, done), source, configuration)
    manifest["timing"] = timing(layout)
    write_json(layout.manifest, manifest)
    return manifest


def _of_configuration(layout: Layout, configuration: dict[str, Any], done: Collection[str]) -> Iterator[dict[str, Any]]:
    """The stats of all shards, each of which must be of the configuration."""
    wanted, names = fingerprint(configuration), sorted(done)
    for name, stats in zip(names, all_stats(layout, names), strict=True):
        if stats.get("shard") != name:
            raise OutputError(f"{layout.stats(name)} is no stats file of this name. Move it away, and run again.")
        if stats.get("configuration", wanted) != wanted:
            raise OutputError(
                f"shard {stats['shard']} in {layout.root} was made by another configuration: another run writes there, "
                "or did. Choose another --output for one of them, and make both anew."
            )
        yield stats


def read_manifest(layout: Layout) -> dict[str, Any] | None:
    """The manifest, or None where there is none; an OutputError where it is damaged."""
    return read_json(layout.manifest) if exists(layout.manifest) else None


def timing(layout: Layout) -> dict[str, Any]:
    """Worker seconds, in all and by step, and the largest worker's memory; the part of a manifest that varies."""
    seconds, peak = 0.0, 0
    steps: dict[str, float] = {}
    names = sorted(list_names(join(layout.root, TIMING), ".json"))
    entries = read_ahead(layout, lambda name: _timing(layout.timing(name)), names)
    for name, entry in zip(names, entries, strict=True):
        if entry is None:
            continue
        seconds += entry["seconds"]
        peak = max(peak, entry["peak_bytes"])
        for step, spent in entry["steps"].items():
            key = f"{step} ({PASSES[suffix]} pass)" if (suffix := name.rpartition(".")[2]) in PASSES else step
            steps[key] = steps.get(key, 0.0) + spent
    return {
        "worker_seconds": round(seconds, 3),
        "steps": {step: round(spent, 3) for step, spent in steps.items()},
        "peak_bytes": peak,
    }


def _timing(path: str) -> dict[str, Any] | None:
    """A timing file; None for a file that is none."""
    try:
        entry = json.loads(read_bytes(path))
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and entry.keys() >= {"seconds", "peak_bytes", "steps"} else None


def run_folders(path: str) -> list[str]:
    """The folders at a path, or right below it, in which a run has left something: those of a corpus's sources."""
    if _is_run(path):
        return [path]
    if is_remote(path):
        try:
            files = match([join(path, "*", MANIFEST)])
        except InputError:
            return []
        return sorted({file.path.rpartition("/")[0] for file in files})
    names = sorted(os.listdir(path)) if os.path.isdir(path) else []
    return [join(path, name) for name in names if not name.startswith(".") and _is_run(join(path, name))]


def _is_run(folder: str) -> bool:
    return exists(join(folder, MANIFEST)) or (exists(join(folder, CONFIGURATION)) and exists(join(folder, STATS)))
