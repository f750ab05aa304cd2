"""From instructions to a chat model: people's preference for courtesies is planted, and each step must follow it."""

import contextlib
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from datasets import Dataset
from torch.nn import functional
from transformers import AutoTokenizer, TrainerCallback

from samples.make_chat import courtesy
from tests.trainer_bridge.chat import planted
from tokenizer.encode import Encoder
from trainer_bridge.chat.chain_steps import Figure, figures, more, table
from trainer_bridge.chat.config import DeviceConfig, RewardConfig
from trainer_bridge.chat.ppo import main as ppo
from trainer_bridge.chat.rejection import main as rejection
from trainer_bridge.chat.reward import main as reward
from trainer_bridge.chat.scalar import read_scalar
from trainer_bridge.chat.trl_reward import arguments, build_classifier, build_trainer
from trainer_bridge.checkpoint import load_model
from trainer_bridge.errors import TrainerError
from trainer_bridge.metrics import read_metrics

CPU = torch.device("cpu")
REWARD = ["reward.epochs=1", "reward.save_every=4", "reward.log_every=4"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    planted.answering_model(folder)
    planted.write_prompts(folder / "prompts", 300)
    planted.write_pairs(folder / "pairs", planted.pair_rows(500))
    return folder


def run(patch, command, world, output, *words):
    options = ["--recipe", "tiny", "--model", world / "run", "--output", output, *words]
    patch.setattr("sys.argv", ["command", *map(str, options)])
    return command()


@pytest.fixture(scope="module")
def judged(world):
    with pytest.MonkeyPatch.context() as patch:
        run(patch, reward, world, world / "reward", "--data", world / "pairs", *REWARD)
    return world


def judge(world):
    return ["--reward", world / "reward", "--prompts", world / "prompts"]


def test_a_reward_model_learns_what_people_prefer(judged):
    found = json.loads((judged / "reward" / "reward.json").read_text())
    assert found["heldout"]["all"]["pairs"] == found["pairs"]["heldout"] > 80
    assert found["heldout"]["all"]["accuracy"] > 0.9
    assert {"significantly", "better", "slightly", "all"} == set(found["heldout"])
    records = read_metrics(judged / "reward" / "metrics.jsonl")
    assert records[-1]["evaluation"] == found["heldout"]
    assert records[0]["loss"] > records[-2]["loss"]
    assert not (judged / "reward" / "training").exists()


def test_a_stopped_training_goes_on_to_the_same_model(judged, monkeypatch, capsys):
    class Stops:
        """The standard error of somebody who types Ctrl-C when it says a word."""

        def __init__(self, stream):
            self.stream = stream

        def write(self, text):
            if text.startswith("step 8/"):
                raise KeyboardInterrupt
            return self.stream.write(text)

        def __getattr__(self, name):
            return getattr(self.stream, name)

    words = ["--data", judged / "pairs", *REWARD]
    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(sys, "stderr", Stops(sys.stderr))
        run(patch, reward, judged, judged / "again", *words)
    assert not (judged / "again" / "reward.json").exists()
    cut, mine = (judged / "again" / "training" / name for name in ("checkpoint-8", "checkpoint-1-mine"))
    for folder in (cut, mine):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"cut")  # of the first, a kill leaves this
    run(monkeypatch, reward, judged, judged / "again", *words)
    assert [path.name for path in mine.parent.iterdir()] == [mine.name]
    assert "goes on from step 4" in capsys.readouterr().err
    first, second = (
        json.loads((judged / name / "reward.json").read_text())["weights_sha256"] for name in ("reward", "again")
    )
    assert first == second
    run(monkeypatch, reward, judged, judged / "again", *words)
    assert "is complete: nothing to do" in capsys.readouterr().err
    with pytest.raises(TrainerError, match=r"reward\.seed: was 0, is 3"):
        run(monkeypatch, reward, judged, judged / "again", *words, "reward.seed=3")


def test_the_best_of_many_answers_and_then_ppo_raise_the_reward(judged, monkeypatch):
    words = [*judge(judged), "rejection.samples=4", "rejection.batch=32"]
    run(monkeypatch, rejection, judged, judged / "best", *words)
    result = json.loads((judged / "best" / "result.json").read_text())
    assert result["best_score"] > result["mean_score"] + 0.3
    samples = pq.read_table(judged / "best" / "samples.parquet")["answer"].to_pylist()
    path = judged / "best" / "corpus" / "rejection_sampling" / "conversations" / "best.parquet"
    best = [row["messages"][-1]["content"] for row in pq.read_table(path)["meta"].to_pylist()]
    assert mean_courtesy(best) > mean_courtesy(samples) + 0.5

    assert run(monkeypatch, ppo, judged, judged / "ppo", *judge(judged), "ppo.iterations=15") == 0
    first, *_, last = read_metrics(judged / "ppo" / "metrics.jsonl")
    assert abs(first["score"] - result["mean_score"]) < 0.25
    assert last["heldout"]["score"] > first["heldout"]["score"] + 0.7
    assert last["score"] > result["best_score"]
    assert 0 < last["kl"] < 6


def mean_courtesy(texts):
    return sum(map(courtesy, texts)) / len(texts)


def trainer(world, folder, weight=0.0, pairs=8, micro=8):
    """TRL's trainer on random pairs, with margins and labels of safety."""
    model, encoder = load_model(world / "run", CPU), Encoder(world / "made.model")
    draw = torch.Generator().manual_seed(3)
    texts = [[*torch.randint(5, 300, (3 + number,), generator=draw).tolist(), 2] for number in range(2 * pairs)]
    columns = {
        "chosen_ids": texts[::2],
        "rejected_ids": texts[1::2],
        "margin": [number / 3 for number in range(pairs)],
        "chosen_safe": [1, 0, -1, 1] * (pairs // 4),
        "rejected_safe": [-1, 0, 0, -1] * (pairs // 4),
    }
    config = RewardConfig(batch_pairs=pairs, micro_batch=micro, safety_weight=weight, lr=1e-2, warmup_least=0)
    built = build_classifier(model.state_dict(), model.config, encoder, 0)
    data = Dataset.from_dict(columns)
    return build_trainer(built, world / "reward", data, config, DeviceConfig(), folder, TrainerCallback()), columns


def test_the_loss_is_the_papers_with_margins_and_labels(judged, tmp_path):
    made, columns = trainer(judged, tmp_path / "a", weight=0.5)
    batch = made.data_collator([dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)])
    loss = float(made.compute_loss(made.model.eval(), dict(batch)).detach())
    made.model.save_pretrained(str(tmp_path / "saved"))
    own = read_scalar(tmp_path / "saved")
    chosen, rejected = (torch.tensor(own.scores(columns[name], 8)) for name in ("chosen_ids", "rejected_ids"))
    wanted = -functional.logsigmoid(chosen - rejected - torch.tensor(columns["margin"])).mean()
    scores, labels = torch.cat((chosen, rejected)), torch.tensor([*columns["chosen_safe"], *columns["rejected_safe"]])
    known = labels >= 0
    errors = functional.binary_cross_entropy_with_logits(scores[known], labels[known].float(), reduction="sum")
    assert loss == pytest.approx(float(wanted + 0.5 * errors / 16), abs=1e-5)


def test_micro_batches_add_up_to_the_batch(judged, tmp_path):
    weights = []
    for micro in (8, 2):
        made, _ = trainer(judged, tmp_path / str(micro), weight=0.5, micro=micro)
        made.train()
        weights.append({name: parameter.detach() for name, parameter in made.model.named_parameters()})
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=2e-4) for name in weights[0])


def test_the_schedule_is_the_papers():
    config = RewardConfig(batch_pairs=64, micro_batch=4)
    for steps, warmup in ((1000, 30), (100, 5), (3, 3)):
        found = arguments("x", config, DeviceConfig(), steps, on_gpu=False)
        assert (found.warmup_steps, found.gradient_accumulation_steps) == (warmup, 16)
    assert found.lr_scheduler_kwargs == {"min_lr_rate": 0.1}
    assert (found.adam_beta1, found.adam_beta2, found.adam_epsilon) == (0.9, 0.95, 1e-5)


def test_the_tokenizer_of_transformers_gives_the_same_ids(judged):
    encoder, theirs = Encoder(judged / "made.model"), AutoTokenizer.from_pretrained(str(judged / "reward"))
    text = "USER: Who made the mug? ASSISTANT: A baker."
    assert theirs(text)["input_ids"] == [encoder.bos_id, *encoder.encode(text).tolist()]


def test_the_table_says_what_failed():
    found = [more("score", 2.0, 1.0, "before"), more("courtesies", 0.5, 0.75, "before")]
    assert found[0] == Figure("score", "2.000", "above 1.000, before", True)
    assert table(found) == (
        "ok      score          2.000  (above 1.000, before)\nFAILED  courtesies     0.500  (above 0.750, before)\n"
    )


# Of each file that the figures are read from: a value that is as it should be; of each figure one that is not.
GOOD = {
    "reward/reward.json": {"heldout": {"all": {"accuracy": 0.95}}},
    "rejection/result.json": {"best_score": 2.0, "mean_score": 1.0},
    "ppo/result.json": {"last": {"kl": 3.0}},
    "ppo/configuration.json": {"ppo": {"kl_limit": 15.0}},
}
ANSWERS = {
    "answers-sft": ("No.", 0.0),
    "answers-best": ("Gladly. No.", 1.0),
    "answers-ppo": ("Gladly. No. Thank you for asking.", 2.0),
}
WRONG = {
    "reward model: held-out accuracy": ("reward/reward.json", {"heldout": {"all": {"accuracy": 0.9}}}),
    "score of the best of 8 answers": ("rejection/result.json", {"best_score": 1.0, "mean_score": 1.0}),
    "score, tuned on the best": ("answers-best", ("Gladly. No.", 0.0)),
    "score, after PPO": ("answers-ppo", ("Gladly. No. Thank you for asking.", 1.0)),
    "KL after PPO, nats an answer": ("ppo/result.json", {"last": {"kl": 15.5}}),
    "courtesies, tuned on the best": ("answers-best", ("No.", 1.0)),
    "courtesies, after PPO": ("answers-ppo", ("Gladly. No.", 2.0)),
}


@pytest.mark.parametrize("wrong", [None, *WRONG])
def test_each_figure_can_fail(tmp_path, wrong):
    """Only its own; that all hold is status 0."""
    for name, value in {**GOOD, **ANSWERS, **dict([WRONG[wrong]] if wrong else [])}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in GOOD:
            path.write_text(json.dumps(value))
        else:
            path.mkdir()
            pq.write_table(pa.table({"answer": [value[0]], "score": [value[1]]}), path / "samples.parquet")
    assert [figure.name for figure in figures(tmp_path) if not figure.holds] == ([wrong] if wrong else [])
