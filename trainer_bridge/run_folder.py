"""A run's directory: whose it is, who writes to it now, and what may be removed from it.

Only the first rank writes names there: it holds the lock, and the record of what the run wrote. What somebody else puts
there, a copy of a checkpoint, say, stays.
"""

import contextlib
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import InputError, OutputError
from pipeline.storage.ownership import RECORD, Owned, check_apart, check_folder, claim_folder
from trainer_bridge.checkpoint import FOLDER, INFO, list_checkpoints, read_info
from trainer_bridge.errors import TrainerError

COMMAND = "trainer_bridge.train"
LOCK = ".lock"
PATIENCE = 60.0  # seconds: a run that a signal stopped may still be saving when its successor starts
FILES = ("metrics.jsonl", "metrics.tmp", "loss.svg", "tokenizer.model", "template.yaml")


class RunFolder:
    """The directory of a run, held by this process until it is closed or ends in any other way."""

    def __init__(
        self, path: Path, command: str = COMMAND, inputs: Iterable[str] = (), patience: float = PATIENCE
    ) -> None:
        """Takes a new directory, an empty one, or one that the command wrote.

        Args:
            path: The directory.
            command: Who writes there.
            inputs: Folders that are read: none may lie below it, nor it below one of them.
            patience: Seconds to wait for another process that writes there.

        Raises:
            TrainerError: It holds what is not the command's, another process writes to it, or it cannot be made.
        """
        self.path = path
        if "://" in str(path):
            raise TrainerError(f"{path} is no local directory: give a local --output, and copy it when it is done")
        self._refuse_imported(command)
        try:
            check_apart(str(path), inputs, "the input")
            check_folder(str(path), command, earlier_names)
            path.mkdir(parents=True, exist_ok=True)
            self._lock = _hold(path, patience)
            self._owned: Owned = claim_folder(str(path), command, earlier_names)
        except (InputError, OutputError) as error:
            raise TrainerError(str(error)) from error
        except OSError as error:
            raise TrainerError(f"the directory {path} cannot be made or written: {error.strerror}") from error

    def expect(self, *names: str) -> None:
        """Records names that are about to be written; TrainerError where one is somebody else's."""
        try:
            self._owned.expect(names)
        except OutputError as error:
            raise TrainerError(str(error)) from error

    def owns(self, name: str) -> bool:
        """Whether the record lists a file, or any below a folder."""
        return any(known == name or known.startswith(f"{name}/") for known in self._owned.names)

    def remove(self, *names: str) -> None:
        """Removes files, and what is listed below folders; what the record does not list stays."""
        self._owned.remove(*names)

    def close(self) -> None:
        """Lets others write there."""
        os.close(self._lock)

    def _refuse_imported(self, command: str) -> None:
        """Weights that were imported are no run that can go on."""
        found = list_checkpoints(self.path)
        if command == COMMAND and found and read_info(found[-1]).get("weights_only"):
            raise TrainerError(f"{self.path} holds weights only; start a run of its own with run.init_from={self.path}")


def earlier_names(root: str) -> list[str] | None:
    """What a version without records wrote, without its checkpoints, which may be copies: those are never removed."""
    folder = Path(root)
    if (folder / RECORD).exists() or not any((folder / FOLDER).glob(f"step-*/{INFO}")):
        return None
    return [name for name in FILES if (folder / name).is_file()]


def _hold(folder: Path, patience: float) -> int:
    """Locks a directory; the lock goes with the process, however that ends."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    if not _lock(descriptor):
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "another process"
        sys.stderr.write(f"{folder} is being written by {holder}; waiting up to {patience:g} s for it to end\n")
        end = time.monotonic() + patience
        while not _lock(descriptor):
            if time.monotonic() > end:
                os.close(descriptor)
                raise TrainerError(
                    f"{folder} is being written by {holder}. Wait for it or end it (a rank may have outlived its "
                    "launcher), or give another directory."
                )
            time.sleep(min(0.5, patience))
    with contextlib.suppress(OSError):  # a full disk shall not stop here: what follows says so
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
    return descriptor


def _lock(descriptor: int) -> bool:
    """Takes a lock if nobody has it; a file system without locks has it free."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
