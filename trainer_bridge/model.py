"""LLaMA (paper, section 2.2), in Meta's names. This file knows nothing of devices, ranks or recomputation.

Shapes: B sequences, T positions, D model width, H heads, K key-value heads, E head width, F feed-forward width, V ids.

The three input projections of attention are one matrix, and so are the two of the feed-forward layer: one large
product is faster than several small ones. ``state_dict`` and ``load_state_dict`` speak Meta's names all the same
(``attention.wq``, ``feed_forward.w1``), so a released checkpoint loads as it is. The rows of ``wqkv`` are ordered by
key-value head (its query heads, then its key, then its value), and those of ``w13`` by blocks of hidden units (32
rows of w1, the same 32 of w3), so that any even cut of the rows leaves whole heads and whole hidden units together.
"""

# mypy: disable-error-code="no-untyped-call, no-any-return"
# (PyTorch leaves unflatten, the hooks and calls of modules untyped.)

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer_bridge.attention import Mask, causal_attention
from trainer_bridge.config import ModelConfig
from trainer_bridge.loss import chunked_cross_entropy

# Rows of w1 that lie together in w13: wide enough for vector instructions, narrow enough that eight ranks can share
# the 11,008 hidden units of the 7B.
BLOCK = 32

LossFunction = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


class Cache(Protocol):
    """Keys and values of earlier positions, for generation."""

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Appends [B, T, K, E] keys and values of a layer; gives all so far."""


class Linear(nn.Linear):
    """A matrix without bias, stored in fp32 and applied in the type of its input; ``adapter`` adds to it (LoRA)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        self.adapter: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        y = functional.linear(x, self.weight.to(x.dtype))
        return y if self.adapter is None else y + self.adapter(x)


class RMSNorm(nn.Module):
    """RMSNorm (Zhang and Sennrich 2019): statistics and scale in fp32, one rounding at the end.

    Meta's code rounds once more, before the scale; in bf16 the two differ by one unit in the last place at a
    quarter of the values, and in fp32 not at all.
    """

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D], in the type of the input."""
        x32 = x.float()
        x32 = x32 * torch.rsqrt(x32.square().mean(-1, keepdim=True) + self.eps)
        return (x32 * self.weight.float()).to(x.dtype)


def rotary_table(config: ModelConfig, device: torch.device | None = None) -> Tensor:
    """Cosines and signed sines of the rotary embedding (Su et al. 2021), each twice, fp32 [2, context, E]."""
    pairs = torch.arange(0, config.head_dim, 2, device=device, dtype=torch.float32)
    frequencies = 1.0 / (config.rope_theta ** (pairs / config.head_dim))
    angles = torch.outer(torch.arange(config.context, device=device, dtype=torch.float32), frequencies)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack((torch.stack((cos, cos), -1), torch.stack((-sin, sin), -1))).flatten(-2)


def rotate(x: Tensor, rope: Tensor) -> Tensor:
    """Turns neighbouring pairs by the angle of their position, in fp32 and without complex numbers.

    (a, b) becomes (a cos - b sin, b cos + a sin): the vector times the cosines, plus the vector with the halves of each
    pair exchanged times the signed sines.

    Args:
        x: [B, T, ..., E].
        rope: cosines and signed sines, [2, T, E], fp32.

    Returns:
        The same shape and type as x.
    """
    x32 = x.float()
    first, second = x32.unflatten(-1, (-1, 2)).unbind(-1)
    exchanged = torch.stack((second, first), dim=-1).flatten(-2)
    shape = (rope.shape[1], *(1,) * (x.dim() - 3), rope.shape[2])
    return (x32 * rope[0].view(shape) + exchanged * rope[1].view(shape)).to(x.dtype)


class Attention(nn.Module):
    """Causal self-attention with rotary positions; several query heads may share one key-value head."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.head_dim
        self.group = config.heads // config.key_value_heads
        rows = config.key_value_heads * (self.group + 2) * config.head_dim
        self.wqkv = Linear(config.dim, rows)
        self.wo = Linear(config.heads * config.head_dim, config.dim)
        self.register_state_dict_post_hook(_split_wqkv)
        self.register_load_state_dict_pre_hook(_join_wqkv)

    def join(self, wq: Tensor, wk: Tensor, wv: Tensor) -> Tensor:
        """Three matrices [..., I] as the rows of wqkv."""
        q = wq.unflatten(0, (-1, self.group, self.head_dim))
        k, v = (w.unflatten(0, (-1, 1, self.head_dim)) for w in (wk, wv))
        return torch.cat((q, k, v), dim=1).flatten(0, 2)

    def forward(self, x: Tensor, rope: Tensor, mask: Mask = None, cache: Cache | None = None) -> Tensor:
        """[B, T, D] -> [B, T, D]; rope [2, T, E]; mask as in ``causal_attention``."""
        qkv = self.wqkv(x).unflatten(-1, (-1, self.group + 2, self.head_dim))
        qk, v = rotate(qkv[..., :-1, :], rope), qkv[..., -1, :]
        q, k = qk[..., :-1, :].flatten(-3, -2), qk[..., -1, :]
        if cache is not None:
            k, v = cache.extend(self.layer, k, v)
        return self.wo(causal_attention(q, k, v, mask).flatten(-2))


class FeedForward(nn.Module):
    """SwiGLU (Shazeer 2020): w2(silu(w1 x) * w3 x)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.block = math.gcd(config.hidden, BLOCK)
        self.w13 = Linear(config.dim, 2 * config.hidden)
        self.w2 = Linear(config.hidden, config.dim)
        self.register_state_dict_post_hook(_split_w13)
        self.register_load_state_dict_pre_hook(_join_w13)

    def join(self, w1: Tensor, w3: Tensor) -> Tensor:
        """Two matrices [..., I] as the rows of w13."""
        return torch.stack([w.unflatten(0, (-1, self.block)) for w in (w1, w3)], dim=1).flatten(0, 2)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        gate, up = self.w13(x).unflatten(-1, (-1, 2, self.block)).unbind(-2)
        return self.w2((functional.silu(gate) * up).flatten(-2))


class TransformerBlock(nn.Module):
    """Attention, then feed-forward, each on a normalised input and added to it."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention = Attention(config, layer)
        self.feed_forward = FeedForward(config)
        self.attention_norm = RMSNorm(config.dim, config.norm_eps)
        self.ffn_norm = RMSNorm(config.dim, config.norm_eps)

    def forward(self, x: Tensor, rope: Tensor, mask: Mask = None, cache: Cache | None = None) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        x = x + self.attention(self.attention_norm(x), rope, mask, cache)
        return x + self.feed_forward(self.ffn_norm(x))


class Transformer(nn.Module):
    """The whole model: ids in; logits, or the loss, out."""

    rope: Tensor

    def __init__(self, config: ModelConfig, dtype: torch.dtype = torch.float32, loss_chunk: int = 2048) -> None:
        """Builds the model.

        Args:
            config: its shape.
            dtype: type of the computation between the embedding and the logits. Weights are fp32 whatever
                it is.
            loss_chunk: tokens whose logits exist at one time.
        """
        super().__init__()
        self.config = config
        self.dtype = dtype
        self.tok_embeddings = nn.Embedding(config.vocab, config.dim)
        self.layers = nn.ModuleList(TransformerBlock(config, layer) for layer in range(config.layers))
        self.norm = RMSNorm(config.dim, config.norm_eps)
        self.output = Linear(config.dim, config.vocab)
        self.loss_function: LossFunction = lambda h, w, t: chunked_cross_entropy(h, w, t, loss_chunk)
        self.register_buffer("rope", rotary_table(config), persistent=False)

    def hidden(self, ids: Tensor, mask: Mask = None, cache: Cache | None = None, start: int = 0) -> Tensor:
        """ids [B, T] of the positions from ``start`` on -> normalised hidden states [B, T, D]."""
        rope = self.rope[:, start : start + ids.shape[1]]
        h = self.tok_embeddings(ids).to(self.dtype)
        for layer in self.layers:
            h = layer(h, rope, mask, cache)
        normalised: Tensor = self.norm(h)
        return normalised

    def forward(
        self,
        ids: Tensor,
        targets: Tensor | None = None,
        mask: Mask = None,
        cache: Cache | None = None,
        start: int = 0,
    ) -> Any:
        """Computes the loss, or without targets the logits.

        Args:
            ids: [B, T] integers.
            targets: [B, T] int64, ``loss.IGNORE`` where nothing is to be predicted.
            mask: who may attend to whom; None: every earlier position.
            cache: earlier keys and values, for generation.
            start: position of the first id.

        Returns:
            With targets, (sum of the losses, losses [B, T] without gradient), both fp32; else logits [B, T,
            V].
        """
        h = self.hidden(ids, mask, cache, start)
        return self.output(h) if targets is None else self.loss_function(h, self.output.weight, targets)


def parameter_count(config: ModelConfig) -> int:
    """Number of parameters, counted on the model itself without allocating it."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Transformer(config).parameters())


def _split_wqkv(module: Any, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    """State-dict hook: wqkv -> Meta's wq, wk, wv (copies)."""
    rows = state.pop(prefix + "wqkv.weight").unflatten(0, (-1, module.group + 2, module.head_dim))
    state[prefix + "wq.weight"] = rows[:, : module.group].flatten(0, 2)
    state[prefix + "wk.weight"] = rows[:, module.group].flatten(0, 1)
    state[prefix + "wv.weight"] = rows[:, module.group + 1].flatten(0, 1)


def _join_wqkv(module: Any, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Load hook: the way back."""
    if prefix + "wq.weight" in state:
        state[prefix + "wqkv.weight"] = module.join(
            *(state.pop(f"{prefix}{name}.weight") for name in ("wq", "wk", "wv"))
        )


def _split_w13(module: Any, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    """State-dict hook: w13 -> Meta's w1 and w3 (copies)."""
    rows = state.pop(prefix + "w13.weight").unflatten(0, (-1, 2, module.block))
    state[prefix + "w1.weight"], state[prefix + "w3.weight"] = rows[:, 0].flatten(0, 1), rows[:, 1].flatten(0, 1)


def _join_w13(module: Any, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Load hook: the way back."""
    if prefix + "w1.weight" in state:
        state[prefix + "w13.weight"] = module.join(*(state.pop(f"{prefix}{name}.weight") for name in ("w1", "w3")))
