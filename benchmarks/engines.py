"""The local runner, Flink and Spark in turn over the same made crawl: wall time, the largest worker, equal bytes.

``python -m benchmarks.engines`` makes 400 MB of WET (benchmarks.make_wet), brings up each cluster with tools.engines on
free ports, runs a small job first, as on a cluster that has been up for a while, and then the measured one with two
workers. It takes some ten minutes with two cores.

``--samples`` measures nothing: it makes all seven samples and the mixture by the local runner and by each engine, with
the commands of the Makefile and the engine's flags, and compares every file. That takes some minutes for each engine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.commoncrawl import ALL_STEPS, make_inputs
from benchmarks.result import RESULTS, result_file, write_result

SAMPLE = sorted(map(str, Path("samples/commoncrawl").glob("*.warc.wet.gz")))
WORKERS = 2
# What the Makefile gives each source; patterns are expanded as a shell does.
SAMPLES = {
    "commoncrawl": "--input samples/commoncrawl/*.warc.wet.gz --set reference.model=samples/models/reference.ftz",
    "c4": "--from wet --input samples/c4/*.warc.wet.gz samples/commoncrawl/*.warc.wet.gz",
    "github": "--input samples/github/repositories samples/github/*.gz samples/github/*.parquet",
    "wikipedia": "--input samples/wikipedia/*-multistream.xml.bz2",
    "books": "--gutenberg samples/books/gutenberg --books3 samples/books/books3.tar.gz",
    "arxiv": "--input samples/arxiv/bulk samples/arxiv/eprints --metadata samples/arxiv/arxiv-metadata-sample.json",
    "stackexchange": "--input samples/stackexchange/*.7z",
}
MIXTURE = "--proportions llama1 --tokens auto --set seq_len=256 --set heldout_tokens=2048"


def sample_flags(source: str) -> list[str]:
    """What a source's command is given to make its sample."""
    words = SAMPLES[source].split()
    return [path for word in words for path in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]


def command(inputs: Sequence[str], output: Path, flags: Sequence[str]) -> None:
    settings = [flag for setting in ALL_STEPS for flag in ("--set", setting)]
    source = [sys.executable, "-m", "sources.commoncrawl", "--input", *inputs, "--output", str(output), "--quiet"]
    subprocess.run([*source, *settings, *flags], check=True, stdout=subprocess.DEVNULL)


def measured(name: str, inputs: Sequence[str], folder: Path, flags: Sequence[str]) -> dict[str, Any]:
    """Runs the source once; gives its wall time and its largest worker."""
    command(SAMPLE, folder / f"{name}-first", flags)
    began = time.monotonic()
    command(inputs, folder / name, flags)
    wall = time.monotonic() - began
    timing = json.loads((folder / name / "commoncrawl" / "manifest.json").read_text())["timing"]
    return {"engine": name, "wall_seconds": round(wall, 1), "peak_worker_bytes": timing["peak_bytes"]}


@contextlib.contextmanager
def cluster(name: str, folder: Path) -> Iterator[list[str]]:
    """A cluster on free ports; the flags that a command needs to run on it."""
    tool = [sys.executable, "-m", "tools.engines", name]
    state = ["--state", str(folder / f"{name}-state")]
    try:
        subprocess.run([*tool, "start", "--any-ports", "--workers", str(WORKERS), *state], check=True)
        status = subprocess.run([*tool, "status", *state], check=True, capture_output=True, text=True)
        yield status.stdout.splitlines()[-1].split()
    finally:
        subprocess.run([*tool, "stop", *state], check=False)


def make_samples(name: str, folder: Path, flags: Sequence[str]) -> None:
    """Makes all samples, and the mixture with a tokenizer that the local runner's samples have trained."""
    corpus, model = folder / f"{name}-corpus", folder / "model"
    steps = [[f"sources.{source}", *sample_flags(source), "--output", str(corpus), *flags] for source in SAMPLES]
    if not model.exists():
        train = ["--corpus", str(corpus), "--output", str(model), "--vocab-size", "2048", "--uneven"]
        steps.append(["tokenizer.train", *train])
    where = ["--corpus", str(corpus), "--tokenizer", str(model / "tokenizer.model")]
    shards = ["--output", str(folder / f"{name}-shards")]
    steps.append(["pipeline.mix", *MIXTURE.split(), *where, *shards, *flags])
    for module, *words in steps:
        began = time.monotonic()
        done = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, check=False)
        print(f"{name:6} {module:22} status {done.returncode}, {time.monotonic() - began:5.1f} s", flush=True)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        for line in done.stderr.splitlines():
            if line.startswith("cluster: "):
                print(f"       {line}", flush=True)


def compare_samples(engines: Sequence[str], folder: Path) -> bool:
    """Makes all samples and the mixture everywhere; prints which files differ, and tells whether none does."""
    kinds, same = ("corpus", "shards"), True
    make_samples("local", folder, ["--direct_num_workers", "1"])
    expected = {kind: outputs(folder / f"local-{kind}") for kind in kinds}
    for engine in engines:
        with cluster(engine, folder) as flags:
            make_samples(engine, folder, flags)
        for kind in kinds:
            found = outputs(folder / f"{engine}-{kind}")
            names = expected[kind].keys() | found.keys()
            differ = sorted(name for name in names if expected[kind].get(name) != found.get(name))
            same &= not differ
            print(f"{engine}, {kind}: {len(names)} files, {len(differ)} differ {' '.join(differ[:20])}", flush=True)
    return same


def outputs(corpus: Path) -> dict[str, bytes]:
    """The bytes that must not differ."""
    files = (p for p in corpus.rglob("*") if p.is_file() and p.parent.name != "_timing")
    return {str(p.relative_to(corpus)): p.read_bytes() for p in files if p.name not in ("manifest.json", ".lock")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--megabytes", type=int, default=50, help="of text in each made file")
    parser.add_argument("--engines", nargs="*", default=["flink", "spark"], choices=["flink", "spark"])
    parser.add_argument("--samples", action="store_true", help="compare all samples and the mixture instead")
    parser.add_argument("--result", type=result_file, default=RESULTS / "engines.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.samples:
            sys.exit(not compare_samples(args.engines, folder))
        inputs = make_inputs(folder, args.files, args.megabytes, [])
        runs = [measured("local", inputs, folder, ["--direct_num_workers", str(WORKERS)])]
        expected = outputs(folder / "local")
        for engine in args.engines:
            with cluster(engine, folder) as flags:
                runs.append(measured(engine, inputs, folder, flags))
            runs[-1]["same_bytes"] = outputs(folder / engine) == expected
            runs[-1]["times_local"] = round(runs[-1]["wall_seconds"] / runs[0]["wall_seconds"], 2)
    for result in runs:
        print(json.dumps(result))
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_result(args.result, {"machine": machine, "runs": runs})


if __name__ == "__main__":
    main()
