"""Skips a step whose loss or gradient norm is not finite or far out, without a word between device and host.

The rule is OLMo's (allenai/OLMo-core, optim/skip_step_optimizer.py): mean and deviation of the last steps, on the
device; once half a window is known, a step more than six deviations above the mean is left out. Ours: the deviation is
taken to be half a per cent of the mean at least, so that after steps that hardly differ an ordinary one is not skipped.
"""

from typing import Any

import torch
from torch import Tensor

from trainer_bridge.errors import TrainerError

LEAST_DEVIATION = 0.005  # of the mean
MOST_NAMED = 10  # skipped steps on the screen


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


class SkipWatch:
    """Counts skipped steps on the host, once their statistics are read, and ends a run that learns nothing any more."""

    def __init__(self, limit: int, steps: int) -> None:
        """Bears ``limit`` skipped steps in a row, or half of the run's ``steps`` where those are fewer."""
        self._limit = min(limit, (steps + 1) // 2)
        self._in_a_row = self._last = 0

    def look(self, records: list[dict[str, Any]]) -> str:
        """Counts the steps of some records; says which were skipped, or nothing."""
        skipped = [record["step"] for record in records if "skipped_samples" in record]
        for record in records:
            self._in_a_row = self._in_a_row + 1 if "skipped_samples" in record else 0
            self._last = record["step"]
        if not skipped:
            return ""
        which = ", ".join(map(str, skipped[:MOST_NAMED])) + (", ..." if len(skipped) > MOST_NAMED else "")
        return f"skipped {len(skipped)} of {len(records)} steps ({which}): loss or gradient norm not finite or far out"

    def check(self) -> None:
        """Raises TrainerError where too many steps in a row were skipped."""
        if self._in_a_row >= self._limit:
            raise TrainerError(
                f"the last {self._in_a_row} steps, from {self._last - self._in_a_row + 1} to {self._last}, were "
                "skipped: loss or gradient norm not finite or far out. The run learns nothing any more. Look at "
                "metrics.jsonl; lower optimizer.lr, or go back with --resume-from STEP; optimizer.skip_limit says how "
                "many are borne."
            )
