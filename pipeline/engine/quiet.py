"""Keeps the libraries' chatter off the user's screen."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import warnings

INTERRUPTED = 130  # what shells report of a command that Ctrl-C ended


def run_command(module: str) -> None:
    """Runs the ``main`` of a command's module; imports it only once the loggers are quiet.

    Beam warns through the root logger while it is imported (of Google clients that are not installed), and logs what
    it retries and falls back to; what matters to the user reaches him as an error.

    Args:
        module: The module's name.
    """
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    warnings.filterwarnings("ignore")
    try:
        importlib.import_module(module).main()
    except BrokenPipeError:  # who reads, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:  # while it was imported, which takes seconds, or while it ended
        sys.exit(INTERRUPTED)
