"""What a command costs before and beside its work: CPU seconds, as a multiple of importing NumPy and pyarrow.

``python -m benchmarks.startup`` makes the sample of CommonCrawl once, then runs each command several times and takes
the least.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.result import RESULTS, result_file, write_result

ROOT = Path(__file__).parents[1]
BASELINE = ["-c", "import numpy, pyarrow"]


def commands(corpus: Path) -> dict[str, list[str]]:
    """What is run, by what it stands for."""
    source = ["sources.commoncrawl", "--input", "samples/commoncrawl/*.warc.wet.gz", "--output", str(corpus)]
    return {
        "sources.commoncrawl --help": ["sources.commoncrawl", "--help"],
        "sources.arxiv --help": ["sources.arxiv", "--help"],
        "pipeline.mix --help": ["pipeline.mix", "--help"],
        "sources.commoncrawl, nothing to do": source,
        "pipeline.verify --quick": ["pipeline.verify", "--quick", str(corpus)],
        "pipeline.inspect, one document": ["pipeline.inspect", str(corpus), "--n", "1", "--json"],
    }


def cpu_seconds(words: Sequence[str]) -> float:
    """CPU time of a Python process and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="runs of each command")
    parser.add_argument("--result", type=result_file, default=RESULTS / "startup.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        chosen = commands(Path(name))
        made = cpu_seconds(["-m", *chosen["sources.commoncrawl, nothing to do"]])
        base = min(cpu_seconds(BASELINE) for _ in range(args.times))
        runs = {what: min(cpu_seconds(["-m", *words]) for _ in range(args.times)) for what, words in chosen.items()}
    runs = {"numpy and pyarrow": base, "the sample of CommonCrawl, made": made, **runs}
    for what, seconds in runs.items():
        print(f"{seconds:6.2f} s  {seconds / base:5.1f} x  {what}")
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_result(args.result, {"machine": machine, "cpu_seconds": {what: round(s, 3) for what, s in runs.items()}})
    print(json.dumps({"load": os.getloadavg()}))


if __name__ == "__main__":
    main()
