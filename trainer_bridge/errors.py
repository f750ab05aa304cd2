"""The one exception that a user of the trainer is meant to read."""

import errno
import hashlib
import os
import re
import sys
import warnings
from collections.abc import Callable
from datetime import timedelta

from pipeline.terminal import run_main

REFUSED = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}

ADVICE = "Free space or choose another place, then run it again."
ASKING = 5.0  # seconds, for an answer of torchrun's store


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
        _say(f"error: {error}\n")
        return 2
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        where = f"{error.filename}: " if isinstance(error.filename, str) else ""
        _say(f"error: {where}{error.strerror}. {ADVICE}\n")
        return 2
    except Exception as error:
        if not (said := hidden_refusal(error)):
            raise
        _say(f"error: {said}. {ADVICE}\n")
        return 2


def hidden_refusal(error: Exception) -> str | None:
    """Why a disk took nothing more, where a library says so in an error of its own; None where it is another error."""
    found = re.search(r"I/O error: .*\(os error (\d+)\)", str(error))  # safetensors
    if found and int(found[1]) in REFUSED:
        return os.strerror(int(found[1]))
    if "inline_container" in str(error) and "unexpected pos" in str(error):  # PyTorch's writer of archives
        return "The disk took fewer bytes than were given to it; it may be full"
    return None


def _say(text: str) -> None:
    """Writes an error to stderr; of torchrun's ranks, which often all meet the same one, the first to meet it does."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" or _is_first(text):
        sys.stderr.write(text)


def _is_first(text: str) -> bool:
    """Whether no other rank has said it since they were started; so too where that cannot be asked."""
    import torch.distributed as dist  # noqa: PLC0415

    start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    try:
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        # The launcher's own store, which outlives the ranks.
        store = dist.TCPStore(address, port, is_master=False, timeout=timedelta(seconds=ASKING))  # type: ignore[attr-defined]
        return int(store.add(f"said/{start}/{hashlib.sha256(text.encode()).hexdigest()}", 1)) == 1
    except (KeyError, ValueError, RuntimeError):
        return True
