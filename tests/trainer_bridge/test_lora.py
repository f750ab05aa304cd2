"""LoRA: it begins as the model that it starts from, trains only what it adds, and merges into a plain model."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from tests.trainer_bridge import runs, tiny
from trainer_bridge.checkpoint import latest_checkpoint, load_model
from trainer_bridge.config import LoraConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.exporting import export
from trainer_bridge.lora import add_adapters, is_adapter, merge_adapters
from trainer_bridge.recipe import load_config

ALL = LoraConfig(4, 8.0, ("wq", "wk", "wv", "wo", "w1", "w2", "w3"))
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A run to start from, and the shards of both."""
    return runs.trained(tmp_path_factory.mktemp("base"), 40)


def settings(base, **lora):
    return {"run": {"steps": 6, "init_from": str(base)}, "lora": {"rank": 4, **lora}}


def set_adapters(model, seed=0):
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if is_adapter(name):
            torch.nn.init.normal_(parameter, std=0.3)


@pytest.mark.parametrize("targets", [("wq", "wv"), ("wk",), ("w3",), ("wo", "w2"), ALL.targets])
@pytest.mark.parametrize("shape", [tiny.SHAPE, tiny.GROUPED])
def test_merged_it_is_the_same_function(shape, targets):
    model = tiny.model(shape)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    add_adapters(model, LoraConfig(4, 8.0, targets))
    set_adapters(model)
    x = tiny.ids(2, 16)
    beside = model(x)
    merge_adapters(model)
    torch.testing.assert_close(model(x), beside, atol=1e-4, rtol=1e-4)
    assert {name for name, p in model.named_parameters()} == set(before)
    names = {"wq": "wqkv", "wk": "wqkv", "wv": "wqkv", "w1": "w13", "w3": "w13"}
    changed = {name.split(".")[-2] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {names.get(target, target) for target in targets}


def test_each_matrix_has_a_change_of_its_own_by_hand():
    """In Meta's names: W + 2 B A, and what is not named stays as it is."""
    model = tiny.model(tiny.GROUPED)
    before = model.state_dict()
    add_adapters(model, LoraConfig(4, 8.0, ("wq", "wv", "w3")))
    set_adapters(model)
    adapters = {name: p.detach().clone() for name, p in model.named_parameters() if is_adapter(name)}
    merge_adapters(model)
    for name, weight in model.state_dict().items():
        *_, kind, _ = name.split(".") if name.count(".") > 1 else ("", name, "")
        if kind in ("wq", "wv", "w3"):
            fused = name.replace(kind, "w13" if kind == "w3" else "wqkv").removesuffix("weight") + "adapter."
            change = 2.0 * adapters[f"{fused}b.{kind}"] @ adapters[f"{fused}a.{kind}"]
            torch.testing.assert_close(weight, before[name] + change)
        else:
            assert torch.equal(weight, before[name])


def test_gradients_are_those_of_the_merged_matrices():
    """dA and dB follow from the gradient of W: B^T dW and dW A^T, twice for the scale."""
    x, y = tiny.ids(2, 16), tiny.ids(2, 16, seed=3)
    model = tiny.model(tiny.SHAPE)
    add_adapters(model, LoraConfig(4, 8.0, ("wo",)))
    set_adapters(model)
    model(x, y)[0].backward()
    adapter = model.layers[1].attention.wo.adapter
    assert all(p.grad is None for name, p in model.named_parameters() if not is_adapter(name))
    merged = tiny.model(tiny.SHAPE)
    add_adapters(merged, LoraConfig(4, 8.0, ("wo",)))
    set_adapters(merged)
    merge_adapters(merged)
    merged.requires_grad_()
    functional.cross_entropy(merged(x).flatten(0, 1), y.flatten(), reduction="sum").backward()
    of_w = merged.layers[1].attention.wo.weight.grad
    torch.testing.assert_close(adapter.a["wo"].grad, 2 * adapter.b["wo"].T @ of_w, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(adapter.b["wo"].grad, 2 * of_w @ adapter.a["wo"].T, atol=1e-4, rtol=1e-4)


def test_a_run_trains_the_adapters_alone_and_is_resumed_to_the_bit(base, tmp_path):
    run, data = base
    whole = runs.train(data, tmp_path / "whole", **settings(run))
    plain = runs.train(data, tmp_path / "plain", run={"steps": 6, "init_from": str(run)})
    assert whole[0]["loss"] == plain[0]["loss"]  # it begins as the model itself
    assert whole[1]["loss"] != plain[1]["loss"]
    trainer = runs.trainer(data, tmp_path / "again", **settings(run))
    per_layer = 4 * (32 + 32) + 4 * (32 + 16)  # wq and, of two key-value heads, wv
    assert f"{trainer.parameters:,} parameters, {2 * per_layer:,} of them trained (LoRA)" in trainer._describe()
    for _ in range(3):
        trainer.train_step()
    trainer.save()
    trainer.checkpointer.wait()
    trainer.close()
    assert runs.train(data, tmp_path / "again", **settings(run))[-3:] == whole[-3:]
    first, second = load_model(run, CPU), load_model(tmp_path / "whole", CPU)
    for name, parameter in second.named_parameters():
        assert torch.equal(parameter, first.get_parameter(name)) == ("wqkv" not in name)


def test_it_learns(base, tmp_path):
    """Eight ids are left of the 61 that it was trained on."""
    docs = [tiny.Doc([1, *(3 + number % 8 for number in doc.ids[1:-1]), 2]) for doc in tiny.random_documents(120)]
    data = tiny.write_shards(tmp_path / "data", docs, runs.SEQ_LEN)
    lora = {"rank": 4, "targets": ["wo", "w2"]}
    run = {"steps": 40, "init_from": str(base[0])}
    records = runs.train(data, tmp_path / "run", optimizer={"lr": 0.05}, run=run, lora=lora)
    assert records[-1]["loss"] < records[0]["loss"] - 0.3


def test_export_and_further_runs_have_it_merged(base, tmp_path):
    run, data = base
    runs.train(data, tmp_path / "run", **settings(run, targets=["wq", "w1", "w2"]))
    export(tmp_path / "run", tmp_path / "hf", "fp32", None)
    ours, x = load_model(tmp_path / "run", CPU), tiny.ids(2, 16)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    torch.testing.assert_close(ours(x), theirs(x).logits, atol=1e-5, rtol=1e-5)
    following = runs.trainer(data, tmp_path / "next", run={"steps": 1, "init_from": str(tmp_path / "run")})
    for name, parameter in following.model.named_parameters():
        torch.testing.assert_close(parameter, ours.get_parameter(name))
    following.close()
    twice = runs.trainer(data, tmp_path / "twice", **settings(tmp_path / "run"))  # LoRA upon LoRA
    torch.testing.assert_close(twice.model(x), ours(x), atol=1e-5, rtol=1e-5)
    twice.close()


def test_in_bf16_what_stays_is_stored_in_it(base, tmp_path):
    run, data = base
    trainer = runs.trainer(data, tmp_path / "run", efficiency={"dtype": "bf16"}, **settings(run))
    kinds = {(p.requires_grad, p.dim() > 1): p.dtype for p in trainer.model.parameters()}
    assert kinds == {(True, True): torch.float32, (False, True): torch.bfloat16, (False, False): torch.float32}
    trainer.train_step()
    trainer.save()
    trainer.checkpointer.wait()
    trainer.close()
    assert load_model(tmp_path / "run", CPU)(tiny.ids(1, 8)).isfinite().all()


def test_several_ranks_train_as_one(base, tmp_path):
    """From a run that is LoRA's itself, so that each rank merges its part of the changes."""
    run, data = base
    runs.train(data, tmp_path / "first", **settings(run))
    lora, run = {"rank": 4, "targets": ["wq", "w1", "wo"]}, {"steps": 3, "init_from": str(tmp_path / "first")}
    (tmp_path / "recipe.yaml").write_text(
        json.dumps({**runs.VALUES, "run": {**runs.VALUES["run"], **run}, "lora": lora})
    )
    words = ("--model", tmp_path / "recipe.yaml", "--data", data, "--output", tmp_path / "two")
    runs.launch(2, *words, module="trainer_bridge.train")
    one = runs.train(data, tmp_path / "one", run=run, lora=lora)
    two = runs.steps(tmp_path / "two")
    assert [record["loss"] for record in two] == pytest.approx([record["loss"] for record in one], abs=1e-5)


def test_what_cannot_be_is_refused(base, tmp_path):
    run, data = base
    for overrides, message in {
        ("lora.rank=4",): r"nothing to start from: give run\.init_from=RUN",
        ("lora.rank=4", "run.init_from=x", "lora.targets=[]"): "lora.targets = ",
        ("lora.targets=[wx]",): "lora.targets = 'wx' cannot be used; allowed: wq, wk",
        ("lora.rank=-1",): "lora.rank = -1",
        ("lora.alpha=0",): "lora.alpha = 0",
        ("lora.rank=4", "run.init_from=x", "efficiency.tensor_parallel=2"): "tensor_parallel must be 1",
    }.items():
        with pytest.raises(TrainerError, match=message):
            load_config("tiny", list(overrides))
    runs.train(data, tmp_path / "run", **{**settings(run), "run": {"steps": 1, "init_from": str(run)}})
    with pytest.raises(TrainerError, match=r"the model is not that of the run's checkpoint:\n  lora.rank: was 4, is 8"):
        runs.trainer(data, tmp_path / "run", **settings(run, rank=8))
    assert Path(latest_checkpoint(tmp_path / "run")).name == "step-000000001"
