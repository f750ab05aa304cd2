"""One command of a build in a process of its own: its output goes to a log, and it ends when the build ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.terminal import INTERRUPTED

LOOK_SECONDS = 0.05  # between two looks whether it has ended
STOP_SECONDS = 60.0  # after Ctrl-C, till it is killed: workers end their shards' temporaries in this time
TAIL_BYTES = 1 << 14  # of a log, that are read for its last lines
_PR_SET_PDEATHSIG = 1


class StoppedError(Exception):
    """A command was stopped since the build had to end; says why."""


def run_command(
    module: str,
    words: Sequence[str],
    log: Path,
    output: Path | None,
    watch: Callable[[], str | None],
    environment: Mapping[str, str] | None = None,
    inherits: Sequence[int] = (),
) -> int:
    """Runs ``python -m module``.

    Args:
        module: The module.
        words: Its arguments.
        log: Gets what it prints, added to what is there.
        output: Gets what it prints on the standard output instead; it appears when the command has succeeded.
        watch: Called now and then; where it gives a reason, the command is stopped.
        environment: What is added to this process's own.
        inherits: Descriptors that it gets.

    Returns:
        Its exit status.

    Raises:
        StoppedError: It was stopped for the reason that ``watch`` gave.
        KeyboardInterrupt: Ctrl-C came, and it has ended.
    """
    with contextlib.ExitStack() as stack:
        handle = stack.enter_context(log.open("ab"))
        out = handle
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            temporary = output.with_name(f".{output.name}.tmp")
            out = stack.enter_context(temporary.open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=handle,
            env=own_environment(environment or {}),
            pass_fds=inherits,
            start_new_session=True,  # Ctrl-C of a terminal comes to the build alone, which hands it on once
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one call, no locks
        )
        try:
            reason = _wait(process, watch)
        except BaseException:
            _stop(process)
            raise
    if reason is not None:
        raise StoppedError(reason)
    if output is not None and process.returncode == 0:
        os.replace(temporary, output)
    return process.returncode


def own_environment(more: Mapping[str, str]) -> dict[str, str]:
    """That of this process, and more; what runs is this program, whatever folder the build was started in."""
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **more}


def _wait(process: subprocess.Popen[bytes], watch: Callable[[], str | None]) -> str | None:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_SECONDS)
            return None
        if reason := watch():
            _stop(process)
            return reason


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a command as Ctrl-C does; one that does not end is killed, with its workers."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        until = time.monotonic() + STOP_SECONDS
        while process.poll() is None and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _end_with_parent() -> None:
    """Has the kernel end this process when the build was killed: the same command could not go on beside it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def last_lines(log: Path, count: int) -> list[str]:
    """The last lines of a log that say something."""
    try:
        with log.open("rb") as handle:
            handle.seek(max(0, handle.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = handle.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()][-count:]


def was_interrupted(status: int) -> bool:
    """Whether a command was ended by Ctrl-C or a signal from outside."""
    return status == INTERRUPTED or -status in (signal.SIGINT, signal.SIGTERM)
