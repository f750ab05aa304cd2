"""Checkpoints: what lies in one, which there are, and how their tensors are loaded.

``RUN/checkpoints/step-000001000`` holds torch.distributed.checkpoint's files (weights, moments, step guard, random
state; any number of ranks can read them), ``run.json`` (step, loader state, configuration) and ``checksums.json`` of
both. It is written under a name that ends in ``.tmp`` and renamed when every rank's part is on disk, so a kill leaves
the one before it.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict_loader import load

from trainer_bridge.config import LoraConfig, ModelConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.lora import add_adapters, merge_adapters
from trainer_bridge.model import Transformer
from trainer_bridge.recipe import build
from trainer_bridge.stored import (
    METADATA,
    SUM,
    CheckpointReader,
    Damaged,
    check_archive,
    file_sha256,
    read_metadata,
)

FOLDER = "checkpoints"
INFO = "run.json"
SUMS = "checksums.json"
COMPLETE = re.compile(r"step-(\d{9})")
MODEL = "model."


def checkpoint_name(step: int) -> str:
    """Name of the folder of a step."""
    return f"step-{step:09d}"


def step_of(checkpoint: Path) -> int:
    """The way back."""
    return int(checkpoint.name.removeprefix("step-"))


def list_checkpoints(run: Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first."""
    folder = run / FOLDER
    found = folder.glob("step-*") if folder.is_dir() else []
    return sorted(path for path in found if COMPLETE.fullmatch(path.name) and (path / INFO).exists())


def write_info(checkpoint: Path, info: dict[str, Any]) -> None:
    """Writes ``run.json``."""
    (checkpoint / INFO).write_text(json.dumps(info, indent=1))


def write_sums(checkpoint: Path) -> None:
    """Gathers the checksums of all files, which the ranks have left beside theirs."""
    small = {name: file_sha256(checkpoint / name) for name in (INFO, METADATA)}
    left = sorted(checkpoint.glob(f"*{SUM}"))
    large = {path.name.removesuffix(SUM): path.read_text() for path in left}
    (checkpoint / SUMS).write_text(json.dumps({"sha256": {**small, **large}}, indent=1))
    for path in left:
        path.unlink()


def read_sums(checkpoint: Path) -> dict[str, str]:
    """SHA-256 by file, as ``checksums.json`` says; nothing where a version without it wrote the checkpoint.

    Raises:
        Damaged: it cannot be read.
    """
    path = checkpoint / SUMS
    if not path.exists():
        return {}
    try:
        sums = {str(name): str(value) for name, value in json.loads(path.read_bytes())["sha256"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Damaged(f"{path} cannot be read: {error!r}") from error
    if any(Path(name).name != name for name in sums):
        raise Damaged(f"{path} names files outside {checkpoint}")
    return sums


def check_sum(checkpoint: Path, name: str) -> None:
    """Raises Damaged where a file of a checkpoint is not the one that was written."""
    path, expected = checkpoint / name, read_sums(checkpoint).get(name)
    if not path.is_file():
        raise Damaged(f"{path} is missing")
    if expected is not None and file_sha256(path) != expected:
        raise Damaged(f"{path} has changed since it was written")


def read_info(checkpoint: Path) -> dict[str, Any]:
    """What ``run.json`` of a checkpoint says.

    Raises:
        Damaged: it is missing, cannot be read, or has changed.
    """
    check_sum(checkpoint, INFO)
    try:
        info: dict[str, Any] = json.loads((checkpoint / INFO).read_bytes())
        whole = isinstance(info["step"], int) and isinstance(info["config"]["model"], dict) and "loader" in info
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"{checkpoint} is no readable checkpoint: {error!r}") from error
    if not whole:
        raise Damaged(f"{checkpoint / INFO} lacks the step, the model or the loader")
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


def run_of(checkpoint: Path) -> Path:
    """The run directory that a checkpoint lies in; itself where it lies in none."""
    folder = checkpoint.resolve().parent
    return folder.parent if folder.name == FOLDER else checkpoint


def training_state(model: nn.Module, optimizer: torch.optim.Optimizer, guard: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor of a run by name: views of the live ones, to be saved from or loaded into."""
    state: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        state[MODEL + name] = parameter.detach()
        for part, tensor in optimizer.state.get(parameter, {}).items():
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


def load_tensors(checkpoint: Path, state: dict[str, Tensor], group: Any = None) -> None:
    """Loads tensors of a checkpoint, in place.

    Raises:
        Damaged: a tensor is missing, of another shape, or unreadable.
    """
    check_sum(checkpoint, METADATA)
    reader = CheckpointReader(checkpoint)
    try:
        load(dict(state), storage_reader=reader, process_group=group, no_dist=not dist.is_initialized())
    except (Exception, CheckpointException) as error:  # DCP passes on many kinds, from pickle to zip errors
        raise Damaged(f"{checkpoint} cannot be loaded: {cause(error)}") from error


def cause(error: BaseException) -> str:
    """The first rank's own error, where DCP has gathered them with their tracebacks."""
    failures = getattr(error, "failures", None)
    first = next(iter(failures.values()))[0] if failures else error
    return str(first) if isinstance(first, TrainerError) else repr(first)


def find_damage(checkpoint: Path) -> list[str]:
    """Reads a checkpoint through; a sentence for each thing that is not as it was written.

    Looked at: the files against their checksums, each tensor's archive, and that each tensor's parts make the whole.
    """
    faults = []
    try:
        names = sorted({INFO, METADATA, *read_sums(checkpoint)})
    except Damaged as error:
        return [str(error)]
    for name in names:
        try:
            check_sum(checkpoint, name)
        except Damaged as error:
            faults.append(str(error))
    try:
        read_info(checkpoint)
        places = read_metadata(checkpoint).storage_data
    except Damaged as error:
        return faults or [str(error)]
    if faults:
        return faults
    return [fault for index, place in places.items() for fault in _tensor_damage(checkpoint, index.fqn, place)]


def _tensor_damage(checkpoint: Path, name: str, place: Any) -> list[str]:
    path = checkpoint / place.relative_path
    try:
        with path.open("rb") as file:
            check_archive(file, place.offset, place.length)
    except (ValueError, OSError) as error:
        return [f"{path}: the tensor {name} at byte {place.offset}: {error}"]
    return []


def stored_model_config(checkpoint: Path) -> ModelConfig:
    """The shape of the model in a checkpoint."""
    config = build(ModelConfig, read_info(checkpoint)["config"]["model"], "model.")
    config.validate()
    return config


def stored_lora(checkpoint: Path) -> LoraConfig:
    """What was trained beside the weights in a checkpoint."""
    return build(LoraConfig, read_info(checkpoint)["config"].get("lora", {}), "lora.")


def check_shape(checkpoint: Path, config: ModelConfig) -> None:
    """Raises Damaged where a checkpoint's weights are not those of a model; nothing is loaded or allocated."""
    stored = {
        name.removeprefix(MODEL): tuple(entry.size)
        for name, entry in read_metadata(checkpoint).state_dict_metadata.items()
        if name.startswith(MODEL) and isinstance(entry, TensorStorageMetadata)
    }
    wanted: dict[str, tuple[int, ...]] = {}
    layers = {name.split(".")[1] for name in stored if name.startswith("layers.")}
    if len(layers) == config.layers:
        with torch.device("meta"):
            model = Transformer(config)
            add_adapters(model, stored_lora(checkpoint))
        wanted = {name: tuple(p.shape) for name, p in model.named_parameters()}
    if stored != wanted:
        first = min(name for name in {*stored, *wanted} if stored.get(name) != wanted.get(name))
        raise Damaged(
            f"the weights in {checkpoint} are not those of a model of {config.layers} layers and width {config.dim}: "
            f"{first} is {stored.get(first)}, the model's {wanted.get(first)}"
        )


def load_merged(checkpoint: Path, module: nn.Module, prefix: str = "") -> None:
    """Loads the weights of a model, or of a block of one, with what LoRA trained beside them merged into them.

    Args:
        checkpoint: where they are.
        module: on one device; in place.
        prefix: the block's, such as ``layers.0.``.
    """
    add_adapters(module, stored_lora(checkpoint))
    load_tensors(checkpoint, {MODEL + prefix + name: p.data for name, p in module.named_parameters()})
    merge_adapters(module)


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
    config = stored_model_config(checkpoint)
    check_shape(checkpoint, config)
    model = Transformer(config, dtype).requires_grad_(False)
    load_merged(checkpoint, model)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(device, dtype if parameter.dim() > 1 else torch.float32)
    model.rope = model.rope.to(device)
    return model.eval()
