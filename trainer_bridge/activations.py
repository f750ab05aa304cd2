"""What the backward pass keeps and what it computes again (paper, section 2.4: save the outputs of linear layers)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

_aten = torch.ops.aten
# Expensive to compute, cheap to keep. By operator, never by counting: a count breaks with the next change of order.
KEPT_OPERATORS = (
    _aten.mm.default,
    _aten.addmm.default,
    _aten.linear.default,
    _aten._scaled_dot_product_cudnn_attention.default,
    _aten._scaled_dot_product_flash_attention.default,
    _aten._scaled_dot_product_efficient_attention.default,
    _aten._scaled_dot_product_flash_attention_for_cpu.default,
    torch.ops.higher_order.flex_attention,
    torch.ops._c10d_functional.reduce_scatter_tensor.default,  # recomputing it would communicate twice
)


def keep_linear(_: Any, operator: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    """The policy: keep the outputs of matrix products and attention, compute everything else again."""
    return CheckpointPolicy.MUST_SAVE if operator in KEPT_OPERATORS else CheckpointPolicy.PREFER_RECOMPUTE


def apply_checkpointing(layers: nn.ModuleList, mode: str) -> None:
    """Wraps the forward pass of each block, in place.

    Args:
        layers: the transformer's blocks.
        mode: ``none``; ``linear`` (the paper's); ``full`` (only each block's input is kept).

    Parameter names stay as they are. Call it before compiling.
    """
    if mode == "none":
        return
    kwargs: dict[str, Any] = {"use_reentrant": False, "preserve_rng_state": False}  # there is no dropout
    if mode == "linear":
        kwargs["context_fn"] = partial(create_selective_checkpoint_contexts, keep_linear)
    for layer in layers:
        layer.forward = _checkpointed(layer.forward, kwargs)


def _checkpointed(forward: Callable[..., Any], kwargs: dict[str, Any]) -> Callable[..., Any]:
    """A function of our own around ``checkpoint``: the compiler refuses to start inside PyTorch's."""

    def forward_again(*args: Any) -> Any:
        return checkpoint(forward, *args, **kwargs)

    return forward_again
