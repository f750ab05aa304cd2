"""Runs as processes: workers that are killed, runs that are killed, interrupted, or doubled."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.errors import OutputError
from pipeline.verify import accounts
from tests.pipeline.runs import FILES, PATIENCE_SECONDS, REPOSITORY, is_alive, run, snapshot, start, write_input

SLOW = 0.15  # seconds for each document and pass: the 13 documents of the input take some seconds


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    return write_input(tmp_path_factory.mktemp("processes") / "raw")


@pytest.fixture(scope="module")
def expected(raw) -> dict[str, bytes]:
    """What an undisturbed run of one worker gives."""
    return snapshot(Path(run(raw, raw.parent / "undisturbed").layout.root))


def below(output: Path, pattern: str):
    """Whether a file is there."""
    return lambda: any((output / "lines").glob(pattern))


def gone(pids: list[int]) -> bool:
    """Whether processes end within seconds."""
    for _ in range(300):
        if not any(is_alive(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def completed(raw: Path, output: Path) -> dict[str, bytes]:
    """What the same run leaves when nothing disturbs it any more."""
    return snapshot(Path(run(raw, output).layout.root))


def test_two_workers_make_what_one_makes(raw, tmp_path, expected):
    with start(raw, tmp_path) as running:
        status, output, errors = running.end()
    assert (status, errors) == (0, "")
    assert snapshot(tmp_path / "lines") == expected
    assert "Wrote 5 of 5 shards" in output
    assert output.endswith(f"Next:\n  python -m pipeline.verify {tmp_path}/lines\n")


def test_killed_again_and_again_and_the_same_bytes_in_the_end(raw, tmp_path, expected):
    """Run, workers and all are killed while they hash, decide, and write; the last run is left alone."""
    moments = ["_work/*/hashes/*.blocks", "_work/*/decisions/*.blocks", "_stats/*.json"]
    for number, pattern in enumerate(moments):
        seen = set((tmp_path / "lines").glob(pattern))
        with start(raw, tmp_path, pause=SLOW) as running:
            running.until(lambda seen=seen, p=pattern: set((tmp_path / "lines").glob(p)) - seen)
            workers = running.workers()
            running.signal_all(signal.SIGKILL)
            assert running.end()[0] == -signal.SIGKILL
        assert gone(workers), number
    with start(raw, tmp_path) as running:
        assert running.end()[0] == 0
    assert snapshot(tmp_path / "lines") == expected
    assert not list(tmp_path.rglob("*.tmp"))
    assert accounts.verify(str(tmp_path / "lines")) == (6, [])


def test_a_run_that_is_killed_takes_its_workers_along(raw, tmp_path, expected):
    """Only the run itself is killed, as the system does when memory runs out."""
    with start(raw, tmp_path, pause=SLOW) as running:
        running.until(below(tmp_path, "_work/*/hashes/*.blocks"))
        workers = running.workers()
        assert len(workers) == 2
        os.kill(running.process.pid, signal.SIGKILL)
        assert gone(workers)
        assert running.end() == (-signal.SIGKILL, "", "")
    assert completed(raw, tmp_path) == expected


def test_a_worker_that_is_killed_ends_the_run_with_a_message(raw, tmp_path, expected):
    with start(raw, tmp_path, pause=SLOW) as running:
        running.until(below(tmp_path, "_work/*/hashes/*.blocks"))
        workers = running.workers()
        os.kill(workers[0], signal.SIGKILL)
        status, output, errors = running.end()
    assert (status, output) == (1, "")
    assert errors == (
        "error: a worker process died (Worker subprocess exited with return code -9). If the system ran out of memory, "
        "use fewer workers (--direct_num_workers). Finished shards are kept: the same command goes on from here.\n"
    )
    assert gone(workers)
    assert completed(raw, tmp_path) == expected


@pytest.mark.parametrize(("workers", "everyone"), [(2, True), (2, False), (1, True)])
def test_ctrl_c_ends_the_run_at_once_with_a_message(raw, tmp_path, workers, everyone):
    """From the keyboard it reaches run and workers alike; ``kill -INT`` reaches the run alone."""
    with start(raw, tmp_path, workers=workers, pause=1) as running:  # a shard would take seconds yet
        running.until(below(tmp_path, "_work/*/inputs/*.json"))
        processes = running.workers()
        assert len(processes) == (workers if workers > 1 else 0)
        running.signal_all(signal.SIGINT) if everyone else os.kill(running.process.pid, signal.SIGINT)
        status, output, errors = running.end()
    message = "stopped. Finished shards are kept: the same command goes on from here.\n"
    assert (status, output, errors) == (130, "", message)
    assert gone(processes)
    assert not list((tmp_path / "lines").rglob("*.parquet"))


def test_one_run_at_a_time(raw, tmp_path, expected):
    with start(raw, tmp_path, workers=1, pause=SLOW) as running:
        running.until(below(tmp_path, "_scopes/*.json"))
        with pytest.raises(OutputError, match=r"another run is writing to .*/lines; wait for it, or stop it"):
            run(raw, tmp_path)
        assert running.end()[0] == 0
    assert snapshot(tmp_path / "lines") == expected


def test_an_input_that_changes_between_the_passes(tmp_path):
    """Nothing of its scope stays, and the same command makes all of it from the file as it is now."""
    raw = write_input(tmp_path / "raw")
    with start(raw, tmp_path / "out", pause=SLOW) as running:
        running.until(below(tmp_path / "out", "_work/*/hashes/000000.blocks"))
        (raw / "a.txt").write_bytes(FILES["a.txt"].replace(b"in a and c", b"only b\n a c"))
        status, _, errors = running.end()
    assert status == 1
    assert errors == (
        f"error: {raw}/a.txt changed while the run was at work on it. Once it is at rest, run the same command again: "
        "what was deduplicated together with it is made again.\n"
    )
    assert completed(raw, tmp_path / "out") == completed(raw, tmp_path / "fresh")


def test_an_error_of_a_worker_reaches_the_user_as_one_message(raw, tmp_path):
    with start(raw, tmp_path, pause=SLOW) as running:
        running.until(below(tmp_path, "_work/*/hashes/*.blocks"))
        (tmp_path / "lines" / "short").write_text("in the way")
        status, output, errors = running.end()
    assert (status, output) == (1, "")
    assert errors.startswith(f"error: cannot write {tmp_path}/lines/short/")
    assert errors.endswith("run the same command again: finished shards are kept.\n")
    assert errors.count("\n") == 1


def test_a_worker_ends_when_its_run_is_not_there(tmp_path):
    """It may be gone before the worker has started: then no parent's death is left to notice."""
    sign = tmp_path / "running"
    sign.touch()
    for run_id, path in ((os.getpid(), tmp_path / "none"), (1 << 22, sign)):
        worker = subprocess.run(
            [sys.executable, "-m", "pipeline.engine.worker", str(run_id), str(path)],
            cwd=REPOSITORY,
            timeout=PATIENCE_SECONDS,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (worker.returncode, worker.stdout, worker.stderr) == (0, "", "")
