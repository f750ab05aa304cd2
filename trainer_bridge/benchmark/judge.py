"""A program of the user's that scores what a model wrote: toxicity, truthfulness.

It is started once. For each text it gets a line on its standard input, a JSON object with ``task``, ``prompt``,
``completion`` and ``document``; it answers with a line: a number, or an object of numbers by name.
"""

import contextlib
import json
import math
import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

from trainer_bridge.errors import TrainerError


class Judge:
    """The running program."""

    def __init__(self, command: str) -> None:
        """Starts it; TrainerError where it cannot be."""
        self._command = command
        try:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                shlex.split(command), stdin=pipe, stdout=pipe, encoding="utf-8", errors="replace", bufsize=1
            )
        except (OSError, ValueError) as error:
            raise TrainerError(f"--judge {command!r} cannot be started: {error}") from error

    def score(self, task: str, prompt: str, completion: str, document: Mapping[str, Any]) -> dict[str, float]:
        """Its numbers for one text; ``score`` where it gives a number alone.

        Raises:
            TrainerError: it has ended, or answers something else.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"task": task, "prompt": prompt, "completion": completion, "document": document}
        try:
            self._process.stdin.write(json.dumps(asked, default=str) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise TrainerError(f"--judge {self._command!r} ended with status {self._process.wait()} before its answer")
        try:
            answer = json.loads(line)
            values = answer if isinstance(answer, dict) else {"score": answer}
            numbers = {str(name): float(value) for name, value in values.items()}
            if not all(map(math.isfinite, numbers.values())):
                raise ValueError
            return numbers
        except (ValueError, TypeError, RecursionError) as error:
            raise TrainerError(
                f"--judge {self._command!r} answered {line.strip()[:80]!r}: a line must be a number, or an object of "
                "numbers by name"
            ) from error

    def close(self) -> None:
        """Ends it."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it has ended already
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
