"""The model against independent code: Meta's formulas in complex numbers, PyTorch's own losses."""

import math

import pytest
import torch
from torch.nn import functional

from tests.trainer_bridge import tiny
from trainer_bridge.config import ModelConfig
from trainer_bridge.loss import IGNORE, chunked_cross_entropy
from trainer_bridge.model import Linear, RMSNorm, parameter_count, rotary_table, rotate
from trainer_bridge.recipe import load_config, recipe_names

# The paper's sizes are its counts in table 2; Llama-2's are those of the released files.
COUNTS = {
    "7B": 6_738_415_616,
    "13B": 13_015_864_320,
    "33B": 32_528_943_616,
    "65B": 65_285_660_672,
    "llama2-7B": 6_738_415_616,
    "llama2-13B": 13_015_864_320,
    "llama2-34B": 33_743_970_304,
    "llama2-70B": 68_976_648_192,
    "134M": 134_105_856,
    "410M": 373_867_520,
    "1.3B": 1_364_297_728,
}


@pytest.mark.parametrize("name", COUNTS)
def test_each_recipe_has_the_published_number_of_parameters(name):
    assert parameter_count(load_config(name, []).model) == COUNTS[name]


def test_every_recipe_is_counted_and_valid():
    assert set(recipe_names()) == {*COUNTS, "tiny"}
    assert load_config("tiny", ["model.vocab_size=32000"]).model.vocab == 32000


def test_hidden_width_is_two_thirds_of_four_times_dim_rounded_up_to_256():
    widths = {dim: ModelConfig(dim=dim, layers=1, heads=1).hidden for dim in (768, 2048, 4096, 5120, 6656, 8192)}
    assert widths == {768: 2048, 2048: 5632, 4096: 11008, 5120: 13824, 6656: 17920, 8192: 22016}


def test_parameters_carry_metas_names_and_shapes():
    state = tiny.model(tiny.GROUPED).state_dict()
    block = {name.removeprefix("layers.1."): tuple(t.shape) for name, t in state.items() if "layers.1." in name}
    assert block == {
        "attention.wq.weight": (32, 32),
        "attention.wk.weight": (16, 32),
        "attention.wv.weight": (16, 32),
        "attention.wo.weight": (32, 32),
        "feed_forward.w1.weight": (48, 32),
        "feed_forward.w2.weight": (32, 48),
        "feed_forward.w3.weight": (48, 32),
        "attention_norm.weight": (32,),
        "ffn_norm.weight": (32,),
    }
    rest = {name for name in state if not name.startswith("layers.")}
    assert rest == {"tok_embeddings.weight", "norm.weight", "output.weight"}


@pytest.mark.parametrize("config", [tiny.SHAPE, tiny.GROUPED])
def test_a_state_dict_goes_out_and_in_unchanged(config):
    one, other = tiny.model(config, seed=1), tiny.model(config, seed=2)
    other.load_state_dict(one.state_dict())
    x = tiny.ids(2, 16)
    assert torch.equal(one(x), other(x))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_each_fused_projection_is_the_three_of_metas_code():
    model = tiny.model(tiny.GROUPED)
    attention, state = model.layers[0].attention, model.layers[0].attention.state_dict()
    x = torch.randn(2, 5, 32)
    fused = attention.wqkv(x).unflatten(-1, (2, 4, 8))  # [B, T, key-value heads, 2 queries + key + value, E]
    torch.testing.assert_close(fused[..., :2, :].flatten(2), functional.linear(x, state["wq.weight"]))
    torch.testing.assert_close(fused[..., 2, :].flatten(2), functional.linear(x, state["wk.weight"]))
    torch.testing.assert_close(fused[..., 3, :].flatten(2), functional.linear(x, state["wv.weight"]))


def test_rotary_embedding_is_a_complex_rotation_of_neighbouring_pairs():
    config = tiny.SHAPE
    x = torch.randn(2, 32, 4, 8)
    frequencies = 1.0 / 10000 ** (torch.arange(0, 8, 2).double() / 8)
    turns = torch.polar(torch.ones(32, 4).double(), torch.outer(torch.arange(32).double(), frequencies))
    expected = torch.view_as_real(torch.view_as_complex(x.double().unflatten(-1, (4, 2))) * turns[:, None]).flatten(-2)
    torch.testing.assert_close(rotate(x, rotary_table(config)), expected.float(), atol=1e-5, rtol=1e-5)


def test_rotary_embedding_computes_in_fp32_and_answers_in_the_inputs_type():
    x = torch.randn(1, 32, 4, 8).bfloat16()
    table = rotary_table(tiny.SHAPE)
    assert table.dtype == torch.float32
    assert torch.equal(rotate(x, table), rotate(x.float(), table).bfloat16())


def test_rms_norm_keeps_statistics_and_scale_in_fp32():
    norm = RMSNorm(32, 1e-6)
    torch.nn.init.normal_(norm.weight, 1.0, 0.3)
    x = torch.randn(4, 32)
    expected = x / torch.sqrt((x.double() ** 2).mean(-1, keepdim=True) + 1e-6) * norm.weight.double()
    torch.testing.assert_close(norm(x), expected.float())
    low = x.bfloat16()
    assert torch.equal(norm(low), norm(low.float()).bfloat16())  # one rounding, at the end
    tiny_values = torch.full((1, 32), 1e-3)
    ones = RMSNorm(32, 1e-5)(tiny_values)  # eps is inside the root: 1e-3 / sqrt(1e-6 + 1e-5)
    torch.testing.assert_close(ones, torch.full((1, 32), 1e-3 / math.sqrt(1.1e-5)))


def test_no_position_sees_a_later_one():
    model, x = tiny.model(), tiny.ids(1, 16)
    changed = x.clone()
    changed[0, 10:] = (changed[0, 10:] + 1) % 64
    before, after = model(x), model(changed)
    torch.testing.assert_close(before[:, :10], after[:, :10])
    assert not torch.allclose(before[:, 10:], after[:, 10:])


def test_weights_are_fp32_and_the_computation_in_the_asked_type():
    model = tiny.model(dtype=torch.bfloat16, std=0.05)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model(tiny.ids(1, 8)).dtype == torch.bfloat16
    assert Linear(4, 4)(torch.ones(1, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_bf16_stays_near_fp32():
    x, y = tiny.ids(2, 32), tiny.ids(2, 32, seed=9)
    exact, _ = tiny.model(std=0.05)(x, y)
    low, _ = tiny.model(std=0.05, dtype=torch.bfloat16)(x, y)
    assert low.dtype == torch.float32
    assert abs(low / exact - 1) < 2e-3


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_chunked_loss_and_gradients_equal_pytorchs(chunk):
    torch.manual_seed(0)
    h, w = torch.randn(3, 21, 16, requires_grad=True), torch.randn(50, 16, requires_grad=True)
    targets = torch.randint(0, 50, (3, 21))
    targets[0, :5] = IGNORE
    total, losses = chunked_cross_entropy(h, w, targets, chunk)
    (total * 0.5).backward()
    ours = (h.grad.clone(), w.grad.clone())
    h.grad = w.grad = None
    expected = functional.cross_entropy((h @ w.T).flatten(0, 1), targets.flatten(), reduction="none")
    (expected.sum() * 0.5).backward()
    torch.testing.assert_close(losses, expected.view(3, 21).detach(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(total, expected.sum())
    torch.testing.assert_close(ours[0], h.grad, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours[1], w.grad, atol=1e-5, rtol=1e-5)
    assert not losses.requires_grad


def test_chunked_loss_of_bf16_states_is_fp32():
    torch.manual_seed(0)
    h, w, targets = torch.randn(64, 32).bfloat16(), torch.randn(100, 32) * 0.1, torch.randint(0, 100, (64,))
    total, losses = chunked_cross_entropy(h, w, targets, 16)
    expected = functional.cross_entropy((h @ w.bfloat16().T).float(), targets, reduction="sum")
    assert losses.dtype == total.dtype == torch.float32
    torch.testing.assert_close(total, expected)


def test_chunked_loss_never_holds_all_logits():
    h, w = torch.randn(512, 8, requires_grad=True), torch.randn(4000, 8, requires_grad=True)
    targets = torch.randint(0, 4000, (512,))
    largest = []

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            largest.append(
                max((t.numel() for t in torch.utils._pytree.tree_leaves(out) if torch.is_tensor(t)), default=0)
            )
            return out

    with Watch():
        chunked_cross_entropy(h, w, targets, 32)[0].backward()
    assert max(largest) == 32 * 4000  # of 512 * 4000


def test_loss_of_the_model_is_that_of_its_logits():
    model, x, y = tiny.model(), tiny.ids(2, 16), tiny.ids(2, 16, seed=5)
    total, losses = model(x, y)
    expected = functional.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="none")
    torch.testing.assert_close(losses.flatten(), expected.detach())
    torch.testing.assert_close(total, expected.sum())
