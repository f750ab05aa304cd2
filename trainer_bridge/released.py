"""Released weights, read: Meta's files and Hugging Face's.

Nothing in them is executed: PyTorch's reader lets tensors through only, safetensors holds nothing else.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from trainer_bridge.config import ModelConfig
from trainer_bridge.convert import from_hf, from_hf_config
from trainer_bridge.errors import TrainerError
from trainer_bridge.recipe import build

# How Meta's model-parallel shards were cut (meta-llama/llama, model.py: ColumnParallelLinear and RowParallelLinear).
CUT_BY_ROWS = ("wq.weight", "wk.weight", "wv.weight", "w1.weight", "w3.weight", "output.weight")
CUT_BY_COLUMNS = ("wo.weight", "w2.weight")


PARAMS = {  # keys of params.json; another one belongs to a model that is no LLaMA, or one with other parts
    *("dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "multiple_of", "ffn_dim_multiplier", "norm_eps"),
    *("rope_theta", "use_scaled_rope", "max_batch_size", "max_seq_len"),
}
INDEX = "model.safetensors.index.json"
ALONE = "model.safetensors"


@dataclass(frozen=True)
class Released:
    """A model as it was released.

    Attributes:
        config: its shape.
        state: weights in Meta's names and layout.
        bos: begin-of-sequence id, where the files say it.
        eos: end-of-sequence id, likewise; the first where there are several.
    """

    config: ModelConfig
    state: dict[str, Tensor]
    bos: int | None = None
    eos: int | None = None


def read_meta(folder: Path, context: int | None = None) -> Released:
    """Meta's release: shape and weights, the shards of model parallelism put together.

    Args:
        folder: where the files are.
        context: positions that the model was trained on, which params.json does not say; None: LLaMA-1's and Llama-2's
            are known.

    Raises:
        TrainerError: files that are missing, damaged or not a LLaMA's.
    """
    params = read_json(folder / "params.json")
    files = sorted(folder.glob("consolidated.*.pth"))
    if not files:
        raise TrainerError(f"{folder} holds no consolidated.*.pth")
    missing = [name for i in range(len(files)) if (name := f"consolidated.{i:02d}.pth") not in {f.name for f in files}]
    if missing:
        raise TrainerError(f"{folder} lacks {missing[0]}, and holds {files[-1].name}")
    try:
        shards = [torch.load(path, map_location="cpu", weights_only=True, mmap=True) for path in files]
        _check_weights([weight for shard in shards for weight in shard.items()], folder)
    except TrainerError:
        raise
    except Exception as error:  # zip, pickle and mmap errors of many kinds
        raise TrainerError(f"{folder}: the weights cannot be read: {error}") from error
    try:
        state = {
            name: _joined(name, [s[name] for s in shards], params["dim"]) for name in shards[0] if "rope" not in name
        }
        return Released(_meta_config(params, state, context), state)
    except KeyError as error:
        raise TrainerError(f"{folder} lacks {error.args[0]!r}") from error
    except (RuntimeError, IndexError) as error:
        raise TrainerError(f"{folder}: the parts of the weights do not fit together: {error}") from error


def _check_weights(weights: list[tuple[Any, Any]], where: Path) -> None:
    """Weights are dense tensors of floating-point numbers; quantised ones are another model."""
    for name, weight in weights:
        if not isinstance(name, str) or not isinstance(weight, Tensor) or weight.layout != torch.strided:
            raise TrainerError(f"{where}: {name!r} is no weight")
        if weight.dtype not in (torch.float32, torch.float16, torch.bfloat16) and "rope" not in name:
            raise TrainerError(f"{where}: {name} is {weight.dtype}; allowed: float32, float16, bfloat16")


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


def _meta_config(params: dict[str, Any], state: dict[str, Tensor], context: int | None) -> ModelConfig:
    """The shape from params.json, and from the weights where it leaves the vocabulary (-1) or the hidden width open."""
    unknown = sorted({*params} - PARAMS)
    if unknown:
        raise TrainerError(f"params.json: {unknown[0]} is no key of a LLaMA's; this model has no such part")
    if params.get("use_scaled_rope"):
        raise TrainerError("params.json: use_scaled_rope = True cannot be used; allowed: False (Llama 3.1 and later)")
    hidden, vocab = state["layers.0.feed_forward.w1.weight"].shape[0], state["output.weight"].shape[0]
    grouped, theta = params.get("n_kv_heads"), params.get("rope_theta", 10000.0)
    if context is None:
        if theta != 10000.0:
            raise TrainerError(
                "params.json does not say how many positions the model was trained on, and this is neither LLaMA-1 "
                f"nor Llama-2 (rope_theta {theta:g}): say it with --context (Code Llama: 16384, Llama 3: 8192)"
            )
        # LLaMA-1: eps 1e-6, or the 65B.
        first = params["norm_eps"] == 1e-6 or (params["dim"] == 8192 and grouped is None)
        context = 2048 if first else 4096
    shape = {"dim": params["dim"], "layers": params["n_layers"], "heads": params["n_heads"], "kv_heads": grouped}
    shape |= {"vocab_size": vocab, "ffn_hidden": hidden, "context": context}
    return build(ModelConfig, {**shape, "norm_eps": params["norm_eps"], "rope_theta": theta}, "params.json: ")


def read_huggingface(folder: Path) -> Released:
    """A LlamaForCausalLM with safetensors: shape and weights in Meta's names and layout.

    Raises:
        TrainerError: files that are missing, damaged or not a LLaMA's.
    """
    values = read_json(folder / "config.json")
    config = from_hf_config(values)
    state = huggingface_weights(folder)
    ids = [_first_id(values.get(key)) for key in ("bos_token_id", "eos_token_id")]
    return Released(config, from_hf(state, config), *ids)


def huggingface_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of a folder with safetensors, by the names that they have there.

    Raises:
        TrainerError: files that are missing or damaged, or weights that are quantised.
    """
    state: dict[str, Tensor] = {}
    for name, wanted in _weight_files(folder).items():
        path = folder / name
        try:
            found = load_file(path)
        except (SafetensorError, OSError) as error:
            raise TrainerError(f"{path} cannot be read: {error}") from error
        if wanted is not None and wanted != set(found):
            raise TrainerError(f"{path} holds other weights than {INDEX} says: is it of another model?")
        if again := sorted(set(found) & set(state)):
            raise TrainerError(f"{path}: the weight {again[0]} is in another file, too")
        state |= found
    _check_weights(list(state.items()), folder)
    return state


def _weight_files(folder: Path) -> dict[str, set[str] | None]:
    """The files that make the model, and the weights of each where the index says them; nothing else counts."""
    index, alone = folder / INDEX, folder / ALONE
    if index.is_file() and alone.is_file():
        raise TrainerError(f"{folder} holds {ALONE} and {INDEX}: remove the one that is not the model's")
    if index.is_file():
        places = read_json(index).get("weight_map")
        if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
            raise TrainerError(f"{index} cannot be read: it has no weight_map")
        if any(Path(name).name != name for name in places.values()):
            raise TrainerError(f"{index} names files outside {folder}")
        return {name: {key for key, file in places.items() if file == name} for name in sorted(set(places.values()))}
    found = sorted(path.name for path in folder.glob("*.safetensors"))
    if not found:
        raise TrainerError(f"{folder} holds no *.safetensors")
    if found != [ALONE] and not alone.is_file() and len(found) > 1:
        raise TrainerError(f"{folder} holds {len(found)} *.safetensors and no {INDEX} that says which are the model's")
    return {ALONE if alone.is_file() else found[0]: None}


def _first_id(value: Any) -> int | None:
    """An id of config.json, which may be a list of them."""
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, int) and not isinstance(first, bool) else None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; TrainerError where there is none."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise TrainerError(f"{path} cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise TrainerError(f"{path} holds no keys and values")
    return values
