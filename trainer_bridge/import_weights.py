"""Makes a run of released weights: python -m trainer_bridge.import_weights DIR --output RUN.

DIR holds Meta's files (``params.json``, ``consolidated.*.pth``) or Hugging Face's (``config.json``,
``*.safetensors``). The run can be generated from, evaluated and exported, and a new run can start from it with
``run.init_from=RUN``.
"""

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.distributed.checkpoint.state_dict_saver import save

from trainer_bridge.checkpoint import FOLDER, INFO, MODEL
from trainer_bridge.config import ModelConfig
from trainer_bridge.convert import from_hf, from_hf_config
from trainer_bridge.errors import TrainerError, run_command
from trainer_bridge.model import Transformer

# How Meta's model-parallel shards were cut (meta-llama/llama, model.py: ColumnParallelLinear and RowParallelLinear).
CUT_BY_ROWS = ("wq.weight", "wk.weight", "wv.weight", "w1.weight", "w3.weight", "output.weight")
CUT_BY_COLUMNS = ("wo.weight", "w2.weight")


def read_meta(folder: Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Meta's release: shape and weights, the shards of model parallelism put together.

    Raises:
        TrainerError: files that are missing, damaged or not a LLaMA's.
    """
    params = _read_json(folder / "params.json")
    files = sorted(folder.glob("consolidated.*.pth"))
    if not files:
        raise TrainerError(f"{folder} holds no consolidated.*.pth")
    try:
        shards = [torch.load(path, map_location="cpu", weights_only=True, mmap=True) for path in files]
    except Exception as error:  # zip, pickle and mmap errors of many kinds
        raise TrainerError(f"{folder}: the weights cannot be read: {error}") from error
    try:
        state = {
            name: _joined(name, [s[name] for s in shards], params["dim"]) for name in shards[0] if "rope" not in name
        }
        return _meta_config(params, state), state
    except KeyError as error:
        raise TrainerError(f"{folder} lacks {error.args[0]!r}") from error


def _joined(name: str, pieces: list[Tensor], dim: int) -> Tensor:
    if len(pieces) == 1 or pieces[0].dim() == 1:
        return pieces[0]
    if name.startswith("tok_embeddings"):  # by columns in LLaMA and Llama-2
        return torch.cat(pieces, dim=0 if pieces[0].shape[1] == dim else 1)
    if name.endswith(CUT_BY_ROWS):
        return torch.cat(pieces, dim=0)
    if name.endswith(CUT_BY_COLUMNS):
        return torch.cat(pieces, dim=1)
    raise TrainerError(f"the weight {name} belongs to no LLaMA")


def _meta_config(params: dict[str, Any], state: dict[str, Tensor]) -> ModelConfig:
    """The shape from params.json, and from the weights where it leaves the vocabulary (-1) or the hidden width open."""
    hidden, vocab = state["layers.0.feed_forward.w1.weight"].shape[0], state["output.weight"].shape[0]
    grouped = params.get("n_kv_heads")
    # params.json does not say how many positions a model was trained on. LLaMA-1: eps 1e-6, or the 65B.
    first = params["norm_eps"] == 1e-6 or (params["dim"] == 8192 and grouped is None)
    return ModelConfig(
        dim=params["dim"],
        layers=params["n_layers"],
        heads=params["n_heads"],
        kv_heads=grouped,
        vocab_size=vocab,
        ffn_hidden=hidden,
        context=2048 if first else 4096,
        norm_eps=params["norm_eps"],
        rope_theta=params.get("rope_theta", 10000.0),
    )


def read_huggingface(folder: Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    """A LlamaForCausalLM with safetensors: shape and weights in Meta's names and layout.

    Raises:
        TrainerError: files that are missing, damaged or not a LLaMA's.
    """
    config = from_hf_config(_read_json(folder / "config.json"))
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise TrainerError(f"{folder} holds no *.safetensors")
    state: dict[str, Tensor] = {}
    for path in files:
        try:
            state |= load_file(path)
        except (SafetensorError, OSError) as error:
            raise TrainerError(f"{path} cannot be read: {error}") from error
    return config, from_hf(state, config)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TrainerError(f"{path} cannot be read: {error}") from error
    return values


def import_weights(folder: Path, run: Path) -> ModelConfig:
    """Writes a run directory with one checkpoint that holds weights only, in the type in which they came.

    Raises:
        TrainerError: nothing to import, weights that do not fit the shape, or a run that is already there.
    """
    if (run / FOLDER).exists():
        raise TrainerError(f"{run} already holds a run")
    if (folder / "params.json").is_file():
        config, state = read_meta(folder)
    elif (folder / "config.json").is_file():
        config, state = read_huggingface(folder)
    else:
        raise TrainerError(f"{folder} holds neither Meta's params.json nor Hugging Face's config.json")
    config.validate()
    with torch.device("meta"):
        model = Transformer(config)
    try:
        model.load_state_dict(state, assign=True)  # joins the projections; copies nothing else
    except RuntimeError as error:
        raise TrainerError(f"the weights in {folder} do not fit their shape: {error}") from error
    partial, final = run / FOLDER / "step-000000000.tmp", run / FOLDER / "step-000000000"
    partial.mkdir(parents=True)
    tensors = {MODEL + name: parameter.detach() for name, parameter in model.named_parameters()}
    save(tensors, checkpoint_id=partial, no_dist=True)
    info = {"step": 0, "loader": None, "config": {"model": asdict(config)}, "weights_only": True}
    (partial / INFO).write_text(json.dumps(info, indent=1))
    partial.rename(final)
    tokenizer = next(
        (f / "tokenizer.model" for f in (folder, folder.parent) if (f / "tokenizer.model").is_file()), None
    )
    if tokenizer:  # Meta keeps one for all sizes, beside their folders
        shutil.copyfile(tokenizer, run / "tokenizer.model")
    return config


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m trainer_bridge.import_weights", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="directory of Meta's or Hugging Face's files")
    parser.add_argument("--output", type=Path, required=True, help="run directory to make")
    options = parser.parse_args()
    config = import_weights(options.folder, options.output)
    sys.stderr.write(f"wrote {options.output}: dim {config.dim}, {config.layers} layers, {config.vocab} ids\n")


if __name__ == "__main__":
    run_command(main, alone=True)
