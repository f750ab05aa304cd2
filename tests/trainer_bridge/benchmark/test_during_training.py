"""Tasks while a run trains: in one process, and in two that share the weights."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

pytest.importorskip("lm_eval", reason="pip install '.[evaluation]'")

from tests.trainer_bridge import runs, tiny
from tests.trainer_bridge.benchmark import sets
from tests.trainer_bridge.benchmark.conftest import SHAPE, VOCAB
from tests.trainer_bridge.benchmark.test_command import DIVIDES
from tests.trainer_bridge.runs import launch
from tests.trainer_bridge.test_watch import tensors
from tokenizer.encode import Encoder
from trainer_bridge.benchmark.evaluation import evaluate
from trainer_bridge.checkpoint import load_model
from trainer_bridge.errors import TrainerError
from trainer_bridge.loader import Samples
from trainer_bridge.metrics import read_metrics
from trainer_bridge.signals import StopSignal
from trainer_bridge.trainer import Trainer

ROOT = Path(__file__).parents[3]
TOY = ROOT / "tests/trainer_bridge/benchmark/toy"
TASKS = ("toy_choice.yaml", "toy_generate.yaml")


@pytest.fixture(scope="module")
def data(tmp_path_factory, tokenizer):
    """Shards with the tokenizer's checksum, and data sets."""
    root = tmp_path_factory.mktemp("during")
    digest = hashlib.sha256(tokenizer.read_bytes()).hexdigest()
    shards = tiny.write_shards(
        root / "shards", tiny.random_documents(120, vocab=VOCAB), runs.SEQ_LEN, vocab=VOCAB, tokenizer_sha256=digest
    )
    return shards, sets.write(root / "sets")


def train(shards, folder, tokenizer, evaluation):
    made = runs.config(model=SHAPE, run={"steps": 4}, evaluation=evaluation)
    folder.mkdir()
    trainer = Trainer(made, Samples(made.data, shards), folder, runs.ALONE, tokenizer=tokenizer)
    assert trainer.train(StopSignal(1))
    return tensors(folder)


def test_tasks_change_nothing_and_are_on_record(data, tokenizer, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    shards, folder = data
    (tmp_path / "fails.jsonl").write_text('{"text": "one", "words": 1}\n{"text": "one", "words": 0}\n')
    (tmp_path / "fails.yaml").write_text(DIVIDES.replace("TEXTS", str(tmp_path / "fails.jsonl")))
    names = [*(str(TOY / name) for name in TASKS), "llama1:boolq", str(tmp_path / "fails.yaml")]
    evaluation = {"every": 3, "tasks": names, "data": str(folder), "shots": 1, "limit": 4}
    with pytest.raises(TrainerError, match=r"boolq: no data: .* lacks train.jsonl"):
        train(shards, tmp_path / "refused", tokenizer, evaluation)
    watched = train(shards, tmp_path / "watched", tokenizer, {**evaluation, "shots": None})
    plain = train(shards, tmp_path / "plain", tokenizer, {})
    assert watched.keys() == plain.keys()
    assert all(torch.equal(watched[name], plain[name]) for name in plain)
    assert capsys.readouterr().err.count("fails.yaml: failed: ZeroDivisionError") == 2
    records = [r for r in read_metrics(tmp_path / "watched" / "metrics.jsonl") if "evaluation" in r]
    assert [record["step"] for record in records] == [3, 4]
    last = records[-1]["evaluation"]["tasks"]
    assert {name: [m for m in found if not m.endswith("_stderr")] for name, found in last.items()} == {
        names[0]: ["acc", "acc_norm", "acc_mutual_info"],
        names[1]: ["exact_match"],
        "boolq": ["acc_answer"],
    }
    model = load_model(tmp_path / "watched", torch.device("cpu"))
    again = evaluate(model, Encoder(tokenizer), names[:1], limit=4)["toy_choice"]
    assert {metric: value for metric, (value, _) in again.items()} == {m: last[names[0]][m] for m in again}
    assert "boolq/acc_answer" in (tmp_path / "watched" / "evaluation.svg").read_text()


def test_two_ranks(data, tokenizer, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    shards, folder = data
    task = TOY / "toy_choice.yaml"
    arguments = (shards, tokenizer, folder, task, trained, tmp_path, json.dumps(SHAPE))
    launch(2, *arguments, module="tests.trainer_bridge.benchmark.ranks_worker")
    answers = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    alone = evaluate(load_model(trained, torch.device("cpu")), Encoder(tokenizer), [str(task)], batch_tokens=150)
    for answer in answers:
        assert answer["same"]
        assert answer["scores"] == json.loads(json.dumps(alone))
    found = [r for r in read_metrics(tmp_path / "watched" / "metrics.jsonl") if "evaluation" in r]
    assert [record["step"] for record in found] == [2, 3]


def test_tasks_that_run_code_are_refused(data, tokenizer, tmp_path):
    with pytest.raises(TrainerError, match="humaneval_1 is not for training"):
        train(data[0], tmp_path / "run", tokenizer, {"every": 2, "tasks": ["llama1:humaneval_1"]})
