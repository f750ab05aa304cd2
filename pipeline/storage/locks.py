"""Locks on open files, which end with the process that holds them; where a file system has none, nobody is kept out."""

from __future__ import annotations

import contextlib
from typing import IO, Any

try:
    import fcntl
except ImportError:  # pragma: no cover - no such locks on Windows
    fcntl = None  # type: ignore[assignment]


def hold(file: IO[Any] | int, *, shared: bool = False, wait: bool = False) -> bool:
    """Holds a file as long as it is open.

    Args:
        file: The file, or its descriptor.
        shared: Whether others may hold it too, who share it.
        wait: Whether to wait for another process that has it.

    Returns:
        Whether it is held; without waiting, False where another process has it. Where there are no locks, True.
    """
    try:
        _lock(file, shared, wait)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True


def release(file: IO[Any] | int) -> None:
    """Lets a file go. Closing it does not, as long as a process that a thread is just starting has a copy of it."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_UN)


def is_abandoned(file: IO[Any] | int) -> bool:
    """Whether surely no process holds a file: this one does then, as long as it is open."""
    try:
        return _lock(file, shared=False, wait=False)
    except OSError:
        return False


def _lock(file: IO[Any] | int, shared: bool, wait: bool) -> bool:
    if fcntl is None:
        return False
    fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    return True
