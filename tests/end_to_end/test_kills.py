"""Runs of two workers that are killed and run again leave the bytes of one that is not: one test for all sources."""

import pytest

from tests.end_to_end.commands import ROOT, after, killed, outputs, run

SAMPLES = ROOT / "samples"
BOOKS = SAMPLES / "books"
GITHUB = SAMPLES / "github"
ARXIV = SAMPLES / "arxiv"
# Each source's sample in many small shards.
COMMANDS = {
    "commoncrawl": ("--input", *sorted((SAMPLES / "commoncrawl").glob("*.warc.wet.gz"))),
    "c4": ("--from", "wet", "--input", *sorted((SAMPLES / "c4").glob("*.warc.wet.gz"))),
    "github": ("--input", GITHUB / "repositories", *sorted(GITHUB.glob("*.gz")), "--set", "shard_megabytes=0.005"),
    "wikipedia": ("--input", "samples/wikipedia/*.bz2", "--set", "shard_megabytes=0.002"),
    "books": ("--gutenberg", BOOKS / "gutenberg", "--books3", BOOKS / "books3.tar.gz", "--set", "files_per_shard=4"),
    "arxiv": ("--input", ARXIV / "bulk", ARXIV / "eprints", "--metadata", ARXIV / "arxiv-metadata-sample.json"),
    "stackexchange": ("--input", *sorted((SAMPLES / "stackexchange").glob("*.7z"))),
}
SECONDS = 3.0  # when it is killed: while it reads, or while it writes, as it is on the machine


@pytest.mark.parametrize("source", COMMANDS)
def test_killed_runs_go_on_and_give_the_same_bytes(tmp_path, source):
    flags = COMMANDS[source]
    killed(f"sources.{source}", *flags, "--output", tmp_path / "killed", until=after(SECONDS))
    run(f"sources.{source}", *flags, "--output", tmp_path / "killed", "--direct_num_workers", "2")
    run(f"sources.{source}", *flags, "--output", tmp_path / "whole", "--direct_num_workers", "1")
    assert outputs(tmp_path / "killed") == outputs(tmp_path / "whole")
