"""A LLaMA that gives a number instead of the next id: reward models, and PPO's value function.

On disk it is transformers' ``LlamaForSequenceClassification`` with one label, and ``reward.json``, which says of what
it is. Here it is the trainer's own model with the head in place of the output matrix.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer_bridge.chat.dialogue import Dialogues, read_dialogues
from trainer_bridge.config import ModelConfig
from trainer_bridge.convert import from_hf, from_hf_config
from trainer_bridge.errors import TrainerError
from trainer_bridge.model import Linear, Transformer, rotary_table
from trainer_bridge.released import huggingface_weights, read_json
from trainer_bridge.stored import file_sha256
from trainer_bridge.template import NAME as TEMPLATE
from trainer_bridge.vocabulary import NAME

RECORD = "reward.json"
WEIGHTS = "model.safetensors"
HEAD = "score.weight"
FORMAT = 1


class ScalarModel(nn.Module):
    """Ids in, a number at each place out."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype = torch.float32) -> None:
        """Builds the model; weights are fp32, ``dtype`` is that of the computation."""
        super().__init__()
        self.trunk = Transformer(config, dtype)
        del self.trunk.output  # nothing asks it for logits
        self.score = Linear(config.dim, 1)

    def forward(self, ids: Tensor) -> Tensor:
        """ids [B, T] -> what is said of the text up to each [B, T], fp32."""
        values: Tensor = self.score(self.trunk.hidden(ids).float())
        return values.squeeze(-1)

    @torch.inference_mode()
    def scores(self, texts: Sequence[Sequence[int]], at_once: int) -> list[float]:
        """The number at the last id of each text, in their order.

        Args:
            texts: ids of each, at least one.
            at_once: texts that are computed at a time; those of like length together.
        """
        order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        found = [0.0] * len(texts)
        for start in range(0, len(order), at_once):
            part = order[start : start + at_once]
            ids, lengths = padded([texts[number] for number in part], self.score.weight.device)
            last = self(ids).gather(1, lengths.unsqueeze(1) - 1).squeeze(1)
            for number, value in zip(part, last.tolist(), strict=True):
                found[number] = value
        return found


def padded(texts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Texts as rows [B, T], those that are shorter ended by id 0, which nothing before it sees; their lengths [B]."""
    longest = max(map(len, texts))
    ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts], device=device)
    return ids, torch.tensor([len(text) for text in texts], device=device)


@dataclass(frozen=True)
class RewardModel:
    """A reward model that was read.

    Attributes:
        model: in evaluation mode.
        dialogues: the tokenizer and template that it was trained with.
        record: what ``reward.json`` says.
        path: where it lies.
    """

    model: ScalarModel
    dialogues: Dialogues
    record: dict[str, Any]
    path: Path

    @property
    def identity(self) -> str:
        """SHA-256 of its weights."""
        return str(self.record["weights_sha256"])


def load_reward(folder: Path, device: torch.device, dtype: torch.dtype, like: Dialogues | None = None) -> RewardModel:
    """Reads a reward model.

    Args:
        folder: what ``trainer_bridge.chat.reward`` wrote.
        device: where to put it.
        dtype: of the computation, and of the matrices.
        like: tokenizer and template of the model that it is to judge.

    Raises:
        TrainerError: it is none, it is not finished, damaged or changed, or it is of another tokenizer or template.
    """
    if not (folder / RECORD).is_file():
        raise TrainerError(f"{folder} holds no {RECORD}: give the output of python -m trainer_bridge.chat.reward")
    record = read_json(folder / RECORD)
    if like is not None:
        check_alike(folder, record, like)
    model = read_scalar(folder, dtype).to(device).requires_grad_(False).eval()
    if record.get("weights_sha256") != file_sha256(folder / WEIGHTS):
        raise TrainerError(
            f"{folder / WEIGHTS} is not the one that {folder / RECORD} tells of, by its SHA-256: copy it anew, or "
            "train the reward model in another --output"
        )
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype if parameter.dim() > 1 else torch.float32)
    dialogues = read_dialogues(folder / NAME, str(folder / TEMPLATE), model.trunk.config.context)
    return RewardModel(model, dialogues, record, folder)


def check_alike(folder: Path, record: dict[str, Any], like: Dialogues) -> None:
    """Refuses a reward model that reads other ids than the model that it is to judge writes."""
    template = record.get("template")
    found = {
        "tokenizer": record.get("tokenizer_sha256"),
        "template": template.get("sha256") if isinstance(template, dict) else None,
    }
    wanted = {"tokenizer": like.encoder.sha256, "template": like.template.sha256}
    for what, sha256 in wanted.items():
        if found[what] != sha256:
            raise TrainerError(
                f"the reward model {folder} was trained with another {what} (SHA-256 {found[what]}) than the model has "
                f"({sha256}): train one from this model, with its {what}"
            )


def read_scalar(folder: Path, dtype: torch.dtype = torch.float32) -> ScalarModel:
    """A ``LlamaForSequenceClassification`` with one label, on the CPU.

    Raises:
        TrainerError: files that are missing, damaged or not of such a model.
    """
    config = from_hf_config(read_json(folder / "config.json"))
    weights = huggingface_weights(folder)
    if HEAD not in weights or weights[HEAD].shape != (1, config.dim):
        raise TrainerError(f"{folder} has no head {HEAD} of one number: it is no reward model")
    head = weights.pop(HEAD)
    with torch.device("meta"):
        model = ScalarModel(config, dtype)
    try:
        model.trunk.load_state_dict(from_hf(weights, config), assign=True)
        model.score.load_state_dict({"weight": head}, assign=True)
    except RuntimeError as error:
        raise TrainerError(f"the weights in {folder} do not fit their shape: {error}") from error
    model.trunk.rope = rotary_table(config)
    return model


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Writes ``reward.json``, last of all: the model is whole."""
    partial = folder / f".{RECORD}.tmp"
    partial.write_text(json.dumps({"format": FORMAT, **record}, indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / RECORD)
