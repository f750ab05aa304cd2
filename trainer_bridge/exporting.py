"""Writes a run as a Hugging Face model, a few layers at a time."""

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

from pipeline.errors import OutputError
from pipeline.storage.ownership import Owned, claim_folder
from tokenizer.chat.jinja import chat_template
from tokenizer.chat.template import Template
from tokenizer.model import parse_model
from trainer_bridge.checkpoint import (
    MODEL,
    check_shape,
    latest_checkpoint,
    load_merged,
    load_tensors,
    read_info,
    run_of,
    stored_model_config,
)
from trainer_bridge.config import ModelConfig
from trainer_bridge.convert import hf_config, to_hf
from trainer_bridge.errors import TrainerError
from trainer_bridge.export import DTYPES
from trainer_bridge.hf_tokenizer import tokenizer_json, why_not
from trainer_bridge.model import TransformerBlock
from trainer_bridge.origin import stored_tokenizer
from trainer_bridge.template import find_template
from trainer_bridge.vocabulary import Vocabulary, check_is, find_tokenizer

COMMAND = "trainer_bridge.export"
CONFIG, INDEX = "config.json", "model.safetensors.index.json"  # the configuration is written last: the export is whole
KEPT = "sentencepiece.model"
TOKENIZER_FILES = ("tokenizer.model", "tokenizer.json", "tokenizer_config.json", KEPT)
FILE_BYTES = 5_000_000_000  # transformers' own limit of one file


def parts(checkpoint: Path, config: ModelConfig) -> Iterator[dict[str, Tensor]]:
    """The weights in Meta's names: first what lies around the layers, then layer by layer."""
    shapes = {"tok_embeddings": (config.vocab, config.dim), "norm": (config.dim,), "output": (config.vocab, config.dim)}
    around = {f"{name}.weight": torch.empty(shape) for name, shape in shapes.items()}
    load_tensors(checkpoint, {MODEL + name: tensor for name, tensor in around.items()})
    yield around
    for layer in range(config.layers):
        block: nn.Module = TransformerBlock(config, layer)
        prefix = f"layers.{layer}."
        load_merged(checkpoint, block, prefix)
        yield {prefix + name: tensor for name, tensor in block.state_dict().items()}


def convert(name: str, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A weight in another type.

    Raises:
        TrainerError: it holds values that are not finite, or that the type cannot hold.
    """
    converted = weight.to(dtype)
    if not converted.isfinite().all():
        if not weight.isfinite().all():
            raise TrainerError(f"{name} holds values that are not finite: the run is broken at this checkpoint")
        raise TrainerError(
            f"{name} holds values up to {weight.abs().max():g}, too large for {dtype}; take --dtype bf16"
        )
    return converted


def write_weights(checkpoint: Path, config: ModelConfig, folder: Owned, dtype: torch.dtype) -> None:
    """Writes safetensors files of at most about 5 GB, and their index."""
    root = Path(folder.root)
    waiting: dict[str, Tensor] = {}
    files: list[list[str]] = []
    size = total = 0

    def flush() -> None:
        nonlocal waiting, size
        name = f"part-{len(files)}.tmp"
        folder.expect([name])
        save_file(waiting, root / name, metadata={"format": "pt"})
        files.append(list(waiting))
        waiting, size = {}, 0

    for part in parts(checkpoint, config):
        converted = {name: convert(name, tensor, dtype) for name, tensor in to_hf(part, config).items()}
        more = sum(tensor.nbytes for tensor in converted.values())
        if waiting and size + more > FILE_BYTES:
            flush()
        waiting.update(converted)
        size, total = size + more, total + more
    flush()
    index: dict[str, str] = {}
    for number, names in enumerate(files):
        name = f"model-{number + 1:05d}-of-{len(files):05d}.safetensors" if len(files) > 1 else "model.safetensors"
        folder.expect([name])
        (root / f"part-{number}.tmp").rename(root / name)
        index |= dict.fromkeys(names, name)
    if len(files) > 1:
        content = {"metadata": {"total_size": total}, "weight_map": index}
        folder.expect([INDEX])
        (root / INDEX).write_text(json.dumps(content, indent=1))
    folder.remove(*(f"part-{number}.tmp" for number in range(len(files))))


def write_tokenizer(source: Path, folder: Path, context: int, template: Template | None = None) -> str | None:
    """Copies the SentencePiece model, and writes it in Hugging Face's form.

    The class is the one that reads ``tokenizer.json`` as it is: LLaMA's own changes how a text begins. What looks like
    a special token in a text is text, as it was in training; but not with a template, which writes these tokens so.

    Returns:
        Why that form cannot hold the model, which is then copied under a name that nothing takes for it; else None.
    """
    model = Vocabulary(source).model
    file = parse_model(source.read_bytes(), source)
    if cause := why_not(file):
        shutil.copyfile(source, folder / KEPT)
        return cause
    shutil.copyfile(source, folder / "tokenizer.model")

    def piece(number: int) -> str | None:
        return str(model.id_to_piece(number)) if number >= 0 else None

    theirs = tokenizer_json(model, file)
    special = [str(token["content"]) for token in theirs["added_tokens"]]
    content = json.dumps(theirs, ensure_ascii=False)
    (folder / "tokenizer.json").write_text(content, encoding="utf-8")
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": piece(model.bos_id()),
        "eos_token": piece(model.eos_id()),
        "unk_token": piece(model.unk_id()),
        "add_bos_token": model.bos_id() >= 0,
        "add_eos_token": False,
        "split_special_tokens": template is None,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        **({} if template is None else {"chat_template": chat_template(template, special)}),
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1))
    return None


def export(run: Path, folder: Path, dtype: str, tokenizer: Path | None, template: Template | None = None) -> str | None:
    """Writes the newest checkpoint of a run.

    Args:
        run: a run directory, or one checkpoint.
        folder: where to write: new, empty, or what a killed export left.
        dtype: of the written weights: fp32 (as trained), bf16 or fp16.
        tokenizer: the SentencePiece model to write with them, if any.
        template: the template of conversations, which goes with it, if any.

    Returns:
        Why the tokenizer could not be written in Hugging Face's form; None where all was.

    Raises:
        TrainerError: no checkpoint, files in the way, a tokenizer of another model, weights that the type cannot hold.
    """
    checkpoint = latest_checkpoint(run)
    config, info = stored_model_config(checkpoint), read_info(checkpoint)
    check_shape(checkpoint, config)
    if tokenizer is not None:
        check_is(tokenizer, stored_tokenizer(info), str(run))
    try:
        owned = _claim(folder)
        write_weights(checkpoint, config, owned, getattr(torch, DTYPES[dtype]))
        owned.expect([CONFIG, *(TOKENIZER_FILES if tokenizer is not None else ())])
    except OutputError as error:
        raise TrainerError(str(error).replace("--output", "--to")) from error
    cause = write_tokenizer(tokenizer, folder, config.context, template) if tokenizer is not None else None
    (folder / CONFIG).write_text(json.dumps(hf_config(config, *_special_ids(info), DTYPES[dtype]), indent=1))
    return cause


def _special_ids(info: dict[str, Any]) -> tuple[int | None, int | None]:
    """Begin- and end-of-sequence ids: those of the shards, or of the imported model; None where neither says any."""
    known = (info.get("loader") or {}).get("dataset") or info
    return known.get("bos"), known.get("eos")


def _claim(folder: Path) -> Owned:
    """The folder as this command's own, cleared of what a killed export left."""
    owned = claim_folder(str(folder), COMMAND)
    if CONFIG in owned.names and (folder / CONFIG).exists():
        raise TrainerError(f"{folder} is not empty: it holds a whole export. Choose another --to, or remove it.")
    owned.remove(*owned.names)
    return owned


def run(options: argparse.Namespace) -> None:
    """Writes the newest checkpoint of a run, with its tokenizer."""
    checkpoint = latest_checkpoint(options.run)
    tokenizer = find_tokenizer(options.tokenizer, checkpoint, run_of(checkpoint))
    template = find_template(options.template, checkpoint, run_of(checkpoint))
    cause = export(options.run, options.to, options.dtype, tokenizer, template)
    if cause:
        sys.stderr.write(
            f"warning: Hugging Face's form cannot hold the tokenizer, as {cause}: AutoTokenizer will not find one. The "
            f"model is kept as {options.to / KEPT}, for the sentencepiece library.\n"
        )
    told = f" (with the chat template {template.name})" if template and not cause else ""
    note = told if tokenizer else " (without a tokenizer: the run has none)"
    sys.stderr.write(f"wrote {options.to}{note}\n")
