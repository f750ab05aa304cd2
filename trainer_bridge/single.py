"""Checkpoints that one process writes by itself: imported weights, and the models of ``trainer_bridge.chat``."""

from typing import Any

from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_saver import save

from trainer_bridge.checkpoint import FOLDER, INFO, SUMS, checkpoint_name, write_info, write_sums
from trainer_bridge.checkpointer import refusal
from trainer_bridge.errors import TrainerError
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.stored import METADATA, SUM, CheckpointWriter

DATA = "__0_0.distcp"


def write_checkpoint(target: RunFolder, step: int, tensors: dict[str, Tensor], info: dict[str, Any]) -> None:
    """Writes a checkpoint, which has its name when it is whole.

    Args:
        target: the run's directory.
        step: of it.
        tensors: by name; those of the model begin with ``checkpoint.MODEL``.
        info: of ``run.json``: ``step``, ``loader``, ``config`` and what else is to be known.

    Raises:
        TrainerError: files of somebody else are in the way, or it could not be written.
    """
    final = checkpoint_name(step)
    partial = f"{final}.tmp"
    target.remove(f"{FOLDER}/{partial}")  # what a killed process left
    files = (INFO, SUMS, METADATA, DATA, DATA + SUM)
    target.expect(*(f"{FOLDER}/{name}/{file}" for name in (final, partial) for file in files))
    place = target.path / FOLDER / partial
    if place.exists():
        raise TrainerError(f"{place} holds files that this command did not write: move it away")
    place.mkdir(parents=True)
    try:
        save(tensors, storage_writer=CheckpointWriter(place), no_dist=True)
        write_info(place, info)
        write_sums(place)
    except (Exception, CheckpointException) as error:  # whatever the writer met: a full disk, say
        target.remove(f"{FOLDER}/{partial}")
        where = target.path / FOLDER / final
        raise TrainerError(f"the checkpoint {where} could not be written: {refusal(error)}") from error
    place.rename(target.path / FOLDER / final)
    target.remove(f"{FOLDER}/{partial}")
