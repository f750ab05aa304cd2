"""Parts as processes of their own, at the same time, and the recipe for Slurm under a stand-in of sbatch."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.commands import ROOT, SAMPLES, outputs, run

BOOKS = ROOT / "samples" / "books"
PATIENCE_SECONDS = 180.0
C4 = (
    *("--from", "wet", "--input", *sorted((ROOT / "samples/c4").glob("*.warc.wet.gz"))),
    *sorted(SAMPLES.glob("*.warc.wet.gz")),
)
SCOPES = ("--input", str(SAMPLES / "*.warc.wet.gz"), "--set", "dedup.scope_files=2")
NEAR = ("--gutenberg", BOOKS / "gutenberg", "--books3", BOOKS / "books3.tar.gz", "--set", "files_per_shard=4")
ONE = ("--direct_num_workers", "1")

# What sbatch does, as far as the recipe asks for it: it says the number of the job, and keeps what it was told.
SBATCH = """#!/bin/bash
printf '%s\\n' "$@" > "$(mktemp "$SUBMITTED/XXXXXX")"
"""


def start(source: str, output: Path, part: str, *flags: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"sources.{source}", *map(str, flags), "--output", str(output)]
    return subprocess.Popen(
        [*command, *ONE, "--part", part, "--wait", "3", "--quiet"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(processes: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    return [(p.returncode, errors) for p in processes for _, errors in [p.communicate(timeout=PATIENCE_SECONDS)]]


def test_three_parts_of_c4_at_a_time_of_which_one_is_killed(tmp_path):
    """One scope and two rounds of dedup; the others wait for the files of the one that is killed, and made again."""
    parts = [start("c4", tmp_path / "parts", f"{number}/3", *C4) for number in (1, 2, 3)]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not list((tmp_path / "parts").glob("c4/_work/*/url_dedup/*/*")) and time.monotonic() < deadline:
        assert parts[1].poll() is None
        time.sleep(0.01)
    os.killpg(parts[1].pid, signal.SIGKILL)
    parts[1].communicate()
    parts[1] = start("c4", tmp_path / "parts", "2/3", *C4)
    assert ended(parts) == [(0, "")] * 3
    run("sources.c4", *C4, "--output", tmp_path / "parts", "--finish")
    run("sources.c4", *C4, *ONE, "--output", tmp_path / "whole")
    assert outputs(tmp_path / "parts") == outputs(tmp_path / "whole")


def test_books_whose_near_duplicates_are_found_by_parts(tmp_path):
    assert ended([start("books", tmp_path / "parts", f"{number}/2", *NEAR) for number in (1, 2)]) == [(0, "")] * 2
    run("sources.books", *NEAR, "--output", tmp_path / "parts", "--finish")
    run("sources.books", *NEAR, *ONE, "--output", tmp_path / "whole")
    assert outputs(tmp_path / "parts") == outputs(tmp_path / "whole")


@pytest.fixture
def slurm(tmp_path):
    """Runs the recipe as Slurm would, given what it sets; gives what was handed in meanwhile."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sbatch").write_text(SBATCH)
    (tmp_path / "bin" / "sbatch").chmod(0o755)
    script = str(shutil.copy(ROOT / "recipes/slurm/commoncrawl.sbatch", tmp_path / "slurm_script"))  # Slurm copies it
    flags = [*SCOPES, "--output", str(tmp_path / "parts"), "--quiet"]

    def task(status: int, **environment: str) -> list[list[str]]:
        submitted = tmp_path / "submitted"
        shutil.rmtree(submitted, ignore_errors=True)
        submitted.mkdir()
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        given = {"SUBMITTED": str(submitted), "PYTHON": sys.executable, "SLURM_CPUS_PER_TASK": "1", "PATH": path}
        slurm = {"SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_MIN": "1"}
        done = subprocess.run(
            ["bash", script, *flags],
            cwd=ROOT,
            env={**os.environ, **given, **slurm, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert done.returncode == status, done.stderr
        told = [path.read_text().splitlines() for path in submitted.iterdir()]
        for arguments in told:
            at = arguments.index(script)
            assert arguments[at + 1 :] == flags
            del arguments[at:]
        return told

    return task


def test_the_recipe_for_slurm(slurm, tmp_path):
    array = {"SLURM_ARRAY_TASK_COUNT": "2"}
    assert slurm(0, SLURM_ARRAY_TASK_ID="1", **array) == [
        ["--dependency=afterany:77", "--array=1", "--export=ALL,STEP=finish,PARTS=2,ROUND=1"]
    ]
    assert slurm(1, STEP="finish", PARTS="2", ROUND="1") == [
        ["--array=1-2%50", "--export=ALL,STEP=part,PARTS=2,ROUND=2"]
    ]
    assert slurm(1, STEP="finish", PARTS="2", ROUND="2") == []
    assert slurm(0, SLURM_ARRAY_TASK_ID="2", **array) == []
    assert slurm(0, STEP="finish", PARTS="2", ROUND="2") == []
    run("sources.commoncrawl", *SCOPES, *ONE, "--output", tmp_path / "whole")
    assert outputs(tmp_path / "parts") == outputs(tmp_path / "whole")
