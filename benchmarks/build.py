"""A build of the samples: its wall time, and what it costs over the sum of its commands.

``python -m benchmarks.build`` builds the samples, to shards, report and a trained model, then runs the same commands,
as its log has them, one after the other by themselves in another folder, and compares.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.result import RESULTS, result_file, write_result

ROOT = Path(__file__).parents[1]


def seconds_of(words: list[str], output: str | None = None) -> float:
    """The wall time of a Python process, which must succeed."""
    started = time.monotonic()
    with open(output or os.devnull, "wb") as out:
        subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=out, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def logged(work: Path) -> list[str]:
    """The commands of a build, from its log."""
    return re.findall(r"^\S+ \S+ [\w-]+: (python -m .*)$", (work / "_build" / "build.log").read_text(), re.M)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--until", metavar="STAGE", help="the last stage (default: all)")
    parser.add_argument("--result", type=result_file, default=RESULTS / "build.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work, beside = Path(name, "work"), Path(name, "beside")
        until = ["--until", args.until] if args.until else []
        whole = seconds_of(["-m", "pipeline.build", "--output", str(work), *until])
        (beside / "_build").mkdir(parents=True)
        single = {}
        for line in logged(work):
            words = shlex.split(line.replace(str(work), str(beside)))
            output = str(beside / "_build" / "counts.json") if "--json" in words else None
            single[f"{len(single) + 1} {words[2]}"] = seconds_of(words[1:], output)
    alone = sum(single.values())
    for what, seconds in single.items():
        print(f"{seconds:6.1f} s  {what}")
    print(f"{alone:6.1f} s  all of them\n{whole:6.1f} s  the build: {whole / alone - 1:+.1%}")
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    measured = {"build_seconds": round(whole, 2), "commands_seconds": round(alone, 2), "load": os.getloadavg()}
    write_result(args.result, {"machine": machine, **measured})
    print(json.dumps({"load": os.getloadavg()}))


if __name__ == "__main__":
    main()
