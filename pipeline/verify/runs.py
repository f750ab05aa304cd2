"""A run directory of the trainer, for ``python -m pipeline.verify RUN``: read by the trainer's own verification.

It is found by name when there is something to verify, since it needs PyTorch, which a corpus does not.
"""

import importlib
import os
from pathlib import Path

from pipeline.errors import InputError
from pipeline.storage.filesystem import is_remote

VERIFICATION = "trainer_bridge.verification"


def is_run(folder: str) -> bool:
    """Whether a folder is a run of the trainer's, or one of its checkpoints."""
    if is_remote(folder):
        return False
    return os.path.isdir(os.path.join(folder, "checkpoints")) or os.path.isfile(os.path.join(folder, "run.json"))


def verify_run(folder: str) -> tuple[str, list[str], str]:
    """Verifies a run.

    Returns:
        What is sound, for a sentence; a sentence for each fault; and what to do about them.

    Raises:
        InputError: The trainer is not installed.
    """
    try:
        trainer = importlib.import_module(VERIFICATION)
    except ImportError as error:
        raise InputError(
            f"to verify the run {folder}, the trainer is needed: pip install '.[train]' ({error})"
        ) from error
    sound, faults = trainer.verify_run(Path(folder))
    return sound, faults, trainer.cure(Path(folder)) if faults else ""
