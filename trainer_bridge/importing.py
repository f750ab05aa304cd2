"""Makes a run of released weights: Meta's files, or Hugging Face's."""

import argparse
import hashlib
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from trainer_bridge.checkpoint import MODEL, list_checkpoints
from trainer_bridge.config import ModelConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.model import Transformer
from trainer_bridge.released import Released, read_huggingface, read_meta
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.single import write_checkpoint
from trainer_bridge.vocabulary import NAME, Vocabulary

COMMAND = "trainer_bridge.import_weights"


def read_released(folder: Path, context: int | None) -> Released:
    """Meta's or Hugging Face's files; TrainerError where a folder holds neither."""
    if (folder / "params.json").is_file():
        return read_meta(folder, context)
    if (folder / "config.json").is_file():
        return read_huggingface(folder)
    raise TrainerError(f"{folder} holds neither Meta's params.json nor Hugging Face's config.json")


def import_weights(folder: Path, run: Path, context: int | None = None) -> ModelConfig:
    """Writes a run directory with one checkpoint that holds weights only, in the type in which they came.

    Args:
        folder: of the released files.
        run: the directory to make; one that a killed import left is made anew.
        context: see ``released.read_meta``.

    Raises:
        TrainerError: nothing to import, weights that do not fit the shape, or a run that is already there.
    """
    if list_checkpoints(run):
        raise TrainerError(f"{run} already holds a run")
    released = read_released(folder, context)
    released.config.validate()
    with torch.device("meta"):
        model = Transformer(released.config)
    try:
        model.load_state_dict(released.state, assign=True)  # joins the projections; copies nothing else
    except RuntimeError as error:
        raise TrainerError(f"the weights in {folder} do not fit their shape: {error}") from error
    tokenizer = next((f / NAME for f in (folder, folder.parent) if (f / NAME).is_file()), None)
    target = RunFolder(run, COMMAND, [str(folder)])
    try:
        _write(model, released, tokenizer, target)
    finally:
        target.close()
    return released.config


def _write(model: Transformer, released: Released, tokenizer: Path | None, target: RunFolder) -> None:
    target.expect(NAME)
    if tokenizer is not None:  # Meta keeps one for all sizes, beside their folders
        shutil.copyfile(tokenizer, target.path / NAME)
    tensors = {MODEL + name: parameter.detach() for name, parameter in model.named_parameters()}
    info = {"step": 0, "loader": None, "config": {"model": asdict(released.config)}, "weights_only": True}
    write_checkpoint(target, 0, tensors, {**info, **_tokens(released, tokenizer)})


def _tokens(released: Released, tokenizer: Path | None) -> dict[str, Any]:
    """The ids that begin and end a sequence, and whose tokenizer they are of, as far as the files tell."""
    bos, eos, sha256 = released.bos, released.eos, None
    if tokenizer is not None:
        model = Vocabulary(tokenizer).model
        sha256 = hashlib.sha256(tokenizer.read_bytes()).hexdigest()
        bos, eos = (model.bos_id() if bos is None else bos), (model.eos_id() if eos is None else eos)
    return {"bos": bos, "eos": eos, "tokenizer_sha256": sha256}


def run(options: argparse.Namespace) -> None:
    """Makes the run that a command line asks for."""
    config = import_weights(options.folder, options.output, options.context)
    sys.stderr.write(f"wrote {options.output}: dim {config.dim}, {config.layers} layers, {config.vocab} ids\n")
