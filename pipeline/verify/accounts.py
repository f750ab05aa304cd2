"""Recomputes a source's accounts from its files, and tells where they differ.

Checked: each shard's ledger adds up, step by step; its files are there, with the checksum, the documents and the
characters that its stats say; the rejects are those that the ledger counts; every shard has the same configuration; the
manifest is the sum of the stats; no Parquet file lies there that no stats file knows; every document has an id of its
own (of more than ``IDS_AT_ONCE``, those of the smallest hashes are compared); the ids by which overlaps are found, and
the records of scopes and of what may be removed, are what was written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.ledger import Ledger, Tally
from pipeline.corpus.manifest import CONFIGURATION, OPT_OUT, READ_AT_ONCE, READERS_REMOTE, build_manifest, read_manifest
from pipeline.corpus.shard import Layout, read_json
from pipeline.corpus.sink import REJECTS, RejectPolicy
from pipeline.engine.overlap import IDS_AT_ONCE, hash_id, holds_any
from pipeline.errors import OutputError
from pipeline.recipe import difference, fingerprint
from pipeline.source import HashingReader
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import exists, is_remote, join, list_tree, open_input, read_bytes
from pipeline.storage.ownership import RECORD

THREADS = 4
FILES_NAMED = 3
DIFFERENCES_SHOWN = 5


@dataclass
class ShardReport:
    """What the verification of one shard found.

    Attributes:
        faults: A sentence for each fault.
        stats: Its stats; None where they cannot be understood.
        identifiers: For each file of documents, its path and the hashes of its ids.
    """

    faults: list[str] = field(default_factory=list)
    stats: dict[str, Any] | None = None
    identifiers: list[tuple[str, npt.NDArray[np.uint64]]] = field(default_factory=list)


def verify(root: str, *, checksums: bool = True, rejects: bool = True) -> tuple[int, list[str]]:
    """Verifies one source's folder.

    Args:
        root: The folder, such as ``corpus/commoncrawl``.
        checksums: Whether every file is read whole; if not, ids and reasons are, but no texts.
        rejects: Whether the rejects must be there; a published corpus may be without.

    Returns:
        The number of documents kept, and a sentence for each fault; no sentence means that all is well.
    """
    layout = Layout(root)
    try:
        manifest = read_manifest(layout)
    except OutputError as error:
        return 0, [str(error)]
    if manifest is None:
        return 0, [f"{layout.manifest} is missing: no run has ended here. Run the source's command to its end."]
    found = _Found()
    passing = found.of_all(_reports(layout, manifest, checksums, rejects))
    built = build_manifest(passing, str(manifest.get("source")), manifest.get("configuration"))
    faults = [*found.faults, *found.identifiers.repeated()]
    faults += _verify_configuration(layout, manifest)
    faults += found.surveys
    faults += _verify_scopes(layout, found.scopes)
    faults += _verify_owner(layout.root)
    faults += _verify_manifest(layout, manifest, built)
    faults += _verify_listing(layout, built)
    return sum(tally["documents"] for tally in built["ledger"]["kept"].values()), faults


def _reports(layout: Layout, manifest: Mapping[str, Any], checksums: bool, rejects: bool) -> Iterator[ShardReport]:
    """The reports of all shards, in order; a few of them are held."""
    left = iter(sorted(layout.done()))
    with ThreadPoolExecutor(READERS_REMOTE if is_remote(layout.root) else THREADS) as pool:
        while some := list(islice(left, READ_AT_ONCE)):
            yield from pool.map(lambda name: _verify_shard(layout, name, manifest, checksums, rejects), some)


class _Identifiers:
    """Hashes of the ids of documents: of more than ``IDS_AT_ONCE``, the smallest of them, about as many or half."""

    def __init__(self) -> None:
        self._held: list[tuple[str, npt.NDArray[np.uint64]]] = []
        self._count, self._halvings = 0, 0

    def add(self, path: str, ids: npt.NDArray[np.uint64]) -> None:
        """Adds those of a file."""
        self._held.append((path, self._smallest(ids)))
        self._count += len(self._held[-1][1])
        while self._count > IDS_AT_ONCE:
            self._halvings += 1
            self._held = [(path, self._smallest(ids)) for path, ids in self._held]
            self._count = sum(len(ids) for _, ids in self._held)

    def _smallest(self, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        return ids[ids >> np.uint64(64 - self._halvings) == 0] if self._halvings else ids

    def repeated(self) -> list[str]:
        """Says how many documents have an id that another one has, and where."""
        return _repeated_ids(self._held, at_least=self._halvings > 0)


class _Found:
    """What is kept of the shards' reports: their stats, of which there can be many thousands, pass by."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.surveys: list[str] = []
        self.scopes: dict[str, list[tuple[str, str]]] = {}  # by name: fingerprint and shard
        self.identifiers = _Identifiers()
        self._judged: dict[str, tuple[str, Any]] = {}  # by scope: its first shard, and the survey by which it was

    def of_all(self, reports: Iterable[ShardReport]) -> Iterator[dict[str, Any]]:
        """Takes in all reports; gives the stats that can be understood."""
        for report in reports:
            self.faults += report.faults
            for path, ids in report.identifiers:
                self.identifiers.add(path, ids)
            if report.stats:
                self._take(report.stats)
                yield report.stats

    def _take(self, stats: Mapping[str, Any]) -> None:
        """All shards of a scope must have been judged by the same survey."""
        scope, name, survey = stats["scope"], str(stats.get("shard")), stats.get("survey")
        self.scopes.setdefault(str(scope["name"]), []).append((scope["fingerprint"], name))
        shard, expected = self._judged.setdefault(str(scope), (name, survey))
        if survey != expected:
            self.surveys.append(f"shards {shard} and {name} of one scope were judged by different surveys")


def _verify_configuration(layout: Layout, manifest: Mapping[str, Any]) -> list[str]:
    """The configuration that a later run is held to must be the one that the manifest names."""
    path = join(layout.root, CONFIGURATION)
    if not exists(path):
        return [f"{path} is missing"]
    try:
        changes = difference(manifest["configuration"], read_json(path))
    except OutputError as error:
        return [str(error)]
    return [f"{path} is not the manifest's configuration: {line}" for line in changes[:5]]


def _verify_scopes(layout: Layout, scopes: Mapping[str, Sequence[tuple[str, str]]]) -> Iterator[str]:
    """The record of each scope must be that of its shards: by it a later run tells what it may add."""
    for name, shards in scopes.items():
        path = layout.scope(name)
        try:
            record = read_json(path) if exists(path) else {}
        except OutputError as error:
            record = {}
            yield str(error)
        recorded = set(record.get("shards", ()))
        for fingerprint_, shard in shards:
            if record.get("fingerprint") != fingerprint_ or shard not in recorded:
                yield f"{path} is missing, or is not the record of the scope of shard {shard}"


def _verify_owner(root: str) -> Iterator[str]:
    """The record of what the command may remove must be readable."""
    path = join(root, RECORD)
    if not exists(path):
        return
    try:
        list(json.loads(read_bytes(path))["names"])
    except (ValueError, TypeError, KeyError) as error:
        yield f"{path} is damaged: {error!r}. No run will write here any more: make the source anew in a new --output"


def _verify_shard(
    layout: Layout, name: str, manifest: Mapping[str, Any], checksums: bool, rejects: bool
) -> ShardReport:
    report = ShardReport()
    try:
        stats = layout.read_stats(name)
        _verify_stats(layout, name, stats, manifest, checksums, report)
        if rejects:
            report.faults += _verify_shards_rejects(layout, name, stats, manifest, checksums)
        report.stats = stats
    except OutputError as error:
        report.faults.append(str(error))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        report.faults.append(f"{layout.stats(name)} is damaged: {error!r}")
    return report


def _verify_stats(
    layout: Layout,
    name: str,
    stats: Mapping[str, Any],
    manifest: Mapping[str, Any],
    checksums: bool,
    report: ShardReport,
) -> None:
    ledger = Ledger()
    ledger.add_json(stats["ledger"])
    where = layout.stats(name)
    report.faults += [f"{where}: {fault}" for fault in ledger.check()]
    if stats["configuration"] != fingerprint(manifest.get("configuration")):
        report.faults.append(f"{where}: it was made by another configuration than the manifest's")
    report.faults += [f"{where}: {fault}" for fault in _verify_inputs(ledger, stats["inputs"])]
    if (expected := stats.get("ids_sha256")) and _sha256(layout.ids(name)) != expected:
        report.faults.append(f"{layout.ids(name)} is missing, or has changed: its sha256 is not that of the stats")
    for entry in stats["outputs"]:
        found, ids, _ = _verify_file(layout, entry, checksums)
        report.faults += found
        report.identifiers.append((entry["path"], ids))
        subset = entry["path"].split("/")[0]
        kept = ledger.kept.get(subset, Tally())
        if (entry["documents"], entry["characters"]) != (kept.documents, kept.characters):
            report.faults.append(f"{where}: {entry['path']} and the ledger's {subset} differ")


def _verify_shards_rejects(
    layout: Layout, name: str, stats: Mapping[str, Any], manifest: Mapping[str, Any], checksums: bool
) -> list[str]:
    ledger = Ledger()
    ledger.add_json(stats["ledger"])
    reasons = Counter[tuple[str, str]]()
    if stats["rejects"]:
        found, _, reasons = _verify_file(layout, stats["rejects"], checksums)
        if found:
            return found
    return [f"{layout.stats(name)}: {fault}" for fault in _verify_rejects(ledger, reasons, manifest)]


def _verify_inputs(ledger: Ledger, inputs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The records of the files, where they are counted by file, must be those that the read step counts."""
    read = ledger.step(READ_STEP)
    failed = sum(tally.documents for tally in read.failed.values())
    for key, count in (("records", read.entered.documents), ("failed", failed)):
        found = sum(entry.get(key, 0) for entry in inputs)
        if found != count and all(key in entry for entry in inputs):
            yield f"its inputs have {found} {key}, the read step has {count}"


def _verify_file(
    layout: Layout, entry: dict[str, Any], checksums: bool
) -> tuple[list[str], npt.NDArray[np.uint64], Counter[tuple[str, str]]]:
    """Counts a file's rows and characters, and its reasons; hashes its bytes and its ids."""
    path = join(layout.root, *entry["path"].split("/"))
    nothing: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
    if not exists(path):
        return [f"{path} is missing"], nothing, Counter()
    if checksums:
        sum_ = _sha256(path)
        if sum_ != entry["sha256"]:
            return [f"{path} has changed: its sha256 is {sum_}, the stats say {entry['sha256']}"], nothing, Counter()
    try:
        with open_input(path) as handle:
            rows, characters, ids, reasons = _count(pq.ParquetFile(handle), texts=checksums)
    except (pa.ArrowException, KeyError, OSError) as error:
        return [f"{path} cannot be read: {error}"], nothing, Counter()
    if rows != entry["documents"] or (checksums and characters != entry["characters"]):
        counted = f"{rows} documents of {characters} characters"
        return [f"{path} holds {counted}, the stats say {entry['documents']} of {entry['characters']}"], ids, reasons
    return [], ids, reasons


def _sha256(path: str) -> str | None:
    """The SHA-256 of a file, in hex; None where there is none."""
    if not exists(path):
        return None
    with open_input(path) as handle:
        return str(HashingReader(handle).finish()["sha256"])


def _characters(texts: pa.Array) -> int:
    import pyarrow.compute as pc  # noqa: PLC0415 - --quick does without

    return pc.sum(pc.utf8_length(texts)).as_py() or 0


def _count(file: pq.ParquetFile, *, texts: bool) -> tuple[int, int, npt.NDArray[np.uint64], Counter[tuple[str, str]]]:
    rows, characters, hashes = 0, 0, []
    reasons: Counter[tuple[str, str]] = Counter()
    rejects = "reason" in file.schema_arrow.names
    columns = ["id", *(["text"] if texts else []), *(["step", "reason"] if rejects else [])]
    for batch in file.iter_batches(batch_size=1024, columns=columns):
        rows += batch.num_rows
        hashes.append(np.fromiter(map(hash_id, batch.column("id").to_pylist()), np.uint64, batch.num_rows))
        if texts:
            characters += _characters(batch.column("text"))
        if rejects:
            reasons.update(zip(batch.column("step").to_pylist(), batch.column("reason").to_pylist(), strict=True))
    return rows, characters, np.concatenate(hashes) if hashes else np.empty(0, np.uint64), reasons


def _verify_rejects(ledger: Ledger, found: Counter[tuple[str, str]], manifest: Mapping[str, Any]) -> Iterator[str]:
    policy = RejectPolicy(**manifest["configuration"].get("recipe", {}).get("rejects", {}))
    for step, account in ledger.steps.items():
        for reason, tally in (*account.dropped.items(), *account.failed.items()):
            kept = found.pop((step, reason), 0)
            there = 0 if (step, reason) == (OPT_OUT, OPT_OUT) else tally.documents  # of the former none is kept
            if kept > there or (policy.keep == "all" and kept != there):
                yield f"{kept} rejects of step {step} for {reason}, the ledger says {there}"
    for (step, reason), count in found.items():
        yield f"{count} rejects of step {step} for {reason}, which the ledger does not know"


def _repeated_ids(identifiers: Sequence[tuple[str, npt.NDArray[np.uint64]]], *, at_least: bool) -> list[str]:
    if not identifiers:
        return []
    hashes = np.sort(np.concatenate([ids for _, ids in identifiers]))
    repeated = hashes[1:][hashes[1:] == hashes[:-1]]
    if not len(repeated):
        return []
    known = np.unique(repeated)
    holders = [path for path, ids in identifiers if holds_any(ids, known)]
    more = f" and {len(holders) - FILES_NAMED} more" if len(holders) > FILES_NAMED else ""
    number = "1 document has" if len(repeated) == 1 else f"{len(repeated):,} documents have"
    number = f"at least {number}" if at_least else number
    return [f"{number} the id of another one, in {', '.join(holders[:FILES_NAMED])}{more}"]


def _verify_manifest(layout: Layout, manifest: Mapping[str, Any], built: dict[str, Any]) -> list[str]:
    """The manifest must be the one that the stats give."""
    try:
        expected = {**built, "versions": manifest["versions"]}
        lines = difference(_by_name({key: manifest[key] for key in expected}), _by_name(expected))
    except (KeyError, TypeError, AttributeError) as error:
        return [f"{layout.manifest} is damaged: {error!r}"]
    return [f"{layout.manifest} is not the sum of the stats: {line}" for line in lines[:DIFFERENCES_SHOWN]]


def _by_name(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with its lists as mappings, so that a difference names the file or the step."""
    ledger = manifest["ledger"]
    return {
        **manifest,
        **{key: {_place(entry): entry for entry in manifest[key]} for key in ("inputs", "outputs", "rejects")},
        "ledger": {**ledger, "steps": {entry["step"]: entry for entry in ledger["steps"]}},
    }


def _place(entry: Mapping[str, Any]) -> str:
    """The path of a file, with the place of its part where it is one."""
    return f"{entry['path']}[{entry['start']}:{entry['end']}]" if "start" in entry else str(entry["path"])


def _may_hold_documents(path: str) -> bool:
    """Whether a file lies where shards and rejects do: reports lie in the folder itself, or in a folder ``_...``."""
    folder, slash, _ = path.partition("/")
    return bool(slash) and (folder == REJECTS or not folder.startswith("_"))


def _verify_listing(layout: Layout, built: Mapping[str, Any]) -> list[str]:
    known = {entry["path"] for entry in (*built["outputs"], *built["rejects"])}
    there = {path for path in list_tree(layout.root, ".parquet") if _may_hold_documents(path)}
    return [f"{join(layout.root, path)} belongs to no finished shard" for path in sorted(there - known)]
