"""Skips a step whose loss or gradient norm is not finite or far out, without a word between device and host.

The rule is OLMo's (allenai/OLMo-core, optim/skip_step_optimizer.py): mean and deviation of the last steps, on the
device; once half a window is known, a step more than six deviations above the mean is left out. Ours: the deviation is
taken to be half a per cent of the mean at least, so that after steps that hardly differ an ordinary one is not skipped.
"""

import torch
from torch import Tensor

LEAST_DEVIATION = 0.005  # of the mean


class StepGuard:
    """Running history of loss and gradient norm, all of it tensors on the device."""

    def __init__(self, sigma: float, window: int, device: torch.device) -> None:
        """Starts with no history; ``sigma`` 0 skips non-finite steps only."""
        self.sigma, self.window = sigma, window
        self.history = torch.zeros(2, window, dtype=torch.float64, device=device)
        self.count = torch.zeros((), dtype=torch.int64, device=device)
        self.skipped = torch.zeros((), dtype=torch.int64, device=device)

    def tensors(self) -> dict[str, Tensor]:
        """The state, for a checkpoint to save or to load into."""
        return {"history": self.history, "count": self.count, "skipped": self.skipped}

    def judge(self, loss: Tensor, norm: Tensor) -> Tensor:
        """Says whether to skip the step, and remembers it.

        Args:
            loss: mean loss of the step, scalar.
            norm: norm of its gradient, scalar.

        Returns:
            1.0 to skip, else 0.0, fp32, on the device. Finite outliers enter the history too, so that a lasting change
            of level is accepted after some steps.
        """
        new = torch.stack((loss.double(), norm.double()))
        finite = new.isfinite().all()
        skip = ~finite
        if self.sigma > 0:
            known = torch.arange(self.window, device=new.device) < self.count
            number = self.count.clamp(1, self.window)
            mean = (self.history * known).sum(1) / number
            variance = ((self.history - mean[:, None]).square() * known).sum(1) / (number - 1).clamp_min(1)
            deviation = torch.maximum(variance.sqrt(), LEAST_DEVIATION * mean.abs())
            far = (new > mean + self.sigma * deviation).any()
            skip = skip | (far & (self.count >= self.window // 2))
        slot = (torch.arange(self.window, device=new.device) == self.count % self.window) & finite
        self.history.copy_(torch.where(slot, new[:, None], self.history))
        self.count.add_(finite)
        self.skipped.add_(skip)
        return skip.float()
