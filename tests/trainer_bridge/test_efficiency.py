"""The paper's efficiency methods do what they say: less memory or time, the same numbers."""

import collections
import functools
import gzip
import json

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import create_block_mask
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from tests.trainer_bridge import runs, tiny
from trainer_bridge.activations import KEPT_OPERATORS, apply_checkpointing
from trainer_bridge.attention import attention_backends, causal_attention, chosen_backend, document_mask
from trainer_bridge.config import EfficiencyConfig, ModelConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.flops import flops_per_token_causal, flops_per_token_full, peak_flops
from trainer_bridge.parallel import build_model, initialise
from trainer_bridge.recipe import load_config

BLOCK = ModelConfig(dim=256, layers=1, heads=4, vocab_size=64, ffn_hidden=704, context=64)
MODES = ("none", "linear", "full")


def block_and_input(mode, config=BLOCK):
    model = tiny.model(config, std=0.02)
    apply_checkpointing(model.layers, mode)
    x = torch.randn(2, 64, config.dim, generator=torch.Generator().manual_seed(0), requires_grad=True)
    return model, x


class Operators(TorchDispatchMode):
    """Counts the operators that run."""

    def __init__(self):
        super().__init__()
        self.counts = collections.Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts[func] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("mode", "ratio"), [("none", 2.000), ("linear", 2.000), ("full", 2.776)])
def test_flops_of_the_backward_pass_over_those_of_the_forward(mode, ratio):
    model, x = block_and_input(mode)
    with FlopCounterMode(display=False) as counter:
        out = model.layers[0](x, model.rope[:, :64])
        forward = counter.get_total_flops()
        out.square().sum().backward()
        backward = counter.get_total_flops() - forward
    assert round(backward / forward, 3) == ratio


@pytest.mark.parametrize("mode", ["linear", "full"])
def test_checkpointing_leaves_every_gradient_the_same_to_the_bit(mode):
    results = []
    for each in ("none", mode):
        model, _ = block_and_input(each, ModelConfig(**{**BLOCK.__dict__, "layers": 2}))
        total, _ = model(tiny.ids(2, 64), tiny.ids(2, 64, seed=2))
        total.backward()
        results.append([total.detach(), *(parameter.grad for parameter in model.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_linear_checkpointing_recomputes_no_matrix_product_and_no_attention():
    repeated = {}
    for mode in MODES:
        model, x = block_and_input(mode)
        with Operators() as seen:
            out = model.layers[0](x, model.rope[:, :64])
            forward = seen.counts.copy()
            out.sum().backward()
        repeated[mode] = {name: seen.counts[name] - forward[name] for name in forward}
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
    product = torch.ops.aten.mm.default
    rsqrt = torch.ops.aten.rsqrt.default
    # Four products a block; each needs two more for its gradients. Under "full" the last is not needed again.
    assert [repeated[mode][product] for mode in MODES] == [8, 8, 11]
    assert [repeated[mode][attention] for mode in MODES] == [0, 0, 1]
    assert [repeated[mode][rsqrt] for mode in MODES] == [0, 2, 2]


def test_the_forward_pass_uses_only_operators_that_the_policy_knows():
    """A product under another operator's name would silently be recomputed."""
    model, x = block_and_input("none")
    with Operators() as seen:
        model.layers[0](x, model.rope[:, :64])
    heavy = {op for op in seen.counts if any(word in str(op) for word in ("mm", "linear", "dot_product"))}
    assert heavy
    assert heavy <= set(KEPT_OPERATORS)


def saved_bytes(mode):
    """Bytes kept for the backward pass: what autograd saves, and what the policy keeps in a store of its own."""
    model, x = block_and_input(mode)
    storages = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def pack(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    kept = []

    class Watch(Operators):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if func in KEPT_OPERATORS:
                kept.extend(t.untyped_storage().nbytes() for t in (out if isinstance(out, tuple) else (out,)))
            return out

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), Watch():
        model.layers[0](x, model.rope[:, :64])
    total = sum(size for pointer, size in storages.items() if pointer not in weights)
    return total + (sum(kept) if mode == "linear" else 0)


def test_checkpointing_keeps_less():
    none, linear, full = (saved_bytes(mode) for mode in MODES)
    assert full < linear < none


@pytest.mark.parametrize(("mode", "backend"), [("none", "aot_eager"), ("linear", "inductor"), ("full", "aot_eager")])
def test_a_compiled_block_equals_the_eager_one_and_is_compiled_once(mode, backend, monkeypatch):
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))  # inductor takes 20 s
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    results = []
    for switch in ("off", "on"):
        model = build_model(tiny.GROUPED, EfficiencyConfig(compile=switch, checkpointing=mode), runs.ALONE)
        initialise(model, 3)
        for seed in (1, 2):
            total, _ = model(tiny.ids(2, 16, seed=seed), tiny.ids(2, 16, seed=seed + 5))
            total.backward()
        results.append((total.detach(), [parameter.grad for parameter in model.parameters()]))
    torch.testing.assert_close(results[0][0], results[1][0], atol=1e-5, rtol=1e-6)
    for eager, compiled in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(eager, compiled, atol=2e-5, rtol=1e-4)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1  # two blocks, two steps, one graph
    assert not torch._dynamo.utils.counters["graph_break"]


def plain_attention(q, k, v, allowed):
    group = q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(group, 2), v.repeat_interleave(group, 2)
    scores = torch.einsum("bthe,bshe->bhts", q, k).double() / q.shape[-1] ** 0.5
    weights = scores.masked_fill(~allowed, float("-inf")).softmax(-1)
    return torch.einsum("bhts,bshe->bthe", weights, v.double()).float()


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_attention_is_softmax_over_earlier_positions(kv_heads):
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 10, 4, 8), torch.randn(2, 10, kv_heads, 8), torch.randn(2, 10, kv_heads, 8)
    causal = torch.ones(10, 10, dtype=torch.bool).tril()
    torch.testing.assert_close(causal_attention(q, k, v), plain_attention(q, k, v, causal), atol=1e-5, rtol=1e-5)


def test_attention_with_documents_is_softmax_inside_them():
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 10, 4, 8) for _ in range(3))
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2, 2, 2], [5, 5, 5, 5, 5, 6, 6, 6, 6, 6]])
    same = documents[:, :, None] == documents[:, None, :]
    allowed = (same & torch.ones(10, 10, dtype=torch.bool).tril()).unsqueeze(1)
    mask = document_mask(documents)
    assert torch.equal(mask, allowed)
    expected = plain_attention(q, k, v, allowed)
    torch.testing.assert_close(causal_attention(q, k, v, mask), expected, atol=1e-5, rtol=1e-5)
    block = create_block_mask(
        lambda b, h, i, j: (i >= j) & (documents[b, i] == documents[b, j]), 2, None, 10, 10, "cpu"
    )
    torch.testing.assert_close(causal_attention(q, k, v, block), expected, atol=1e-5, rtol=1e-5)


def test_two_documents_in_a_row_are_as_two_rows():
    model, first, second = tiny.model(), tiny.ids(1, 10), tiny.ids(1, 6, seed=4)
    together = torch.cat((first, second), dim=1)
    documents = torch.tensor([[0] * 10 + [1] * 6])
    logits = model(together, mask=document_mask(documents))
    torch.testing.assert_close(logits[:, :10], model(first), atol=1e-4, rtol=1e-4)
    # Rotary positions are relative, so it does not matter that the second document does not begin at 0.
    torch.testing.assert_close(logits[:, 10:], model(second), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("choice", "kernel"), [("auto", "flash_attention"), ("flash", "flash_attention"), ("math", "math")]
)
def test_the_attention_kernel_follows_the_choice(choice, kernel):
    with attention_backends(choice):
        assert chosen_backend(4, 4, 32, 64, torch.empty(0)) == kernel
    with sdpa_kernel(SDPBackend.MATH):
        assert chosen_backend(4, 2, 32, 64, torch.empty(0)) == "math"


def test_attention_weights_are_never_stored():
    model, _ = block_and_input("none", ModelConfig(**{**BLOCK.__dict__, "dim": 32, "ffn_hidden": 32, "context": 512}))
    x = torch.randn(1, 512, 32, requires_grad=True)
    largest = []

    class Largest(Operators):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            largest.extend(t.numel() for t in torch.utils._pytree.tree_leaves(out) if isinstance(t, torch.Tensor))
            return out

    with Largest():
        model.layers[0](x, model.rope).sum().backward()
    assert max(largest) < 512 * 512 / 2


def test_utilisation_of_the_papers_65b():
    """380 tokens/s on an A100 of 312 TFLOP/s (section 2.4) is 49.7 % in the full convention."""
    config, parameters = load_config("65B", []).model, 65_285_660_672
    assert round(380 * flops_per_token_full(config, parameters, 2048) / peak_flops("NVIDIA A100-SXM4-80GB"), 3) == 0.497


def test_both_conventions_of_utilisation():
    config = ModelConfig(dim=10, layers=3, heads=1, vocab_size=7)
    assert flops_per_token_full(config, 1000, 5) == 6 * 1000 + 12 * 3 * 10 * 5
    assert flops_per_token_causal(config, 1000, 5) == 6 * (1000 - 70) + 6 * 3 * 10 * 5
    assert (peak_flops("NVIDIA H200"), peak_flops("NVIDIA H100 PCIe"), peak_flops("Quadro")) == (989e12, 756e12, None)


@pytest.mark.parametrize("kernel", ["cudnn", "efficient"])
def test_kernels_of_gpus_are_refused_on_a_cpu(tmp_path, kernel):
    message = rf"efficiency\.attention = '{kernel}' needs a CUDA device; allowed here: auto, flash, math"
    with pytest.raises(TrainerError, match=message):
        runs.trainer(runs.shards(tmp_path / "data"), tmp_path / "run", efficiency={"attention": kernel})


def test_a_trace_of_the_steps_asked_for(tmp_path, capsys):
    data = runs.shards(tmp_path / "data")
    records = runs.train(data, tmp_path / "run", run={"steps": 14, "profile": 2})
    path = tmp_path / "run" / "profile" / "steps-11-12.json.gz"
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    assert {f"ProfilerStep#{step}" for step in (10, 11)} == {e["name"] for e in events if "ProfilerStep" in e["name"]}
    assert records == runs.train(data, tmp_path / "plain", run={"steps": 14})
    runs.train(data, tmp_path / "short", run={"steps": 2, "profile": 2})
    assert "no trace was written: the run ended before" in capsys.readouterr().err
