"""Fine-tuning: a recipe over the model's, epochs, and the loss of transformers on the same conversations."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from tests.trainer_bridge import runs
from tests.trainer_bridge.tiny import random_documents, write_shards
from trainer_bridge.config import OptimizerConfig, RunConfig
from trainer_bridge.convert import hf_config, to_hf
from trainer_bridge.errors import TrainerError
from trainer_bridge.loader import Samples
from trainer_bridge.loss import IGNORE
from trainer_bridge.optimizer import learning_rate
from trainer_bridge.recipe import FINE_TUNING, load_config, recipe_names

# lr, betas, eps, weight decay, end of the cosine, epochs, sequences of a step; warm-up steps of 1,000
PUBLISHED = {
    "sft": (2e-5, (0.9, 0.95), 1e-5, 0.1, 0.1, 2, 64, 30),
    "alpaca": (2e-5, (0.9, 0.999), 1e-8, 0.0, 0.0, 3, 128, 30),
    "alpaca-13B": (1e-5, (0.9, 0.999), 1e-8, 0.0, 0.0, 5, 128, 30),
    "vicuna": (2e-5, (0.9, 0.999), 1e-8, 0.0, 0.0, 3, 128, 40),
    "wizardlm": (2e-5, (0.9, 0.999), 1e-8, 0.0, 0.0, 3, 64, 2),
}
CHAT = {"data": {**runs.VALUES["data"], "document_mask": True, "predict_across_documents": False}}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two thirds of each document are a prompt, without loss."""
    docs = random_documents(120)
    loss = [3 * at >= 2 * len(doc.ids) for doc in docs for at in range(len(doc.ids))]
    return write_shards(tmp_path_factory.mktemp("fine-tuning"), docs, runs.SEQ_LEN, loss=loss)


def test_the_recipes_have_the_published_values():
    found = {}
    for name in recipe_names(FINE_TUNING):
        config = load_config("llama2-7B", [], recipe=name)
        o, run = config.optimizer, config.run
        assert (o.clip, o.schedule, config.data.document_mask) == (1.0, "cosine", True)
        found[name] = (o.lr, o.betas, o.eps, o.weight_decay, o.final_lr_fraction, run.epochs, run.batch(4096))
        found[name] += (o.warmup(1000),)
    assert found == PUBLISHED


def test_a_recipe_lies_over_the_model_and_below_the_command_line():
    config = load_config("tiny", ["optimizer.lr=1e-4"], {"run.steps": 7}, "sft")
    assert (config.model.dim, config.run.threads, config.data.shuffle_block) == (128, 1, 1)  # the model's
    assert (config.optimizer.weight_decay, config.run.micro_batch) == (0.1, 1)  # the recipe's
    assert (config.optimizer.lr, config.run.steps, config.run.epochs) == (1e-4, 7, None)  # the command line's


OTHER_UNITS = {
    "run.tokens=2048": 2,
    "run.steps=9": 9,
    "run.epochs=3": 12,
    "run.epochs=3 run.batch_sequences=13": 24,
    "run.epochs=3 run.batch_tokens=512": 10,
    "run.epochs=0.01": 1,
    "run.tokens=2048 run.epochs=null": 2,
}


@pytest.mark.parametrize("words", OTHER_UNITS)
def test_the_unit_given_last_counts(words):
    """100 rows of 16 positions; the recipe's batch has 25 or 64 rows."""
    run = load_config("tiny", ["run.batch_sequences=25", *words.split()], recipe="alpaca").run
    if "tokens=2048" in words:
        run = dataclasses.replace(run, batch_sequences=64)
    assert run.length(rows=100, seq_len=16) == OTHER_UNITS[words]


def test_steps_before_there_were_other_units_are_as_they_were():
    assert RunConfig().length(rows=10, seq_len=2048) == int(1e12 // 4_194_304)
    assert RunConfig(tokens=100, batch_tokens=64).length(rows=10, seq_len=16) == 1


def test_the_warm_up_is_a_share_of_the_run():
    config = OptimizerConfig(lr=1.0, warmup_fraction=0.03, final_lr_fraction=0.0)
    rates = [learning_rate(config, step, 101) for step in range(101)]
    assert (rates[:4], rates[-1]) == ([0.25, 0.5, 0.75, 1.0], 0.0)
    assert rates[4] == pytest.approx(0.5 * (1 + np.cos(np.pi / 97)))


def test_unknown_recipes_and_values_are_named(tmp_path):
    for words, message in {
        ("sft", None): r"no recipe 'sft' \(sft is one of --recipe\)",
        ("tiny", "7B"): r"no recipe '7B' \(7B is one of --model\); there are alpaca, alpaca-13B, sft, vicuna, wizardlm",
    }.items():
        with pytest.raises(TrainerError, match=message):
            load_config(words[0], [], recipe=words[1])
    (tmp_path / "mine.yaml").write_text("run: 7")
    with pytest.raises(TrainerError, match="run must be a mapping, not 7"):
        load_config("tiny", [], recipe=str(tmp_path / "mine.yaml"))
    for override in ("run.epochs=0", "run.batch_sequences=0", "optimizer.warmup_fraction=1.5"):
        with pytest.raises(TrainerError, match="cannot be used"):
            load_config("tiny", [override])


def transformers_loss(model, samples, rows):
    """What transformers gives for each document of some rows by itself: sum, and count of the targets."""
    total, count = torch.zeros(()), 0
    batch = samples.batch(0, rows)
    inputs, targets = torch.from_numpy(batch.ids[:, :-1]).long(), torch.from_numpy(batch.targets(False)).long()
    for ids, documents, wanted in zip(inputs, batch.documents, targets, strict=True):
        for number in np.unique(documents[:-1]):
            own = np.flatnonzero(documents[:-1] == number)
            logits = model(ids[own][None]).logits[0]
            total = total + functional.cross_entropy(logits, wanted[own], ignore_index=IGNORE, reduction="sum")
            count += int((wanted[own] != IGNORE).sum())
    return total / count, count


def test_loss_and_step_are_those_of_transformers(data, tmp_path):
    """Answers alone, attention within each conversation, over two micro-batches."""
    trainer = runs.trainer(data, tmp_path / "run", **CHAT)
    theirs = LlamaForCausalLM(LlamaConfig(**hf_config(trainer.config.model, 1, 2, "float32")))
    theirs.load_state_dict(to_hf(trainer.model.state_dict(), trainer.config.model))
    loss, count = transformers_loss(theirs, Samples(trainer.config.data, data), 8)
    loss.backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in theirs.parameters()])
    statistics = trainer.train_step()
    sums, counts = statistics[:2], statistics[2:4]
    trainer.close()
    assert int(counts.sum()) == count
    assert float(sums.sum() / counts.sum()) == pytest.approx(loss.item(), abs=1e-5)
    assert float(statistics[4]) == pytest.approx(norm.item(), abs=1e-5)


def test_epochs_are_trained_to_their_end(data, tmp_path):
    rows = Samples(runs.config().data, data).reader.manifest.rows
    steps = runs.train(data, tmp_path / "run", run={"steps": None, "epochs": 2, "batch_sequences": 16})
    assert len(steps) == -(-2 * rows // 16)
