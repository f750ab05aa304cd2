"""A local Beam worker process: ``python -m pipeline.engine.worker RUN SIGN``, started by the runner, one for each core.

It is Beam's own worker, but quiet, and it never outlives the run that started it, whatever kills that: ``RUN`` is the
process id of the run, ``SIGN`` a file that is there as long as the run wants workers.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
import os
import signal
import sys
import threading
import time

import grpc

WATCH_SECONDS = 0.5
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent() -> None:
    """Has Linux kill this process the moment its parent ends; elsewhere ``watch_run`` sees it soon after."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def watch_run(run: int, sign: str) -> None:
    """Ends this process when the run is gone or stops: a shard is written whole or not at all, so nothing is lost."""
    while os.getppid() == run and os.path.exists(sign):
        time.sleep(WATCH_SECONDS)
    os._exit(0)


def _ignore_broken_streams(death: threading.ExceptHookArgs) -> None:
    """Says nothing when a stream to the run breaks: the run is gone, and ``watch_run`` is about to see it."""
    if not isinstance(death.exc_value, grpc.RpcError):
        threading.__excepthook__(death)


def main() -> None:
    """Runs Beam's worker until the runner ends it."""
    logging.basicConfig(level=logging.ERROR, format="worker: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the run decides
    threading.excepthook = _ignore_broken_streams
    die_with_parent()
    threading.Thread(target=watch_run, args=(int(sys.argv[1]), sys.argv[2]), daemon=True).start()
    worker = importlib.import_module("apache_beam.runners.worker.sdk_worker_main")  # warns while it is imported
    logging.disable()  # Beam sets levels of its own
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        worker.main(sys.argv)  # prints the traceback of each error that it sends to the run, which tells the user


if __name__ == "__main__":
    main()
