"""A local Beam worker process: ``python -m pipeline.worker RUN``, started by the runner, one for each core.

``RUN`` is the process id of the run.

It is Beam's own worker, but quiet, and it never outlives the run that started it, whatever kills that.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
import threading
import time

import grpc

WATCH_SECONDS = 1.0


def watch_parent(parent: int) -> None:
    """Ends this process when its parent is gone: a shard is written whole or not at all, so nothing is lost."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    os._exit(1)


def _ignore_broken_streams(death: threading.ExceptHookArgs) -> None:
    """Says nothing when a stream to the run breaks: the run is gone, and ``watch_parent`` is about to see it."""
    if not isinstance(death.exc_value, grpc.RpcError):
        threading.__excepthook__(death)


def main() -> None:
    """Runs Beam's worker until the runner ends it."""
    logging.basicConfig(level=logging.ERROR, format="worker: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the run decides
    threading.excepthook = _ignore_broken_streams
    threading.Thread(target=watch_parent, args=(int(sys.argv[1]),), daemon=True).start()
    worker = importlib.import_module("apache_beam.runners.worker.sdk_worker_main")  # warns while it is imported
    logging.disable(logging.WARNING)  # Beam sets its own level to INFO, so the level alone does not last
    worker.main(sys.argv)


if __name__ == "__main__":
    main()
