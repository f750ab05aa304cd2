"""Causal attention that never stores its weights and never computes a masked score (paper, section 2.4).

PyTorch's ``scaled_dot_product_attention`` picks the kernel: cuDNN's on Hopper, else FlashAttention, else a
plain one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

Mask = Tensor | BlockMask | None

# Fastest first on Hopper; a GPU or a CPU without one of them falls through to the next.
BACKENDS = {
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "math": SDPBackend.MATH,
}


def causal_attention(q: Tensor, k: Tensor, v: Tensor, mask: Mask = None) -> Tensor:
    """Attends from each position to itself and the earlier ones.

    Args:
        q: [B, T, H, E].
        k: [B, S, K, E] with K a divisor of H; S >= T where earlier positions come from a cache.
        v: like k.
        mask: None: every earlier position. A bool tensor [B or 1, 1, T, S] (True: attend; it has to be
            causal itself) or a flex-attention block mask restrict further.

    Returns:
        [B, T, H, E].
    """
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    grouped = q.shape[1] != k.shape[1]
    if isinstance(mask, BlockMask):
        out = flex_attention(q, k, v, block_mask=mask, enable_gqa=grouped)
        return (out[0] if isinstance(out, tuple) else out).transpose(1, 2)
    # A single new position sees the whole cache: nothing to mask.
    causal = mask is None and q.shape[2] > 1
    out = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
    return out.transpose(1, 2)


def document_mask(documents: Tensor) -> Mask:
    """The mask that keeps attention inside each document.

    Args:
        documents: [B, T] integers, one value a document within a sequence.

    Returns:
        On a GPU a flex-attention block mask, which skips blocks that hold no allowed pair; on a CPU, where
        that has no backward pass, the plain bool mask.
    """
    positions = documents.shape[1]
    if documents.device.type != "cuda":
        causal = torch.ones(positions, positions, dtype=torch.bool, device=documents.device).tril()
        return (causal & (documents[:, :, None] == documents[:, None, :])).unsqueeze(1)

    def allowed(b: Tensor, _h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return (q >= k) & (documents[b, q] == documents[b, k])

    return create_block_mask(allowed, documents.shape[0], None, positions, positions, device=str(documents.device))


@contextmanager
def attention_backends(choice: str) -> Iterator[None]:
    """Sets which kernels may run, in order; ``auto`` is all of them, fastest first."""
    wanted = list(BACKENDS.values()) if choice == "auto" else [BACKENDS[choice]]
    with sdpa_kernel(wanted, set_priority=True):
        yield


def chosen_backend(heads: int, kv_heads: int, head_dim: int, positions: int, like: Tensor) -> str:
    """Name of the kernel that PyTorch picks for this shape, on the device and in the type of ``like``."""
    q = torch.empty(1, heads, positions, head_dim, device=like.device, dtype=like.dtype)
    k = torch.empty(1, kv_heads, positions, head_dim, device=like.device, dtype=like.dtype)
    choose: Any = torch._fused_sdp_choice
    number = choose(q, k, k, is_causal=True, enable_gqa=heads != kv_heads)
    return str(SDPBackend(number).name if isinstance(number, int) else number).lower()
