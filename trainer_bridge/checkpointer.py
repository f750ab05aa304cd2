"""Writes checkpoints beside the training, whole or not at all, and keeps the newest few of its own."""

import errno
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_saver import async_save

from pipeline.storage.filesystem import to_disk
from trainer_bridge.checkpoint import (
    COMPLETE,
    FOLDER,
    INFO,
    SUMS,
    cause,
    checkpoint_name,
    list_checkpoints,
    step_of,
    write_info,
    write_sums,
)
from trainer_bridge.errors import TrainerError
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.stored import METADATA, SUM, CheckpointWriter

NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
PARTIAL, SET_ASIDE = ".tmp", ".set-aside"


class Checkpointer:
    """Saves in the background, and removes what its record lists beyond the number to keep."""

    def __init__(self, run: Path, folder: RunFolder | None, keep: int, ranks: int) -> None:
        """Removes nothing yet.

        Args:
            run: the run's directory.
            folder: the same, as the first rank holds it; None on the other ranks.
            keep: number of checkpoints to keep.
            ranks: of all processes.
        """
        self._run, self._folder, self._keep, self._ranks = run, folder, keep, ranks
        # A group of its own: the background thread's messages must not mix with the training's.
        self._group = dist.new_group(backend="gloo") if ranks > 1 else None
        self._pending: tuple[Any, Path, Path] | None = None

    def begin(self, step: int) -> list[str]:
        """Clears up, once the run is accepted: leftovers of killed saves go, what lies beyond ``step`` is set aside.

        Returns:
            What was set aside, in words.

        Raises:
            TrainerError: something else has the name of a checkpoint to come.
        """
        if self._folder is None:
            return []
        found = list_checkpoints(self._run)
        beyond = [path for path in (self._run / FOLDER).glob("step-*") if COMPLETE.fullmatch(path.name)]
        for path in beyond:
            if step_of(path) > step and path not in found:
                raise TrainerError(f"{path} is in the way of a checkpoint to come, and is none: move it away")
        words = []
        for path in found:
            if step_of(path) > step:
                aside = _free_name(path, SET_ASIDE)
                path.rename(aside)
                words.append(f"{path} is set aside as {aside.name}")
        for path in (self._run / FOLDER).glob(f"step-*{PARTIAL}*"):
            self._folder.remove(f"{FOLDER}/{path.name}")
        self._prune()
        return words

    def save(self, state: dict[str, Tensor], info: dict[str, Any]) -> None:
        """Copies the state and starts writing it.

        Args:
            state: from ``training_state``; copied before this returns, so training may go on.
            info: for ``run.json``; ``info["step"]`` names the checkpoint.

        An unfinished earlier one is waited for first.
        """
        self.wait()
        name = checkpoint_name(info["step"])
        partial = self._begin_folder(name, info)
        writer = CheckpointWriter(partial)
        future: Any = async_save(state, storage_writer=writer, process_group=self._group, no_dist=self._group is None)
        self._pending = (future, partial, self._run / FOLDER / name)

    def _begin_folder(self, name: str, info: dict[str, Any]) -> Path:
        """Makes the folder that a checkpoint is written into, with its small file; the same one for all ranks."""
        chosen: list[Any] = [None]
        if self._folder is not None:
            partial = _free_name(self._run / FOLDER / name, PARTIAL)
            data = [f"__{rank}_0.distcp" for rank in range(self._ranks)]
            files = (INFO, SUMS, METADATA, *data, *(file + SUM for file in data))
            self._folder.expect(*(f"{FOLDER}/{kind}/{file}" for kind in (name, partial.name) for file in files))
            partial.mkdir(parents=True)
            write_info(partial, info)
            chosen = [partial]
        if self._group is not None:
            dist.broadcast_object_list(chosen, src=0, group=self._group)
        begun: Path = chosen[0]
        return begun

    def poll(self) -> None:
        """Finishes a save whose writing has ended; returns at once otherwise."""
        if self._pending and self._upload().done():
            self.wait()

    def wait(self) -> None:
        """Waits for the save under way and gives it its final name.

        Raises:
            TrainerError: it could not be written.
        """
        if self._pending is None:
            return
        upload, (_, partial, final) = self._upload(), self._pending
        self._pending = None
        try:
            upload.result()
            if self._folder is not None:  # its future ends after every rank has reported its part as written
                write_sums(partial)
                partial.rename(final)
                to_disk(str(final.parent))
        except (Exception, CheckpointException) as error:  # whatever the writer met: a full disk, a lost rank
            if self._folder is not None:
                self._folder.remove(f"{FOLDER}/{partial.name}")
            raise TrainerError(f"the checkpoint {final} could not be written: {refusal(error)}") from error
        if self._folder is not None:
            self._folder.remove(f"{FOLDER}/{partial.name}")  # from the record: it has its final name now
            self._prune()

    def _upload(self) -> Future[Any]:
        assert self._pending is not None
        future = self._pending[0]
        upload: Future[Any] = getattr(future, "upload_completion", future)
        return upload

    def _prune(self) -> None:
        """Removes the run's own checkpoints beyond the number to keep, the mark of a whole one first."""
        assert self._folder is not None
        own = [path for path in list_checkpoints(self._run) if self._folder.owns(f"{FOLDER}/{path.name}")]
        for path in own[: -self._keep]:
            self._folder.remove(f"{FOLDER}/{path.name}/{INFO}")
            self._folder.remove(f"{FOLDER}/{path.name}")


def _free_name(path: Path, suffix: str) -> Path:
    """A name beside a checkpoint's that is not taken."""
    name, number = path.with_name(path.name + suffix), 1
    while name.exists():
        number += 1
        name = path.with_name(f"{path.name}{suffix}-{number}")
    return name


def refusal(error: BaseException) -> str:
    """Why nothing could be written; PyTorch hides the system's error behind one of its own."""
    seen: list[BaseException] = []
    waiting: list[Any] = [error, *(failure[0] for failure in getattr(error, "failures", {}).values())]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            waiting += [one.__cause__, one.__context__, *(f[0] for f in getattr(one, "failures", {}).values())]
    advice = "Free space, then run the same command again: it goes on from the checkpoint before."
    for one in seen:
        if isinstance(one, OSError) and one.errno in NO_PLACE:
            return f"{one.strerror}. {advice}"
    if any("unexpected pos" in str(one) for one in seen):  # of PyTorch's writer of archives
        return f"the disk took fewer bytes than were given to it; it may be full. {advice}"
    return cause(error)
