"""The scratch folder of a run: what it and its workers put aside goes with it, and what killed runs left goes, too."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from pipeline.storage.locks import hold, is_abandoned

PREFIX = "llama-corpus-"
SIGN = "running"
_STOPS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interruptible() -> Iterator[str]:
    """Lets Ctrl-C end the workers at once: the runner would wait until each has made its shard, which takes minutes.

    SIGTERM, which schedulers send, means the same: a job on a cluster would go on, and keep its slots, with nobody to
    follow it.

    Temporary files of this process, and of those that it starts, lie in the run's scratch folder meanwhile: Beam leaves
    several behind where it is killed.

    Yields:
        The path of a file that workers watch: they end when it is gone.
    """
    remove_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder, _held(folder) as sign:

        def interrupt(_: int, __: FrameType | None) -> None:
            sign.unlink(missing_ok=True)
            raise KeyboardInterrupt

        is_main = threading.current_thread() is threading.main_thread()  # no other may set handlers
        before = {number: signal.signal(number, interrupt) for number in _STOPS if is_main}
        try:
            with _temporary_files_in(folder):
                yield str(sign)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler or signal.SIG_DFL)


def remove_abandoned() -> None:
    """Removes the scratch folders of runs that were killed: those whose sign nobody holds any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), open(folder / SIGN, "rb") as sign:  # one of another user, or just begun
            if is_abandoned(sign):
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: str) -> Iterator[Path]:
    """Makes a folder's sign, and holds it as long as this process lives."""
    sign = Path(folder, SIGN)
    new = Path(folder, f".{SIGN}")
    with open(new, "wb") as handle:
        hold(handle, wait=True)  # on a file system without locks nobody finds it free either
        new.rename(sign)  # it is held before anybody sees it
        yield sign


@contextlib.contextmanager
def _temporary_files_in(folder: str) -> Iterator[None]:
    before, set_before = os.environ.get("TMPDIR"), tempfile.tempdir
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    try:
        yield
    finally:
        tempfile.tempdir = set_before
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
