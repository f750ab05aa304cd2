"""What a run starts from, a checkpoint of its own or another run's weights, must be what it says it is."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainer_bridge.checkpoint import (
    MODEL,
    check_shape,
    find_damage,
    list_checkpoints,
    load_tensors,
    read_info,
    step_of,
    stored_lora,
    stored_model_config,
)
from trainer_bridge.config import CHANGEABLE, ModelConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.lora import add_adapters, changes, is_adapter
from trainer_bridge.model import Transformer, TransformerBlock
from trainer_bridge.parallel import add_weights

TOKENIZER = "tokenizer"


def check_origin(checkpoint: Path, config: ModelConfig, tokenizer_sha256: str, allowed: Iterable[str]) -> list[str]:
    """Compares another run's model and tokenizer with this run's, as a resumption compares them.

    Args:
        checkpoint: whose weights are to be taken.
        config: of this run's model.
        tokenizer_sha256: of the tokenizer of this run's shards.
        allowed: keys of the model, or ``tokenizer``, that may differ (``run.init_changes``).

    Returns:
        What differs as allowed and what cannot be told, a sentence each.

    Raises:
        TrainerError: something else differs.
    """
    stored = stored_model_config(checkpoint)
    before, now = (effective(values) for values in (stored, config))
    changes = {
        key: f"  model.{key}: was {before[key]!r}, is {now[key]!r}" for key in CHANGEABLE if before[key] != now[key]
    }
    known = stored_tokenizer(read_info(checkpoint))
    if known is not None and known != tokenizer_sha256:
        changes[TOKENIZER] = f"  tokenizer: was {known}, is {tokenizer_sha256} (SHA-256 of the shards' model)"
    refused = {key: line for key, line in changes.items() if key not in allowed}
    if refused:
        raise TrainerError(
            f"the weights in {checkpoint} are those of another model:\n"
            + "\n".join(refused.values())
            + f"\nSet the same values; or, where it is what you want, run.init_changes='[{', '.join(refused)}]'."
        )
    check_shape(checkpoint, stored)
    unknown = ["its tokenizer is not known: make sure that it is the shards' own"] if known is None else []
    return ["changed" + line[1:] for line in changes.values()] + unknown


def take_weights(checkpoint: Path, model: Transformer) -> None:
    """Loads another run's weights into a model, of which this rank may hold a part; what LoRA changed is merged."""
    weights = {name: p.detach() for name, p in model.named_parameters() if not is_adapter(name)}
    load_tensors(checkpoint, {MODEL + name: weight for name, weight in weights.items()})
    lora = stored_lora(checkpoint)
    if not lora.rank:
        return
    for layer in range(model.config.layers):
        block = TransformerBlock(model.config, layer)
        add_adapters(block, lora)
        prefix = f"layers.{layer}."
        adapters = {name: p.data for name, p in block.named_parameters() if is_adapter(name)}
        load_tensors(checkpoint, {MODEL + prefix + name: p for name, p in adapters.items()})
        for name, change in changes(block):
            add_weights(model, f"{prefix}{name}.weight", change.to(weights[f"{prefix}{name}.weight"].device))


def effective(config: ModelConfig) -> dict[str, Any]:
    """What a model computes with, open keys filled in."""
    values = {key: getattr(config, key) for key in CHANGEABLE}
    return {**values, "kv_heads": config.key_value_heads, "ffn_hidden": config.hidden}


def stored_tokenizer(info: dict[str, Any]) -> str | None:
    """SHA-256 of the SentencePiece model that a checkpoint's ids are from; None where it is not known."""
    known = ((info.get("loader") or {}).get("dataset") or {}).get("tokenizer_sha256") or info.get("tokenizer_sha256")
    return str(known) if known else None


def resume_advice(run: Path, damaged: Path) -> str:
    """Which checkpoint to go on from where the newest one is damaged."""
    older = [path for path in list_checkpoints(run) if path.name < damaged.name]
    whole = next((path for path in reversed(older) if not find_damage(path)), None)
    if whole is None:
        return "No older checkpoint of this run is whole."
    return (
        f"{whole} is whole: add --resume-from {step_of(whole)} to go on from there. What is newer is set aside, "
        "not removed."
    )


def config_changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """One line for each key whose value differs between two configurations; new sections are not compared."""
    known = {part: now[part] for part in now if part in before}
    before, now = _plain(before), _plain(known)
    keys = sorted({(part, key) for values in (before, now) for part in values for key in values[part]})
    return [
        f"  {part}.{key}: was {before.get(part, {}).get(key)!r}, is {now.get(part, {}).get(key)!r}"
        for part, key in keys
        if before.get(part, {}).get(key) != now.get(part, {}).get(key)
    ]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        part: {key: list(value) if isinstance(value, tuple) else value for key, value in keys.items()}
        for part, keys in values.items()
    }
