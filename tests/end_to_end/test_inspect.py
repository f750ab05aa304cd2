"""Looking into a corpus from the terminal, before and after for every source's sample, and in a real terminal."""

import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.inspect.command import main
from tests.end_to_end.commands import ROOT, commoncrawl, run

SAMPLES = ROOT / "samples"
SOURCES = {
    "commoncrawl": ["--input", SAMPLES / "commoncrawl"],
    "c4": ["--from", "wet", "--input", *sorted((SAMPLES / "c4").glob("*.wet.gz"))],
    "github": ["--input", SAMPLES / "github" / "repositories"],
    "wikipedia": ["--input", *sorted((SAMPLES / "wikipedia").glob("*-multistream.xml.bz2"))],
    "books": ["--gutenberg", SAMPLES / "books" / "gutenberg", "--books3", SAMPLES / "books" / "books3.tar.gz"],
    "arxiv": ["--input", SAMPLES / "arxiv" / "bulk"],
    "stackexchange": ["--input", SAMPLES / "stackexchange", "--set", "meta_sites=true"],
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inspect")
    commoncrawl(folder, *SOURCES["commoncrawl"])
    return folder


@pytest.fixture
def inspect(capsys):
    """The command in this process, which starts soonest: gives the rows that it found."""

    def call(*arguments, status=0) -> list[dict]:
        with pytest.raises(SystemExit) as end:
            main([*map(str, arguments), "--json"])
        assert end.value.code == status
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return call


def test_rejects_of_a_step(corpus, inspect):
    command = [corpus / "commoncrawl", "--dropped-by", "perplexity", "--n", "20"]
    rows = [json.loads(line) for line in run("pipeline.inspect", *command, "--json").stdout.splitlines()]
    assert len(rows) == 20
    assert {(row["step"], row["reason"]) for row in rows} == {("perplexity", "bucket_tail")}
    assert len({row["origin"]["file"] for row in rows}) == 4
    assert all(row["meta"]["perplexity"] >= 290 for row in rows)
    assert rows == inspect(corpus, "--source", "commoncrawl", "--dropped-by", "perplexity", "--n", "20")


def test_filters(corpus, inspect):
    every = inspect(corpus, "--kept", "--n", "0")
    assert len(every) == 49
    some = inspect(corpus, "--kept", "--where", "perplexity<240", "--subset", "head", "--language", "en", "--n", "0")
    assert {row["id"] for row in some} == {row["id"] for row in every if row["meta"]["bucket"] == "head"}
    url = every[0]["url"]
    assert [row["url"] for row in inspect(corpus, "--url", url)] == [url]
    assert [row["id"] for row in inspect(corpus, "--id", every[3]["id"])] == [every[3]["id"]]


def test_plain_where_it_is_piped(corpus):
    text = run("pipeline.inspect", corpus, "--dropped", "--n", "3").stdout
    assert text.count("dropped by ") == 3
    assert "\x1b" not in text
    assert "\x1b[" in run("pipeline.inspect", corpus, "--n", "1", "--color", "always").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    {
        "--dropped-by perplxity": "Did you mean perplexity?",
        "--reason tail": "There are: ",
        "--subset best": "There are: head, middle",
        "--source books": "There are: commoncrawl",
        "--where perplexity": "must be a field",
        "--where nothing>3": "there is no field 'nothing'",
        "--kept --reason x": "leave one out",
        "--n -1": "must not be negative",
        "--grep (": "--grep",
    }.items(),
)
def test_errors_are_one_message(corpus, capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        main([str(corpus), *arguments.split()])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_nothing_found_has_a_status_of_its_own(corpus, inspect):
    assert inspect(corpus, "--id", "nobody", status=1) == []


@pytest.mark.parametrize("source", SOURCES)
def test_before_and_after(tmp_path, inspect, source):
    flags = ["--output", tmp_path, "--direct_num_workers", "1", "--quiet", *SOURCES[source]]
    run(f"sources.{source}", *flags)
    rows = inspect(tmp_path / source, "--before-after", "--n", "0")
    assert rows
    for row in rows:
        if row.get("step") == "read":
            assert row["before_missing"].startswith("it never became a document")
        else:
            assert row["before_missing"] is None, row["before_missing"]
    changed = [row for row in rows if row["before"] not in (None, row["text"])]
    assert changed
    kept = [row for row in rows if "step" not in row]
    assert kept
    if source == "commoncrawl":  # lines are only taken away
        assert all(set(row["text"].split("\n")) <= set(row["before"].split("\n")) for row in kept)


def test_a_raw_file_that_moved_or_is_gone(inspect, tmp_path):
    raw = tmp_path / "raw"
    shutil.copytree(SAMPLES / "commoncrawl", raw)
    commoncrawl(tmp_path / "corpus", "--input", raw)
    moved = raw.rename(tmp_path / "moved")
    (lost,) = inspect(tmp_path / "corpus", "--kept", "--n", "1", "--before-after")
    assert "is not where it was; --raw DIR" in lost["before_missing"]
    (found,) = inspect(tmp_path / "corpus", "--kept", "--n", "1", "--before-after", "--raw", moved)
    assert set(found["text"].split("\n")) <= set(found["before"].split("\n"))


def in_terminal(*arguments: str, **environment: str) -> str:
    """What a command writes to a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "pipeline.inspect", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=follower, stdout=follower, stderr=subprocess.DEVNULL, env={**os.environ, **environment}
    )
    os.close(follower)
    said, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.5)[0]:
            try:
                said += os.read(leader, 1 << 16)
            except OSError:  # the other end is closed
                break
    process.wait(timeout=60)
    os.close(leader)
    return said.decode("utf-8", "replace")


def test_a_terminal_has_colours_and_a_pager(corpus, tmp_path):
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho PAGED\ncat\n")
    pager.chmod(0o755)
    paged = in_terminal(str(corpus), "--n", "1", PAGER=str(pager), TERM="xterm")
    assert paged.startswith("PAGED")
    assert "\x1b[1;32mkept" in paged
    assert "PAGED" not in in_terminal(str(corpus), "--n", "1", "--no-pager", PAGER=str(pager), TERM="xterm")
    assert "kept" in in_terminal(str(corpus), "--n", "1", PAGER="/no/such/pager", TERM="xterm")


def test_a_reader_that_has_seen_enough_ends_it_quietly(corpus):
    command = f"{sys.executable} -m pipeline.inspect {corpus} --n 0 --json | head -1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(("module", "flags"), [("inspect", ["--json"]), ("inspect", []), ("card", [])])
def test_who_reads_may_stop(corpus, module, flags):
    command = [sys.executable, "-m", f"pipeline.{module}", str(corpus), *flags]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        errors = process.stderr.read()
        assert (process.wait(60), errors) == (141, "")  # as of a program that SIGPIPE ended
