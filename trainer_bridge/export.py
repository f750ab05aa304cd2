"""Writes a run as a Hugging Face model: python -m trainer_bridge.export RUN --to HF_DIR [--dtype bf16].

The result opens with ``transformers.AutoModelForCausalLM`` and ``AutoTokenizer``. It is written a few layers at a time.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from trainer_bridge.checkpoint import MODEL, latest_checkpoint, load_tensors, read_info, stored_model_config
from trainer_bridge.config import ModelConfig
from trainer_bridge.convert import hf_config, to_hf
from trainer_bridge.errors import TrainerError, run_command
from trainer_bridge.hf_tokenizer import tokenizer_json
from trainer_bridge.model import TransformerBlock
from trainer_bridge.vocabulary import Vocabulary, find_tokenizer

FILE_BYTES = 5_000_000_000  # transformers' own limit of one file
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def parts(checkpoint: Path, config: ModelConfig) -> Iterator[dict[str, Tensor]]:
    """The weights in Meta's names: first what lies around the layers, then layer by layer."""
    shapes = {"tok_embeddings": (config.vocab, config.dim), "norm": (config.dim,), "output": (config.vocab, config.dim)}
    around = {f"{name}.weight": torch.empty(shape) for name, shape in shapes.items()}
    load_tensors(checkpoint, {MODEL + name: tensor for name, tensor in around.items()})
    yield around
    for layer in range(config.layers):
        block: nn.Module = TransformerBlock(config, layer)
        prefix = f"layers.{layer}."
        load_tensors(checkpoint, {MODEL + prefix + name: p.data for name, p in block.named_parameters()})
        yield {prefix + name: tensor for name, tensor in block.state_dict().items()}


def write_weights(checkpoint: Path, config: ModelConfig, folder: Path, dtype: torch.dtype) -> None:
    """Writes safetensors files of at most about 5 GB, and their index."""
    waiting: dict[str, Tensor] = {}
    files: list[list[str]] = []
    size = total = 0

    def flush() -> None:
        nonlocal waiting, size
        save_file(waiting, folder / f"part-{len(files)}.tmp", metadata={"format": "pt"})
        files.append(list(waiting))
        waiting, size = {}, 0

    for part in parts(checkpoint, config):
        converted = {name: tensor.to(dtype) for name, tensor in to_hf(part, config).items()}
        more = sum(tensor.nbytes for tensor in converted.values())
        if waiting and size + more > FILE_BYTES:
            flush()
        waiting.update(converted)
        size, total = size + more, total + more
    flush()
    index: dict[str, str] = {}
    for number, names in enumerate(files):
        name = f"model-{number + 1:05d}-of-{len(files):05d}.safetensors" if len(files) > 1 else "model.safetensors"
        (folder / f"part-{number}.tmp").replace(folder / name)
        index |= dict.fromkeys(names, name)
    if len(files) > 1:
        content = {"metadata": {"total_size": total}, "weight_map": index}
        (folder / "model.safetensors.index.json").write_text(json.dumps(content, indent=1))


def write_tokenizer(source: Path, folder: Path, context: int) -> None:
    """Copies the SentencePiece model with the settings that make transformers read it as LLaMA's."""
    vocabulary = Vocabulary(source)
    shutil.copyfile(source, folder / "tokenizer.model")

    def piece(number: int) -> str | None:
        return str(vocabulary.model.id_to_piece(number)) if number >= 0 else None

    model = vocabulary.model
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(model), ensure_ascii=False), encoding="utf-8")
    settings: dict[str, Any] = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": piece(model.bos_id()),
        "eos_token": piece(model.eos_id()),
        "unk_token": piece(model.unk_id()),
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "legacy": False,
        "model_max_length": context,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))


def export(run: Path, folder: Path, dtype: str, tokenizer: Path | None) -> None:
    """Writes the newest checkpoint of a run.

    Args:
        run: a run directory, or one checkpoint.
        folder: where to write; created, and must be empty.
        dtype: of the written weights: fp32 (as trained), bf16 or fp16.
        tokenizer: the SentencePiece model to write with them, if any.

    Raises:
        TrainerError: no checkpoint, or files in the way.
    """
    checkpoint = latest_checkpoint(run)
    config, info = stored_model_config(checkpoint), read_info(checkpoint)
    if folder.exists() and any(folder.iterdir()):
        raise TrainerError(f"{folder} is not empty")
    folder.mkdir(parents=True, exist_ok=True)
    dataset = (info.get("loader") or {}).get("dataset", {})
    name = str(DTYPES[dtype]).removeprefix("torch.")
    values = hf_config(config, dataset.get("bos", 1), dataset.get("eos", 2), name)
    (folder / "config.json").write_text(json.dumps(values, indent=1))
    write_weights(checkpoint, config, folder, DTYPES[dtype])
    if tokenizer is not None:
        write_tokenizer(tokenizer, folder, config.context)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m trainer_bridge.export", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path, help="directory of a run, or one checkpoint")
    parser.add_argument("--to", type=Path, required=True, help="directory to write")
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--tokenizer", help="SentencePiece model; default: the run's own")
    options = parser.parse_args()
    tokenizer = find_tokenizer(options.tokenizer, options.run)
    export(options.run, options.to, options.dtype, tokenizer)
    note = "" if tokenizer else " (without a tokenizer: the run has none)"
    sys.stderr.write(f"wrote {options.to}{note}\n")


if __name__ == "__main__":
    run_command(main, alone=True)
