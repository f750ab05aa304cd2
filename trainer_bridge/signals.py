"""Signals that ask a run to save and stop, and how the ranks agree on the step."""

import os
import signal
import time
from typing import Any

import torch
import torch.distributed as dist

STOPPED = 128 + signal.SIGTERM  # the shell's status for a process that SIGTERM ended
ECHO = 3.0  # seconds: torchrun passes on the Ctrl-C that the terminal has sent to all of its ranks


class StopSignal:
    """Whether to stop, agreed by all ranks: a signal reaches them at different steps.

    The ranks' answers are added up beside the computation and read one step later, so nobody waits.
    """

    def __init__(self, ranks: int) -> None:
        self.received = False
        self._group = dist.new_group(backend="gloo") if ranks > 1 else None
        self._answer = torch.zeros(1, dtype=torch.int32)
        self._work: Any = None
        self._first = 0.0
        # Ranks whose launcher was killed would go on unseen. Without torchrun the parent is a shell, which may go.
        self._launcher = os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else None

    def listen(self) -> None:
        """Takes SIGTERM and SIGINT from now on.

        SIGTERM may come any number of times: Slurm sends it to the launcher and to each rank, and the launcher passes
        it on. A second Ctrl-C, later than the launcher's echo of the first, ends the process at once.
        """

        def on_signal(number: int, _: Any) -> None:
            now = time.monotonic()
            if number == signal.SIGINT and self.received and now - self._first > ECHO:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)
            if not self.received:
                self.received, self._first = True, now

        signal.signal(signal.SIGTERM, on_signal)
        signal.signal(signal.SIGINT, on_signal)

    def asked(self) -> bool:
        """True on all ranks at the same step, once any rank has had the signal or lost its launcher."""
        if self._launcher is not None and os.getppid() != self._launcher:
            self.received = True
        if self._group is None:
            return self.received
        stop = False
        if self._work is not None:
            self._work.wait()
            stop = bool(self._answer.item())
        self._answer = torch.tensor([int(self.received)], dtype=torch.int32)
        self._work = None if stop else dist.all_reduce(self._answer, group=self._group, async_op=True)
        return stop
