"""This project beside its peers: the same work on the same input, in turn, on this machine.

    python -m benchmarks.beside --stage commoncrawl           one stage
    python -m benchmarks.beside --stage all --times 5         all that can be run here
    python -m benchmarks.beside --list                        what is run, and who the peers are

Peers come from the package registry, in versions that are named here, into environments of their own (--folder); those
that are in none are run from checkouts (--checkouts). A figure is the least CPU time of some runs, in turn, so that a
slow moment hits all. "function" is the inner call alone, "main" a command in one process behind its imports, "command"
the same from the shell. One thread, unless a stage says otherwise. What each of them made is counted beside.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from benchmarks.beside.environments import MissingError, Peers
from benchmarks.beside.runs import Outcome, run
from benchmarks.beside.stages import STAGES, Stage
from benchmarks.result import RESULTS, result_file, write_result


def measure(stage: Stage, peers: Peers, work: Path, times: int, inputs: list[str]) -> list[Outcome]:
    """Runs everybody of a stage in turn; gives for each the run that took least."""
    made = stage.prepare(work, inputs)
    best: dict[tuple[str, str], Outcome] = {}
    entrants = stage.entrants(made, peers)
    for _ in range(times):
        for entrant in entrants:
            outcome = run(entrant, work / "out")
            key = entrant.name, entrant.boundary
            if key not in best or outcome.seconds < best[key].seconds:
                best[key] = outcome
    return list(best.values())


def table(stage: Stage, outcomes: list[Outcome]) -> str:
    """The outcomes as a table of Markdown; ratios are to the peer timed likewise, or else to the first."""
    peers = [outcome for outcome in outcomes if outcome.peer]
    lines = [
        f"\n{stage.title}\n",
        f"| who | timed | s | {stage.unit}/s | times the peer | what it made |",
        "|---|---|---|---|---|---|",
    ]
    for found in outcomes:
        peer = next((one for one in peers if one.boundary == found.boundary), peers[0])
        ratio = "" if found.peer else f"{found.rate / peer.rate:.2f}"
        made = ", ".join(f"{key} {value}" for key, value in found.made.items())
        lines.append(
            f"| {found.name} | {found.boundary} | {found.seconds:.2f} | {found.rate:,.4g} | {ratio} | {made} |"
        )
    return "\n".join(lines)


def machine() -> dict[str, object]:
    """What ran the measurement, and how busy it was."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", nargs="+", choices=[*STAGES, "all"], default=["all"], metavar="STAGE")
    parser.add_argument("--list", action="store_true", help="tell the stages and their peers, and run nothing")
    parser.add_argument("--times", type=int, default=3, help="runs of each")
    parser.add_argument("--input", nargs="+", default=[], help="raw files of one stage, instead of made ones")
    parser.add_argument("--folder", type=Path, default=Path(".venv/apart/peers"), help="where the peers are installed")
    parser.add_argument("--checkouts", type=Path, help="a folder with checkouts of the peers that no registry has")
    parser.add_argument("--result", type=result_file, default=RESULTS / "beside.json")
    args = parser.parse_args()
    if args.list:
        for name, stage in STAGES.items():
            print(f"{name:14} {stage.title}\n{'':14} beside {stage.peer}")
        return
    chosen = list(STAGES) if "all" in args.stage else args.stage
    if args.input and len(chosen) != 1:
        parser.error("--input is for one --stage")
    found: dict[str, object] = {"machine": machine()}
    print("machine: " + ", ".join(f"{key} {value}" for key, value in machine().items()), flush=True)
    failed = []
    for name in chosen:
        with tempfile.TemporaryDirectory() as work:
            try:
                peers = Peers(args.folder, args.checkouts)
                outcomes = measure(STAGES[name], peers, Path(work), args.times, args.input)
            except MissingError as error:
                print(f"\n{name}: {error}", file=sys.stderr)
                failed.append(name)
                continue
        print(table(STAGES[name], outcomes), flush=True)
        found[name] = [vars(outcome) for outcome in outcomes]
    print(f"\nload at the end: {os.getloadavg()[0]:.2f}")
    write_result(args.result, json.loads(json.dumps(found)))
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
