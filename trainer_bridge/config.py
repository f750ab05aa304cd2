"""Every choice of a training run, as frozen dataclasses, built once from a YAML recipe and the command line.

Defaults are the LLaMA paper's (section 2.2 and 2.3) where it states a value. Where it is silent, the comment
at the key says whose value it is.
"""

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from trainer_bridge.errors import TrainerError

RECIPES = Path(__file__).resolve().parents[1] / "recipes" / "train"
FFN_MULTIPLE = 256  # meta-llama/llama, params.json: "multiple_of"
T = TypeVar("T")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a LLaMA. No biases, no dropout, embedding and head untied."""

    dim: int
    layers: int
    heads: int
    vocab_size: int | None = None  # None: what the shards' manifest says
    kv_heads: int | None = None  # None: as many as heads (LLaMA-1); 8 in Llama-2's 34B and 70B
    ffn_hidden: int | None = None  # None: 2/3 * 4 * dim, rounded up to a multiple of 256
    context: int = 2048  # the longest sequence: length of the rotary tables
    norm_eps: float = 1e-6  # released files: 1e-6 for 7B, 13B, 33B; 1e-5 for 65B and Llama-2
    rope_theta: float = 10000.0
    init_std: float = 0.02  # not published; GPT-2's value, truncated at 3 standard deviations
    init_depth_scaled: bool = True  # wo and w2 divided by sqrt(2 * layers), as in GPT-2

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.dim // self.heads

    @property
    def key_value_heads(self) -> int:
        """Number of key and value heads."""
        return self.kv_heads or self.heads

    @property
    def hidden(self) -> int:
        """Width of the feed-forward layer (meta-llama/llama, model.py, FeedForward)."""
        wanted = int(2 * (4 * self.dim) / 3)
        return self.ffn_hidden or FFN_MULTIPLE * ((wanted + FFN_MULTIPLE - 1) // FFN_MULTIPLE)

    @property
    def vocab(self) -> int:
        """Vocabulary size; an error where neither the recipe nor the shards have set it."""
        if self.vocab_size is None:
            raise TrainerError("model.vocab_size is not set and no shards were given to take it from")
        return self.vocab_size

    def validate(self) -> None:
        """Raises TrainerError for a shape that cannot be built."""
        _at_least(1, "model", self, "dim", "layers", "heads", "vocab_size", "kv_heads", "ffn_hidden", "context")
        _above_zero("model", self, "norm_eps", "rope_theta")
        _at_least(0, "model", self, "init_std")
        _require(self.dim % self.heads == 0, "model.heads", self.heads, f"a divisor of model.dim = {self.dim}")
        _require(
            self.head_dim % 2 == 0,
            "model.heads",
            self.heads,
            "one that gives an even head width (rotary pairs)",
        )
        groups = self.heads % self.key_value_heads == 0
        _require(groups, "model.kv_heads", self.kv_heads, f"a divisor of model.heads = {self.heads}")


@dataclass(frozen=True)
class DataConfig:
    """Where the samples come from and in which order."""

    path: str | None = None
    seed: int = 1  # of the order; the weights have their own seed
    # rows that lie together on disk and are read together (about 256 KB at 2,048 ids)
    shuffle_block: int = 64
    # rows shuffled among each other, row by row; as large as the data: a full shuffle
    shuffle_window: int = 65536
    document_mask: bool = False  # attend across documents, as the paper's code did as far as it says
    predict_across_documents: bool = True  # False: no loss for predicting a document's first id
    # a SentencePiece model; None: tokenizer.model beside the shards, if it is there
    tokenizer: str | None = None


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and its schedule (paper, section 2.3 and table 2)."""

    lr: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8  # not in the paper: PyTorch's default; Llama-2 says 1e-5
    weight_decay: float = 0.1
    decay_norms: bool = False  # matrices only, as in GPT-3's code lineage; the paper does not say
    clip: float = 1.0
    warmup_steps: int = 2000
    final_lr_fraction: float = 0.1
    moment_dtype: str = "fp32"  # bf16 halves the moments' memory (CUDA only)
    # a step further out than this is skipped (OLMo's rule); 0: only a non-finite one is
    skip_sigma: float = 6.0
    skip_window: int = 128  # steps whose mean and deviation say what is "further out"


@dataclass(frozen=True)
class EfficiencyConfig:
    """How the same numbers are computed faster (paper, section 2.4)."""

    dtype: str = "auto"  # of the computation: bf16 on a GPU, fp32 on a CPU; weights and moments stay fp32
    checkpointing: str = "none"  # none, linear (keep the outputs of linear layers and attention), full
    compile: str = "auto"  # auto: on a GPU; on, off
    attention: str = "auto"  # auto: cuDNN, then flash, then the rest; or one of cudnn, flash, efficient, math
    loss_chunk: int = 2048  # tokens whose logits exist at one time
    tensor_parallel: int = 1  # ranks that share each matrix (tensor and sequence parallel)
    # hide its communication behind the matrix products (CUDA, symmetric memory)
    async_tensor_parallel: bool = False
    reshard_after_forward: bool = True  # FSDP: free the gathered weights of a block until its backward pass
    fp32_matmul: str = "high"  # TF32 in fp32 products on a GPU; highest: none


@dataclass(frozen=True)
class RunConfig:
    """Length of the run, its batch, its records."""

    steps: int | None = None  # None: tokens / batch_tokens
    tokens: float = 1.0e12
    batch_tokens: int = 4_194_304  # 2,048 sequences of 2,048
    micro_batch: int = 4  # sequences that one rank computes at a time
    seed: int = 0  # of the weights
    # start from this run's weights (an imported model, say); step and moments start anew
    init_from: str | None = None
    save_every: int = 1000
    keep: int = 3
    log_every: int = 10  # the only steps at which the host waits for the device
    deterministic: bool = False  # only kernels that give the same bits each time; a CPU always does
    threads: int | None = None  # CPU threads of the computation; None: PyTorch's choice
    wandb_project: str | None = None
    tensorboard: bool = False
    gc_every: int = 1000  # steps between collections of Python's garbage; the collector's own pauses are off


@dataclass(frozen=True)
class TrainConfig:
    """A whole run."""

    model: ModelConfig
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    efficiency: EfficiencyConfig = field(default_factory=EfficiencyConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def validate(self) -> None:
        """Raises TrainerError naming the first key whose value cannot be used."""
        self.model.validate()
        efficiency, optimizer, run = self.efficiency, self.optimizer, self.run
        _one_of("efficiency.dtype", efficiency.dtype, ("auto", "bf16", "fp32"))
        _one_of("efficiency.checkpointing", efficiency.checkpointing, ("none", "linear", "full"))
        _one_of("efficiency.compile", efficiency.compile, ("auto", "on", "off"))
        _one_of("efficiency.attention", efficiency.attention, ("auto", "cudnn", "flash", "efficient", "math"))
        _one_of("efficiency.fp32_matmul", efficiency.fp32_matmul, ("highest", "high", "medium"))
        _one_of("optimizer.moment_dtype", optimizer.moment_dtype, ("fp32", "bf16"))
        _at_least(2, "optimizer", optimizer, "skip_window")
        _at_least(0, "optimizer", optimizer, "lr", "weight_decay", "warmup_steps", "final_lr_fraction", "skip_sigma")
        _above_zero("optimizer", optimizer, "eps", "clip")
        fine = all(0 <= beta < 1 for beta in optimizer.betas)
        _require(fine, "optimizer.betas", optimizer.betas, "two numbers from 0 to below 1")
        _at_least(1, "run", run, "steps", "micro_batch", "batch_tokens", "save_every", "keep", "log_every", "gc_every")
        _at_least(1, "run", run, "threads")
        _above_zero("run", run, "tokens")
        _at_least(1, "data", self.data, "shuffle_block", "shuffle_window")
        _at_least(1, "efficiency", efficiency, "loss_chunk", "tensor_parallel")


def _at_least(least: int, section: str, values: object, *keys: str) -> None:
    """Refuses smaller values; None, where a key allows it, is fine."""
    for key in keys:
        value = getattr(values, key)
        _require(value is None or value >= least, f"{section}.{key}", value, f"at least {least}")


def _above_zero(section: str, values: object, *keys: str) -> None:
    for key in keys:
        _require(getattr(values, key) > 0, f"{section}.{key}", getattr(values, key), "above 0")


def _require(fine: bool, key: str, value: object, allowed: str) -> None:
    if not fine:
        raise TrainerError(f"{key} = {value!r} cannot be used; allowed: {allowed}")


def _one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    _require(value in allowed, key, value, ", ".join(allowed))


def recipe_names() -> list[str]:
    """Names of the model recipes that come with the project, sorted."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def read_recipe(name_or_path: str) -> dict[str, Any]:
    """Reads a recipe by its name (``7B``) or its path (``my.yaml``).

    Raises:
        TrainerError: no such recipe, or not a YAML mapping.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = RECIPES / f"{name_or_path}.yaml"
    if not path.is_file():
        raise TrainerError(f"no recipe {name_or_path!r}; there are {', '.join(recipe_names())}, or give a .yaml file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainerError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise TrainerError(f"{path} holds no mapping of keys to values")
    return values


def apply_override(values: dict[str, Any], override: str) -> None:
    """Writes one ``section.key=value`` (value in YAML) into a recipe's mapping, in place."""
    key, equals, text = override.partition("=")
    section, dot, name = key.partition(".")
    if not equals or not dot:
        raise TrainerError(f"override {override!r} is not of the form section.key=value")
    try:
        values.setdefault(section, {})[name] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TrainerError(f"override {override!r}: {text!r} is not a YAML value") from error


def build(kind: type[T], values: Any, where: str = "") -> T:
    """Builds a configuration dataclass from a mapping.

    Args:
        kind: the dataclass.
        values: keys and values, nested as the dataclass is.
        where: the dotted name of the mapping, for errors.

    Raises:
        TrainerError: an unknown key (with the nearest known one), a missing one, or a value of the wrong
            kind.
    """
    if not isinstance(values, dict):
        raise TrainerError(f"{where.rstrip('.') or 'the recipe'} must be a mapping, not {values!r}")
    hints = typing.get_type_hints(kind)
    for key in values:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"; did you mean {where}{near[0]}?" if near else f"; known: {', '.join(hints)}"
            raise TrainerError(f"unknown key {where}{key}{hint}")
    try:
        return kind(**{key: _coerce(hints[key], value, f"{where}{key}") for key, value in values.items()})
    except TypeError as error:
        raise TrainerError(f"{where.rstrip('.') or 'the recipe'}: {str(error).partition('() ')[2] or error}") from error


def _coerce(hint: Any, value: Any, where: str) -> Any:
    """Turns a YAML value into the key's type (1e-5 is a string in YAML 1.1; a list becomes a tuple)."""
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, where + ".")
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    wanted = next(option for option in options if option is not type(None))
    if typing.get_origin(wanted) is tuple and isinstance(value, list | tuple):
        kinds = typing.get_args(wanted)
        if len(kinds) == len(value):
            return tuple(_coerce(kind, item, where) for kind, item in zip(kinds, value, strict=True))
    elif (wanted in (str, bool) and isinstance(value, wanted)) or (wanted is str and isinstance(value, bool)):
        return (
            {True: "on", False: "off"}.get(value, value) if wanted is str else value
        )  # YAML reads on and off as bools
    elif wanted in (int, float) and not isinstance(value, bool):
        number = _number(value)
        if number is not None and (wanted is float or number == int(number)):
            return wanted(number)
    name = getattr(wanted, "__name__", str(wanted))
    raise TrainerError(f"{where} = {value!r} cannot be used; allowed: a value of type {name}")


def _number(value: Any) -> float | None:
    try:
        number = float(str(value).replace("_", ""))
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None  # nan is no number here either


def load_config(recipe: str, overrides: list[str]) -> TrainConfig:
    """Builds and validates the configuration of a run from a recipe and ``section.key=value`` overrides."""
    values = read_recipe(recipe)
    for override in overrides:
        apply_override(values, override)
    config = build(TrainConfig, values)
    config.validate()
    return config


def to_dict(config: Any) -> dict[str, Any]:
    """The configuration as plain nested values, for JSON; ``build`` reads it back."""
    return dataclasses.asdict(config)
