"""The command as a user runs it: corpus in, model and report out."""

import contextlib
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece

from tests.tokenizer.models import ROOT, texts, write_corpus
from tokenizer.encode import Encoder
from tokenizer.errors import TokenizerError
from tokenizer.run import _check_sample
from tokenizer.train import main

MIXTURE = "sources: {web: {share: 75}, code: {share: 25}}\n"
FLAGS = ("--proportions", "mixture.yaml", "--size", "40KB", "--vocab-size", "700")


def flags(folder: Path, *more: str, output: str = "model") -> list[str]:
    chosen = more if "--proportions" in more else (*FLAGS, *more)
    named = [str(folder / flag) if flag == "mixture.yaml" else flag for flag in chosen]
    return ["--corpus", str(folder / "corpus"), "--output", str(folder / output), *named]


def run(folder: Path, *more: str, status: int = 0, output: str = "model") -> tuple[str, str]:
    """Runs the command, checks its exit status, and gives what it printed and what it told of errors and progress."""
    printed, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
        try:
            ended = main(flags(folder, *more, output=output))
        except SystemExit as exit_of_argparse:
            ended = exit_of_argparse.code
    assert ended == status, told.getvalue()
    return printed.getvalue(), told.getvalue()


def lines_of(folder: Path) -> list[bytes]:
    """The lines of the source ``web``, as UTF-8."""
    texts = pq.read_table(folder / "corpus" / "web", columns=["text"])["text"].to_pylist()
    return [line.encode() for text in texts for line in text.split("\n")]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    pages = [part + "\n" + "y" * 5000 for text in texts()[:8] for part in text.split("\n\n")]
    (folder / "mixture.yaml").write_text(MIXTURE)
    write_corpus(
        folder / "corpus", {"web/head/0": [pages[::2]], "web/middle/0": [pages[1::2]], "code/all/0": [texts()[-8:]]}
    )
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    return run(folder)


def test_what_is_written(folder, trained):
    assert sorted(files(folder / "model")) == [".owner.json", "report.json", "tokenizer.model", "tokenizer.vocab"]
    encoder = Encoder(folder / "model" / "tokenizer.model")
    assert (encoder.vocab_size, encoder.is_fast, encoder.bos_id, encoder.eos_id) == (700, True, 1, 2)
    vocabulary = (folder / "model" / "tokenizer.vocab").read_text().split("\n")
    assert vocabulary[:5] == ["<unk>\t0", "<s>\t0", "</s>\t0", "<0x00>\t0", "<0x01>\t0"]
    assert len(vocabulary) == 701
    processor = sentencepiece.SentencePieceProcessor(model_file=str(folder / "model" / "tokenizer.model"))
    assert vocabulary[600] == f"{processor.id_to_piece(600)}\t{processor.get_score(600):g}"


def test_the_report(folder, trained):
    report = json.loads((folder / "model" / "report.json").read_text())
    web, code = report["sample"]["web"], report["sample"]["code"]
    assert (web["share"], web["wanted"], code["wanted"]) == (0.75, 30_000, 10_000)
    assert 30_000 <= web["bytes"] < 34_192
    assert 10_000 <= code["bytes"] < 14_192
    assert web["too_long"]["bytes"] == 5000 * web["too_long"]["lines"] > 0
    assert code["too_long"] == web["reserved"] == {"lines": 0, "bytes": 0}
    assert web["share_reached"] == pytest.approx(0.75, abs=0.02)
    assert report["model"]["pieces"] == 700
    assert report["configuration"]["inputs"]["web"]["files"] == 2
    fertility = report["fertility"]["code"]
    assert fertility["bytes_per_token"] == round(fertility["bytes"] / fertility["tokens"], 3)
    assert fertility["paper"] is None


def test_what_is_printed(trained):
    printed, progress = trained
    lines = [line.split() for line in printed.splitlines()]
    assert lines[0] == ["sample", "asked", "reached", "bytes", "documents", "skipped"]
    assert lines[1][:2] == ["web", "75.0%"]
    assert lines[2][:2] == ["code", "25.0%"]
    assert ["fertility", "bytes/token", "paper", "measured", "on"] in lines
    assert "skipped: lines over 4,192 bytes or with U+2585, which SentencePiece ignores" in printed
    assert "700 pieces: " in printed
    assert progress == "sampling: done\ntraining: done\nmeasuring: done\n"


def test_the_same_again_gives_the_same_bytes(folder, trained):
    run(folder, output="again")
    assert files(folder / "again") == files(folder / "model")
    run(folder, "--seed", "1", output="other")
    assert files(folder / "other")["tokenizer.model"] != files(folder / "model")["tokenizer.model"]


def test_a_tokenizer_that_is_there_stays(folder, trained):
    before = {path: path.stat().st_mtime_ns for path in (folder / "model").iterdir()}
    printed, progress = run(folder)
    assert printed == trained[0]
    assert progress.endswith("model has this tokenizer already\n")
    _, error = run(folder, "--seed", "2", status=1)
    assert "has a tokenizer of another configuration. What differs (there -> here):\n  seed: 0 -> 2\nRemove" in error
    _, error = run(folder, "--vocab-size", "701", status=1)
    assert "\n  trainer.vocab_size: 700 -> 701\n" in error
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "model").iterdir()}


def test_a_corpus_that_changed_since(folder, trained, tmp_path):
    """Texts of the same length, compressed to the same size, with the same extremes: the sentences tell."""
    shutil.copytree(folder, tmp_path / "copy")
    for source in ("web", "code"):
        for path in (tmp_path / "copy/corpus" / source).rglob("*.parquet"):
            table = pq.read_table(path)
            text = [value.replace("the", "teh") for value in table["text"].to_pylist()]
            pq.write_table(table.set_column(1, "text", pa.array(text, pa.large_string())), path)
    _, error = run(tmp_path / "copy", status=1)
    assert "fingerprint: " in error or "the texts of the corpus have changed since" in error
    report = json.loads((folder / "model/report.json").read_text())
    with pytest.raises(TokenizerError, match=r"the texts of the corpus have changed since\. Remove"):
        _check_sample(report, "0" * 64, tmp_path)


def test_lines_that_are_all_too_long(tmp_path):
    (tmp_path / "mixture.yaml").write_text("sources: {web: {share: 100}}")
    write_corpus(tmp_path / "corpus", {"web/all/0": [["word after word\r" * 300] * 6]})
    _, error = run(tmp_path, status=1)
    assert "the documents of web in " in error
    assert "have no lines to train on: of their lines 6 are longer than 4,192 bytes (a text whose" in error
    assert "--split-long-lines takes them in pieces" in error
    printed, _ = run(tmp_path, "--split-long-lines", "--soft-vocab-limit")
    assert "taken in pieces: 6 lines over 4,192 bytes" in printed


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("report.json", b"{", "report.json is damaged"),
        ("report.json", None, "has a tokenizer without its report or its model"),
        ("tokenizer.model", None, "has a tokenizer without its report or its model"),
        ("tokenizer.model", b"changed", "is not the model that was trained there"),
    ],
)
def test_a_tokenizer_that_was_changed_is_not_written_over(folder, trained, tmp_path, name, content, message):
    shutil.copytree(folder, tmp_path / "copy")
    path = tmp_path / "copy" / "model" / name
    path.unlink() if content is None else path.write_bytes(content)
    before = files(tmp_path / "copy" / "model")
    assert message in run(tmp_path / "copy", status=1)[1]
    assert files(tmp_path / "copy" / "model") == before


def test_a_sample_that_is_too_small_for_its_mixture(folder):
    printed, _ = run(folder, "--size", "10MB", output="even")
    web = sum(len(line) for line in lines_of(folder) if len(line) <= 4192)
    said = r"10\.0 MB were asked for; web has text for ([\d.]+) KB in these proportions \(--uneven takes more"
    found = re.search(said, printed)
    assert found
    assert abs(float(found[1]) - web / 0.75 / 1000) < 0.5  # of code whole documents are taken
    report = json.loads((folder / "even" / "report.json").read_text())
    assert report["sample"]["web"]["share_reached"] == pytest.approx(0.75, abs=0.02)
    assert report["scarcest"] == "web"
    printed, _ = run(folder, "--size", "10MB", "--uneven", output="uneven")
    assert "less text than their share asks for: web, code; all they have is in the sample" in printed


def test_a_missing_source(folder, tmp_path):
    _, error = run(folder, "--proportions", "llama1", status=1, output="missing")
    assert "error: " in error
    assert "has no documents of commoncrawl, c4, github, wikipedia, books, arxiv, stackexchange" in error
    assert "Traceback" not in error
    (folder / "three.yaml").write_text("sources: {web: {share: 1}, code: {share: 1}, poems: {share: 2}}")
    three = ("--proportions", str(folder / "three.yaml"), "--size", "40KB", "--vocab-size", "700")
    _, error = run(folder, *three, status=1, output="missing")
    assert "has no documents of poems" in error
    assert not (folder / "missing").exists()
    printed, _ = run(folder, *three, "--renormalise", output="three")
    assert [line.split()[:2] for line in printed.splitlines()[1:3]] == [["web", "50.0%"], ["code", "50.0%"]]
    assert "not there, their shares divided among the others: poems\n" in printed


def test_a_missing_subset_is_told_where_it_is_allowed(folder):
    (folder / "subsets.yaml").write_text("sources: {web: {share: 1, subsets: [head, tail]}, code: {share: 1}}")
    flags = ("--proportions", str(folder / "subsets.yaml"), "--size", "40KB", "--vocab-size", "700")
    printed, _ = run(folder, *flags, "--uneven", "--renormalise", output="subsets")
    assert "subsets that are not there, whose place the others take: web/tail\n" in printed
    assert "web/tail" in run(folder, *flags, "--uneven", "--renormalise", output="subsets")[0]


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (("--vocab-size", "100000"), 1, "pieces at the most, not 100,000: give --vocab-size"),
        (("--vocab-size", "270"), 1, "--vocab-size 270 is too small"),
        (("--vocab-size", "0"), 1, "--vocab-size must be 1 or more, it is 0"),
        (("--size", "many"), 2, "must be a number of bytes such as 64MB or 2GB, it is 'many'"),
        (("--size", "0"), 2, "must be a number of bytes such as 64MB or 2GB, it is '0'"),
        (("--corpus", "/nowhere"), 1, "there is no corpus folder /nowhere"),
        (("--output", "/dev/null/x"), 1, "cannot write to /dev/null/x: Not a directory"),
    ],
)
def test_errors_in_one_message(folder, more, status, message):
    printed, error = run(folder, *more, status=status, output="errors")
    assert printed == ""
    assert message in error
    assert "Traceback" not in error
    assert not list(folder.glob("errors/[!.]*"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_and_run_again(folder, trained, number):
    output = folder / f"killed-{number}"
    longer = ("--size", "500KB", "--uneven", "--vocab-size", "4000")  # so that the signal comes before it is done
    command = [sys.executable, "-m", "tokenizer.train", *flags(folder, *longer, output=output.name)]
    # Shells start what runs in the background with Ctrl-C ignored, and what that starts inherits it.
    heeds = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, **heeds)
    while not list(output.glob("_work-*/sentences.txt")) and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert b"Traceback" not in error
    assert not (output / "tokenizer.model").exists()
    run(folder, output=output.name)
    assert files(output) == files(folder / "model")
