"""Every choice of a training run, as frozen dataclasses, built once from a YAML recipe and the command line.

Defaults are the LLaMA paper's (section 2.2 and 2.3) where it states a value. Where it is silent, the docstring
says whose value it is.
"""

import math
from dataclasses import dataclass, field

from trainer_bridge.errors import TrainerError

FFN_MULTIPLE = 256  # meta-llama/llama, params.json: "multiple_of"
LEAST_WINDOW = 32  # the deviation of fewer than half of these steps says little: ordinary steps would be skipped
MATRICES = ("wq", "wk", "wv", "wo", "w1", "w2", "w3")
MOST_POSITIONS = 1 << 22  # of the rotary tables: a number in a file shall not fill the memory
# Keys of a model that change how the same weights compute; the others speak of its first weights.
CHANGEABLE = ("dim", "layers", "heads", "kv_heads", "vocab_size", "ffn_hidden", "context", "norm_eps", "rope_theta")


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a LLaMA. No biases, no dropout, embedding and head untied.

    Attributes:
        dim: Width of the residual stream.
        layers: Blocks.
        heads: Query heads of a block.
        vocab_size: Ids; where None, what the shards' manifest says.
        kv_heads: Key and value heads of a block; where None, as many as heads (LLaMA-1); 8 in Llama-2's 34B and 70B.
        ffn_hidden: Width of the feed-forward layer; where None, 2/3 * 4 * dim, rounded up to a multiple of 256.
        context: The longest sequence: length of the rotary tables.
        norm_eps: Of RMSNorm. Released files: 1e-6 for 7B, 13B, 33B; 1e-5 for 65B and Llama-2.
        rope_theta: Base of the rotary frequencies.
        init_std: Of the first weights. Not published; GPT-2's value, truncated at 3 standard deviations.
        init_depth_scaled: Whether wo and w2 are divided by sqrt(2 * layers) at first, as in GPT-2.
    """

    dim: int
    layers: int
    heads: int
    vocab_size: int | None = None
    kv_heads: int | None = None
    ffn_hidden: int | None = None
    context: int = 2048
    norm_eps: float = 1e-6
    rope_theta: float = 10000.0
    init_std: float = 0.02
    init_depth_scaled: bool = True

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
        at_least(1, "model", self, "dim", "layers", "heads", "vocab_size", "kv_heads", "ffn_hidden", "context")
        above_zero("model", self, "norm_eps", "rope_theta")
        at_least(0, "model", self, "init_std")
        require(self.context <= MOST_POSITIONS, "model.context", self.context, f"at most {MOST_POSITIONS:,}")
        require(self.dim % self.heads == 0, "model.heads", self.heads, f"a divisor of model.dim = {self.dim}")
        require(
            self.head_dim % 2 == 0,
            "model.heads",
            self.heads,
            "one that gives an even head width (rotary pairs)",
        )
        groups = self.heads % self.key_value_heads == 0
        require(groups, "model.kv_heads", self.kv_heads, f"a divisor of model.heads = {self.heads}")


@dataclass(frozen=True)
class DataConfig:
    """Where the samples come from and in which order.

    Attributes:
        path: The folder of token shards, local or ``s3://`` or ``gs://``; ``--data`` sets it.
        cache: Where shards of an object store are kept on the local disk; where None, ``shards`` in
            ``$LLAMA_CORPUS_CACHE``, else in ``~/.cache/llama-corpus``.
        seed: Of the order; the weights have their own seed.
        shuffle_block: Rows that lie together on disk and are read together (64: about 256 KB at 2,048 ids).
        shuffle_window: Rows shuffled among each other, row by row; as large as the data: a full shuffle.
        document_mask: Whether a token attends to its own document alone. False: across documents, as the paper's code
            did as far as it says.
        predict_across_documents: Whether predicting a document's first id counts in the loss.
        tokenizer: A SentencePiece model; where None, tokenizer.model beside the shards, if it is there.
    """

    path: str | None = None
    cache: str | None = None
    seed: int = 1
    shuffle_block: int = 64
    shuffle_window: int = 65536
    document_mask: bool = False
    predict_across_documents: bool = True
    tokenizer: str | None = None


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW and its schedule (paper, section 2.3 and table 2).

    Attributes:
        lr: The largest learning rate.
        betas: Of AdamW.
        eps: Of AdamW. Not in the paper: PyTorch's default; Llama-2 says 1e-5.
        weight_decay: Of AdamW.
        decay_norms: Whether the norms' weights decay, too. The paper does not say; matrices only is GPT-3's lineage.
        clip: The largest norm of the gradient.
        schedule: From the warm-up's end on: ``cosine``, the paper's; ``linear``: a straight line; ``wsd``: constant,
            then a straight line (warm-up, stable, decay: MiniCPM, arXiv 2404.06395).
        warmup_steps: Steps over which the learning rate rises.
        warmup_fraction: The same as a share of the run's steps, rounded up.
        decay_fraction: Share of the run's steps over which ``wsd`` falls (MiniCPM: a tenth).
        final_lr_fraction: Where the schedule ends, as a share of ``lr``.
        moment_dtype: ``fp32``, or ``bf16``, which halves the moments' memory (CUDA only).
        skip_sigma: A step whose loss or gradient norm is further out is skipped (OLMo's rule); 0: only a non-finite
            one is.
        skip_window: Steps whose mean and deviation say what is "further out".
        skip_limit: Steps skipped in a row at which the run ends with an error; half the run's steps where those are
            fewer.
    """

    lr: float = 3e-4
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    decay_norms: bool = False
    clip: float = 1.0
    schedule: str = "cosine"
    warmup_steps: int = 2000
    warmup_fraction: float | None = None
    decay_fraction: float = 0.1
    final_lr_fraction: float = 0.1
    moment_dtype: str = "fp32"
    skip_sigma: float = 6.0
    skip_window: int = 128
    skip_limit: int = 25

    def warmup(self, steps: int) -> int:
        """Steps over which the learning rate rises in a run of ``steps``."""
        return self.warmup_steps if self.warmup_fraction is None else math.ceil(self.warmup_fraction * steps)


@dataclass(frozen=True)
class EfficiencyConfig:
    """How the same numbers are computed faster (paper, section 2.4).

    Attributes:
        dtype: Of the computation: ``bf16``, ``fp32``, or ``auto``: bf16 on a GPU, fp32 on a CPU. Weights and moments
            stay fp32.
        checkpointing: What is computed again in the backward pass: ``none``, ``linear`` (the outputs of linear layers
            and attention are kept), ``full``.
        compile: ``on``, ``off``, or ``auto``: on a GPU.
        attention: ``auto``: cuDNN, then flash, then the rest; or one of ``cudnn``, ``flash``, ``efficient``, ``math``.
        loss_chunk: Tokens whose logits exist at one time.
        tensor_parallel: Ranks that share each matrix (tensor and sequence parallel).
        async_tensor_parallel: Whether its communication hides behind the matrix products (CUDA, symmetric memory).
        reshard_after_forward: Whether FSDP frees the gathered weights of a block until its backward pass.
        fp32_matmul: ``high``: TF32 in fp32 products on a GPU; ``highest``: none; ``medium``.
    """

    dtype: str = "auto"
    checkpointing: str = "none"
    compile: str = "auto"
    attention: str = "auto"
    loss_chunk: int = 2048
    tensor_parallel: int = 1
    async_tensor_parallel: bool = False
    reshard_after_forward: bool = True
    fp32_matmul: str = "high"


@dataclass(frozen=True)
class RunConfig:
    """Length of the run, its batch, its records.

    Attributes:
        steps: Length of the run in steps of the optimiser; ``--steps`` sets it.
        epochs: The same as how often each row of the shards is read; the last step is filled up.
        tokens: The same in tokens; only whole steps. Of the three, the one given last counts.
        batch_tokens: Tokens of a step (4,194,304: 2,048 sequences of 2,048).
        batch_sequences: The same in rows of the shards, whatever their length. Of the two, the one given last counts.
        micro_batch: Sequences that one rank computes at a time.
        seed: Of the first weights.
        init_from: A run whose weights this one starts from (an imported model, say); step and moments start anew.
        init_changes: Keys of the model, or ``tokenizer``, in which that run may differ from this one.
        save_every: Steps from checkpoint to checkpoint.
        keep: Checkpoints that are kept, the newest.
        log_every: Steps between lines of progress: the only ones at which the host waits for the device.
        deterministic: Whether only kernels are used that give the same bits each time; a CPU always does.
        threads: CPU threads of the computation; where None, PyTorch's choice.
        wandb_project: A project of Weights & Biases that gets the metrics, too.
        tensorboard: Whether TensorBoard's files are written, too.
        gc_every: Steps between collections of Python's garbage; the collector's own pauses are off.
        profile: Steps that PyTorch's profiler records, from the eleventh of this start on; the first rank's trace is
            RUN/profile/*.json.gz (perfetto.dev opens it).
    """

    steps: int | None = None
    epochs: float | None = None
    tokens: float = 1.0e12
    batch_tokens: int = 4_194_304
    batch_sequences: int | None = None
    micro_batch: int = 4
    seed: int = 0
    init_from: str | None = None
    init_changes: tuple[str, ...] = ()
    save_every: int = 1000
    keep: int = 3
    log_every: int = 10
    deterministic: bool = False
    threads: int | None = None
    wandb_project: str | None = None
    tensorboard: bool = False
    gc_every: int = 1000
    profile: int = 0

    def batch(self, seq_len: int) -> int:
        """Rows of a step, of shards whose rows have ``seq_len`` positions."""
        return self.batch_tokens // seq_len if self.batch_sequences is None else self.batch_sequences

    def length(self, rows: int, seq_len: int) -> int:
        """Steps of the run, on shards of ``rows`` rows of ``seq_len`` positions."""
        if self.steps is not None:
            return self.steps
        batch = self.batch(seq_len)
        if self.epochs is not None:
            return math.ceil(self.epochs * rows / batch)
        return max(1, int(self.tokens // (batch * seq_len)))


@dataclass(frozen=True)
class LoraConfig:
    """What is trained beside weights that stay as they are (LoRA, Hu et al. 2021); it needs ``run.init_from``.

    Attributes:
        rank: Of the change of each matrix; 0: none, all weights are trained.
        alpha: The change is scaled by alpha / rank (Alpaca-LoRA: 16 at rank 8).
        targets: The matrices that change, of ``wq``, ``wk``, ``wv``, ``wo``, ``w1``, ``w2``, ``w3``; the default is the
            paper's.
    """

    rank: int = 0
    alpha: float = 16.0
    targets: tuple[str, ...] = ("wq", "wv")


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured on the way; it changes nothing in the training.

    Attributes:
        every: Steps from evaluation to evaluation; 0: none. The last step is one, too.
        heldout: A folder of held-out token shards, for the loss of each source; where None, ``heldout`` beside the
            training shards, if it is there.
        rows: Rows of it that are scored, the first ones; where None, all.
        tasks: Tasks of lm-evaluation-harness, ``.yaml`` files in its format, or rows of the papers' tables
            (``llama1:boolq``). Needs ``.[evaluation]``.
        limit: Documents of each task; where None, all. The paper's curves (figure 2) are over all.
        shots: Examples in the prompt; where None, what each task says.
        data: A folder with the tasks' data sets; where None, the Hugging Face hub.
        batch_tokens: Positions that one rank computes at a time.
    """

    every: int = 0
    heldout: str | None = None
    rows: int | None = None
    tasks: tuple[str, ...] = ()
    limit: int | None = 1000
    shots: int | None = None
    data: str | None = None
    batch_tokens: int = 16384


@dataclass(frozen=True)
class CostConfig:
    """What a run's report of its cost takes for granted (paper, section 6).

    Attributes:
        watts: Of one GPU; where None, what nvidia-smi measures meanwhile. The paper took an A100's 400.
        pue: Power usage effectiveness: the whole data centre's energy over the devices'.
        intensity: Kilograms of CO2 equivalent for a kilowatt hour; the default is the paper's, the mean of the USA.
    """

    watts: float | None = None
    pue: float = 1.1
    intensity: float = 0.385


@dataclass(frozen=True)
class TrainConfig:
    """A whole run."""

    model: ModelConfig
    data: DataConfig = field(default_factory=DataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    efficiency: EfficiencyConfig = field(default_factory=EfficiencyConfig)
    run: RunConfig = field(default_factory=RunConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    cost: CostConfig = field(default_factory=CostConfig)

    def validate(self) -> None:
        """Raises TrainerError naming the first key whose value cannot be used."""
        self.model.validate()
        efficiency, optimizer, run = self.efficiency, self.optimizer, self.run
        one_of("efficiency.dtype", efficiency.dtype, ("auto", "bf16", "fp32"))
        one_of("efficiency.checkpointing", efficiency.checkpointing, ("none", "linear", "full"))
        one_of("efficiency.compile", efficiency.compile, ("auto", "on", "off"))
        one_of("efficiency.attention", efficiency.attention, ("auto", "cudnn", "flash", "efficient", "math"))
        one_of("efficiency.fp32_matmul", efficiency.fp32_matmul, ("highest", "high", "medium"))
        one_of("optimizer.moment_dtype", optimizer.moment_dtype, ("fp32", "bf16"))
        one_of("optimizer.schedule", optimizer.schedule, ("cosine", "linear", "wsd"))
        at_least(LEAST_WINDOW, "optimizer", optimizer, "skip_window")
        at_least(1, "optimizer", optimizer, "skip_limit")
        shares = {"decay_fraction": optimizer.decay_fraction, "final_lr_fraction": optimizer.final_lr_fraction}
        for key, share in shares.items():
            require(0 <= share <= 1, f"optimizer.{key}", share, "a share from 0 to 1")
        at_least(0, "optimizer", optimizer, "lr", "weight_decay", "warmup_steps", "skip_sigma")
        warmup = optimizer.warmup_fraction
        require(warmup is None or 0 <= warmup <= 1, "optimizer.warmup_fraction", warmup, "a share from 0 to 1")
        above_zero("optimizer", optimizer, "eps", "clip")
        fine = all(0 <= beta < 1 for beta in optimizer.betas)
        require(fine, "optimizer.betas", optimizer.betas, "two numbers from 0 to below 1")
        at_least(1, "run", run, "steps", "micro_batch", "batch_tokens", "save_every", "keep", "log_every", "gc_every")
        at_least(1, "run", run, "threads", "batch_sequences")
        at_least(0, "run", run, "profile")
        above_zero("run", run, "tokens")
        require(run.epochs is None or run.epochs > 0, "run.epochs", run.epochs, "above 0")
        for key in run.init_changes:
            one_of("run.init_changes", key, (*CHANGEABLE, "tokenizer"))
        self._validate_lora()
        at_least(0, "evaluation", self.evaluation, "every", "shots")
        at_least(1, "evaluation", self.evaluation, "rows", "limit", "batch_tokens")
        at_least(0, "cost", self.cost, "watts", "intensity")
        at_least(1, "cost", self.cost, "pue")
        at_least(1, "data", self.data, "shuffle_block", "shuffle_window")
        at_least(1, "efficiency", efficiency, "loss_chunk", "tensor_parallel")

    def _validate_lora(self) -> None:
        lora = self.lora
        at_least(0, "lora", lora, "rank")
        above_zero("lora", lora, "alpha")
        for name in lora.targets:
            one_of("lora.targets", name, MATRICES)
        if lora.rank:
            require(bool(lora.targets), "lora.targets", lora.targets, ", ".join(MATRICES))
            if self.run.init_from is None:
                raise TrainerError("lora.rank is set, and nothing to start from: give run.init_from=RUN")
            if self.efficiency.tensor_parallel > 1:
                raise TrainerError("lora.rank is set: efficiency.tensor_parallel must be 1")


def at_least(least: int, section: str, values: object, *keys: str) -> None:
    """Refuses smaller values; None, where a key allows it, is fine."""
    for key in keys:
        value = getattr(values, key)
        require(value is None or value >= least, f"{section}.{key}", value, f"at least {least}")


def above_zero(section: str, values: object, *keys: str) -> None:
    """Refuses 0 and below."""
    for key in keys:
        require(getattr(values, key) > 0, f"{section}.{key}", getattr(values, key), "above 0")


def require(fine: bool, key: str, value: object, allowed: str) -> None:
    """Raises TrainerError that names a key, its value and what is allowed, unless it is fine."""
    if not fine:
        raise TrainerError(f"{key} = {value!r} cannot be used; allowed: {allowed}")


def one_of(key: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuses a word that is not among some."""
    require(value in allowed, key, value, ", ".join(allowed))
