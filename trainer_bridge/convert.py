"""Weights between Meta's names and layout and Hugging Face's.

Hugging Face rotates the first half of a head against its second half; Meta rotates neighbouring pairs. The
two agree when the rows of wq and wk are reordered within each head (transformers,
convert_llama_weights_to_hf.py, permute).
"""

# mypy: disable-error-code="no-untyped-call, no-any-return"
# (PyTorch leaves unflatten untyped.)

from typing import Any

from torch import Tensor

from trainer_bridge.config import ModelConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.recipe import build

# Meta's name -> Hugging Face's, outside the layers and (after "layers.N." and "model.layers.N.") inside.
OUTER = {
    "tok_embeddings.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
INNER = {
    "attention.wq.weight": "self_attn.q_proj.weight",
    "attention.wk.weight": "self_attn.k_proj.weight",
    "attention.wv.weight": "self_attn.v_proj.weight",
    "attention.wo.weight": "self_attn.o_proj.weight",
    "feed_forward.w1.weight": "mlp.gate_proj.weight",
    "feed_forward.w2.weight": "mlp.down_proj.weight",
    "feed_forward.w3.weight": "mlp.up_proj.weight",
    "attention_norm.weight": "input_layernorm.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
}


def _halves(weight: Tensor, heads: int) -> Tensor:
    """Rows of each head from neighbouring pairs to first half and second half."""
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def _pairs(weight: Tensor, heads: int) -> Tensor:
    """The way back."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def hf_name(name: str) -> str:
    """Hugging Face's name of one of Meta's."""
    if name in OUTER:
        return OUTER[name]
    _, layer, rest = name.split(".", 2)
    return f"model.layers.{layer}.{INNER[rest]}"


def to_hf(state: dict[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Renames and reorders weights (all, or any part of them) from Meta's layout to Hugging Face's."""
    heads = {"attention.wq.weight": config.heads, "attention.wk.weight": config.key_value_heads}
    result = {}
    for name, weight in state.items():
        count = heads.get(name.split(".", 2)[-1])
        result[hf_name(name)] = (_halves(weight, count) if count else weight).contiguous()
    return result


def from_hf(state: dict[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """The way back; buffers such as ``rotary_emb.inv_freq`` are left out.

    Raises:
        TrainerError: a weight that LLaMA does not have.
    """
    outer = {value: key for key, value in OUTER.items()}
    inner = {value: key for key, value in INNER.items()}
    heads = {"self_attn.q_proj.weight": config.heads, "self_attn.k_proj.weight": config.key_value_heads}
    result = {}
    for name, weight in state.items():
        parts = name.split(".", 3)
        rest = parts[-1] if parts[:2] == ["model", "layers"] else ""
        if name in outer:
            result[outer[name]] = weight
        elif rest in inner:
            count = heads.get(rest)
            result[f"layers.{parts[2]}.{inner[rest]}"] = _pairs(weight, count) if count else weight
        elif not name.endswith("rotary_emb.inv_freq"):
            raise TrainerError(f"the weight {name} belongs to no LLaMA")
    return result


def hf_config(config: ModelConfig, bos: int | None, eos: int | None, dtype: str) -> dict[str, Any]:
    """The ``config.json`` of transformers' LlamaForCausalLM for a model of this shape."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab,
        "hidden_size": config.dim,
        "intermediate_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_value_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "initializer_range": config.init_std,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "dtype": dtype,
        "torch_dtype": dtype,
    }


# Keys of a config.json that this model has no choice in; where one is missing, it means the allowed value.
FIXED = {
    "model_type": "llama",
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "attention_bias": False,
    "mlp_bias": False,
    "rope_type": "default",
    "partial_rotary_factor": 1.0,
    "quantization_config": None,
    "sliding_window": None,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "num_local_experts": None,
    "is_encoder_decoder": False,
}


def from_hf_config(values: dict[str, Any]) -> ModelConfig:
    """The shape of a LLaMA from its Hugging Face ``config.json``.

    Raises:
        TrainerError: another architecture, or a LLaMA with parts that this one does not have.
    """
    ropes: list[dict[str, Any]] = [values.get(key) or {} for key in ("rope_scaling", "rope_parameters")]
    for part in (values, *ropes):
        found = {**part, "rope_type": part.get("rope_type", part.get("type"))}
        for key, allowed in FIXED.items():
            if found.get(key) is not None and found[key] != allowed:
                raise TrainerError(f"config.json: {key} = {found[key]!r} cannot be used; allowed: {allowed!r}")
    if "model_type" not in values:
        raise TrainerError("config.json lacks the key model_type")
    rope = {**ropes[0], **ropes[1]}
    try:
        shape = {
            "dim": values["hidden_size"],
            "layers": values["num_hidden_layers"],
            "heads": values["num_attention_heads"],
            "kv_heads": values.get("num_key_value_heads"),
            "vocab_size": values["vocab_size"],
            "ffn_hidden": values["intermediate_size"],
            "context": values.get("max_position_embeddings", 2048),
            "norm_eps": values.get("rms_norm_eps", 1e-6),
            "rope_theta": rope.get("rope_theta", values.get("rope_theta", 10000.0)),
        }
    except KeyError as error:
        raise TrainerError(f"config.json lacks the key {error.args[0]}") from error
    config = build(ModelConfig, shape, "config.json: ")
    config.validate()
    width = values.get("head_dim") or config.dim // config.heads
    if width * config.heads != config.dim:
        raise TrainerError(
            f"config.json: head_dim = {width} cannot be used; allowed: hidden_size / num_attention_heads"
        )
    return config
