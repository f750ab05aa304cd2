"""Checkpoints: written beside the training, whole or not at all.

``RUN/checkpoints/step-000001000`` holds torch.distributed.checkpoint's files (weights, moments, step guard, random
state; any number of ranks can read them) and ``run.json`` (step, loader state, configuration). It is written under a
name that ends in ``.tmp`` and renamed when every rank's part is on disk, so a kill leaves the one before it.
"""

import json
import re
import shutil
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import async_save

from trainer_bridge.config import ModelConfig, build
from trainer_bridge.errors import TrainerError
from trainer_bridge.model import Transformer

FOLDER = "checkpoints"
INFO = "run.json"
COMPLETE = re.compile(r"step-(\d{9})")
MODEL = "model."


def list_checkpoints(run: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first."""
    folder = run / FOLDER
    return sorted(path for path in folder.glob("step-*") if COMPLETE.fullmatch(path.name)) if folder.is_dir() else []


def read_info(checkpoint: Path) -> dict[str, Any]:
    """What ``run.json`` of a checkpoint says.

    Raises:
        TrainerError: it is missing or cannot be read.
    """
    try:
        info: dict[str, Any] = json.loads((checkpoint / INFO).read_bytes())
    except (OSError, ValueError) as error:
        raise TrainerError(f"{checkpoint} is no readable checkpoint: {error}") from error
    return info


def latest_checkpoint(run: Path) -> Path:
    """The newest complete checkpoint of a run directory, or the directory itself where it is a checkpoint.

    Raises:
        TrainerError: there is none.
    """
    if (run / INFO).is_file():
        return run
    found = list_checkpoints(run)
    if not found:
        raise TrainerError(f"{run} holds no checkpoint" if run.is_dir() else f"no run directory {run}")
    return found[-1]


def training_state(model: nn.Module, optimizer: torch.optim.Optimizer, guard: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor of a run by name: views of the live ones, to be saved from or loaded into."""
    state: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        state[MODEL + name] = parameter.detach()
        for part, tensor in optimizer.state[parameter].items():
            state[f"optimizer.{name}.{part}"] = tensor
    return {**state, **{f"guard.{name}": tensor for name, tensor in guard.items()}}


def random_state(rank: int, device: torch.device) -> dict[str, Tensor]:
    """This rank's random number generators, under its own names."""
    state = {f"random.cpu.{rank}": torch.get_rng_state()}
    if device.type == "cuda":
        state[f"random.cuda.{rank}"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    """The way back."""
    for name, value in state.items():
        if name.startswith("random.cuda."):
            torch.cuda.set_rng_state(value, device)
        else:
            torch.set_rng_state(value)


class Checkpointer:
    """Saves in the background, keeps the newest few, and finds where to resume."""

    def __init__(self, run: Path, keep: int, rank: int, ranks: int) -> None:
        self._folder, self._keep, self._rank = run / FOLDER, keep, rank
        # A group of its own: the background thread's messages must not mix with the training's.
        self._group = dist.new_group(backend="gloo") if ranks > 1 else None
        self._pending: tuple[Any, Path, Path] | None = None
        if rank == 0:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sweep()

    def resume_point(self) -> Path | None:
        """The newest complete checkpoint, the same one on all ranks; None in a new run."""
        newest = [list_checkpoints(self._folder.parent)[-1:]]
        if self._group is not None:
            dist.broadcast_object_list(newest, src=0, group=self._group)
        return newest[0][0] if newest[0] else None

    def save(self, state: dict[str, Tensor], info: dict[str, Any]) -> None:
        """Copies the state and starts writing it.

        Args:
            state: from ``training_state``; copied before this returns, so training may go on.
            info: for ``run.json``; ``info["step"]`` names the checkpoint.

        An unfinished earlier one is waited for first.
        """
        self.wait()
        final = self._folder / f"step-{info['step']:09d}"
        partial = final.with_name(final.name + ".tmp")
        if self._rank == 0:
            partial.mkdir(parents=True, exist_ok=True)
            (partial / INFO).write_text(json.dumps(info, indent=1))
        future: Any = async_save(state, checkpoint_id=partial, process_group=self._group, no_dist=self._group is None)
        self._pending = (future, partial, final)

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
        except (Exception, CheckpointException) as error:  # whatever the writer met: a full disk, a lost rank
            raise TrainerError(f"checkpoint {final} could not be written: {_cause(error)}") from error
        if self._rank == 0:  # its future ends after every rank has reported its part as written
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)
            self._sweep()

    def _upload(self) -> Future[Any]:
        assert self._pending is not None
        future = self._pending[0]
        upload: Future[Any] = getattr(future, "upload_completion", future)
        return upload

    def _sweep(self) -> None:
        """Removes leftovers of killed saves, and complete checkpoints beyond the number to keep."""
        old = [path for path in self._folder.glob("step-*") if not COMPLETE.fullmatch(path.name)]
        beyond = list_checkpoints(self._folder.parent)[: -self._keep]
        old += [path.rename(path.with_name(path.name + ".old")) for path in beyond]  # half-removed is not complete
        for path in old:
            shutil.rmtree(path, ignore_errors=True)


def load_tensors(checkpoint: Path, state: dict[str, Tensor], group: Any = None) -> None:
    """Loads tensors of a checkpoint, in place.

    Raises:
        TrainerError: a tensor is missing, of another shape, or unreadable.
    """
    try:
        load(dict(state), checkpoint_id=checkpoint, process_group=group, no_dist=not dist.is_initialized())
    except (Exception, CheckpointException) as error:  # DCP passes on many kinds, from pickle to zip errors
        raise TrainerError(f"{checkpoint} cannot be loaded: {_cause(error)}") from error


def _cause(error: BaseException) -> str:
    """The first rank's own error, where DCP has gathered them with their tracebacks."""
    failures = getattr(error, "failures", None)
    return repr(next(iter(failures.values()))[0] if failures else error)


def stored_model_config(checkpoint: Path) -> ModelConfig:
    """The shape of the model in a checkpoint."""
    return build(ModelConfig, read_info(checkpoint)["config"]["model"], "model.")


def load_model(run: Path, device: torch.device, dtype: torch.dtype = torch.float32) -> Transformer:
    """The model of a run's newest checkpoint, for inference on one device.

    Args:
        run: a run directory, or one checkpoint.
        device: where to put it.
        dtype: of the computation, and of the weights, which are no longer to be trained.

    Raises:
        TrainerError: no checkpoint there, or an unreadable one.
    """
    checkpoint = latest_checkpoint(run)
    model = Transformer(stored_model_config(checkpoint), dtype).requires_grad_(False)
    load_tensors(checkpoint, {MODEL + name: parameter.data for name, parameter in model.named_parameters()})
    for parameter in model.parameters():
        parameter.data = parameter.data.to(device, dtype if parameter.dim() > 1 else torch.float32)
    model.rope = model.rope.to(device)
    return model.eval()
