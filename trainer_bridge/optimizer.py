"""AdamW and its schedule (paper, section 2.3)."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from trainer_bridge.config import OptimizerConfig
from trainer_bridge.errors import TrainerError


def learning_rate(config: OptimizerConfig, step: int, steps: int) -> float:
    """The learning rate of a step: linear warm-up, then the schedule down to a fraction of the peak.

    Args:
        config: schedule, peak, warm-up steps, final fraction.
        step: 0 for the first.
        steps: length of the run; the last step (steps - 1) has the final rate.
    """
    begin = config.warmup(steps)
    if step < begin:
        return config.lr * (step + 1) / begin
    if config.schedule == "wsd":  # the decay begins later: the rate is constant before
        begin = max(begin, steps - round(steps * config.decay_fraction))
    progress = min(1.0, max(0.0, (step + 1 - begin) / max(1, steps - begin)))
    shape = 0.5 * (1.0 + math.cos(math.pi * progress)) if config.schedule == "cosine" else 1.0 - progress
    floor = config.lr * config.final_lr_fraction
    return floor + (config.lr - floor) * shape


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """A fused AdamW whose learning rate is a tensor, so that changing it neither recompiles nor waits.

    Weight decay is for matrices only unless ``decay_norms``. The moments exist from the start, so that a
    checkpoint can be loaded into them.

    Raises:
        TrainerError: bf16 moments on a CPU, whose kernel has fp32 ones only.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [p for p in parameters if p.dim() > 1 or config.decay_norms]
    vectors = [p for p in parameters if not (p.dim() > 1 or config.decay_norms)]
    device = parameters[0].device
    if config.moment_dtype == "bf16" and device.type != "cuda":
        raise TrainerError("optimizer.moment_dtype = 'bf16' needs a CUDA device; allowed here: fp32")
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=torch.tensor(config.lr, device=device),
        betas=config.betas,
        eps=config.eps,
        fused=True,
    )
    moments = torch.float32 if config.moment_dtype == "fp32" else torch.bfloat16
    for parameter in parameters:
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=device),
            "exp_avg": torch.zeros_like(parameter, dtype=moments),
            "exp_avg_sq": torch.zeros_like(parameter, dtype=moments),
        }
    return optimizer


def gradient_norm(model: nn.Module) -> Tensor:
    """The L2 norm of all gradients, on their device, over every rank's shards."""
    grads = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    norm: Any = torch.nn.utils.get_total_norm(grads, foreach=True)
    total: Tensor = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
    return total


def apply_step(optimizer: Any, lr: float, factor: Tensor, skip: Tensor) -> None:
    """One AdamW step on ``factor * gradient``, or none where ``skip`` is 1, without a word to the host.

    Args:
        optimizer: from ``build_optimizer``.
        lr: learning rate of this step.
        factor: scalar; what normalises and clips the gradients.
        skip: scalar, 0.0 or 1.0; at 1.0 weights, moments and step counts stay as they are.

    The fused kernel divides by a scale and looks at a flag while it reads the gradients (the interface of
    PyTorch's GradScaler), so clipping costs no pass of its own.
    """
    for group in optimizer.param_groups:
        group["lr"].fill_(lr)
    # A skipped step may have a factor of nan or 0: its scale must not reach the gradients as such.
    optimizer.grad_scale = torch.where(skip > 0, torch.ones_like(factor), 1.0 / factor)
    optimizer.found_inf = skip
    optimizer.step()
