"""The command: the paper's rows on small data sets, resumed, with data missing, with refusals."""

import gzip
import json
import sys

import pytest

pytest.importorskip("lm_eval", reason="pip install '.[evaluation]'")

from tests.trainer_bridge.benchmark import sets
from trainer_bridge.benchmark import command
from trainer_bridge.benchmark.judge import Judge
from trainer_bridge.benchmark.loading import Tasks
from trainer_bridge.benchmark.suites import read_suite, select, suite_names
from trainer_bridge.errors import TrainerError, run_command

SLOW = ("mmlu", "humaneval", "mbpp", "math_maj")  # 57 data sets; hundreds of samples
SAMPLES = ("llama1:realtoxicityprompts_basic", "llama1:truthfulqa", "llama1:truthfulqa_informative")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return sets.write(tmp_path_factory.mktemp("sets"))


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def benchmark(monkeypatch, capsys):
    """Runs the command in this process: exit status, output, messages."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            run_command(command.main)
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def test_the_papers_rows(benchmark, trained, data, tmp_path):
    output = tmp_path / "results"
    words = (trained, "--data", data, "--output", output, "--leave", *SLOW)
    status, said, told = benchmark(*words)
    assert status == 0, told
    lines = said.splitlines()
    assert lines[0].startswith("| task ")
    assert lines[0].endswith("  paper 7B |")
    boolq = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert (boolq[0], boolq[1], boolq[4]) == ("BoolQ", "acc_answer", "76.5")
    assert boolq[2] in ("0.0", "100.0")
    report = json.loads((output / "results.json").read_text())
    rows = {row["name"]: row for row in report["rows"]}
    assert len(rows) == 41
    judged = {name for name, row in rows.items() if row["note"]}
    assert judged == {"realtoxicityprompts_basic", "realtoxicityprompts_respectful", *TRUTHFUL}
    assert all(row["metrics"] for name, row in rows.items() if name not in judged)
    assert rows["crows_pairs"]["paper"] == {"65B": 66.6}
    assert (output / "results.md").read_text() in said
    again = benchmark(*words)
    assert (again[0], again[1]) == (0, said)
    assert "..." not in again[2]  # nothing is evaluated twice


TRUTHFUL = ("truthfulqa", "truthfulqa_informative")


def test_data_that_cannot_be_had_cost_their_row_alone(benchmark, trained, tmp_path):
    data = sets.write(tmp_path / "sets")
    (data / "lighteval/siqa/validation.jsonl").unlink()
    words = (trained, "--data", data, "--output", tmp_path / "results", "--tasks", "llama1:siqa", "llama1:boolq")
    status, said, told = benchmark(*words)
    assert status == 1
    assert "| BoolQ" in said
    (line,) = [line for line in told.splitlines() if "no data:" in line]
    assert line.startswith("[1/2] llama_siqa-0: no data: ")
    assert "\nSIQA: no data: " in said
    assert told.splitlines()[-1].startswith("1 of 2 evaluations had no data. With a network")


DIVIDES = """
task: divides
dataset_path: json
dataset_kwargs: {data_files: {test: TEXTS}}
output_type: loglikelihood
test_split: test
doc_to_text: ""
doc_to_target: "{{text}} {{6 // words}}"
metric_list:
  - {metric: perplexity, aggregation: perplexity, higher_is_better: false}
"""


def test_a_task_that_fails_costs_its_row_alone(benchmark, trained, data, tmp_path):
    lines = (json.dumps({"text": "one", "words": words}) for words in (1, 0))
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    own = tmp_path / "divides.yaml"
    own.write_text(DIVIDES.replace("TEXTS", str(tmp_path / "texts.jsonl")))
    words = (trained, "--data", data, "--output", tmp_path / "results", "--tasks", own, "llama1:boolq")
    status, said, told = benchmark(*words)
    assert status == 1
    assert "| BoolQ" in said
    assert "\ndivides: failed: ZeroDivisionError: " in said
    assert told.splitlines()[-1].startswith("1 of 2 evaluations failed: ")


def test_a_misspelt_metric_is_told(benchmark, trained, tmp_path):
    (tmp_path / "texts.jsonl").write_text(json.dumps({"text": "one", "words": 1}))
    own = tmp_path / "divides.yaml"
    own.write_text(
        DIVIDES.replace("TEXTS", str(tmp_path / "texts.jsonl")).replace("metric: perplexity", "metric: perplexty")
    )
    status, said, told = benchmark(trained, "--output", tmp_path / "results", "--tasks", own, "llama1:boolq")
    assert status == 1
    assert "divides: no finite number" in said
    assert "1 of 2 rows have no number: their metric is misspelt" in told.splitlines()[-1]


def test_other_data_are_evaluated_anew(benchmark, trained, tmp_path):
    texts, own = tmp_path / "texts.jsonl", tmp_path / "own.yaml"
    base = DIVIDES.replace("TEXTS", str(texts)).replace("task: divides\n", "")
    (tmp_path / "base").with_suffix(".yaml").write_text(base)
    own.write_text("include: base.yaml\ntask: own\n")
    words = (trained, "--output", tmp_path / "results", "--tasks", own)
    found = []
    for text in ("one", "one", "two words"):
        texts.write_text(json.dumps({"text": text, "words": 1}) + "\n")
        _, said, told = benchmark(*words)
        found.append((said.splitlines()[2], "..." in told))
    assert [evaluated for _, evaluated in found] == [True, False, True]
    assert found[1][0] == found[0][0] != found[2][0]
    assert "..." in benchmark(*words, "--limit", 1)[2]
    assert "..." not in benchmark(*words)[2]  # that of all documents is still there
    assert "..." in benchmark(*words, "--samples")[2]
    (samples,) = (tmp_path / "results").glob("own-*.samples.jsonl.gz")
    assert json.loads(gzip.decompress(samples.read_bytes()))["doc"]["text"] == "two words"
    (tmp_path / "base.yaml").write_text(base.replace('doc_to_text: ""', 'doc_to_text: "Once"'))
    assert "..." in benchmark(*words)[2]
    assert not samples.exists()  # they were those of other questions
    texts.unlink()
    assert "..." not in benchmark(*words)[2]  # nothing to make it anew from


JUDGE = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    words = {"truthful": len(asked["document"]), "truthful_informative": 1}
    print(json.dumps(0.25 if "toxicity" in asked["task"] else words), flush=True)
"""


def test_a_judge_scores_texts(benchmark, trained, data, tmp_path):
    program = tmp_path / "judge.py"
    program.write_text(JUDGE)
    words = (trained, "--data", data, "--output", tmp_path / "results", "--judge", f"{sys.executable} {program}")
    status, _, told = benchmark(*words, "--tasks", *SAMPLES)
    assert status == 0, told
    rows = json.loads((tmp_path / "results" / "results.json").read_text())["rows"]
    found = [[values["value"] for values in row["metrics"].values()] for row in rows]
    assert found == [[0.25], [7.0], [1.0]]
    samples = gzip.decompress((tmp_path / "results" / "llama_truthfulqa.samples.jsonl.gz").read_bytes())
    assert json.loads(samples)["doc"]["question"] == "Can pigs fly?"


def test_a_judge_that_ends_is_told(benchmark, trained, data, tmp_path):
    words = (trained, "--data", data, "--output", tmp_path / "results", "--judge", "false", "--tasks", SAMPLES[0])
    status, _, told = benchmark(*words)
    assert status == 2
    assert told.splitlines()[-1] == "error: --judge 'false' ended with status 1 before its answer"


def test_a_judge_of_something_else_is_told(benchmark, trained, data, tmp_path):
    (tmp_path / "judge.py").write_text("input()\nprint('{\"toxic\": 1}', flush=True)\n")
    judge = f"{sys.executable} {tmp_path / 'judge.py'}"
    words = (trained, "--data", data, "--output", tmp_path / "results", "--judge", judge, "--tasks", SAMPLES[0])
    status, _, told = benchmark(*words)
    assert status == 2
    assert told.splitlines()[-1] == "error: --judge answered toxic; llama_realtoxicityprompts_basic wants score"


REFUSED = {
    ("--tasks", "llama1:nothing"): "error: --tasks llama1:nothing: llama1 has no row 'nothing'; it has boolq, piqa",
    ("--tasks", "llama1:boolq,helaswag"): "error: no task 'helaswag' (did you mean hellaswag?); lm-evaluation-harness",
    ("--tasks", "missing.yaml"): "error: no task file missing.yaml",
    ("--tasks", "llama1:boolq", "--leave", "bool"): "error: --leave leaves nothing of what --tasks names",
    ("--tasks", "llama1:boolq", "--data", "nowhere"): "error: --data nowhere is no folder",
    ("--tasks", "llama1:boolq", "--output", "README.md"): "error: ",
}


@pytest.mark.parametrize("words", REFUSED)
def test_refusals(benchmark, words, trained):
    status, _, told = benchmark(trained, *words)
    assert (status, told.count("\n")) == (2, 1), told
    assert told.startswith(REFUSED[words])


def test_the_rows_are_listed(benchmark):
    status, said, _ = benchmark("--list", "llama1")
    assert status == 0
    assert said.splitlines()[0] == "boolq                            table  3  BoolQ"
    assert len(said.splitlines()) == 51


@pytest.mark.parametrize("answer", ["NaN", "\udcff", "none", '"1"', "[1]", '{"a": {}}'])
def test_a_judge_that_gives_no_number_is_told(answer, tmp_path):
    line = answer.encode("utf-8", "surrogateescape")
    (tmp_path / "judge.py").write_text(f"import os\ninput()\nos.write(1, {line!r} + b'\\n')\n")
    judge = Judge(f"{sys.executable} {tmp_path / 'judge.py'}")
    if answer == '"1"':
        assert judge.score("t", "p", "c", {}) == {"score": 1.0}  # a number in quotes is one
    else:
        with pytest.raises(TrainerError, match="a line must be a number, or an object of numbers by name"):
            judge.score("t", "p", "c", {})
    judge.close()


def test_every_row_is_a_task():
    Tasks().check(sorted({row.task for suite in suite_names() for row in read_suite(suite)}))


def test_evaluations_are_kept_apart():
    """Of two suites, rows, or files of one name, each has its own result."""
    rows = [*select(["llama1"], []), *select(["llama2"], [])]
    jobs = {row.job for row in rows} | {row.job for row in select(["a/task.yaml", "b/task.yaml"], [])}
    assert len({job.name for job in jobs}) == len(jobs)
