"""Opt-out over many shards: the pass over ids and addresses, what taking out costs, and the look through token shards.

    python -m benchmarks.optout
    python -m benchmarks.optout --shards 10000 --documents 500 --lines 10000

It makes a corpus of small shards, in which one document of every hundredth shard is listed, and a token shard of the
usual size. Figures are CPU seconds of one process, its threads included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.result import RESULTS, result_file, write_result
from pipeline.corpus.document import document_schema
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.manifest import CONFIGURATION, all_stats, build_manifest
from pipeline.corpus.shard import Layout, as_json
from pipeline.corpus.sink import DICTIONARY_COLUMNS
from pipeline.mix.blocks import TokenFile
from pipeline.mix.rows import ShardFolder
from pipeline.mix.shards import shard_schema
from pipeline.optout.corpus import find, take_out
from pipeline.optout.sets import look_through
from pipeline.removals.matching import load_removals
from pipeline.source import HashingReader
from sources.commoncrawl.source import META

SOURCE = "commoncrawl"
HOSTS = 100_000
EVERY = 100  # of so many shards one has a listed document
TEXT = "These are the words of a page, and there are some of them. " * 40
ROWS, SEQ_LEN, PIECES = 65_536, 2048, 4  # of the token shard; documents in a row


def make(root: Path, shards: int, documents: int) -> None:
    """Makes the corpus."""
    layout, configuration = Layout(str(root / SOURCE)), {"recipe": {}}
    for folder in ("head", "_stats", "_ids"):
        Path(layout.root, folder).mkdir(parents=True)
    schema = document_schema(META)
    rng = np.random.default_rng(0)
    for shard in range(shards):
        name, hosts = f"shard-{shard:06d}", rng.integers(0, HOSTS, documents).tolist()
        urls = [f"https://www.host-{host}.example/{shard}/page-{n}.html" for n, host in enumerate(hosts)]
        values: dict[str, list[Any]] = {field.name: [None] * documents for field in schema}
        values |= {"url": urls, "text": [TEXT] * documents, "source": [SOURCE] * documents}
        values["id"] = [f"urn:uuid:00000000-0000-0000-{shard:012d}-{n:06d}" for n in range(documents)]
        values["origin"] = [{"file": "raw", "offset": n} for n in range(documents)]
        values["meta"] = [{"title": "a page", "line_numbers": [0]}] * documents
        path = Path(layout.root, "head", f"{name}.parquet")
        table = pa.table([pa.array(values[field.name], field.type) for field in schema], schema)
        pq.write_table(table, path, compression="zstd", use_dictionary=DICTIONARY_COLUMNS, write_statistics=False)
        with path.open("rb") as handle:
            entry = {"path": f"head/{path.name}", "documents": documents, "characters": documents * len(TEXT)}
            entry |= HashingReader(handle).finish()
        ledger = Ledger()
        ledger.step("read").entered.add(documents, documents * len(TEXT))
        ledger.step("read").left.add(documents, documents * len(TEXT))
        ledger.kept["head"] = ledger.step("read").left
        scope = {"name": "all", "fingerprint": ""}
        stats = {"shard": name, "scope": scope, "inputs": [], "ledger": ledger.as_json(), "messages": {}}
        Path(layout.stats(name)).write_bytes(as_json({**stats, "outputs": [entry], "rejects": None}))
    Path(layout.root, CONFIGURATION).write_bytes(as_json(configuration))
    manifest = build_manifest(all_stats(layout), SOURCE, configuration)
    Path(layout.manifest).write_bytes(as_json(manifest))


def write_list(path: Path, shards: int, lines: int) -> None:
    """A list of addresses and domains, of which few mean anything."""
    meant = [f"id\turn:uuid:00000000-0000-0000-{shard:012d}-000007" for shard in range(0, shards, EVERY)]
    others = [f"url\thttps://www.host-{n}.example/nothing/{n}" for n in range(lines // 2)]
    domains = [f"domain\tnobody-{n}.example" for n in range(lines - lines // 2)]
    path.write_text("\n".join([*meant, *others, *domains]) + "\n")


def token_shard(root: Path) -> ShardFolder:
    """A token shard of the usual size, of documents of its own."""
    root.mkdir()
    schema = shard_schema("uint16", SEQ_LEN, {})
    with pa.ipc.new_stream(str(root / "data.arrow"), schema) as writer:
        for first in range(0, ROWS, 1024):
            count = 1024 * PIECES
            offsets = pa.array(np.arange(0, count + 1, PIECES, dtype=np.int32))
            starts = np.tile(np.arange(PIECES) * (SEQ_LEN // PIECES), 1024).astype(np.uint16)
            numbers = np.arange(first * PIECES, first * PIECES + count, dtype=np.uint64)
            ids = pa.array(np.zeros(1024 * (SEQ_LEN + 1), np.uint16))
            columns = [
                pa.FixedSizeListArray.from_arrays(ids, SEQ_LEN + 1),
                pa.ListArray.from_arrays(offsets, starts),
                pa.ListArray.from_arrays(offsets, np.zeros(count, np.uint8)),
                pa.ListArray.from_arrays(offsets, numbers),
                pa.ListArray.from_arrays(offsets, np.zeros(count, np.uint32)),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
    manifest = {"kind": "train", "shards": [{"file": "data.arrow"}]}
    return ShardFolder(str(root), manifest, [TokenFile(0, "x", 0, ROWS * PIECES, 0, "", "")], "")


def cpu_seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a call, and what it gave."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    found = call()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--documents", type=int, default=500, help="in a shard")
    parser.add_argument("--lines", type=int, default=10_000, help="of the list that mean nothing here")
    parser.add_argument("--result", type=result_file, default=RESULTS / "optout.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make(root, args.shards, args.documents)
        write_list(root / "removals.tsv", args.shards, args.lines)
        reading, removals = cpu_seconds(lambda: load_removals(str(root / "removals.tsv")))
        looking, found = cpu_seconds(lambda: find(str(root / SOURCE), removals))
        assert found.documents == -(-args.shards // EVERY)
        taking, _ = cpu_seconds(lambda: take_out(found, removals, "2026-03-31"))
        folder = token_shard(root / "shards")
        through, _ = cpu_seconds(lambda: look_through(folder, np.arange(0, ROWS * PIECES, 1000)))
    measured = {
        "shards": args.shards,
        "documents": args.shards * args.documents,
        "lines": len(removals.listed.removals),
        "read_the_list_seconds": round(reading, 2),
        "look_seconds": round(looking, 1),
        "documents_per_second": round(args.shards * args.documents / looking),
        "take_out_milliseconds_per_changed_shard": round(1000 * taking / len(found.shards), 1),
        "token_shard_milliseconds": round(1000 * through, 1),
    }
    print(json.dumps(measured, indent=1))
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_result(args.result, {"machine": machine, **measured})


if __name__ == "__main__":
    main()
