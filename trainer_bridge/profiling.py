"""A trace of some steps by PyTorch's profiler, for chrome://tracing or perfetto.dev."""

from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, schedule

FOLDER = "profile"
BEFORE = 10  # steps of a start that are not like the others: kernels are compiled, memory is laid out


def trace_name(first: int, steps: int) -> str:
    """Where in a run's directory the trace of a start goes: see ``StepProfiler``."""
    return f"{FOLDER}/steps-{first + BEFORE + 1}-{first + BEFORE + steps}.json.gz"


class StepProfiler:
    """Records a number of steps once, and writes their trace."""

    def __init__(self, run: Path, first: int, steps: int) -> None:
        """Begins before step ``first`` + 1.

        Args:
            run: the run's directory.
            first: steps done before this start.
            steps: how many to record.
        """
        self.written = False
        self._path = run / trace_name(first, steps)
        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
        plan = schedule(wait=BEFORE - 1, warmup=1, active=steps, repeat=1)
        self._profile = profile(activities=kinds, schedule=plan, on_trace_ready=self._write)
        self._profile.start()

    def step(self) -> None:
        """Marks the end of a step."""
        self._profile.step()

    def close(self) -> None:
        """Ends the recording; one that has begun is written as far as it came."""
        self._profile.stop()

    def _write(self, found: Any) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        found.export_chrome_trace(str(self._path))
        self.written = True
