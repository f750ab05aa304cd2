"""``python -m pipeline.verify DIR``: recomputes a source's accounts from its files, and fails where they differ.

Checked: each shard's ledger adds up, step by step; its files are there, with the checksum, the documents and the
characters that its stats say; the rejects are those that the ledger counts; every shard has the same configuration; the
manifest is the sum of the stats; no file lies there that no stats file knows; every document has an id of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

from pipeline.filesystem import exists, is_remote, join, list_names, open_input
from pipeline.ledger import Ledger
from pipeline.manifest import all_stats, build_manifest, read_manifest
from pipeline.recipe import difference, fingerprint
from pipeline.shard import Layout
from pipeline.sink import REJECTS, RejectPolicy
from pipeline.source import HashingReader

THREADS = 4


def verify(root: str, *, checksums: bool = True) -> tuple[int, list[str]]:
    """Verifies one source's folder.

    Args:
        root: The folder, such as ``corpus/commoncrawl``.
        checksums: Whether every file is read whole; if not, the Parquet footers alone are.

    Returns:
        The number of documents kept, and a sentence for each fault; no sentence means that all is well.
    """
    layout = Layout(root)
    manifest = read_manifest(layout)
    if manifest is None:
        return 0, [f"{layout.manifest} is missing: no run has ended here. Run the source's command to its end."]
    faults: list[str] = []
    stats = list(all_stats(layout))
    expected = fingerprint(manifest["configuration"])
    identifiers: list[npt.NDArray[np.uint64]] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for found, ids in pool.map(lambda entry: _verify_shard(layout, entry, expected, manifest, checksums), stats):
            faults += found
            identifiers += ids
    faults += _repeated_ids(identifiers)
    faults += _verify_manifest(layout, manifest)
    faults += _verify_listing(layout, stats)
    return sum(tally["documents"] for tally in manifest["ledger"]["kept"].values()), faults


def _verify_shard(
    layout: Layout, stats: dict[str, Any], configuration: str, manifest: dict[str, Any], checksums: bool
) -> tuple[list[str], list[npt.NDArray[np.uint64]]]:
    name = stats["shard"]
    ledger = Ledger()
    ledger.add_json(stats["ledger"])
    faults = [f"shard {name}: {fault}" for fault in ledger.check()]
    if stats["configuration"] != configuration:
        faults.append(f"shard {name} was made by another configuration than the manifest's")
    identifiers = []
    for entry in [*stats["outputs"], *([stats["rejects"]] if stats["rejects"] else [])]:
        found, ids, reasons = _verify_file(layout, entry, checksums)
        faults += found
        if entry is stats["rejects"]:
            faults += _verify_rejects(name, ledger, reasons, manifest)
        else:
            identifiers.append(ids)
            subset = entry["path"].split("/")[0]
            kept = ledger.kept[subset]
            if (entry["documents"], entry["characters"]) != (kept.documents, kept.characters):
                faults.append(f"shard {name}: {entry['path']} and the ledger's {subset} differ")
    if stats["rejects"] is None:
        faults += _verify_rejects(name, ledger, Counter(), manifest)
    return faults, identifiers


def _verify_file(
    layout: Layout, entry: dict[str, Any], checksums: bool
) -> tuple[list[str], npt.NDArray[np.uint64], Counter[tuple[str, str]]]:
    """Counts a file's rows and characters, and its reasons; hashes its bytes and its ids."""
    path = join(layout.root, *entry["path"].split("/"))
    nothing: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
    if not exists(path):
        return [f"{path} is missing"], nothing, Counter()
    if checksums:
        with open_input(path) as handle:
            sum_ = HashingReader(handle).finish()["sha256"]
        if sum_ != entry["sha256"]:
            return [f"{path} has changed: its sha256 is {sum_}, the stats say {entry['sha256']}"], nothing, Counter()
    try:
        with open_input(path) as handle:
            rows, characters, ids, reasons = _count(pq.ParquetFile(handle), texts=checksums)
    except (pa.ArrowInvalid, OSError) as error:
        return [f"{path} cannot be read: {error}"], nothing, Counter()
    if rows != entry["documents"] or (checksums and characters != entry["characters"]):
        counted = f"{rows} documents of {characters} characters"
        return [f"{path} holds {counted}, the stats say {entry['documents']} of {entry['characters']}"], ids, reasons
    return [], ids, reasons


def _count(file: pq.ParquetFile, *, texts: bool) -> tuple[int, int, npt.NDArray[np.uint64], Counter[tuple[str, str]]]:
    rows, characters, hashes = 0, 0, []
    reasons: Counter[tuple[str, str]] = Counter()
    rejects = "reason" in file.schema_arrow.names
    columns = ["id", *(["text"] if texts else []), *(["step", "reason"] if rejects else [])]
    for batch in file.iter_batches(batch_size=1024, columns=columns):
        rows += batch.num_rows
        hashes.append(np.fromiter(map(hash_id, batch.column("id").to_pylist()), np.uint64, batch.num_rows))
        if texts:
            characters += pc.sum(pc.utf8_length(batch.column("text"))).as_py() or 0
        if rejects:
            reasons.update(zip(batch.column("step").to_pylist(), batch.column("reason").to_pylist(), strict=True))
    return rows, characters, np.concatenate(hashes) if hashes else np.empty(0, np.uint64), reasons


def hash_id(identifier: str) -> int:
    """A 64-bit hash of a document's id, to find repeated ones in bounded memory."""
    return xxhash.xxh3_64_intdigest(identifier.encode())


def _verify_rejects(
    name: str, ledger: Ledger, found: Counter[tuple[str, str]], manifest: dict[str, Any]
) -> Iterator[str]:
    policy = RejectPolicy(**manifest["configuration"].get("recipe", {}).get("rejects", {}))
    for step, account in ledger.steps.items():
        for reason, tally in (*account.dropped.items(), *account.failed.items()):
            kept = found.pop((step, reason), 0)
            if kept > tally.documents or (policy.keep == "all" and kept != tally.documents):
                yield f"shard {name}: {kept} rejects of step {step} for {reason}, the ledger says {tally.documents}"
    for (step, reason), count in found.items():
        yield f"shard {name}: {count} rejects of step {step} for {reason}, which the ledger does not know"


def _repeated_ids(identifiers: Sequence[npt.NDArray[np.uint64]]) -> list[str]:
    hashes = np.sort(np.concatenate(identifiers)) if identifiers else np.empty(0, np.uint64)
    repeated = int(np.count_nonzero(hashes[1:] == hashes[:-1]))
    return [f"{repeated} documents have the id of another one"] if repeated else []


def _verify_manifest(layout: Layout, manifest: dict[str, Any]) -> list[str]:
    built = build_manifest(layout, manifest["source"], manifest["configuration"])
    stored = {key: manifest[key] for key in built}
    built["versions"] = stored["versions"]
    return [f"the manifest is not the sum of the stats: {line}" for line in difference(stored, built)[:5]]


def _verify_listing(layout: Layout, stats: Sequence[dict[str, Any]]) -> list[str]:
    known = {entry["path"] for s in stats for entry in [*s["outputs"], *([s["rejects"]] if s["rejects"] else [])]}
    subsets = {path.split("/")[0] for path in known} | {REJECTS}
    there = {
        f"{subset}/{name}.parquet" for subset in subsets for name in list_names(join(layout.root, subset), ".parquet")
    }
    return [f"{path} belongs to no finished shard" for path in sorted(there - known)]


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.verify",
        description="Recomputes the accounts of a corpus from its files; exits with 1 where anything differs.",
        allow_abbrev=False,
    )
    parser.add_argument("folders", nargs="+", metavar="DIR", help="a source's folder, such as corpus/commoncrawl")
    parser.add_argument("--quick", action="store_true", help="do not read the texts: no checksums, no characters")
    args, flags = parser.parse_known_args(arguments)
    FileSystems.set_options(PipelineOptions(flags))
    console = Console(highlight=False, soft_wrap=True)
    failed = False
    for folder in args.folders:
        documents, faults = verify(folder if is_remote(folder) else folder.rstrip("/"), checksums=not args.quick)
        failed |= bool(faults)
        for fault in faults:
            console.print(f"{folder}: {fault}", style="red", markup=False)
        if not faults:
            console.print(f"{folder}: all accounts add up, {documents:,} documents kept", style="green", markup=False)
    sys.exit(1 if failed else 0)
