"""What commands cost before and beside their work: CPU seconds, as a multiple of importing NumPy and pyarrow.

``python -m benchmarks.startup`` tells ``--help`` and a wrong flag of every command; and runs that have little to do,
over the sample of CommonCrawl, which it makes once. Each is run several times, and the least is taken.
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
NOTHING = "sources.commoncrawl, nothing to do"


COMMANDS = (
    *(f"sources.{name}" for name in ("arxiv", "books", "c4", "commoncrawl", "github", "stackexchange", "wikipedia")),
    *("sources.instructions", "sources.publishers", "sources.commoncrawl.train_reference"),
    *("sources.wikipedia.references", "sources.wikipedia.templates", "filters.perplexity", "tokenizer.train"),
    *(f"pipeline.{name}" for name in ("build", "mix", "verify", "inspect", "trace", "report", "card", "publish")),
    *("pipeline.plan", "pipeline.optout", "pipeline.decontaminate", "pipeline.ablate", "pipeline.ablate.damage"),
    *(f"trainer_bridge.{name}" for name in ("train", "generate", "evaluate", "score", "export", "import_weights")),
    *(f"trainer_bridge.{name}" for name in ("verify", "benchmark", "cost")),
    *(f"trainer_bridge.chat.{name}" for name in ("reward", "rejection", "ppo", "ghost", "chain")),
)


def works(corpus: Path) -> dict[str, list[str]]:
    """What has little to do, by what it stands for."""
    return {
        "sources.commoncrawl --keys": ["sources.commoncrawl", "--keys"],
        "trainer_bridge.train --keys": ["trainer_bridge.train", "--keys"],
        NOTHING: ["sources.commoncrawl", "--input", "samples/commoncrawl/*.warc.wet.gz", "--output", str(corpus)],
        "pipeline.verify --quick": ["pipeline.verify", "--quick", str(corpus)],
        "pipeline.inspect, one document": ["pipeline.inspect", str(corpus), "--n", "1", "--json"],
    }


def cpu_seconds(words: Sequence[str], status: int = 0) -> float:
    """CPU time of a Python process and its children, which must end with a status."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *words], cwd=ROOT, check=False, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != status:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr.decode()}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="runs of each command")
    parser.add_argument("--result", type=result_file, default=RESULTS / "startup.json")
    args = parser.parse_args()

    def least(words: Sequence[str], status: int = 0) -> float:
        return min(cpu_seconds(words, status) for _ in range(args.times))

    base = least(BASELINE)
    runs = {"numpy and pyarrow": base}
    print(f"{base:.2f} s: import numpy, pyarrow\n\n{'--help':>8} {'--wrong':>8}")
    for name in COMMANDS:
        told = runs[f"{name} --help"] = least(["-m", name, "--help"])
        refused = runs[f"{name} --wrong"] = least(["-m", name, "--wrong"], 2)
        print(f"{told / base:7.2f}x {refused / base:7.2f}x  {name}", flush=True)
    print()
    with tempfile.TemporaryDirectory() as folder:
        chosen = works(Path(folder))
        runs["the sample of CommonCrawl, made"] = cpu_seconds(["-m", *chosen[NOTHING]])
        runs |= {what: least(["-m", *words]) for what, words in chosen.items()}
        for what in ("the sample of CommonCrawl, made", *chosen):
            print(f"{runs[what] / base:7.2f}x {'':8}  {what}")
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    write_result(args.result, {"machine": machine, "cpu_seconds": {what: round(s, 3) for what, s in runs.items()}})
    print(json.dumps({"load": os.getloadavg()}))


if __name__ == "__main__":
    main()
