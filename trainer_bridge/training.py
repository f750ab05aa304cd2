"""Trains a model as a command line says, on this process and those beside it."""

import argparse
import dataclasses
import hashlib
import os
import shutil
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from trainer_bridge.config import TrainConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.loader import Samples
from trainer_bridge.parallel import start_world
from trainer_bridge.remote import local_shards
from trainer_bridge.shards import Manifest, read_manifest
from trainer_bridge.signals import STOPPED, StopSignal
from trainer_bridge.template import NAME as TEMPLATE
from trainer_bridge.trainer import Trainer
from trainer_bridge.vocabulary import NAME, find_tokenizer


def fit_to_data(config: TrainConfig, manifest: Manifest) -> TrainConfig:
    """Takes the vocabulary from the shards where the recipe leaves it open, and refuses shards that do not fit.

    Raises:
        TrainerError: vocabulary or sequence length of the shards are not those of the model.
    """
    model = config.model
    if model.vocab_size is None:
        model = dataclasses.replace(model, vocab_size=manifest.vocab_size)
    if model.vocab != manifest.vocab_size:
        raise TrainerError(f"the shards have {manifest.vocab_size} ids, model.vocab_size is {model.vocab}")
    if manifest.seq_len > model.context:
        raise TrainerError(f"the shards have {manifest.seq_len} positions, model.context is {model.context}")
    if not config.run.batch(manifest.seq_len):
        raise TrainerError(f"run.batch_tokens = {config.run.batch_tokens} is less than one sequence of the shards")
    return dataclasses.replace(config, model=model)


def check_tokenizer(config: TrainConfig, manifest: Manifest, shards: Path) -> Path | None:
    """The shards' tokenizer, after checking that it is the one they were made with; None where there is none.

    Raises:
        TrainerError: it is missing where it was named, or it is another one.
    """
    path = find_tokenizer(config.data.tokenizer, shards)
    if path is None:
        return None
    if not path.is_file():
        raise TrainerError(f"no tokenizer {path}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != manifest.tokenizer_sha256:
        raise TrainerError(
            f"{path} is not the tokenizer of these shards: its SHA-256 is {found}, theirs {manifest.tokenizer_sha256}"
        )
    return path


def lacks_tokenizer(run: Path, path: Path) -> bool:
    """Whether the run does not have the tokenizer yet."""
    kept = run / NAME
    return not kept.is_file() or kept.read_bytes() != path.read_bytes()


def set_up_torch(config: TrainConfig) -> None:
    """Process-wide settings of PyTorch."""
    torch.set_float32_matmul_precision(config.efficiency.fp32_matmul)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    if config.run.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it in this mode
        torch.use_deterministic_algorithms(True)


def summary(trainer: Trainer, complete: bool) -> str:
    """The run's last line."""
    step, steps, run = trainer.step, trainer.steps, trainer.run
    if step > steps:
        return f"{run} is at step {step} already, beyond the {steps} that were asked for: nothing to do"
    skipped = f"; {trainer.skipped:,} of {step:,} steps were skipped, see metrics.jsonl" if trainer.skipped else ""
    return f"{'complete' if complete else 'stopped'} at step {step}: {run}{skipped}"


def run(options: argparse.Namespace, config: TrainConfig) -> int:
    """Trains; 0 when the run is complete, 143 when a signal stopped it."""
    folder = local_shards(config.data.path or "", config.data.cache)
    config = fit_to_data(config, read_manifest(folder))
    os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")  # fewer fragments of GPU memory
    set_up_torch(config)
    world = start_world(config.efficiency.tensor_parallel)
    stop = StopSignal(world.ranks)
    stop.listen()
    samples = Samples(config.data, folder)
    tokenizer = world.from_first(lambda: check_tokenizer(config, samples.reader.manifest, folder))
    lacking = tokenizer is not None and lacks_tokenizer(options.output, tokenizer)
    template = folder / TEMPLATE if (folder / TEMPLATE).is_file() else None
    names = [NAME] * lacking + [TEMPLATE] * (template is not None)
    trainer = Trainer(config, samples, options.output, world, options.resume_from, names, tokenizer)
    if tokenizer is not None and lacking and world.rank == 0:
        shutil.copyfile(tokenizer, options.output / NAME)
    if template is not None and world.rank == 0:
        shutil.copyfile(template, options.output / TEMPLATE)
    complete = trainer.train(stop)
    if world.rank == 0:
        sys.stderr.write(f"{summary(trainer, complete)}\n{trainer.cost().line()}\n")
    if dist.is_initialized():
        dist.destroy_process_group()
    return 0 if complete else STOPPED
