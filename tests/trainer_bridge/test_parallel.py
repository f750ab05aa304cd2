"""Several ranks equal one: FSDP, tensor and sequence parallel, both; and a run moves between numbers of ranks."""

import json

import pytest
import torch

from tests.trainer_bridge import runs, tiny
from trainer_bridge.checkpoint import load_model
from trainer_bridge.errors import TrainerError
from trainer_bridge.signals import StopSignal

RUN = {"micro_batch": 1, "steps": 6}
EVALUATION = {"every": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """With a loss mask, so that rows, and ranks with them, differ in how many targets they have."""
    length = sum(len(document.ids) for document in tiny.random_documents(120))
    loss = [n % 3 > 0 if n // 40 % 2 else n % 10 == 0 for n in range(length)]
    folder = runs.shards(tmp_path_factory.mktemp("data"), loss=loss)
    tiny.write_shards(folder / "heldout", tiny.random_documents(20, seed=5), runs.SEQ_LEN)
    return folder


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """One process: the records, the first weights and the first gradients."""
    from tests.trainer_bridge.parallel_worker import gradients

    trainer = runs.trainer(data, tmp_path_factory.mktemp("alone"), run=RUN, evaluation=EVALUATION)
    initial = {name: parameter.detach().clone() for name, parameter in trainer.model.named_parameters()}
    caught = gradients(trainer)
    folder = trainer.metrics._folder
    assert trainer.train(StopSignal(1))
    return runs.steps(folder), initial, caught


@pytest.mark.parametrize(("ranks", "tensor_parallel", "switch"), [(2, 2, "on"), (4, 2, "off")])
def test_many_ranks_equal_one(data, alone, tmp_path, ranks, tensor_parallel, switch):
    runs.launch(ranks, data, tmp_path, tensor_parallel, switch)
    records, initial, first_gradients = alone
    facts = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(ranks)]

    # Each rank holds its part only; norms and, with tensor parallelism, the output matrix are kept on several.
    count = sum(parameter.numel() for parameter in initial.values())
    assert all(fact["local"] < count * 0.75 for fact in facts)

    tensors = torch.load(tmp_path / "tensors.pt")
    assert tensors["initial"].keys() == initial.keys()
    assert all(torch.equal(tensors["initial"][name], initial[name]) for name in initial)
    for name, gradient in first_gradients.items():
        torch.testing.assert_close(tensors["gradients"][name], gradient, atol=1e-6, rtol=1e-5)

    # The signal to one rank stopped all of them at the same step, with everything saved.
    assert {fact["complete"] for fact in facts} == {False}
    assert len({fact["step"] for fact in facts}) == 1
    stopped = facts[0]["step"]
    several = runs.steps(tmp_path / "run")
    assert len([record for record in several if "loss" in record]) == stopped
    compare(several, [record for record in records if record["step"] <= stopped])

    # One process goes on from there, with another micro-batch, as if nothing had been.
    compare(runs.train(data, tmp_path / "run", run={**RUN, "micro_batch": 4}, evaluation=EVALUATION), records)
    assert load_model(tmp_path / "run", torch.device("cpu")).config.dim == 32


def compare(records, expected):
    assert len(records) == len(expected)
    for one, other in zip(records, expected, strict=True):
        assert one["step"] == other["step"]
        if "evaluation" in other:
            mine, theirs = (record["evaluation"]["heldout"] for record in (one, other))
            assert {name: score["tokens"] for name, score in mine.items()} == {
                n: s["tokens"] for n, s in theirs.items()
            }
            assert mine["all"]["loss"] == pytest.approx(theirs["all"]["loss"], rel=2e-5)
            continue
        assert one["loss"] == pytest.approx(other["loss"], rel=2e-5)
        assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=2e-4)
        assert one["loss_by_source"] == pytest.approx(other["loss_by_source"], rel=2e-5)
        assert (one["lr"], one["tokens"]) == (other["lr"], other["tokens"])


def test_more_ranks_go_on_from_one(data, alone, tmp_path):
    stop = StopSignal(1)
    stop.received = True
    assert not runs.trainer(data, tmp_path / "run", run=RUN, evaluation=EVALUATION).train(stop)
    runs.launch(2, data, tmp_path, 1, "off")
    several = runs.steps(tmp_path / "run")
    compare(several, alone[0][: len(several)])
    assert len(several) > 4


def test_tensor_parallel_must_divide_the_heads():
    from trainer_bridge.parallel import _cut_tensors

    class Mesh:
        def size(self):
            return 3

    from trainer_bridge.config import EfficiencyConfig

    with pytest.raises(TrainerError, match=r"efficiency\.tensor_parallel = 3 does not divide model\.kv_heads = 2"):
        _cut_tensors(tiny.model(tiny.GROUPED), Mesh(), EfficiencyConfig(tensor_parallel=3))


def test_the_ranks_must_divide_the_positions_of_a_row():
    from trainer_bridge.config import EfficiencyConfig
    from trainer_bridge.parallel import World, check_layout

    class Mesh:
        def __getitem__(self, name):
            return self

        def size(self):
            return 2

    with pytest.raises(TrainerError, match=r"efficiency\.tensor_parallel = 2 does not divide the 15 positions"):
        check_layout(EfficiencyConfig(tensor_parallel=2), World(0, 2, torch.device("cpu"), Mesh()), 15)
    check_layout(EfficiencyConfig(tensor_parallel=2), World(0, 2, torch.device("cpu"), Mesh()), 16)
