"""Logits, gradients and optimiser steps equal those of transformers' LlamaForCausalLM in fp32."""

import pytest
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from tests.trainer_bridge import tiny
from trainer_bridge.config import ModelConfig, OptimizerConfig
from trainer_bridge.convert import from_hf, from_hf_config, hf_config, to_hf
from trainer_bridge.errors import TrainerError
from trainer_bridge.optimizer import apply_step, build_optimizer, gradient_norm

WIDE = ModelConfig(dim=96, layers=3, heads=6, kv_heads=2, vocab_size=128, context=64, norm_eps=1e-5)
TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}


def pair(config, std=0.1):
    """Our model and Hugging Face's, with the same weights."""
    ours = tiny.model(config, std=std)
    theirs = LlamaForCausalLM(LlamaConfig(**hf_config(config, 1, 2, "float32")))
    theirs.load_state_dict(to_hf(ours.state_dict(), config))
    return ours, theirs.eval()


@pytest.mark.parametrize("config", [tiny.SHAPE, tiny.GROUPED, WIDE])
def test_logits_are_equal(config):
    ours, theirs = pair(config)
    x = tiny.ids(2, 32, config.vocab)
    torch.testing.assert_close(ours(x), theirs(x).logits, **TOLERANCE)


@pytest.mark.parametrize("config", [tiny.SHAPE, WIDE])
def test_gradients_are_equal(config):
    ours, theirs = pair(config)
    x, y = tiny.ids(2, 32, config.vocab), tiny.ids(2, 32, config.vocab, seed=3)
    total, _ = ours(x, y)
    (total / y.numel()).backward()
    functional.cross_entropy(theirs(x).logits.flatten(0, 1), y.flatten()).backward()
    for model in (
        ours,
        theirs,
    ):  # state_dict gives weights; put the gradients there to compare under the same names
        for parameter in model.parameters():
            parameter.data = parameter.grad
    expected = theirs.state_dict()
    for name, grad in to_hf(ours.state_dict(), config).items():
        torch.testing.assert_close(grad, expected[name], **TOLERANCE)


def test_optimiser_steps_are_equal():
    # With eps 1e-8 the first steps are the signs of the gradients, and a gradient of 1e-9 has no sign in
    # fp32.
    config = OptimizerConfig(lr=1e-3, clip=0.5, eps=1e-5)
    ours, theirs = pair(WIDE)
    optimizer = build_optimizer(ours, config)
    decayed = [p for p in theirs.parameters() if p.dim() > 1]
    rest = [p for p in theirs.parameters() if p.dim() == 1]
    reference = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
        1e-3,
        (0.9, 0.95),
        1e-5,
    )
    for step in range(4):
        x, y = tiny.ids(4, 32, 128, seed=step), tiny.ids(4, 32, 128, seed=100 + step)
        for half in (slice(0, 2), slice(2, 4)):  # gradients of sums, accumulated over micro-batches
            ours(x[half], y[half])[0].backward()
        norm = gradient_norm(ours) / y.numel()
        apply_step(optimizer, 1e-3, (config.clip / norm).clamp(max=1.0) / y.numel(), torch.zeros(()))
        optimizer.zero_grad()
        loss = functional.cross_entropy(theirs(x).logits.flatten(0, 1), y.flatten())
        loss.backward()
        expected_norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), config.clip)
        torch.testing.assert_close(norm, expected_norm, **TOLERANCE)
        assert expected_norm > config.clip  # so that the clipping is tested too
        reference.step()
        reference.zero_grad()
    expected = theirs.state_dict()
    for name, weight in to_hf(ours.state_dict(), WIDE).items():
        torch.testing.assert_close(weight, expected[name], **TOLERANCE)


def test_conversion_goes_both_ways():
    state = tiny.model(tiny.GROUPED).state_dict()
    back = from_hf(to_hf(state, tiny.GROUPED), tiny.GROUPED)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)


def test_config_goes_both_ways():
    values = hf_config(WIDE, 1, 2, "float32")
    assert from_hf_config(LlamaConfig(**values).to_dict()) == ModelConfig(**{**WIDE.__dict__, "ffn_hidden": 256})


@pytest.mark.parametrize(
    ("key", "value"), [("model_type", "mistral"), ("tie_word_embeddings", True), ("attention_bias", True)]
)
def test_what_is_no_llama_is_refused(key, value):
    with pytest.raises(TrainerError, match=key):
        from_hf_config({**hf_config(WIDE, 1, 2, "float32"), key: value})


def test_an_unknown_weight_is_refused():
    with pytest.raises(TrainerError, match=r"model\.layers\.0\.self_attn\.q_norm\.weight"):
        from_hf({"model.layers.0.self_attn.q_norm.weight": torch.ones(1)}, WIDE)
