"""Runs of the tests' own source, in this process or as a command, and what they leave."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console

from pipeline.corpus.shard import Scope, plan_shards
from pipeline.engine.options import RunOptions
from pipeline.engine.run import RunResult, run_source
from pipeline.storage.listing import match
from tests.pipeline.line_source import LineRecipe, LineSource

REPOSITORY = Path(__file__).parents[2]
PATIENCE_SECONDS = 60.0  # after which a test that waits for a process fails

# Scopes of two files: a and b, c and d, then the second a. Lines are repeated inside a scope, and over its bounds.
FILES = {
    "a.txt": b"only a\nin a and b\nin a and c\n\nthe second of a\n\nhere is bad stuff",
    "b.txt": b"in a and b\nonly b\nonly b\n\n#damaged x\n\n#comment y",
    "c.txt": b"in a and c\n\ncrash it\n\nin c and d",
    "d.txt": b"caf\xe9\n\nin c and d",
    "deep/a.txt": b"",
}


def write_input(folder: Path, files: Mapping[str, str | bytes] = FILES) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


def plan(patterns: list[str | Path], recipe: LineRecipe) -> list[Scope]:
    return plan_shards(match([str(pattern) for pattern in patterns]), recipe.scope, recipe.scope_files)


def run(
    patterns: Path | list[str | Path],
    output: Path,
    recipe: LineRecipe | None = None,
    retry_failed: bool = False,
    grow: bool = False,
) -> RunResult:
    """A run in this process."""
    recipe = recipe or LineRecipe()
    scopes = plan(patterns if isinstance(patterns, list) else [patterns], recipe)
    options = RunOptions(str(output), ["--direct_num_workers=1"], retry_failed=retry_failed, grow=grow)
    return run_source(LineSource(recipe), scopes, options, Console(file=StringIO()))


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file below a source's folder with its bytes, but for what may differ from run to run."""
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    manifest = json.loads(found["manifest.json"])
    del manifest["timing"]
    found["manifest.json"] = json.dumps(manifest).encode()
    return {name: data for name, data in found.items() if not name.startswith("_timing")}


def rows(root: Path, folder: str) -> list[dict[str, Any]]:
    """The documents of all shards in one folder of a source's."""
    return [row for path in sorted((root / folder).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@dataclass
class Running:
    """A command at work, in a process group of its own."""

    process: subprocess.Popen[str]

    def until(self, happens: Callable[[], Any]) -> None:
        """Waits until something is so, while the command runs."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not happens():
            assert self.process.poll() is None, f"the command ended before: {self.process.communicate()}"
            assert time.monotonic() < deadline, "nothing happened"
            time.sleep(0.01)

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [line.split() for line in listing.splitlines()]
        return [int(pid) for pid, parent in pairs if int(parent) == self.process.pid]

    def signal_all(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def end(self) -> tuple[int, str, str]:
        """Waits for the end; gives status, output and errors."""
        output, errors = self.process.communicate(timeout=PATIENCE_SECONDS)
        return self.process.returncode, output, errors

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.signal_all(signal.SIGKILL)
        self.process.communicate()


def start(patterns: Path, output: Path, *flags: str, workers: int = 2, pause: float = 0) -> Running:
    """Starts the command; each document takes ``pause`` seconds to read, and again to judge."""
    command = [sys.executable, "-m", "tests.pipeline.lines", "--input", str(patterns), "--output", str(output)]
    return Running(
        subprocess.Popen(
            [*command, f"--direct_num_workers={workers}", *flags],
            cwd=REPOSITORY,
            env={**os.environ, "LINE_SOURCE_PAUSE": str(pause), "COLUMNS": "100", "TMPDIR": str(patterns.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    )


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to take note of its end does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
