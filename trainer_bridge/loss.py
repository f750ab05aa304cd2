"""Cross-entropy from hidden states, a chunk of tokens at a time: the logits never exist all at once."""

from typing import Any

import torch
from torch import Tensor

IGNORE = -100  # a target that asks for no prediction; PyTorch's own value


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Computes the gradients in the forward pass, while each chunk's logits are at hand (Liger's way)."""

    @staticmethod
    def forward(ctx: Any, h_ND: Tensor, w_VD: Tensor, target_N: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
        w = w_VD.to(h_ND.dtype)
        losses = torch.empty(h_ND.shape[0], dtype=torch.float32, device=h_ND.device)
        grad_h = torch.empty_like(h_ND) if any(ctx.needs_input_grad[:2]) else None
        trains_w = ctx.needs_input_grad[1]
        grad_w = torch.zeros(w_VD.shape, dtype=torch.float32, device=h_ND.device) if trains_w else None
        for start in range(0, h_ND.shape[0], chunk):
            part = slice(start, start + chunk)
            h, target = h_ND[part], target_N[part]
            valid = (target != IGNORE).unsqueeze(1)
            index = target.clamp_min(0).unsqueeze(1)
            logits = (h @ w.T).float()
            logits.sub_(logits.amax(-1, keepdim=True))
            wanted = logits.gather(1, index)
            sums = logits.exp_().sum(-1, keepdim=True)
            losses[part] = ((sums.log() - wanted) * valid).squeeze(1)
            if grad_h is not None:
                grad = logits.mul_(valid / sums)  # the softmax, in the logits' memory
                grad.scatter_add_(1, index, -valid.float())
                grad_low = grad.to(h.dtype)
                grad_h[part] = grad_low @ w
                if grad_w is not None:
                    _add_product(grad_w, grad_low, h)
        ctx.save_for_backward(grad_h, grad_w)
        ctx.weight_dtype = w_VD.dtype
        ctx.mark_non_differentiable(losses)
        return losses.sum(), losses

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        grad_h, grad_w = ctx.saved_tensors
        scale = grads[0]
        of_weight = None if grad_w is None else (grad_w * scale).to(ctx.weight_dtype)
        return (grad_h * scale).to(grad_h.dtype), of_weight, None, None


def _add_product(total_VD: Tensor, grad_NV: Tensor, h_ND: Tensor) -> None:
    """total += grad^T @ h, the sum over chunks kept in fp32 whatever the type of the factors."""
    if grad_NV.dtype == torch.float32:
        total_VD.addmm_(grad_NV.T, h_ND)
    else:
        total_VD.add_(grad_NV.T @ h_ND)


def chunked_cross_entropy(h: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """Cross-entropy of ``softmax(h @ weight.T)``; softmax, losses and their sum in fp32.

    Args:
        h: hidden states [..., D].
        weight: output matrix [V, D], cast to the type of h for the products.
        targets: ids [...], ``IGNORE`` where no prediction is asked for.
        chunk: tokens whose logits exist at one time.

    Returns:
        The sum over all targets (differentiable), and the losses in the shape of targets (not differentiable;
        0 where ignored). A sum, not a mean: whoever holds the whole batch divides once, by its count of valid
        targets.
    """
    apply: Any = _ChunkedCrossEntropy.apply
    total, losses = apply(h.flatten(0, -2), weight, targets.flatten(), chunk)
    return total, losses.view(targets.shape)


def source_totals(losses: Tensor, targets: Tensor, sources: Tensor, count: int) -> Tensor:
    """Sum of losses and count of valid targets of each source, [2, count] fp64, added in an order that never varies."""
    of_source = sources.flatten() == torch.arange(count, device=sources.device)[:, None]
    valid = (targets.flatten() != IGNORE) & of_source
    return torch.stack(((losses.flatten() * valid).sum(1, dtype=torch.float64), valid.sum(1).double()))
