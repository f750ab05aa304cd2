"""What one process does for all shards of a source: time and memory for each shard must not grow with their number.

    python -m benchmarks.many_shards
    python -m benchmarks.many_shards --shards 1000 10000 90000

It makes what a finished CommonCrawl of one scope leaves, with few documents in each shard and the same in all, and
times planning, the graph, a resumed run's checks, progress, manifest, verify, the mixture's inputs and the report, each
in a process of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import io
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from rich.console import Console

from benchmarks.dedup_scale import alone
from benchmarks.report import write_one
from benchmarks.result import RESULTS, result_file, write_result
from pipeline.corpus.manifest import CONFIGURATION, write_manifest
from pipeline.corpus.shard import Layout, Scope, as_json, plan_shards
from pipeline.engine.graph import build
from pipeline.engine.overlap import overlap_of, refuse_copies
from pipeline.engine.process import FORMAT
from pipeline.engine.progress import ProgressReporter
from pipeline.engine.state import (
    claim_scopes,
    claim_source,
    forget_damaged,
    mark_failed,
    promise_listed,
    remove_work,
)
from pipeline.engine.tasks import Worker, tasks_of, work_folder
from pipeline.mix.corpus import corpus_files
from pipeline.mix.recipe import MixRecipe, SourceShare
from pipeline.plan.rates import rates_of_corpus
from pipeline.recipe import fingerprint
from pipeline.report.budget import Budget
from pipeline.report.run import report
from pipeline.source import rounds_of
from pipeline.storage.filesystem import InputFile, list_names
from pipeline.verify.accounts import verify
from sources.commoncrawl.recipe import CommonCrawlRecipe
from sources.commoncrawl.source import CommonCrawl

IN_SEGMENT = 560
DOCUMENTS = 8
SOURCE = "commoncrawl"


def source() -> CommonCrawl:
    """The source, without models."""
    return CommonCrawl(CommonCrawlRecipe())


def inputs(shards: int) -> list[InputFile]:
    """The files of a crawl, by the names that they have there."""
    crawl = "/crawls/crawl-data/CC-MAIN-2019-30/segments"
    times = [20190715175205 + 3600 * (number // IN_SEGMENT) for number in range(shards)]
    names = [f"CC-MAIN-{t}-{t + 20000}-{n % IN_SEGMENT:05d}.warc.wet.gz" for n, t in enumerate(times)]
    folders = [f"{1563195523840 + t % 10**9}.{t % 100}" for t in times]
    sizes = np.random.default_rng(0).normal(130e6, 5e6, shards).astype(int).tolist()
    return [InputFile(f"{crawl}/{f}/wet/{n}", size) for f, n, size in zip(folders, names, sizes, strict=True)]


def plan(shards: int) -> list[Scope]:
    """One scope of all of them."""
    return plan_shards(inputs(shards), "all", 50)


def configuration() -> dict[str, Any]:
    """All that decides such an output."""
    return {"format": FORMAT, "source": SOURCE, "recipe": dataclasses.asdict(CommonCrawlRecipe())}


def make(root: Path, shards: int) -> None:
    """Makes the corpus; nothing waits for the disk."""
    layout = Layout(str(root / SOURCE))
    (scope,) = plan(shards)
    first = write_one(layout, 0, DOCUMENTS, np.random.default_rng(0))
    files = {e["path"]: Path(layout.root, e["path"]).read_bytes() for e in [*first["outputs"], first["rejects"]]}
    head = {
        "scope": {"name": scope.name, "fingerprint": scope.fingerprint},
        "configuration": fingerprint(configuration()),
    }
    ids = io.BytesIO()
    np.save(ids, np.arange(DOCUMENTS, dtype=np.uint64))
    spent = {"seconds": 40.0, "steps": {"read": 9.0, "perplexity": 22.0}, "peak_bytes": 500_000_000}
    work = work_folder(scope.fingerprint)
    for folder in ("_stats", "_timing", "_ids", "_scopes", f"_work/{work}/drops"):
        Path(layout.root, folder).mkdir(parents=True)
    for number, shard in enumerate(scope.shards):
        stats = json.loads(json.dumps(first))
        for entry in [*stats["outputs"], stats["rejects"]]:
            data = files[entry["path"]]
            entry["path"] = f"{entry['path'].partition('/')[0]}/{shard.name}.parquet"
            Path(layout.root, entry["path"]).write_bytes(data)
        read = [
            {"path": f.path, "bytes": f.size, "sha256": "0" * 64, "records": DOCUMENTS, "failed": 0}
            for f in shard.inputs
        ]
        stats = {"shard": shard.name, **head, "inputs": read, "messages": {}, **stats}
        Path(layout.stats(shard.name)).write_bytes(as_json(stats))
        Path(layout.timing(shard.name)).write_text(json.dumps(spent))
        Path(layout.timing(f"{shard.name}.hash")).write_text(json.dumps(spent))
        np.save(layout.ids(shard.name), np.arange(number * DOCUMENTS, (number + 1) * DOCUMENTS, dtype=np.uint64))
        Path(layout.drops(work, shard.name)).touch()
    for name in files:
        Path(layout.root, name).unlink()
    record = {"fingerprint": scope.fingerprint, "shards": [s.name for s in scope.shards]}
    Path(layout.scope(scope.name)).write_bytes(as_json(record))
    Path(layout.root, CONFIGURATION).write_bytes(as_json(configuration()))
    claim_source(layout, SOURCE, f"sources.{SOURCE}")
    write_manifest(layout, SOURCE, configuration(), layout.done())


def planning(root: Path, shards: int) -> None:
    """The shards of the inputs, and the scope's fingerprint."""
    (scope,) = plan(shards)
    assert scope.fingerprint


def graph(root: Path, shards: int) -> dict[str, Any]:
    """The tasks, and the graph as it is submitted to a cluster."""
    (scope,) = plan(shards)
    worker = Worker(source(), Layout(str(root / SOURCE)), None, ())
    pipeline = beam.Pipeline()
    build(pipeline, worker, tasks_of(scope, (), "c", rounds_of(worker.source)), "shuffle")
    return {"graph_megabytes": round(len(pipeline.to_runner_api().SerializeToString()) / 1e6, 2)}


def resuming(root: Path, shards: int) -> None:
    """What a run looks at before it begins: here all is done."""
    layout, scopes = Layout(str(root / SOURCE)), plan(shards)
    claim_source(layout, SOURCE, f"sources.{SOURCE}")
    done = layout.done()
    mark_failed(layout, scopes, done)
    assert not forget_damaged(layout, scopes, done)
    refuse_copies(layout, scopes, done)
    claim_scopes(layout, scopes, done, "--input")
    promise_listed(layout, {"none"})


def ending(root: Path, shards: int) -> None:
    """What a run does at its end."""
    layout, scopes = Layout(str(root / SOURCE)), plan(shards)
    done = layout.done()
    assert not overlap_of(layout, done)
    write_manifest(layout, SOURCE, configuration(), done)
    work = work_folder(scopes[0].fingerprint)
    names = {s.name for s in scopes[0].shards}
    assert len(list_names(layout.drops(work, "x").rpartition("/")[0], ".arrow")) == shards
    remove_work(layout, {name for name in names if name == "x"}, work)


def progress(root: Path, shards: int) -> dict[str, Any]:
    """One look at a run whose shards are all new, as after a resume, and one more."""
    reporter = ProgressReporter(
        Layout(str(root / SOURCE)), plan(shards), set(), Console(file=io.StringIO()), False, True
    )
    reporter.look()
    started = time.process_time()
    reporter.look()
    reporter.line()
    return {"second_look_milliseconds": round(1000 * (time.process_time() - started), 1)}


def verifying(root: Path, shards: int) -> None:
    """The accounts, without the texts."""
    documents, faults = verify(str(root / SOURCE), checksums=False)
    assert documents
    assert ["id of another one" in fault for fault in faults] == [True]  # all shards hold the same documents


def mixing(root: Path, shards: int) -> None:
    """The files that a mixture reads."""
    assert corpus_files(str(root), MixRecipe(sources={SOURCE: SourceShare(1.0)}))[SOURCE]


def reporting(root: Path, shards: int) -> None:
    """The report."""
    report([str(root / SOURCE)], str(root.parent / "report"), "Report", Budget(), Console(file=io.StringIO()))


def rates(root: Path, shards: int) -> None:
    """What pipeline.plan takes from a corpus."""
    assert rates_of_corpus(str(root))


STAGES: dict[str, Callable[[Path, int], dict[str, Any] | None]] = {
    "plan the shards": planning,
    "build the graph": graph,
    "look at what is done": resuming,
    "overlap, manifest, work folder": ending,
    "progress": progress,
    "verify --quick": verifying,
    "inputs of the mixture": mixing,
    "report": reporting,
    "rates for pipeline.plan": rates,
}


def measure(stage: str, root: Path, shards: int) -> dict[str, Any]:
    """CPU seconds of a stage, and memory above what the process has before."""
    gc.collect()
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF)
    found = STAGES[stage](root, shards) or {}
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "stage": stage,
        "shards": shards,
        "cpu_seconds": round(seconds, 2),
        "microseconds_per_shard": round(seconds / shards * 1e6, 1),
        "kilobytes_per_shard": round((after.ru_maxrss - before.ru_maxrss) * unit / shards / 1e3, 2),
        **found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, nargs="+", default=[1_000, 10_000, 90_000])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--result", type=result_file, default=RESULTS / "many_shards.json")
    args = parser.parse_args()
    runs = []
    for shards in args.shards:
        with tempfile.TemporaryDirectory() as name:
            root = Path(name, "corpus")
            alone(partial(make, root, shards))
            for stage in args.stages:
                runs.append(run := alone(partial(measure, stage, root, shards)))
                print(
                    f"{shards:7,} {stage:32}{run['cpu_seconds']:8.2f} s {run['microseconds_per_shard']:9.1f} us and "
                    f"{run['kilobytes_per_shard']:8.2f} kB a shard  "
                    + ", ".join(f"{key} {value}" for key, value in list(run.items())[5:]),
                    flush=True,
                )
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_result(args.result, {"machine": machine, "runs": runs})


if __name__ == "__main__":
    main()
