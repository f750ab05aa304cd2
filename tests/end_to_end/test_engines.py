"""Real clusters, brought up by ``python -m tools.engines``: the local bytes, also when a task manager is killed.

One Flink cluster serves all tests. ``LLAMA_CORPUS_TEST_SPARK=1`` does the same with Spark.
"""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from benchmarks.engines import sample_flags
from tests.end_to_end.commands import PATIENCE_SECONDS, ROOT, outputs, run, wet_record

CRAWL = sample_flags("commoncrawl")[1:-2]
SOURCES = ("c4", "books")  # two rounds of dedup, and passes of a source's own; ``benchmarks.engines --samples`` has all
FILES = 8
PAGES = 200  # of each file


class Engine:
    """A cluster with a state folder of its own, on free ports."""

    def __init__(self, name: str, state: Path) -> None:
        self.name, self.state = name, state
        self.flags: list[str] = []

    def tool(self, action: str, *flags: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tools.engines", self.name, action, "--state", str(self.state), *flags]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)

    def start(self) -> None:
        done = self.tool("start", "--any-ports")
        if done.returncode and ("registr" in done.stderr or "this failed" in done.stderr or "Maven" in done.stderr):
            pytest.skip(f"the engine cannot be fetched here: {done.stderr}")
        assert done.returncode == 0, done.stderr
        status = self.tool("status")
        assert status.returncode == 0, status.stdout
        self.flags = status.stdout.splitlines()[-1].split()

    def kill(self, part: str) -> None:
        os.kill(json.loads((self.state / f"{part}.json").read_text())["pid"], signal.SIGKILL)


def engine(name: str, state: Path):
    if shutil.which("java") is None or shutil.which("mvn") is None:
        pytest.skip("java or mvn is not installed")
    cluster = Engine(name, state)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.tool("stop")


@pytest.fixture(scope="module")
def flink(tmp_path_factory):
    yield from engine("flink", tmp_path_factory.mktemp("flink"))


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".tmp") or ".attendance" in path.parts]


@pytest.mark.parametrize("source", SOURCES)
def test_flink_gives_the_local_runners_bytes(tmp_path, flink, source):
    run(f"sources.{source}", *sample_flags(source), "--output", tmp_path / "local", "--direct_num_workers", "1")
    run(f"sources.{source}", *sample_flags(source), "--output", tmp_path / "flink", *flink.flags)
    assert outputs(tmp_path / "flink") == outputs(tmp_path / "local")
    assert leftovers(tmp_path / "flink") == []


def test_starting_twice_changes_nothing_and_prints_the_flags_again(flink):
    done = flink.tool("start")
    assert done.returncode == 0
    assert " ".join(flink.flags) in done.stdout


def test_a_worker_without_beam_is_told(tmp_path, flink):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)
    launcher = {"command": str(ROOT / "pipeline/engine/worker.sh"), "env": {"LLAMA_CORPUS_PYTHON": str(bare)}}
    flags = ["--environment_type", "PROCESS", "--environment_config", json.dumps(launcher)]
    done = run("sources.commoncrawl", "--input", *CRAWL, "--output", tmp_path, *flink.flags, *flags, status=1)
    assert "The workers' Python lacks what the command needs" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_output_that_only_some_workers_see_is_told(tmp_path, flink):
    """All workers but the first look for a relative output in another folder."""
    launcher = tmp_path / "launcher"
    launcher.write_text(
        f"#!/bin/sh\nmkdir {tmp_path}/first && LLAMA_CORPUS_FOLDER={ROOT} || LLAMA_CORPUS_FOLDER={tmp_path}\n"
        f'export LLAMA_CORPUS_FOLDER\nexec {ROOT}/pipeline/engine/worker.sh "$@"\n'
    )
    launcher.chmod(0o755)
    how = {"command": str(launcher), "env": {"LLAMA_CORPUS_PYTHON": sys.executable}}
    flags = ["--environment_type", "PROCESS", "--environment_config", json.dumps(how)]
    output = os.path.relpath(tmp_path / "out", ROOT)
    done = run("sources.commoncrawl", "--input", *CRAWL, "--output", output, *flink.flags, *flags, status=1)
    assert f"does not see the output folder {output}" in done.stderr.splitlines()[-1]


def test_more_parallelism_than_slots_is_told_at_once(tmp_path, flink):
    flags = [*flink.flags, "--parallelism", "3"]
    done = run("sources.commoncrawl", "--input", *CRAWL, "--output", tmp_path / "out", *flags, status=1)
    assert done.stderr.startswith("error: the Flink cluster has 2 slots, and --parallelism wants 3. Give a smaller")


def test_a_job_server_that_is_not_there_is_told(tmp_path):
    flags = ["--runner", "PortableRunner", "--job_endpoint", "localhost:1"]
    done = run("sources.commoncrawl", "--input", *CRAWL, "--output", tmp_path / "out", *flags, status=1)
    assert done.stderr.startswith("error: no Beam job server answers at --job_endpoint localhost:1. make flink")


def in_letters(number: int) -> str:
    """A word that differs from number to number: figures are alike to dedup."""
    return "".join("abcdefghij"[int(figure)] for figure in str(number))


def made(folder: Path) -> Path:
    """A crawl that takes some seconds."""
    folder.mkdir()
    for file in range(FILES):
        numbers = range(file * PAGES, (file + 1) * PAGES)
        texts = (
            "\n".join(f"The boat {in_letters(100 * n + k)} left the old harbour." for k in range(99)) for n in numbers
        )
        records = (wet_record(t.encode(), f"http://example.org/{n}", n) for n, t in zip(numbers, texts, strict=True))
        (folder / f"{file:02d}.warc.wet.gz").write_bytes(gzip.compress(b"".join(records), 1))
    return folder / "*.gz"


def test_a_killed_command_and_killed_task_managers_are_told_and_change_no_byte(tmp_path, flink):
    """The last test of the cluster.

    A task manager is lost, so that the job cannot end, and the command is killed, which leaves the job there. The next
    command stops that, and says that there are too few slots. When these are back, the same command goes on, and a task
    manager is killed under it that comes back.
    """
    flags, output = ["--input", made(tmp_path / "in")], tmp_path / "killed"
    run("sources.commoncrawl", *flags, "--output", tmp_path / "local", "--direct_num_workers", "2")
    job = start(output, flags, flink)
    wait_until(lambda: list(output.glob("*/.attendance/whole/*.worker")), job)
    flink.kill("taskmanager-2")
    job.kill()
    job.communicate()
    rest = f"http://{flink.flags[flink.flags.index('--flink_master') + 1]}/overview"
    wait_until(lambda: json.load(urllib.request.urlopen(rest))["slots-total"] == 1)
    done = run("sources.commoncrawl", *flags, "--output", output, *flink.flags, status=1)
    assert "of a command that was killed still runs on" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: the Flink cluster has 1 slots, and --parallelism wants 2.")
    assert flink.tool("start").returncode == 0
    job = start(output, flags, flink)
    wait_until(lambda: list(output.glob("*/.attendance/whole/*.worker")), job)
    flink.kill("taskmanager-1")
    assert flink.tool("start").returncode == 0
    _, errors = job.communicate(timeout=PATIENCE_SECONDS)
    assert job.returncode == 0, errors
    assert "begins anew" in errors
    assert outputs(output) == outputs(tmp_path / "local")
    assert leftovers(output) == []


def start(output: Path, flags: list, cluster: Engine) -> subprocess.Popen:
    command = [sys.executable, "-m", "sources.commoncrawl", *map(str, flags), "--output", str(output), *cluster.flags]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(reached, job: subprocess.Popen | None = None) -> None:
    deadline = time.monotonic() + 120
    while not reached() and (job is None or job.poll() is None) and time.monotonic() < deadline:
        time.sleep(0.02)


@pytest.mark.skipif("LLAMA_CORPUS_TEST_SPARK" not in os.environ, reason="LLAMA_CORPUS_TEST_SPARK=1 runs it")
def test_spark_gives_the_local_runners_bytes(tmp_path):
    for spark in engine("spark", tmp_path / "state"):
        run("sources.commoncrawl", "--input", *CRAWL, "--output", tmp_path / "local", "--direct_num_workers", "1")
        run("sources.commoncrawl", "--input", *CRAWL, "--output", tmp_path / "spark", *spark.flags)
        assert outputs(tmp_path / "spark") == outputs(tmp_path / "local")
        assert leftovers(tmp_path / "spark") == []
        logs = "".join(path.read_text() for path in (tmp_path / "state" / "work").rglob("stderr"))
        assert "NoSuchMethodError" not in logs
