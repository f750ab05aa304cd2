"""Whole builds as a user makes them: of the samples, killed ten times; and from publishers, where much goes wrong."""

import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.commands import ROOT, outputs, run

STAGES = (
    "commoncrawl",
    "c4",
    "github",
    "wikipedia",
    "books",
    "arxiv",
    "stackexchange",
    "tokenizer",
    "encode",
    "mixture",
)
PATIENCE_SECONDS = 120.0


def build(output: Path, *words: str | Path, status: int = 0):
    return run("pipeline.build", *words, "--output", output, "--direct_num_workers", "1", status=status)


def record(output: Path, stage: str) -> dict:
    return json.loads((output / "_build" / "stages" / f"{stage}.json").read_text())


def made(output: Path) -> dict[str, bytes]:
    """All bytes of a build that are a function of its recipe: documents, accounts, tokenizer, shards."""
    found = {name: data for folder in ("corpus", "shards") for name, data in outputs(output / folder).items()}
    return found | {"tokenizer": (output / "models" / "tokenizer" / "tokenizer.model").read_bytes()}


def descendants(process: int) -> list[int]:
    """The processes below one, by /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, here = [], [process]
    while here:
        below = parents.get(here.pop(), [])
        found += below
        here += below
    return found


def kill_in(stage: str, output: Path, *words: str | Path, alone: bool, seconds: float) -> None:
    """Starts a build, and kills it with -9 while a stage runs: it alone, or all its processes as a power cut does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.build", *words, "--output", output],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    path, until = output / "_build" / "stages" / f"{stage}.json", time.monotonic() + PATIENCE_SECONDS
    while not (path.exists() and '"status": "running"' in path.read_text()) and time.monotonic() < until:
        assert process.poll() is None, f"the build ended before {stage}"
        time.sleep(0.01)
    time.sleep(seconds)  # the command has begun
    killed = [process.pid] if alone else [process.pid, *descendants(process.pid)]
    for number in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    process.wait()


# The samples in many small shards, so that a kill falls between them.
SMALL = """\
base: sample
sources:
  github: {set: [shard_megabytes=0.005]}
  wikipedia: {set: [shard_megabytes=0.002]}
  books: {set: [files_per_shard=4]}
"""


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A recipe of the samples, a build of it but for the report and the model, and what that printed."""
    folder = tmp_path_factory.mktemp("sample")
    (folder / "small.yaml").write_text(SMALL)
    return folder / "small.yaml", folder / "work", build(folder / "work", folder / "small.yaml", "--until", "verify")


def test_the_samples_become_shards_and_the_report_says_of_what(sample):
    _, output, done = sample
    for stage in (*STAGES, "verify"):
        assert re.search(rf"│{stage} *│ done ", done.stdout), stage
    assert "Made 11 stages in" in done.stdout
    assert re.search(r"│github *│ done .* documents, \d+ failed", done.stdout)  # records that could not be read
    named = next(line for line in done.stdout.splitlines() if line.startswith("failed records are named in"))
    assert str(output / "_build" / "logs" / "github.log") in named
    assert (output / "shards" / "state.json").exists()
    assert "all accounts add up" in (output / "_build" / "logs" / "verify.log").read_text()


def test_what_was_taken_out_comes_back_by_no_recipe(tmp_path):
    work, listed = tmp_path / "work", tmp_path / "removals.tsv"
    listed.write_text(
        "url-prefix\thttps://collections.marlbymuseum.example/object/\ndomain\tmarlby-university.example\n"
    )
    without = ("sample", "--without", "commoncrawl,github,wikipedia,books,arxiv", "--until", "mixture")
    other, third = ((*without, "--set", f"sources.c4.set=[rejects.keep={keep}]") for keep in ("none", "all"))
    build(work, *without)
    build(work, *other)  # c4 as it was is set aside, with all that the list names
    folders = (work / "corpus", work / "shards")
    run("pipeline.optout", *folders, "--list", listed, "--apply")
    before = made(work)
    for late in (without, third):
        refused = build(work, *late, status=1)
        assert "a list of removals was applied to what this build made" in refused.stderr
    assert made(work) == before
    assert "Nothing to do" in build(work, *other).stdout
    for words, said in ((without, "c4 was made so before, and comes back"), (third, "c4 has changed")):
        done = build(work, *words, "--set", f"optout={listed}", "--until", "optout")
        assert said in done.stderr
        assert "nothing is left of 2 removals" in run("pipeline.verify", *folders, "--absent", listed).stdout


def test_a_build_that_is_killed_ten_times_gives_the_same_bytes(sample, tmp_path):
    recipe, whole, _ = sample
    words = (recipe, "--until", "verify", "--direct_num_workers", "2")  # the whole one was made by one worker
    for number, stage in enumerate(STAGES):
        kill_in(stage, tmp_path / "work", *words, alone=number % 2 == 1, seconds=1.5 + number / 5)
    build(tmp_path / "work", recipe, "--until", "verify")
    assert made(tmp_path / "work") == made(whole)
    assert not list((tmp_path / "work").rglob("*.tmp"))


def test_nothing_is_made_twice_and_a_changed_recipe_touches_what_it_must(sample):
    recipe, output, _ = sample
    before = made(output)
    assert "Nothing to do" in build(output, recipe, "--until", "verify").stdout
    changed = (recipe, "--set", "sources.books.set=[files_per_shard=4, language.keep=all]", "--until", "verify")
    told = run("pipeline.build", "diff", *changed, "--output", output, status=1).stdout
    assert "books: made anew\n  set: ['files_per_shard=4'] -> ['files_per_shard=4', 'language.keep=all']\n" in told
    assert "as it is: commoncrawl, c4, github, wikipedia, arxiv, stackexchange" in told
    build(output, *changed)
    assert made(output) != before
    aside = {path.name.rpartition("-")[0] for path in (output / "_build" / "aside").iterdir()}
    assert {"books", "tokenizer", "mixture"} <= aside
    left_out = build(output, recipe, "--without", "stackexchange", "--until", "arxiv")
    assert "stackexchange is not in the recipe any more; what was made of it is in" in left_out.stderr
    assert not (output / "corpus" / "stackexchange").exists()
    assert json.loads(run("pipeline.build", "status", output, "--json", status=1).stdout)["stages"]
    build(output, recipe, "--until", "verify")  # the old recipe's outputs come back
    assert made(output) == before
    for lost in ("corpus/books", "tokens"):
        shutil.rmtree(output / lost)
    again = build(output, recipe, "--until", "verify")
    assert "books: corpus/books is not there any more, and is made anew" in again.stderr
    assert "tokenizer: done before" in again.stderr
    assert made(output) == before


def test_the_build_ends_before_the_disk_is_full(tmp_path):
    ended = build(tmp_path / "work", "--set", "min_free_gigabytes=1e6", "--until", "c4", status=1)
    assert "min_free_gigabytes is 1e+06. Make room, then the same command goes on." in ended.stderr
    assert record(tmp_path / "work", "commoncrawl")["status"] == "failed"
    build(tmp_path / "work", "--until", "commoncrawl")


@pytest.fixture(scope="module")
def recipe(publishers, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "llama1-test.yaml"
    path.write_text(publishers.recipe())
    return path


@pytest.fixture
def c4(hub):
    """The hub's copy of C4, in two files with other addresses."""
    rows = gzip.decompress(next((ROOT / "samples" / "c4").glob("c4-train.*.json.gz")).read_bytes())
    files = [gzip.compress(rows.replace(b"://", f"://mirror{number}.".encode())) for number in range(2)]
    hub.add("allenai/c4", {f"en/c4-train.0000{n}-of-00002.json.gz": data for n, data in enumerate(files)})
    return hub


def test_a_budget_is_fetched_made_and_grown(publishers, recipe, c4, tmp_path):
    output, asked = tmp_path / "work", publishers.requests
    gone, slow = next(path for path in publishers.files if "/wet/" in path), []

    def refuse(path):
        if path == gone:
            return 404
        if path.endswith(".7z") and len(slow) < 2:
            slow.append(path)
            return 429
        return None

    publishers.refuse = refuse
    fewer = ("--without", "github", "--without", "arxiv", "--set", "reference.train=false")
    words = (recipe, "--tokens", "10K", "--until", "verify", *fewer)
    assert "requester_pays" not in run("pipeline.build", *words, "--output", output, "--dry-run").stdout
    assert not output.exists()
    assert asked == []
    first = build(output, *words)
    assert "passed over" in first.stdout or record(output, "commoncrawl")["passed_over"] == {}
    growing = ("commoncrawl", "c4", "wikipedia")
    units = {stage: record(output, stage)["units"] for stage in (*growing, "books")}
    share = record(output, "stackexchange")["share"]
    assert 0 < share < 1
    assert f"--set questions={share}" in (output / "_build" / "build.log").read_text()
    documents = [path for stage in growing for path in (output / "corpus" / stage).rglob("*.parquet")]
    times = {path: path.stat().st_mtime_ns for path in documents}
    assert len({path for path in asked if "/wet/" in path}) < len(
        [path for path in publishers.files if "/wet/" in path]
    )
    status = json.loads(run("pipeline.build", "status", output, "--json", status=1).stdout)
    left = {entry["stage"]: entry["status"] for entry in status["stages"] if entry["status"] != "done"}
    assert left == {"report": "to do", "card": "to do"}
    assert not list((output / "raw").glob("*wet.gz"))  # fetched files that are not read again are gone

    asked.clear()
    build(output, recipe, "--tokens", "40K", "--until", "verify", *fewer)
    for stage, before in units.items():
        after = record(output, stage)["units"]
        assert after[: len(before)] == before  # a slice is part of every larger one
    assert len(record(output, "commoncrawl")["units"]) > len(units["commoncrawl"])
    assert {path: path.stat().st_mtime_ns for path in documents} == times  # nothing that grows is made twice
    assert share < record(output, "stackexchange")["share"] <= 1
    assert "all accounts add up" in (output / "_build" / "logs" / "verify.log").read_text()


def test_a_source_that_fails_does_not_stop_the_others_and_the_same_command_mends_it(publishers, recipe, c4, tmp_path):
    output = tmp_path / "work"
    damaged = next(path for path in publishers.files if path.endswith(".7z"))
    publishers.refuse = lambda path: 401 if path.startswith("/epub/") else None
    whole, publishers.files[damaged] = publishers.files[damaged], b"another file"
    words = (recipe, "--tokens", "10K", "--until", "encode")
    without = [word for name in ("commoncrawl", "github", "wikipedia", "arxiv") for word in ("--without", name)]
    failed = build(output, *words, *without, "--set", "reference.train=false", status=1)
    assert re.search(r"│stackexchange *│ failed", failed.stdout)
    assert re.search(r"│books *│ failed", failed.stdout)
    assert re.search(r"│c4 *│ done", failed.stdout)
    assert "has the check sum sha1:" in failed.stdout
    assert "failed: books, stackexchange; waiting: tokenizer, encode" in failed.stderr
    publishers.refuse, publishers.files[damaged] = lambda path: None, whole
    build(output, *words, *without, "--set", "reference.train=false")
