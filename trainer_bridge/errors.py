"""The one exception that a user of the trainer is meant to read."""

import sys
import warnings
from collections.abc import Callable

from pipeline.terminal import run_main


class TrainerError(Exception):
    """Bad input from outside: a path, a key, a shard. Its text says what, where and what to do."""


def run_command(main: Callable[[], int | None]) -> None:
    """Runs a command line's main function and leaves the process with its exit status.

    Args:
        main: the command; it returns an exit status, or nothing for 0.

    A ``TrainerError`` ends as one line on stderr and status 2, never as a traceback; a bug keeps its
    traceback.
    """
    # A single process needs no process group; torch.distributed.checkpoint warns of it at each save and load.
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")
    run_main(lambda: _told(main))


def _told(main: Callable[[], int | None]) -> int | None:
    try:
        return main()
    except TrainerError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
