"""Speed and memory of the arXiv source: papers and megabytes of TeX per second of one worker, its peak memory.

    python -m benchmarks.arxiv                            # papers written here, in a bulk tar with figures
    python -m benchmarks.arxiv --input 'arXiv_src_*.tar'

The whole command is measured, with its start: headers, unpacking, cleaning, writing. Seconds are CPU time of all its
processes, so that a busy machine changes little; bytes are those of the TeX that was read, as the best open cleaner's
2.7 MB/s are. ``benchmarks.latex`` measures the cleaner alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.latex import own_papers
from benchmarks.result import RESULTS, result_file, write_result
from samples.make_arxiv import tar_of

FIGURE_BYTES = 200_000  # a paper; as hard to inflate as a picture


def make_bulk(path: Path, copies: int) -> None:
    """A bulk tar of papers of 3 to 300 kB, each with a figure."""
    draw, members, number = random.Random(1), {}, 0
    for _ in range(copies):
        for _, files in own_papers():
            number += 1
            figure = draw.randbytes(FIGURE_BYTES // 2) + bytes(FIGURE_BYTES // 2)
            members[f"2005/2005.{number:05d}.gz"] = gzip.compress(tar_of({**files, "figure.eps": figure}), mtime=0)
    path.write_bytes(tar_of(members))


def measure(inputs: Sequence[str], output: Path) -> dict[str, Any]:
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "sources.arxiv", "--input", *inputs, "--output", str(output), "--quiet"]
    subprocess.run([*command, "--direct_num_workers", "1"], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    manifest = json.loads((output / "arxiv" / "manifest.json").read_text())
    steps = {step["step"]: step for step in manifest["ledger"]["steps"]}
    tex = steps["read"]["counters"]["text_bytes"] / 1e6
    packed = sum(entry["bytes"] for entry in manifest["inputs"]) / 1e6
    latex = steps["latex"]["counters"]
    uses = latex["macros_expanded"] + latex["macros_left"]
    return {
        "members": steps["read"]["entered"]["documents"],
        "kept": steps["length"]["left"]["documents"],
        "tex_megabytes": round(tex, 1),
        "packed_megabytes": round(packed, 1),
        "cpu_seconds": round(seconds, 1),
        "wall_seconds": round(wall, 1),
        "wall_seconds_by_step": manifest["timing"]["steps"],
        "papers_per_second": round(steps["read"]["entered"]["documents"] / seconds, 1),
        "tex_megabytes_per_second": round(tex / seconds, 2),
        "packed_megabytes_per_second": round(packed / seconds, 2),
        "peak_megabytes": round(manifest["timing"]["peak_bytes"] / 1e6),
        "share_of_macros_left": round(latex["macros_left"] / uses, 5) if uses else 0.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", help="bulk tars; made if not given")
    parser.add_argument("--copies", type=int, default=10, help="of the 60 made papers (10: 100 MB)")
    parser.add_argument("--result", type=result_file, default=RESULTS / "arxiv.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "arXiv_src_2005_001.tar")
        if not args.input:
            make_bulk(made, args.copies)
        measured = measure(args.input or [str(made)], Path(folder, "corpus"))
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    result = {"machine": machine, **measured}
    print(json.dumps(result, indent=1))
    write_result(args.result, result)


if __name__ == "__main__":
    main()
