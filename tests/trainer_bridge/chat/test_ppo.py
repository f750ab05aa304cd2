"""PPO: what its steps are, where it ends, and that it goes on to the bit."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.trainer_bridge import tiny
from tests.trainer_bridge.chat import planted
from tokenizer.chat.template import load_template
from trainer_bridge.chat.config import PPOConfig
from trainer_bridge.chat.ppo import main
from trainer_bridge.chat.ppo_training import Prompts
from trainer_bridge.chat.prompts import Prompt
from trainer_bridge.chat.rollouts import Answers, log_probabilities, tensors
from trainer_bridge.checkpoint import list_checkpoints, load_model, load_tensors
from trainer_bridge.errors import TrainerError
from trainer_bridge.export import main as export
from trainer_bridge.generate import main as generate
from trainer_bridge.metrics import read_metrics

CPU = torch.device("cpu")
WORDS = ["ppo.tokens=6", "ppo.batch=8", "ppo.mini_batch=4", "ppo.micro_batch=4", "ppo.lr=1e-3", "device.threads=1"]
WORDS += ["ppo.heldout_prompts=4", "ppo.evaluate_every=2", "ppo.save_every=2"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = planted.made(tmp_path_factory.mktemp("world"))
    planted.random_run(folder / "run", folder)
    planted.random_reward(folder / "reward", folder)
    planted.write_prompts(folder / "prompts", 20)
    return folder


def run(monkeypatch, world, output, *words, reward="reward"):
    options = ["--model", world / "run", "--reward", world / reward, "--prompts", world / "prompts", "--output", output]
    monkeypatch.setattr("sys.argv", ["ppo", *map(str, [*options, *WORDS, *words])])
    return main()


def weights(output):
    return dict(load_model(output, CPU).named_parameters())


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_probabilities_are_those_of_the_ids_that_follow():
    model = tiny.model().eval()
    rows = tiny.ids(2, 6)
    mask = torch.tensor([[False, True, True, False, False], [True, True, True, True, True]])
    logs, entropy = log_probabilities(model, rows, mask, 0.5)
    wanted = (model(rows[:, :-1]) / 0.5).log_softmax(-1)
    assert torch.allclose(logs, wanted.gather(-1, rows[:, 1:].unsqueeze(-1)).squeeze(-1) * mask, atol=1e-5)
    assert torch.allclose(entropy, -(wanted.exp() * wanted).sum(-1) * mask, atol=1e-5)


def test_the_mask_shows_where_ids_of_the_answer_are_predicted():
    prompts = [Prompt("a", (), [1, 5, 6]), Prompt("b", (), [1])]
    ids, mask = tensors(Answers(prompts, [[7, 2], [8]], None, None), CPU)
    assert ids.tolist() == [[1, 5, 6, 7, 2], [1, 8, 0, 0, 0]]
    assert mask.int().tolist() == [[0, 0, 1, 1], [1, 0, 0, 0]]


def test_each_pass_over_the_prompts_has_each_once():
    prompts = Prompts([Prompt(str(number), (), [1]) for number in range(6)], [])
    config = PPOConfig(batch=4, mini_batch=4)
    drawn = [prompt.id for step in range(3) for prompt in prompts.batch(step, config)]
    assert sorted(drawn[:6]) == sorted(drawn[6:]) == list("012345")
    assert drawn[:6] != drawn[6:]
    assert [prompt.id for prompt in prompts.batch(1, config)] == drawn[4:8]


def test_a_run_that_goes_on_ends_with_the_same_bits(world, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, world, tmp_path / "whole", "ppo.iterations=5") == 0
    assert run(monkeypatch, world, tmp_path / "parts", "ppo.iterations=3") == 0
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "score"')  # what a kill leaves
    assert run(monkeypatch, world, tmp_path / "parts", "ppo.iterations=5") == 0
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    files = [list_checkpoints(tmp_path / name)[-1] / ".metadata" for name in ("whole", "parts")]
    assert files[0].read_bytes() == files[1].read_bytes()
    records = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "parts")]
    heldout = [[record.pop("heldout", None) for record in part] for part in records]
    assert records[0] == records[1]
    assert heldout[0][0] == heldout[1][0]
    assert [record["step"] for record in records[0]] == [0, 1, 2, 3, 4, 5]
    capsys.readouterr()
    assert run(monkeypatch, world, tmp_path / "parts", "ppo.iterations=5") == 0
    assert "is finished: nothing to do" in capsys.readouterr().err
    (tmp_path / "parts" / "metrics.jsonl").write_text('{"step": "0"}\n[]\n')
    with pytest.raises(TrainerError, match=r"metrics\.jsonl lacks iterations before 5"):
        run(monkeypatch, world, tmp_path / "parts", "ppo.iterations=6")


def test_the_first_record_is_of_the_policy_as_it_began(world, tmp_path, monkeypatch):
    run(monkeypatch, world, tmp_path / "a", "ppo.iterations=2")
    first, second, last = read_metrics(tmp_path / "a" / "metrics.jsonl")
    assert (first["kl"], first["heldout"]["kl"]) == (0.0, 0.0)
    assert second["kl"] != 0
    assert {"policy_loss", "value_loss", "clipped", "moved", "grad_norm", "value_grad_norm"} <= set(second)
    assert "policy_loss" not in last
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    assert (result["ended"], result["iteration"], result["last"]) == ("complete", 2, last)


def test_the_result_is_a_run_for_generate_export_and_transformers(world, tmp_path, monkeypatch, capsys):
    run(monkeypatch, world, tmp_path / "a", "ppo.iterations=1")
    assert not same(weights(world / "run"), weights(tmp_path / "a"))
    monkeypatch.setattr("sys.argv", ["generate", str(tmp_path / "a"), "USER: Who", "--tokens", "3"])
    generate()
    monkeypatch.setattr("sys.argv", ["export", str(tmp_path / "a"), "--to", str(tmp_path / "hf")])
    export()
    capsys.readouterr()
    theirs = AutoModelForCausalLM.from_pretrained(str(tmp_path / "hf"))
    ids = torch.tensor([[1, 5, 9, 20]])
    with torch.no_grad():
        assert torch.allclose(theirs(ids).logits, load_model(tmp_path / "a", CPU)(ids), atol=1e-4)
    assert load_template(tmp_path / "a" / "template.yaml") == load_template(world / "run" / "template.yaml")


def test_gradients_are_clipped(world, tmp_path, monkeypatch):
    words = ["ppo.iterations=1", "ppo.mini_batch=8", "ppo.clip_norm=1e-3", "ppo.betas=[0.5, 0.95]"]
    run(monkeypatch, world, tmp_path / "a", *words)
    names = [f"optimizer.model.{name}.exp_avg" for name in weights(tmp_path / "a")]
    moments = {
        name: torch.empty_like(weight) for name, weight in zip(names, weights(tmp_path / "a").values(), strict=True)
    }
    load_tensors(list_checkpoints(tmp_path / "a")[-1], moments)
    norm = torch.stack([moment.norm() for moment in moments.values()]).norm()
    assert float(norm) == pytest.approx(0.5 * 1e-3, rel=1e-3)
    assert read_metrics(tmp_path / "a" / "metrics.jsonl")[0]["grad_norm"] > 1e-3


def test_only_the_newest_checkpoints_are_kept(world, tmp_path, monkeypatch):
    run(monkeypatch, world, tmp_path / "a", "ppo.iterations=4", "ppo.save_every=1", "ppo.keep=2")
    assert [path.name for path in list_checkpoints(tmp_path / "a")] == ["step-000000003", "step-000000004"]


def test_a_policy_that_moves_too_far_ends_the_run_at_the_checkpoint_before(world, tmp_path, monkeypatch, capsys):
    words = ["ppo.iterations=30", "ppo.lr=3e-2", "ppo.beta=0", "ppo.kl_limit=0.5", "ppo.save_every=1"]
    assert run(monkeypatch, world, tmp_path / "a", *words) == 0
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    records = read_metrics(tmp_path / "a" / "metrics.jsonl")
    assert result["ended"] == "kl_limit"
    assert records[-1]["kl"] > 0.5
    assert result["last"]["kl"] <= 0.5
    assert result["iteration"] == records[-1]["step"] - 1
    assert "passed ppo.kl_limit" in capsys.readouterr().err


def test_evaluations_that_bring_nothing_end_the_run_at_the_best(world, tmp_path, monkeypatch):
    words = ["ppo.iterations=30", "ppo.lr=0", "ppo.patience=2", "ppo.evaluate_every=1", "ppo.save_every=1"]
    assert run(monkeypatch, world, tmp_path / "a", *words) == 0
    result = json.loads((tmp_path / "a" / "result.json").read_text())
    assert (result["ended"], result["iteration"]) == ("patience", 0)
    assert [path.name for path in list_checkpoints(tmp_path / "a")] == ["step-000000000"]
    assert len(read_metrics(tmp_path / "a" / "metrics.jsonl")) == 3


def test_what_cannot_be_used_is_named(world, tmp_path, monkeypatch):
    planted.random_reward(world / "broken", world, head=float("nan"))
    with pytest.raises(TrainerError, match="gives 8 scores that are not finite"):
        run(monkeypatch, world, tmp_path / "a", reward="broken")
    run(monkeypatch, world, tmp_path / "b", "ppo.iterations=1")
    with pytest.raises(TrainerError, match=r"ppo\.beta: was 0\.01, is 0\.5"):
        run(monkeypatch, world, tmp_path / "b", "ppo.iterations=1", "ppo.beta=0.5")
