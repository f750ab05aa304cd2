"""The one exception that a user of the trainer is meant to read."""

import errno
import os
import sys
import warnings
from collections.abc import Callable

from pipeline.terminal import run_main

REFUSED = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


class TrainerError(Exception):
    """Bad input from outside: a path, a key, a shard. Its text says what, where and what to do."""


class SaidElsewhere(TrainerError):
    """What the first rank says already; the others end with it, without a word."""


def run_command(main: Callable[[], int | None], *, alone: bool = False) -> None:
    """Runs a command line's main function and leaves the process with its exit status.

    Args:
        main: the command; it returns an exit status, or nothing for 0.
        alone: whether it is work for one process: under torchrun, the other ranks then end at once.

    A ``TrainerError`` ends as one line on stderr and status 2, never as a traceback; so does a disk that takes nothing
    more. A bug keeps its traceback.
    """
    # A single process needs no process group; torch.distributed.checkpoint warns of it at each save and load.
    warnings.filterwarnings("ignore", message="torch.distributed is disabled")
    if alone and int(os.environ.get("RANK", "0")) > 0:
        sys.exit(0)
    run_main(lambda: _told(main))


def _told(main: Callable[[], int | None]) -> int | None:
    try:
        return main()
    except SaidElsewhere:
        return 2
    except TrainerError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        sys.stderr.write(f"error: {where}{error.strerror}. Free space or choose another place, then run it again.\n")
        return 2
