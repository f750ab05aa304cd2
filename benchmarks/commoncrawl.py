"""The CommonCrawl source from end to end: MB of uncompressed WET text per second, one worker and two, peak memory.

``python -m benchmarks.commoncrawl`` makes WET files with benchmarks.make_wet (or takes ``--input``), runs the source's
command on them as a user would, and prints and stores the figures, with the seconds that each step took.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.result import RESULTS, result_file, write_result

ALL_STEPS = ("reference.model=samples/models/reference.ftz",)  # the default recipe has no classifier


def run(inputs: list[str], workers: int, settings: list[str], folder: Path) -> dict[str, Any]:
    """Runs the command once, in a new output folder."""
    output = folder / f"corpus-{workers}"
    shutil.rmtree(output, ignore_errors=True)
    flags = [flag for setting in settings for flag in ("--set", setting)]
    command = [sys.executable, "-m", "sources.commoncrawl", "--input", *inputs, "--output", str(output), "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    subprocess.run(
        [*command, "--direct_num_workers", str(workers), *flags],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    manifest = json.loads((output / "commoncrawl" / "manifest.json").read_text())
    ledger = manifest["ledger"]
    megabytes = ledger["steps"][0]["counters"]["text_bytes"] / 1e6
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "workers": workers,
        "megabytes": round(megabytes, 1),
        "records": ledger["steps"][0]["entered"]["documents"],
        "kept": sum(tally["documents"] for tally in ledger["kept"].values()),
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "megabytes_per_wall_second": round(megabytes / wall, 2),
        "megabytes_per_worker_second": round(megabytes / manifest["timing"]["worker_seconds"], 2),
        "peak_worker_bytes": manifest["timing"]["peak_bytes"],
        "milliseconds_per_megabyte": {
            step: round(1000 * seconds / megabytes, 1) for step, seconds in manifest["timing"]["steps"].items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", help="WET files; made if not given")
    parser.add_argument("--seed-text", nargs="+", default=[], help="texts that the made WET files imitate")
    parser.add_argument("--files", type=int, default=4)
    parser.add_argument("--megabytes", type=int, default=40, help="of text in each made file")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--set", action="append", default=list(ALL_STEPS), help="recipe overrides, such as other models"
    )
    parser.add_argument("--result", type=result_file, default=RESULTS / "commoncrawl.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs = args.input or make_inputs(folder, args.files, args.megabytes, args.seed_text)
        runs = [run(inputs, workers, args.set, folder) for workers in args.workers]
    for result in runs:
        print(json.dumps(result, indent=1))
    if len(runs) > 1:
        gain = runs[0]["wall_seconds"] / runs[1]["wall_seconds"]
        print(f"{runs[1]['workers']} workers are {gain:.2f} times as fast as {runs[0]['workers']}")
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_result(args.result, {"machine": machine, "settings": args.set, "runs": runs})


def make_inputs(folder: Path, files: int, megabytes: int, seed_text: list[str]) -> list[str]:
    """WET files like a crawl's."""
    command = [sys.executable, "-m", "benchmarks.make_wet", "--output", str(folder / "wet")]
    command += ["--files", str(files), "--megabytes", str(megabytes)]
    subprocess.run([*command, *(["--seed-text", *seed_text] if seed_text else [])], check=True)
    return sorted(map(str, (folder / "wet").glob("*.wet.gz")))


if __name__ == "__main__":
    main()
