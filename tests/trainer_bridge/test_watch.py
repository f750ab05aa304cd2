"""Held-out loss while a run trains: the same as the command's, and nothing of the training changes."""

import json
import sys

import pytest
import torch

from tests.trainer_bridge import runs, tiny
from trainer_bridge import evaluate
from trainer_bridge.checkpoint import latest_checkpoint
from trainer_bridge.errors import TrainerError
from trainer_bridge.metrics import read_metrics
from trainer_bridge.stored import read_metadata
from trainer_bridge.verification import verify_run

RUN = {"steps": 6, "log_every": 4, "save_every": 3}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = runs.shards(tmp_path_factory.mktemp("data"))
    tiny.write_shards(folder / "heldout", tiny.random_documents(20, seed=5), runs.SEQ_LEN)
    return folder


@pytest.fixture(scope="module")
def watched(data, tmp_path_factory):
    run = tmp_path_factory.mktemp("watched")
    records = runs.train(data, run, run=RUN, evaluation={"every": 2})
    return run, records


def tensors(run):
    """Everything in the newest checkpoint: weights, moments, guard, random numbers."""
    from trainer_bridge.checkpoint import load_tensors

    checkpoint = latest_checkpoint(run)
    stored = read_metadata(checkpoint).state_dict_metadata
    state = {name: torch.empty(entry.size, dtype=entry.properties.dtype) for name, entry in stored.items()}
    load_tensors(checkpoint, state)
    return state


def test_the_training_is_the_same_to_the_bit(data, watched, tmp_path):
    run, records = watched
    plain = runs.train(data, tmp_path / "plain", run=RUN)
    assert [record for record in records if "loss" in record] == plain
    mine, theirs = tensors(run), tensors(tmp_path / "plain")
    assert mine.keys() == theirs.keys()
    assert len(mine) > 20
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    loaders = [json.loads((latest_checkpoint(r) / "run.json").read_text())["loader"] for r in (run, tmp_path / "plain")]
    assert loaders[0] == loaders[1]


def test_the_last_number_is_the_commands(data, watched, monkeypatch, capsys):
    run, records = watched
    found = [record for record in records if "evaluation" in record]
    assert [(record["step"], record["tokens"]) for record in found] == [(2, 256), (4, 512), (6, 768)]
    monkeypatch.setattr(sys, "argv", ["evaluate", str(run), "--data", str(data / "heldout")])
    evaluate.main()
    assert json.loads(capsys.readouterr().out)["scores"] == found[-1]["evaluation"]["heldout"]
    first, last = (record["evaluation"]["heldout"]["all"]["loss"] for record in (found[0], found[-1]))
    assert last < first


def test_the_curves_are_drawn(watched):
    run, _ = watched
    assert "held-out" in (run / "loss.svg").read_text()
    assert not (run / "evaluation.svg").exists()  # there are no tasks
    assert verify_run(run)[1] == []


def test_a_resumed_run_measures_the_rest(data, watched, tmp_path):
    run = tmp_path / "run"
    runs.train(
        data, run, run={**RUN, "steps": 3}, evaluation={"every": 2}, optimizer={"schedule": "wsd", "decay_fraction": 0}
    )
    runs.train(data, run, run=RUN, evaluation={"every": 2}, optimizer={"schedule": "wsd", "decay_fraction": 0})
    assert [r["step"] for r in read_metrics(run / "metrics.jsonl") if "evaluation" in r] == [2, 3, 4, 6]


def test_tensorboard_has_the_numbers(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    runs.train(data, tmp_path / "run", run={**RUN, "tensorboard": True}, evaluation={"every": 3})
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("heldout/loss/all")] == [3, 6]


def test_fewer_rows(data, tmp_path):
    records = runs.train(data, tmp_path / "run", run=RUN, evaluation={"every": 6, "rows": 2})
    assert records[-1]["evaluation"]["heldout"]["all"]["tokens"] == 2 * runs.SEQ_LEN


def test_nothing_to_evaluate(tmp_path):
    with pytest.raises(TrainerError, match=r"evaluation\.every is set, and there is nothing to evaluate"):
        runs.trainer(runs.shards(tmp_path / "data"), tmp_path / "run", evaluation={"every": 2})


def test_held_out_shards_of_another_kind(data, tmp_path):
    other = runs.shards(tmp_path / "other", 20, tokenizer_sha256="1" * 64)
    with pytest.raises(TrainerError, match=r"evaluation\.heldout .*other: these shards were made with another"):
        runs.trainer(data, tmp_path / "run", evaluation={"every": 2, "heldout": str(other)})


def test_tasks_want_the_tokenizer(data, tmp_path):
    with pytest.raises(TrainerError, match=r"evaluation\.tasks needs the shards' tokenizer"):
        runs.trainer(data, tmp_path / "run", evaluation={"every": 2, "tasks": ["hellaswag"]})


def test_tasks_that_are_never_evaluated_are_told(data, tmp_path, capsys):
    runs.train(data, tmp_path / "run", run=RUN, evaluation={"tasks": ("hellaswag",)})
    assert "evaluation.tasks is set, but evaluation.every is 0: nothing is evaluated" in capsys.readouterr().err
