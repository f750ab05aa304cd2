"""Samples that were planted into a corpus are found, told, traced, and taken out; the rest stays."""

import csv
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.leaks import LEAKS, sample, whole, write_lines
from pipeline.decontaminate.command import main
from pipeline.decontaminate.data import find_data
from pipeline.decontaminate.scan import Indexes, Question, ScanFile
from pipeline.errors import InputError
from pipeline.removals.matching import load_removals
from pipeline.verify.absent import absent_from_shards, absent_from_source
from tests.pipeline.mix.corpora import mix, recipe, write_model
from tests.pipeline.optout.made import make_source, write_raw

SET = "a|<b>[red]"  # what a file may be called
LEAKED = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus of two sources, shards of it; into pages of source a samples were planted, each in another form."""
    root, rng = tmp_path_factory.mktemp("made"), np.random.default_rng(0)
    samples = [sample(rng, 64) for _ in range(2 * LEAKED)]
    for name, files in (("a", 3), ("b", 2)):
        write_raw(root, name, files)
    forms = ["verbatim", "other case and punctuation", "HTML-escaped", "question without its answers"]
    page = root / "raw" / "a" / "part-1.txt"
    lines = page.read_text().splitlines(keepends=True)
    for k, form in enumerate(forms):
        text = LEAKS[form](samples[k]).replace("\n", " ")
        lines[3 * k] = lines[3 * k].rstrip("\n") + f" {text} and more of it\n"
    page.write_text("".join(lines))
    for name in "ab":
        make_source(root, name)
    write_model(root)
    mix(root, recipe({"a": 70, "b": 30}, shard_rows=150, heldout_tokens=160), budget=6000)
    tiny = [{"question": "is it", "id": "7"}, {"question": "Harbour!"}, {"question": "1 0:"}, {"question": "?!"}]
    short = [*tiny, {"question": lines[1].split("\t")[2][:60].rpartition(" ")[0]}]
    write_lines(root / "evals" / f"{SET}.jsonl", samples)
    write_lines(root / "evals" / "short.jsonl", short)
    return root


def run(root, *words, folders=("corpus",)):
    paths = [str(root / name) for name in folders]
    main([*paths, "--against", str(root / "evals"), "--report", str(root / "overlap"), "--quiet", *map(str, words)])


def content(root, name="overlap"):
    return {str(p.relative_to(root)): p.read_bytes() for p in (root / name).rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def reported(made, tmp_path_factory):
    root = tmp_path_factory.mktemp("reported") / "root"
    shutil.copytree(made, root)
    run(root, "--tokenizer", root / "tokenizer.model")
    return root


def rows_of(root):
    with (root / "overlap/documents.tsv").open() as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def test_the_report_tells_of_each_set_each_sample_and_each_document(reported):
    report = json.loads((reported / "overlap/report.json").read_text())
    words = report["tables"]["words (13-grams)"]
    assert words[SET] == {
        **{"samples": 8, "compared": 8, "any": 4, "not clean": 4, "dirty": 3},
        **{"short": 0, "short found": 0, "tiny": 0, "tiny found": 0},
    }
    counts = {"short": 1, "short found": 1, "tiny": 4, "tiny found": 2}
    assert {key: words["short"][key] for key in counts} == counts
    tokens = report["tables"]["tokens (L = 20)"][SET]
    assert (tokens["clean"], tokens["not clean"], tokens["dirty"], tokens["not dirty"]) == (6, 2, 1, 7)
    looked = report["looked_through"]
    assert looked["documents"] == sum(
        pq.read_metadata(p).num_rows for p in (reported / "corpus").glob("?/[!_]*/*.parquet")
    )
    lines = [json.loads(line) for line in (reported / "overlap/samples.jsonl").read_text().splitlines()]
    assert [line["word_share"] for line in lines[:3]] == [1, 1, 1]
    assert 0.7 < lines[3]["word_share"] < 0.8
    assert lines[3]["word_subsets"] == ["not clean", "not dirty"]
    assert [line["documents"] for line in lines[4:8]] == [0] * 4
    assert lines[0]["most_in"]["url"] == "https://a.example/1/0"
    rows = rows_of(reported)
    assert [(row["url"], row["line"]) for row in rows if float(row["share"]) > 0.2] == [
        (f"https://a.example/1/{3 * k}", str(k + 1)) for k in range(LEAKED)
    ]
    assert {Path(row["raw"]).name for row in rows} == {"part-1.txt"}
    assert [row["set"] for row in rows if row["share"] == "0.0000"] == ["short"]
    removals = (reported / "overlap/removals.tsv").read_text().splitlines()
    assert removals[1:] == [f"id\ta/https://a.example/1/{3 * k}" for k in (0, 1, 2)]
    page = (reported / "overlap/report.md").read_text()
    assert "a&#124;&lt;b&gt;&#91;red&#93;" in page
    assert "<b>" not in page


def test_a_second_run_looks_through_nothing_and_another_question_all(reported):
    before = content(reported)
    times = {path: path.stat().st_mtime_ns for path in (reported / "overlap/found").rglob("*.parquet")}
    run(reported, "--tokenizer", reported / "tokenizer.model")
    assert content(reported) == before
    assert times == {path: path.stat().st_mtime_ns for path in times}
    folder = reported / "overlap-8"
    words = ["--against", str(reported / "evals"), "--report", str(folder), "--ngram", "8", "--method", "words"]
    main([str(reported / "corpus" / "a"), *words, "--quiet"])
    report = json.loads((folder / "report.json").read_text())
    assert list(report["tables"]) == ["words (8-grams)"]
    assert report["tables"]["words (8-grams)"][SET]["any"] == 4


def test_killed_it_goes_on_with_what_is_there(reported, made, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(made, root)
    words = [str(root / "corpus"), "--against", str(root / "evals"), "--report", str(root / "overlap"), "--quiet"]
    words += ["--tokenizer", str(root / "tokenizer.model")]
    killed = [sys.executable, "-m", "tests.pipeline.decontaminate.killed", "5", *words]
    assert subprocess.run(killed, check=False, env=os.environ).returncode == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in (root / "overlap/found").rglob("*.parquet")}
    assert kept
    main(words)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    for name in ("samples.jsonl", "removals.tsv"):
        assert (root / "overlap" / name).read_bytes() == (reported / "overlap" / name).read_bytes()


def test_the_step_of_a_worker_writes_the_same(reported, tmp_path):
    """As it travels to another process, where it reads the samples itself."""
    data = find_data(str(reported / "corpus"), None, str(reported / "tokenizer.model"), None)
    question = Question((str(reported / "evals"),), (), 13, True, True, data.model)
    indexes = Indexes(question)
    step = ScanFile(question, indexes.key, data.corpus, data.store, str(tmp_path), ())
    step.use(indexes)
    travelled = pickle.loads(pickle.dumps(step))
    travelled.setup()
    assert [path for file in data.files for path in travelled.process(file)] == [file.path for file in data.files]
    there = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    assert there == {path: (reported / "overlap" / path).read_bytes() for path in there}
    write_lines(reported / "evals" / "late.jsonl", [{"text": "one more that was not there before"}])
    with pytest.raises(InputError, match="the evaluation sets changed while the command ran"):
        pickle.loads(pickle.dumps(step)).setup()
    (reported / "evals" / "late.jsonl").unlink()


def test_drop_takes_the_documents_out_as_opt_out_does(made, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(made, root)
    words = ["--tokenizer", root / "tokenizer.model", "--drop", "--threshold", "0.5", "--corpus", root / "corpus"]
    run(root, *words, folders=("corpus", "shards"))
    dropped = root / "overlap/dropped.tsv"
    assert len(dropped.read_text().splitlines()) == 1 + LEAKED
    removals = load_removals(str(dropped))
    assert absent_from_source(str(root / "corpus/a"), removals) == []
    assert absent_from_shards(str(root / "shards"), removals, str(root / "corpus")) == []
    first = dropped.read_bytes()
    run(root, *words, folders=("corpus", "shards"))
    report = json.loads((root / "overlap/report.json").read_text())
    assert report["tables"]["words (13-grams)"][SET]["any"] == 0
    assert dropped.read_bytes() == first
    run(root, "--corpus", root / "corpus", folders=("shards",))  # they follow the corpus
    assert (root / "overlap/removals.tsv").read_text().count("\n") == 1


def test_a_drop_that_was_killed_between_corpus_and_shards_is_ended_by_the_same_command(made, tmp_path, capsys):
    root = tmp_path / "root"
    shutil.copytree(made, root)
    words = ["--corpus", str(root / "corpus"), "--report", str(root / "overlap"), "--quiet", "--drop"]
    words = [str(root / "shards"), "--against", str(root / "evals"), *words]
    command = [sys.executable, "-m", "tests.pipeline.decontaminate.killed", "1:.arrow", *words]
    assert subprocess.run(command, check=False, env=os.environ).returncode == -signal.SIGKILL
    removals = load_removals(str(root / "overlap/dropped.tsv"))
    assert absent_from_source(str(root / "corpus/a"), removals) == []
    assert absent_from_shards(str(root / "shards"), removals, str(root / "corpus"))
    main(words)
    assert "What an earlier --drop began is ended first." in capsys.readouterr().out
    assert absent_from_shards(str(root / "shards"), removals, str(root / "corpus")) == []


def test_documents_of_two_sources_with_one_id_are_listed_by_it(made, tmp_path, capsys):
    root = tmp_path / "root"
    shutil.copytree(made, root)
    shutil.copytree(root / "corpus/a", root / "corpus/c")
    run(root)
    said = capsys.readouterr()
    assert "6 of them 80% of one or more" in said.out
    assert "--drop takes out what has one of 3 ids." in said.out
    assert "no id" not in said.err
    (root / "theirs").mkdir()
    texts = [whole(json.loads(line)) for line in (root / "evals" / f"{SET}.jsonl").read_text().splitlines()[:2]]
    pq.write_table(pa.table({"text": texts, "id": ["one", "two\tlines"]}), root / "theirs/a.parquet")
    run(root, folders=("theirs",))
    assert "1 of these have no id that a list can hold" in capsys.readouterr().err


def test_of_shards_only_the_documents_that_they_have_count(made, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(made, root)
    run(root, "--corpus", root / "corpus", folders=("shards",))
    report = json.loads((root / "overlap/report.json").read_text())
    assert report["looked_through"]["token_shards"] is True
    numbers = {row["url"] for row in rows_of(root)}
    run(root, folders=("corpus",))
    assert numbers <= {row["url"] for row in rows_of(root)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mask"], "--mask changes token shards: give their folder alone"),
        (["--mask", "--drop"], "--mask keeps documents, and --drop takes them out"),
        (["--ngram", "2"], "--ngram must be 5 to 50, it is 2"),
        (["--threshold", "0"], "--threshold must be above 0 and at most 1"),
        (["--method", "tokens"], "has no token files to look through"),
        (["--tokenizer", "{root}/none.model"], "none.model"),
        (["--report", "{root}/corpus/report"], "lies in"),
        (["--report", "{root}/raw"], "is not empty"),
        (["--against", "{root}/raw"], "there are no evaluation sets"),
        (["--against", "{root}/none*"], "--against"),
    ],
)
def test_what_cannot_be_is_refused(made, capsys, words, message):
    with pytest.raises(SystemExit) as ended:
        run(made, *(word.format(root=made) for word in words))
    assert ended.value.code
    assert message in capsys.readouterr().err
    assert not (made / "overlap").exists()


def test_a_folder_of_parquet_files_of_any_origin_is_looked_through(made, tmp_path, capsys):
    leaked = json.loads((made / "evals" / f"{SET}.jsonl").read_text().splitlines()[0])
    (tmp_path / "theirs/sub").mkdir(parents=True)
    pq.write_table(pa.table({"text": ["other", None, f"so {whole(leaked)}"]}), tmp_path / "theirs/sub/a.parquet")
    words = ["--against", str(made / "evals"), "--report", str(tmp_path / "overlap"), "--quiet"]
    main([str(tmp_path / "theirs"), *words])
    (found,) = csv.DictReader((tmp_path / "overlap/documents.tsv").open(), delimiter="\t")
    assert (found["file"], found["row"], found["id"], found["share"]) == ("sub/a.parquet", "2", "", "1.0000")
    pq.write_table(pa.table({"body": ["other"]}), tmp_path / "theirs/sub/b.parquet")
    for more, message in (
        (["--drop"], "a folder of Parquet files without manifest, of which --drop takes nothing out"),
        ([], "it has no column text; it has body"),
    ):
        with pytest.raises(SystemExit):
            main([str(tmp_path / "theirs"), *words, *more])
        assert message in capsys.readouterr().err
