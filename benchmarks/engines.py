"""The local runner, Flink and Spark in turn over the same made crawl: wall time, the largest worker, equal bytes.

``python -m benchmarks.engines`` makes 400 MB of WET (benchmarks.make_wet), brings up each cluster with tools.engines on
free ports, runs a small job first, as on a cluster that has been up for a while, and then the measured one with two
workers. It takes some ten minutes with two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.commoncrawl import ALL_STEPS, make_inputs
from benchmarks.result import RESULTS, result_file, write_result

SAMPLE = sorted(map(str, Path("samples/commoncrawl").glob("*.warc.wet.gz")))
WORKERS = 2


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


def on_cluster(name: str, inputs: Sequence[str], folder: Path) -> dict[str, Any]:
    tool = [sys.executable, "-m", "tools.engines", name]
    state = ["--state", str(folder / f"{name}-state")]
    try:
        subprocess.run([*tool, "start", "--any-ports", "--workers", str(WORKERS), *state], check=True)
        status = subprocess.run([*tool, "status", *state], check=True, capture_output=True, text=True)
        return measured(name, inputs, folder, status.stdout.splitlines()[-1].split())
    finally:
        subprocess.run([*tool, "stop", *state], check=False)


def outputs(corpus: Path) -> dict[str, bytes]:
    """The bytes that must not differ."""
    files = (p for p in corpus.rglob("*") if p.is_file() and p.parent.name != "_timing")
    return {str(p.relative_to(corpus)): p.read_bytes() for p in files if p.name not in ("manifest.json", ".lock")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=8)
    parser.add_argument("--megabytes", type=int, default=50, help="of text in each made file")
    parser.add_argument("--engines", nargs="*", default=["flink", "spark"], choices=["flink", "spark"])
    parser.add_argument("--result", type=result_file, default=RESULTS / "engines.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = make_inputs(folder, args.files, args.megabytes, [])
        runs = [measured("local", inputs, folder, ["--direct_num_workers", str(WORKERS)])]
        expected = outputs(folder / "local")
        for engine in args.engines:
            runs.append(on_cluster(engine, inputs, folder))
            runs[-1]["same_bytes"] = outputs(folder / engine) == expected
            runs[-1]["times_local"] = round(runs[-1]["wall_seconds"] / runs[0]["wall_seconds"], 2)
    for result in runs:
        print(json.dumps(result))
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_result(args.result, {"machine": machine, "runs": runs})


if __name__ == "__main__":
    main()
