"""The mixture from end to end: sources to shards to a trained model, kills, workers, and what a user may do wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import pyarrow as pa
import pytest

from tests.end_to_end.commands import ROOT, outputs, run
from tests.pipeline.mix.corpora import prose, snapshot, write_corpus, write_model, write_parquet

RECIPE = "sources: {wikipedia: {share: 60}, books: {share: 40}}\nmax_epochs: 2.0\nseq_len: 128\nshard_rows: 64\n"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A corpus of two sources made by their commands, a tokenizer and a recipe."""
    root = tmp_path_factory.mktemp("mix")
    books = ROOT / "samples" / "books"
    wikipedia = sorted((ROOT / "samples" / "wikipedia").glob("*-multistream.xml.bz2"))
    one = ["--output", root / "corpus", "--direct_num_workers", "1"]
    run("sources.books", *one, "--gutenberg", books / "gutenberg", "--books3", books / "books3.tar.gz")
    run("sources.wikipedia", *one, "--input", *wikipedia)
    write_model(root)
    (root / "mine.yaml").write_text(RECIPE)
    return root


def flags(root: Path, output: str | Path, *more: str | Path, workers: int = 1) -> list[str]:
    given = ["--proportions", root / "mine.yaml", "--corpus", root / "corpus", "--tokenizer", root / "tokenizer.model"]
    return [str(flag) for flag in [*given, "--output", root / output, "--direct_num_workers", workers, *more]]


@pytest.fixture(scope="module")
def shards(root) -> Path:
    done = run("pipeline.mix", *flags(root, "shards", "--set", "heldout_tokens=1000"))
    assert f"python -m pipeline.verify {root}/shards" in done.stdout
    return root / "shards"


def test_the_plan_is_shown_before_the_shards_and_stored(root, shards):
    done = run("pipeline.mix", *flags(root, "shards", "--set", "heldout_tokens=1000"))
    assert "Nothing to do: all shards were done before." in done.stdout
    assert done.stdout.index("tokens to draw") < done.stdout.index("share reached")
    plan = json.loads((shards / "plan.json").read_text())
    assert [row["source"] for row in plan["sources"]] == ["wikipedia", "books"]
    assert max(row["epochs"] for row in plan["sources"]) <= 2.0
    made = json.loads((shards / "manifest.json").read_text())
    assert made["share_error"] < 0.002
    assert made["mixture"]["books"]["corpus"]["documents"] == 9


def test_verify_trace_datasets_and_training(root, shards):
    rows = json.loads((shards / "manifest.json").read_text())["rows"]
    assert f"all accounts add up, {rows:,} rows" in run("pipeline.verify", shards).stdout
    assert datasets.load_from_disk(str(shards)).num_rows == rows
    mapped = pa.ipc.open_stream(pa.memory_map(str(next(shards.glob("*.arrow"))))).read_all()
    before = pa.total_allocated_bytes()
    mapped["input_ids"].chunk(0).values.to_numpy(zero_copy_only=True)
    assert pa.total_allocated_bytes() == before
    traced = run("pipeline.trace", shards, "--row", 17, "--token", 55).stdout
    assert traced.startswith(f"row 17 of {rows:,}: {shards}/data-")
    assert "\n  raw      " in traced
    assert "\n  place    characters " in traced
    train = ["--model", "tiny", "--data", shards, "--output", root / "run", "--steps", 2, "run.threads=1"]
    assert "complete at step 2" in run("trainer_bridge.train", *train).stderr
    scored = json.loads(run("trainer_bridge.evaluate", root / "run", "--data", shards / "heldout").stdout)
    assert set(scored["scores"]) == {"wikipedia", "books", "all"}


def test_two_workers_write_the_same_bytes(root, shards):
    fresh = root / "fresh"
    shutil.copytree(root / "corpus", fresh / "corpus", ignore=shutil.ignore_patterns("_tokens"))
    for name in ("tokenizer.model", "mine.yaml"):
        shutil.copy(root / name, fresh / name)
    run("pipeline.mix", *flags(fresh, "shards", "--set", "heldout_tokens=1000", workers=2))
    made, expected = snapshot(fresh / "shards"), snapshot(shards)
    for files in (made, expected):
        for name in ("manifest.json", "heldout/manifest.json"):
            files[name] = {**json.loads(files[name]), "corpus": "", "token_files": ""}
    assert made == expected
    tokens = root / "corpus" / "_tokens"
    assert outputs(fresh / "corpus" / "_tokens") == outputs(tokens)


def test_a_killed_run_goes_on_with_the_same_bytes(tmp_path):
    sources = {name: [prose(100, seed + n, 200) for n in range(3)] for seed, name in ((0, "wikipedia"), (9, "books"))}
    write_corpus(tmp_path / "corpus", sources)
    write_model(tmp_path)
    (tmp_path / "mine.yaml").write_text(RECIPE.replace("shard_rows: 64", "shard_rows: 32"))
    for workers, wanted in ((1, "corpus/_tokens/**/*.json"), (2, "shards/_stats/*.json")):
        command = [sys.executable, "-m", "pipeline.mix", *flags(tmp_path, "shards", workers=workers)]
        process = subprocess.Popen(
            command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 100
        while not list(tmp_path.glob(wanted)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "shards" / "manifest.json").exists()
    done = run("pipeline.mix", *flags(tmp_path, "shards"))
    assert "were done before" in done.stdout
    run("pipeline.mix", *flags(tmp_path, "undisturbed"))
    assert snapshot(tmp_path / "shards") == snapshot(tmp_path / "undisturbed")
    assert not [path for path in tmp_path.rglob("*.tmp") if "shards" in path.parts]


def test_a_dry_run_writes_no_shard(root):
    done = run("pipeline.mix", *flags(root, "never", "--dry-run"))
    assert "tokens to draw" in done.stdout
    assert not (root / "never").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--tokens", "1T"], "The largest budget of this corpus is"),
        (["--tokens", "some"], "--tokens must look like 1.4T, 10B, 500M, 123456 or auto, it is 'some'"),
        (
            ["--proportions", "llama1"],
            "lacks sources of the recipe: commoncrawl (not there), c4 (not there, or not its subsets train)",
        ),
        (["--proportions", "llama9"], "there are no proportions 'llama9'; built in are"),
        (["--set", "sources.books.share=41"], "the shares must sum to 100 (or to 1), they sum to 101"),
        (["--tokenizer", "nowhere.model"], "there is no tokenizer at nowhere.model. Check --tokenizer"),
        (["--corpus", "nowhere"], "there is no corpus folder nowhere"),
        (["--output", "/proc/shards"], "cannot write to /proc/shards"),
    ],
)
def test_what_a_user_may_do_wrong_is_one_sentence(root, more, message):
    done = run("pipeline.mix", *flags(root, "wrong", *more), status=1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (root / "wrong").exists()


def test_a_source_that_is_missing_can_be_divided(root):
    more = ["--dry-run", "--proportions", "llama1", "--set", "missing=renormalise", "--set", "seq_len=128"]
    done = run("pipeline.mix", *flags(root, "divided", *more))
    assert "their shares divided among the others: commoncrawl, c4, github, arxiv, stackexchange" in done.stdout
    assert "50.00%" in done.stdout


def test_a_corpus_that_grew_is_refused(root, shards, tmp_path):
    shutil.copytree(root / "corpus", tmp_path / "corpus")
    shutil.copytree(shards, tmp_path / "shards")
    for name in ("tokenizer.model", "mine.yaml"):
        shutil.copy(root / name, tmp_path / name)
    (tmp_path / "corpus/books/manifest.json").unlink()
    done = run("pipeline.mix", *flags(tmp_path, "shards"), status=1)
    assert "no run of python -m sources.books has ended there" in done.stderr
    shutil.rmtree(tmp_path / "corpus/books")
    write_parquet(tmp_path / "corpus", "books/all/new.parquet", prose(300, 1))
    done = run("pipeline.mix", *flags(tmp_path, "shards"), status=1)
    assert "was made by another configuration. What differs (there -> here):" in done.stderr
    assert "  sources.books.documents: 9 -> 300" in done.stderr
