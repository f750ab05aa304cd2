"""One run of one entrant, in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUT = "{out}"  # in a command: the folder for what it writes, which is new
FUNCTION, MAIN, COMMAND = "function", "main", "command"
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_IO_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True)
class Entrant:
    """Who runs, and how.

    Attributes:
        name: Its name in the table.
        command: What is run; ``OUT`` in it stands for a new folder. Its last line is JSON: ``seconds``,
            unless the whole command is timed, and ``made``, what it made.
        amount: The units of work that it does.
        peer: Whether it is a peer.
        boundary: What is timed: one of ``FUNCTION``, ``MAIN`` and ``COMMAND``.
        environment: Variables beside this process's.
    """

    name: str
    command: Sequence[str]
    amount: float
    peer: bool = False
    boundary: str = MAIN
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """What a run took and made; ``rate`` is in units of work a second of CPU."""

    name: str
    seconds: float
    rate: float
    peer: bool
    boundary: str
    made: dict[str, object]


def run(entrant: Entrant, out: Path) -> Outcome:
    """Runs an entrant once.

    Raises:
        SystemExit: It failed; says how.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    words = [word.replace(OUT, str(out)) for word in entrant.command]
    threads = dict.fromkeys(ONE_THREAD, "1")
    environment = {**os.environ, **threads, "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # or each start compiles the project anew
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        words, cwd=ROOT, env={**environment, **entrant.environment}, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{entrant.name} ended with status {done.returncode}: {(done.stderr or done.stdout)[-2000:]}")
    told = {} if entrant.boundary == COMMAND else json.loads(done.stdout.strip().splitlines()[-1])
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    seconds = spent if entrant.boundary == COMMAND else float(told["seconds"])
    amount = float(told.get("amount", entrant.amount))
    return Outcome(entrant.name, seconds, amount / seconds, entrant.peer, entrant.boundary, told.get("made", {}))
