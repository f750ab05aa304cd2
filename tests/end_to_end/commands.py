"""Running the project's commands as a user does, and looking at what they leave."""

import atexit
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "commoncrawl"
PATIENCE_SECONDS = 300
REAL = ROOT.parent / "shared" / "real"


def run(module: str, *arguments: str | Path, status: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``python -m module`` in the checkout, in a process of its own, and checks its exit status."""
    words = [module, *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        request = {"module": module, "arguments": words[1:], "out": str(out), "err": str(err)}
        request["environment"] = {**os.environ, "COLUMNS": "120", **environment}
        ended = _answer(request)
        done = subprocess.CompletedProcess(words, ended, out.read_text(), err.read_text())
    assert done.returncode == status, f"{words} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@functools.cache
def _starter() -> subprocess.Popen[str]:
    """The process from which commands are forked, one for all tests of this one."""
    command = [sys.executable, "-m", "tests.end_to_end.starter"]
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # a fork takes no other along
    pipe = subprocess.PIPE
    started = subprocess.Popen(command, cwd=ROOT, env=one_thread, stdin=pipe, stdout=pipe, text=True, bufsize=1)
    atexit.register(started.stdin.close)
    return started


def _answer(request: dict) -> int:
    """The exit status of a command; one that takes too long is killed."""
    starter = _starter()
    starter.stdin.write(json.dumps(request) + "\n")
    child = int(starter.stdout.readline())
    late = threading.Timer(PATIENCE_SECONDS, os.kill, (child, signal.SIGKILL))
    late.start()
    try:
        return int(starter.stdout.readline())
    finally:
        late.cancel()


def source(name: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command of a source as a function: in one process, which starts soonest, unless told otherwise."""

    def command(output: Path, *arguments: str | Path, status: int = 0, workers: int = 1):
        flags = ["--output", output, "--direct_num_workers", str(workers), *arguments]
        return run(f"sources.{name}", *flags, status=status)

    return command


def run_once(
    command: Callable[..., subprocess.CompletedProcess[str]],
    *arguments: str | Path,
    out: Sequence[str] = (),
    err: Sequence[str] = (),
) -> Callable[..., Path]:
    """A fixture: the folder of one run, which a module's tests look at, and which says what it must."""

    @pytest.fixture(scope="module")
    def sample(tmp_path_factory) -> Path:
        output = tmp_path_factory.mktemp("sample")
        done = command(output, *arguments)
        for said, sentences in ((done.stdout, out), (done.stderr, err)):
            assert [sentence for sentence in sentences if sentence not in said] == [], said
        return output

    return sample


def commoncrawl(output: Path, *arguments: str | Path, status: int = 0, **environment: str):
    """Runs the CommonCrawl source in one process, which starts soonest."""
    flags = ["--output", output, "--direct_num_workers", "1", *arguments]
    return run("sources.commoncrawl", *flags, status=status, **environment)


def killed(module: str, *arguments: str | Path, until: Callable[[], object], patience: float = 120.0) -> None:
    """Starts a command with two workers, and kills all its processes as a power cut would once something is so."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments), "--direct_num_workers", "2"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + patience
    while not until() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):  # on a fast machine it may have ended before
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def after(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have passed since this was called."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def manifest(output: Path, source: str = "commoncrawl") -> dict:
    """A source's manifest."""
    return json.loads((output / source / "manifest.json").read_text())


def step(output: Path, name: str) -> dict:
    """One step's accounts, over all shards."""
    return next(s for s in manifest(output)["ledger"]["steps"] if s["step"] == name)


def documents(output: Path, subset: str = "*", source: str = "commoncrawl") -> list[dict]:
    """All documents of the subsets that match."""
    files = sorted(p for p in (output / source).glob(f"{subset}/*.parquet") if not p.parent.name.startswith("_"))
    return pa.concat_tables([pq.read_table(f) for f in files]).to_pylist() if files else []


def rejects(output: Path, source: str = "commoncrawl") -> list[dict]:
    """All rejects."""
    files = sorted((output / source / "_rejects").glob("*.parquet"))
    return pa.concat_tables([pq.read_table(f) for f in files]).to_pylist() if files else []


def outputs(output: Path) -> dict[str, bytes]:
    """The bytes of every output that must not differ from run to run."""
    kept = (p for p in output.rglob("*") if p.is_file() and p.parent.name != "_timing" and p.name != ".lock")
    return {str(p.relative_to(output)): p.read_bytes() for p in kept if p.name != "manifest.json"}


def wet_record(text: bytes, url: str = "http://example.org/", number: int = 1, kind: str = "conversion") -> bytes:
    """One WET record in the form of today's crawls."""
    header = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-03-12T01:02:03Z\r\n"
        f"WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{number:012d}>\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(text)}\r\n\r\n"
    )
    return header.encode() + text + b"\r\n\r\n"
