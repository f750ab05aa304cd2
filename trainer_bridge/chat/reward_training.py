"""Trains a reward model, judges it, and writes it: see ``trainer_bridge.chat.reward``."""

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import torch

from trainer_bridge.chat.config import ChatConfig, plain
from trainer_bridge.chat.corpora import check_files
from trainer_bridge.chat.dialogue import Dialogues, dialogues_of
from trainer_bridge.chat.pairs import PairFiles, accuracies, prepare_pairs
from trainer_bridge.chat.records import CONFIGURATION, Records, check_output, check_same, dtype_name, model_identity
from trainer_bridge.chat.scalar import RECORD, read_scalar, write_record
from trainer_bridge.checkpoint import load_model
from trainer_bridge.errors import TrainerError
from trainer_bridge.exporting import TOKENIZER_FILES, write_tokenizer
from trainer_bridge.metrics import NAME as METRICS
from trainer_bridge.model import Transformer
from trainer_bridge.parallel import compute_dtype
from trainer_bridge.released import read_json
from trainer_bridge.run_folder import RunFolder
from trainer_bridge.stored import file_sha256
from trainer_bridge.template import NAME as TEMPLATE

COMMAND = "trainer_bridge.chat.reward"
WORK = "training"  # encoded pairs and TRL's checkpoints, till the model is whole
WORKED = tuple(f"{WORK}/{name}" for name in ("train.arrow", "more.arrow", "heldout.arrow", "README.md"))
STATE = "trainer_state.json"
# What TRL writes of a checkpoint: of these names, those that are there.
WEIGHTS = (
    "model.safetensors",
    "config.json",
    "training_args.bin",
    STATE,
    "optimizer.pt",
    "scheduler.pt",
)
WORDS = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json")
SAVED = (
    *WEIGHTS,
    "scheduler.pt",
    *WORDS,
    *(f"rng_state{rank}.pth" for rank in ("", *(f"_{number}" for number in range(8)))),
)
FILES = (METRICS, TEMPLATE, "config.json", "model.safetensors", CONFIGURATION, RECORD, *TOKENIZER_FILES)
MISSING = "TRL and transformers train reward models: pip install '.[chat]'"


def run(options: argparse.Namespace, config: ChatConfig) -> None:
    """Trains and judges the reward model that a command line asks for."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here comes from the hub
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # of several, TRL would refuse to take all in one process
    try:
        import trl  # noqa: F401, PLC0415 - told before anything is read
    except ImportError as error:
        raise TrainerError(f"{error.name or error} is not installed. {MISSING}") from error
    if config.device.threads:
        torch.set_num_threads(config.device.threads)
    inputs = check_output(options.output, COMMAND, [options.model, *options.data, *options.more, *options.heldout])
    check_files([*options.data, *options.more, *options.heldout])
    chat = load_model(options.model, torch.device("cpu"))
    dialogues = dialogues_of(options.model, options.template, chat.config.context)
    target = RunFolder(options.output, COMMAND, inputs)
    try:
        _run(options, config, chat, dialogues, target)
    finally:
        target.close()


def _run(
    options: argparse.Namespace, config: ChatConfig, chat: Transformer, dialogues: Dialogues, target: RunFolder
) -> None:
    said = {
        "model": model_identity(options.model),
        "template": dialogues.template.sha256,
        "data": [options.data, options.more, options.heldout],
        "reward": plain(config.reward),
        "dtype": dtype_name(compute_dtype(config.device.dtype, default_device())),
    }
    target.expect(*FILES, *WORKED)
    if (target.path / RECORD).is_file():
        check_same(target, {**said, "pairs": read_json(target.path / CONFIGURATION).get("pairs")})
        sys.stderr.write(f"{target.path} is complete: nothing to do\n")
        sys.stdout.write(table(json.loads((target.path / RECORD).read_text())["heldout"]))
        return
    (target.path / WORK).mkdir(exist_ok=True)
    files = prepare_pairs(target.path / WORK, options.data, options.more, options.heldout, dialogues, config.reward)
    check_same(target, {**said, "pairs": files.identity})
    cause = write_tokenizer(dialogues.tokenizer, target.path, dialogues.context, dialogues.template)
    if cause:
        raise TrainerError(f"TRL needs the tokenizer in Hugging Face's form, which cannot hold it, as {cause}")
    (target.path / TEMPLATE).write_text(dialogues.template.text, encoding="utf-8")
    _train(chat, dialogues, files, config, target)
    found = judge(target.path, files.heldout, config)
    sys.stdout.write(table(found))
    record = {
        "kind": "reward",
        "model": said["model"],
        "tokenizer_sha256": dialogues.encoder.sha256,
        "template": {"name": dialogues.template.name, "sha256": dialogues.template.sha256},
        "pairs": files.counts,
        "heldout": found,
        "recipe": said["reward"],
        "weights_sha256": file_sha256(target.path / "model.safetensors"),
    }
    write_record(target.path, record)
    target.remove(WORK)
    sys.stderr.write(f"wrote {target.path}\n")


def _train(chat: Transformer, dialogues: Dialogues, files: PairFiles, config: ChatConfig, target: RunFolder) -> None:
    from datasets import Dataset, concatenate_datasets, disable_progress_bars  # noqa: PLC0415
    from transformers import TrainerCallback  # noqa: PLC0415

    from trainer_bridge.chat.trl_reward import build_classifier, build_trainer  # noqa: PLC0415

    disable_progress_bars()
    data = Dataset.from_file(str(files.train))
    if files.more is not None:
        data = concatenate_datasets([data, Dataset.from_file(str(files.more)).select(files.more_rows)])
    data = data.remove_columns(["level", "prompt"])
    model = build_classifier(chat.state_dict(), chat.config, dialogues.encoder, config.reward.seed)
    folder = target.path / WORK
    last = last_checkpoint(target)
    done = last or 0
    records = Records(target.path / METRICS, lambda record: record.get("step", done + 1) <= done)

    class Told(TrainerCallback):  # type: ignore[misc]
        """Writes the records of steps, and the names of TRL's files into the folder's record."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                tell(records, config.reward.log_every, state, logs)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if control.should_save:
                target.expect(*(f"{checkpoint(state.global_step)}/{name}" for name in SAVED))

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            target.remove(*(checkpoint(step) for step in checkpoints(target) if step < state.global_step))

    trainer = build_trainer(model, target.path, data, config.reward, config.device, folder, Told())
    counts = ", ".join(f"{value:,} {key}" for key, value in files.counts.items())
    sys.stderr.write(f"pairs: {counts}\n")
    if last:
        sys.stderr.write(f"goes on from step {done}\n")
    trainer.train(resume_from_checkpoint=None if last is None else str(target.path / checkpoint(last)))
    records.close()
    model.save_pretrained(str(target.path), max_shard_size="10TB")  # one file, whose checksum names the model


def checkpoint(step: int) -> str:
    """The name of TRL's checkpoint after so many steps."""
    return f"{WORK}/checkpoint-{step}"


def checkpoints(target: RunFolder) -> list[int]:
    """The steps of TRL's checkpoints that the command wrote, in their order."""
    names = (path.name.partition("-")[2] for path in (target.path / WORK).glob("checkpoint-*"))
    return sorted(int(name) for name in names if name.isdecimal() and target.owns(checkpoint(int(name))))


def last_checkpoint(target: RunFolder) -> int | None:
    """The step of the newest checkpoint that is whole; newer ones, which a killed process left, are removed.

    TRL writes a checkpoint under its final name, and ``trainer_state.json`` last.
    """
    for step in reversed(checkpoints(target)):
        try:
            if json.loads((target.path / checkpoint(step) / STATE).read_bytes())["global_step"] == step:
                return step
        except (OSError, ValueError, KeyError, TypeError):
            pass
        target.remove(checkpoint(step))
    return None


def tell(records: Records, every: int, state: Any, logs: dict[str, Any]) -> None:
    """Records a step, and says it now and then; TrainerError where its loss is not finite."""
    step, loss = int(state.global_step), float(logs["loss"])
    record = {"step": step, "loss": loss, "accuracy": logs["accuracy"], "lr": logs["learning_rate"]}
    record |= {"grad_norm": float(logs["grad_norm"]), "margin": logs["margin"]}
    if not all(math.isfinite(value) for value in record.values()):
        raise TrainerError(
            f"the loss or the gradient of step {step} is not finite: try a lower reward.lr, and look at the chat model"
        )
    records.write(record)
    if step % every == 0 or step == state.max_steps:
        sys.stderr.write(f"step {step}/{state.max_steps}  loss {loss:.4f}  accuracy {logs['accuracy']:.1%}\n")


def default_device() -> torch.device:
    """Where it computes."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def judge(folder: Path, heldout: Path, config: ChatConfig) -> dict[str, dict[str, float]]:
    """The accuracy of a reward model on pairs, by level; recorded in its metrics, too.

    Raises:
        TrainerError: a score is not finite.
    """
    import pyarrow as pa  # noqa: PLC0415

    device = default_device()
    model = read_scalar(folder, compute_dtype(config.device.dtype, device)).to(device).eval()
    with pa.memory_map(str(heldout)) as source:
        pairs = pa.ipc.open_stream(source).read_all()
        texts = [pairs[name].to_pylist() for name in ("chosen_ids", "rejected_ids")]
        levels = pairs["level"].to_pylist()
    chosen, rejected = (model.scores(some, 2 * config.reward.micro_batch) for some in texts)
    if not all(map(math.isfinite, [*chosen, *rejected])):
        raise TrainerError(f"the reward model in {folder} gives scores that are not finite: try a lower reward.lr")
    found = accuracies(chosen, rejected, levels)
    records = Records(folder / METRICS, lambda record: "step" in record)
    records.write({"evaluation": found})
    records.close()
    return found


def table(found: dict[str, dict[str, float]]) -> str:
    """The accuracies for a terminal."""
    lines = [f"{'held-out pairs':<16}{'pairs':>8}  {'accuracy':>8}"]
    lines += [f"{name:<16}{values['pairs']:>8,.0f}  {values['accuracy']:>8.1%}" for name, values in found.items()]
    return "\n".join(lines) + "\n"
