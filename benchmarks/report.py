"""Time and memory of the report, the data card and the search, over a corpus of ten thousand generated shards.

    python -m benchmarks.report
    python -m benchmarks.report --shards 10000 --documents 200

The corpus has the form of CommonCrawl's: for each shard a stats file, documents of two buckets and rejects; a few
different Parquet files of each kind lie there under many names (hard links). Each command runs in a process of its own,
with everything in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result import RESULTS, result_file, write_result
from pipeline.corpus.document import Document, Reject
from pipeline.corpus.ledger import Ledger
from pipeline.corpus.manifest import write_manifest
from pipeline.corpus.shard import Layout, write_json
from pipeline.corpus.sink import RejectPolicy, ShardSink
from sources.commoncrawl.source import META

SEED = 20190715
DIFFERENT = 16  # shards that are made; the others are links to their files
STEPS = {"length": "too_short", "dedup": "no_line_left", "language": "language", "perplexity": "bucket_tail"}
RARE = "error_UnicodeError"
WORDS = [f"{a}{b}{c}" for a in "bcdfglmnprst" for b in "aeiou" for c in ("n", "r", "st", "ll", "m")]


def documents(shard: int, count: int, rng: np.random.Generator) -> list[tuple[Document, str, str]]:
    """Documents of a shard, each with the step and reason of its end, or twice nothing."""
    made = []
    steps = list(STEPS.items())
    for number in range(count):
        words = rng.choice(WORDS, int(rng.lognormal(5.3, 0.8)) + 20)
        text = "\n".join(" ".join(words[i : i + 14]) for i in range(0, len(words), 14))
        perplexity, fate = float(rng.lognormal(6, 0.5)), int(rng.integers(0, 8))
        step, reason = steps[fate] if fate < len(steps) else ("", "")
        meta = {
            "title": " ".join(words[:5]),
            "crawl_languages": "eng",
            "language_score": float(np.clip(rng.beta(8, 2), 0, 1)),
            "perplexity": perplexity,
            "bucket": "head" if perplexity < 340 else "middle",
            "reference_score": float(rng.random()),
            "original_lines": text.count("\n") + 3,
            "original_characters": len(text) + 80,
            "kept_lines": text.count("\n") + 1,
            "line_numbers": list(range(text.count("\n") + 1)),
        }
        url = f"https://site{rng.integers(0, 5000)}.example/{shard}/{number}"
        identifier = f"urn:uuid:{shard:08d}-{number:08d}"
        document = Document(identifier, text, "commoncrawl", f"wet/{shard:05d}.warc.wet.gz", number * 5000, url, "en")
        document.created = datetime(2019, 7, 1 + number % 28, tzinfo=timezone.utc)
        document.meta = meta
        made.append((document, step, reason))
    return made


def write_one(layout: Layout, shard: int, count: int, rng: np.random.Generator, reason: str = "") -> dict[str, Any]:
    """Writes a shard's Parquet files, in which one document fails for a reason, if given; gives its stats."""
    ledger = Ledger()
    made = documents(shard, count, rng)
    if reason:
        made[0] = (made[0][0], "dedup", reason)
    left = made
    for name in ("read", *STEPS):
        step = ledger.step(name)
        ends = [entry for entry in left if entry[1] == name]
        step.entered.add(len(left), sum(len(d.text) for d, _, _ in left))
        for document, _, why in ends:
            (step.fail if why == RARE else step.drop)(why, len(document.text))
        left = [entry for entry in left if entry[1] != name]
        step.left.add(len(left), sum(len(d.text) for d, _, _ in left))
    ledger.step("read").counters["text_bytes"] = sum(len(d.text) for d, _, _ in made)
    with ShardSink(layout.root, f"{shard:05d}", META, RejectPolicy()) as sink:
        for document, step_name, why in made:
            if step_name:
                sink.reject(Reject(document, step_name, why))
            else:
                bucket = document.meta["bucket"]
                ledger.keep(bucket, len(document.text))
                sink.keep(document, bucket)
        outputs, rejects = sink.finish()
    return {
        "ledger": ledger.as_json(),
        "outputs": [vars_of(o) for o in outputs],
        "rejects": vars_of(rejects) if rejects else None,
    }


def vars_of(output: Any) -> dict[str, Any]:
    return {name: getattr(output, name) for name in ("path", "documents", "characters", "bytes", "sha256")}


def linked(layout: Layout, stats: dict[str, Any], name: str) -> dict[str, Any]:
    """The stats of another shard with the same files, under its own name."""
    for entry in [*stats["outputs"], stats["rejects"]]:
        source = Path(layout.root, entry["path"])
        entry["path"] = f"{entry['path'].split('/')[0]}/{name}.parquet"
        target = Path(layout.root, entry["path"])
        if not target.exists():
            os.link(source, target)
    return stats


def make_corpus(root: Path, shards: int, count: int) -> Path:
    """Makes the corpus; gives the source's folder."""
    layout = Layout(str(root / "commoncrawl"))
    rng = np.random.default_rng(SEED)
    first = [write_one(layout, shard, count, rng) for shard in range(min(DIFFERENT, shards))]
    for shard in range(shards):
        name = f"{shard:05d}"
        if shard == shards // 2:
            stats = write_one(layout, shard, count, rng, RARE)
        else:
            stats = linked(layout, json.loads(json.dumps(first[shard % len(first)])), name)
        path = f"wet/{name}.warc.wet.gz"
        inputs = [{"path": path, "bytes": 140_000_000, "sha256": "0" * 64, "records": count, "failed": 0}]
        write_json(layout.stats(name), {"shard": name, "scope": "00000", "inputs": inputs, **stats})
        spent = {"seconds": 40.0, "steps": {"read": 9.0, "perplexity": 22.0}, "peak_bytes": 500_000_000}
        write_json(layout.timing(name), spent)
    recipe = {"language": {"keep": ["en"], "threshold": 0.5}, "perplexity": {"cutoffs": {"en": [340.0, 520.0]}}}
    write_manifest(layout, "commoncrawl", {"source": "commoncrawl", "recipe": recipe}, layout.done())
    return Path(layout.root)


LAUNCHER = """
import json, os, sys, time
started = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
spent = time.perf_counter() - started
print(json.dumps([os.waitstatus_to_exitcode(status), spent, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""


def measure(*command: str) -> dict[str, float]:
    """Wall and processor seconds of a command, and the most memory it had.

    A small process starts it: the peak that the system tells counts what a process was before it became the command.
    """
    launched = [sys.executable, "-c", LAUNCHER, sys.executable, "-m", *command]
    done = subprocess.run(launched, capture_output=True, text=True, check=True)
    status, seconds, processor, peak = json.loads(done.stdout.splitlines()[-1])
    if status > ("pipeline.inspect" in command):  # which ends with 1 where it finds nothing
        raise SystemExit(f"{command} failed: {done.stderr}")
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(processor, 2),
        "peak_megabytes": round(peak * unit / 1e6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--documents", type=int, default=200, help="records of a shard")
    parser.add_argument("--result", type=result_file, default=RESULTS / "report.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = str(make_corpus(Path(folder), args.shards, args.documents))
        inspect = ("pipeline.inspect", source)
        last = f"urn:uuid:{min(DIFFERENT, args.shards) - 1:08d}-{args.documents - 1:08d}"
        measured = {
            "an interpreter that imports the pipeline": measure("pipeline.verify", "--help"),
            "report": measure("pipeline.report", source, "--output", f"{folder}/report"),
            "card": measure("pipeline.card", source),
            "inspect: 20 of a common reason": measure(*inspect, "--dropped-by", "perplexity", "--n", "20"),
            "inspect: a reason that one shard has": measure(*inspect, "--reason", RARE),
            "inspect: a condition that nothing meets": measure(*inspect, "--kept", "--where", "perplexity>1e9"),
            "inspect: an id": measure(*inspect, "--id", last),
        }
        page = Path(folder, "report", "index.html").stat().st_size
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    result = {"machine": machine, "shards": args.shards, "documents": args.shards * args.documents, **measured}
    result["page_megabytes"] = round(page / 1e6, 2)
    print(json.dumps(result, indent=1))
    write_result(args.result, result)


if __name__ == "__main__":
    main()
