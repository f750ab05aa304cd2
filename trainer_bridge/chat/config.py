"""Every choice of reward models, rejection sampling, PPO and Ghost Attention, as frozen dataclasses.

Defaults are those of Llama 2's section 3 (arXiv 2307.09288), for 7B and 13B. Where it is silent, the docstring says so.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from trainer_bridge.config import above_zero, at_least, one_of, require
from trainer_bridge.recipe import CHAT, apply_override, build, read_recipe

# Table 27: significantly better, better, slightly better, negligibly better or unsure.
MARGINS = {"small": (1.0, 2 / 3, 1 / 3, 0.0), "large": (3.0, 2.0, 1.0, 0.0), "none": (0.0, 0.0, 0.0, 0.0)}
LEVELS = ("significantly", "better", "slightly", "unsure")


@dataclass(frozen=True)
class RewardConfig:
    """A reward model (section 3.2).

    Attributes:
        margins: The table of margins of the loss, by how much better the chosen answer is (table 27): ``small`` (1,
            2/3, 1/3, 0), ``large`` (3, 2, 1, 0), ``none``. The paper trains with both; small is the one that costs
            answers that are much alike less.
        margin_bounds: From which value on a pair's own ``margin`` is "significantly better", "better", "slightly
            better". Below, and where it has none, it is "negligibly better or unsure". Fits scores such as 3, 2, 1, 0.
        more_share: Share of all training pairs that ``--more`` gives, as far as it has so many: 0.1 for safety, 0.5 for
            helpfulness in the paper.
        heldout: Share of the prompts that is kept for the accuracy, drawn by a hash; unless ``--heldout`` names pairs.
            The paper has about 1,000 examples of each set.
        safety_weight: Of the auxiliary loss, where pairs say which answer is safe. The paper has one for its safety
            model and says neither its form nor its weight: here the cross-entropy of sigmoid(score) against the label.
        lr: The largest learning rate: 1e-5; 5e-6 for 70B.
        final_lr_fraction: Where the cosine ends, as a share of ``lr``.
        warmup_fraction: Share of the steps over which the learning rate rises.
        warmup_least: Steps of it at the least.
        epochs: Passes; more overfit (paper).
        batch_pairs: Pairs of a step: 512, so 1,024 rows.
        micro_batch: Pairs that are computed at a time.
        betas: Of AdamW, as in pre-training.
        eps: Of AdamW.
        weight_decay: Of AdamW.
        clip: The largest norm of the gradient.
        save_every: Steps from checkpoint to checkpoint.
        log_every: Steps between lines of progress.
        seed: Of the head's first weights and the order of pairs.
    """

    margins: str = "small"
    margin_bounds: tuple[float, float, float] = (3.0, 2.0, 1.0)
    more_share: float = 0.1
    heldout: float = 0.05
    safety_weight: float = 1.0
    lr: float = 1e-5
    final_lr_fraction: float = 0.1
    warmup_fraction: float = 0.03
    warmup_least: int = 5
    epochs: int = 1
    batch_pairs: int = 512
    micro_batch: int = 4
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-5
    weight_decay: float = 0.1
    clip: float = 1.0
    save_every: int = 200
    log_every: int = 10
    seed: int = 0

    def validate(self) -> None:
        """Raises TrainerError naming the first key whose value cannot be used."""
        one_of("reward.margins", self.margins, tuple(MARGINS))
        falls = sorted(self.margin_bounds, reverse=True) == list(self.margin_bounds)
        require(falls, "reward.margin_bounds", self.margin_bounds, "three numbers, the largest first")
        require(0 <= self.more_share < 1, "reward.more_share", self.more_share, "a share from 0 to below 1")
        require(0 < self.heldout < 1, "reward.heldout", self.heldout, "a share above 0 and below 1")
        for key in ("final_lr_fraction", "warmup_fraction"):
            require(0 <= getattr(self, key) <= 1, f"reward.{key}", getattr(self, key), "a share from 0 to 1")
        at_least(0, "reward", self, "safety_weight", "lr", "warmup_least", "weight_decay", "seed")
        at_least(1, "reward", self, "epochs", "batch_pairs", "micro_batch", "save_every", "log_every")
        above_zero("reward", self, "eps", "clip")
        fits = self.batch_pairs % self.micro_batch == 0
        require(fits, "reward.micro_batch", self.micro_batch, f"a divisor of reward.batch_pairs = {self.batch_pairs}")


@dataclass(frozen=True)
class RejectionConfig:
    """Rejection sampling (section 3.2.3).

    Attributes:
        samples: Answers drawn for a prompt (K); the paper shows gains from 10 to 100.
        temperature: Of the draws: 1.2 to 1.3 for 10 to 100 samples of a model that was trained so before; near 1 for
            the first. The paper finds it anew in each iteration.
        top_p: Draws are from the likeliest ids whose probabilities reach this sum; 1: from all. Not in the paper.
        tokens: Of an answer, at most; prompt and answer must fit into the model's context.
        ended_only: Whether an answer without its end mark is kept only where no other has one: it would be trained on
            as if it had one. Not in the paper.
        safety_threshold: Below this a safety model's reward decides, else the helpfulness model's (section 3.2.3).
        batch: Prompts whose answers are drawn at a time.
        iteration: Of the whole procedure; other numbers draw other answers.
        seed: Of the draws.
    """

    samples: int = 10
    temperature: float = 1.2
    top_p: float = 1.0
    tokens: int = 1024
    ended_only: bool = True
    safety_threshold: float = 0.15
    batch: int = 4
    iteration: int = 0
    seed: int = 0

    def validate(self) -> None:
        """Raises TrainerError naming the first key whose value cannot be used."""
        at_least(1, "rejection", self, "samples", "tokens", "batch")
        at_least(0, "rejection", self, "iteration", "seed", "temperature")
        require(0 < self.top_p <= 1, "rejection.top_p", self.top_p, "above 0, at most 1")
        threshold = self.safety_threshold
        require(0 <= threshold <= 1, "rejection.safety_threshold", threshold, "a number from 0 to 1")


@dataclass(frozen=True)
class PPOConfig:
    """PPO (section 3.2.3; Schulman et al. 2017, Stiennon et al. 2020).

    Attributes:
        iterations: Each draws a batch of answers and takes the steps on them; 200 to 400 in the paper.
        batch: Answers of an iteration.
        mini_batch: Answers of a step.
        epochs: Passes over an iteration's answers: one step for each mini-batch.
        clip: How far the ratio of new and old probability counts.
        beta: Weight of the KL divergence from the first policy: 0.01 for 7B and 13B, 0.005 for 34B and 70B.
        whiten: Whether the rewards of an iteration are whitened: their mean to 0, their deviation to 1.
        safety_threshold: Below this the safety model's reward decides, else the helpfulness model's.
        lr: Constant.
        betas: Of AdamW.
        eps: Of AdamW.
        weight_decay: Of AdamW.
        clip_norm: The largest norm of the gradient.
        value_lr: Of the value function; where None, ``lr``. The paper is silent on the value function: as in Stiennon
            et al. it is a model of its own that begins as the reward model.
        value_clip: How far a value may move from the old one and count (as in OpenAI's and TRL's PPO).
        gamma: Discount of later rewards (Stiennon et al.: 1).
        lam: Lambda of the generalised advantage estimate (Stiennon et al.: 0.95).
        whiten_advantages: Whether advantages are whitened over an iteration's tokens, as in Stiennon et al. The paper
            does not say.
        temperature: Of the draws, and of all probabilities. The paper does not say.
        tokens: Of an answer, at most; prompt and answer must fit into the model's context.
        missing_end_penalty: Taken off the whitened reward of an answer without its end mark. The paper does not say; 0:
            the reward model alone judges it.
        kl_limit: The mean divergence of an answer, in nats, above which the run ends, at its newest checkpoint within
            it;
            None: none, and beta alone holds it.
        heldout_prompts: Prompts that are kept out, drawn by a hash, and answered on the way (0: none). The paper stops
            early by such evaluations.
        evaluate_every: Iterations from one such evaluation to the next; the first and the last policy are evaluated,
            too.
        patience: Evaluations without a better mean reward after which the run ends, its newest checkpoint the best one;
            None: it does not.
        micro_batch: Answers that are computed at a time.
        save_every: Iterations from checkpoint to checkpoint.
        keep: Checkpoints that are kept, the newest.
        seed: Of order and draws.
    """

    iterations: int = 200
    batch: int = 512
    mini_batch: int = 64
    epochs: int = 1
    clip: float = 0.2
    beta: float = 0.01
    whiten: bool = True
    safety_threshold: float = 0.15
    lr: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-5
    weight_decay: float = 0.1
    clip_norm: float = 1.0
    value_lr: float | None = None
    value_clip: float = 0.2
    gamma: float = 1.0
    lam: float = 0.95
    whiten_advantages: bool = True
    temperature: float = 1.0
    tokens: int = 1024
    missing_end_penalty: float = 0.0
    kl_limit: float | None = None
    heldout_prompts: int = 64
    evaluate_every: int = 10
    patience: int | None = None
    micro_batch: int = 8
    save_every: int = 10
    keep: int = 2
    seed: int = 0

    def validate(self) -> None:
        """Raises TrainerError naming the first key whose value cannot be used."""
        at_least(1, "ppo", self, "iterations", "batch", "mini_batch", "epochs", "tokens", "evaluate_every", "patience")
        at_least(1, "ppo", self, "micro_batch", "save_every", "keep")
        at_least(0, "ppo", self, "beta", "lr", "value_lr", "weight_decay", "missing_end_penalty", "heldout_prompts")
        at_least(0, "ppo", self, "seed", "kl_limit")
        above_zero("ppo", self, "clip", "value_clip", "eps", "clip_norm", "temperature")
        for key in ("gamma", "lam", "safety_threshold"):
            require(0 <= getattr(self, key) <= 1, f"ppo.{key}", getattr(self, key), "a number from 0 to 1")
        compares = self.batch > 1 or not self.whiten
        require(compares, "ppo.batch", self.batch, "at least 2 with ppo.whiten: a single reward is whitened to 0")
        fits = self.batch % self.mini_batch == 0
        require(fits, "ppo.mini_batch", self.mini_batch, f"a divisor of ppo.batch = {self.batch}")
        require(all(0 <= beta < 1 for beta in self.betas), "ppo.betas", self.betas, "two numbers from 0 to below 1")


@dataclass(frozen=True)
class GhostConfig:
    """Data of Ghost Attention (section 3.3).

    Attributes:
        instructions: A YAML file of what may be asked for, or the name of one in recipes/chat/ghost.
        most: Instructions that are joined into one, at most, each of another kind; how many is drawn.
        short_share: Share of dialogues whose instruction is said in its short form for training ("Figure: Napoleon.").
        place: Where the instruction stands for training: ``system``, the system message, as the paper calls it;
            ``user``, before the first user turn, for templates without a system message.
        least_turns: User turns of a conversation that is taken.
        answers: ``last``: the last answer is drawn anew and trained on, the earlier ones stay; ``all``: each is drawn,
            one after the other, and the last is trained on; the paper's text fits both. ``given``: all stay as they
            are, and no model is needed.
        samples: Answers drawn of which the reward model's best is kept; more than 1 needs ``--reward``.
        temperature: Of the draws. The paper does not say.
        top_p: See ``rejection.top_p``.
        tokens: Of an answer, at most.
        batch: Dialogues that are answered at a time.
        safety_threshold: See ``rejection.safety_threshold``.
        seed: Of instructions and draws.
    """

    instructions: str = "paper"
    most: int = 2
    short_share: float = 0.5
    place: str = "system"
    least_turns: int = 2
    answers: str = "last"
    samples: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    tokens: int = 1024
    batch: int = 16
    safety_threshold: float = 0.15
    seed: int = 0

    def validate(self) -> None:
        """Raises TrainerError naming the first key whose value cannot be used."""
        at_least(1, "ghost", self, "most", "least_turns", "samples", "tokens", "batch")
        at_least(0, "ghost", self, "temperature", "seed")
        one_of("ghost.place", self.place, ("system", "user"))
        one_of("ghost.answers", self.answers, ("last", "all", "given"))
        require(0 <= self.short_share <= 1, "ghost.short_share", self.short_share, "a share from 0 to 1")
        require(0 < self.top_p <= 1, "ghost.top_p", self.top_p, "above 0, at most 1")


@dataclass(frozen=True)
class DeviceConfig:
    """How any of the commands computes.

    Attributes:
        dtype: Of the computation: ``bf16``, ``fp32``, or ``auto``: bf16 on a GPU, fp32 on a CPU.
        threads: CPU threads; where None, PyTorch's choice.
    """

    dtype: str = "auto"
    threads: int | None = None

    def validate(self) -> None:
        """Raises TrainerError naming the first key whose value cannot be used."""
        one_of("device.dtype", self.dtype, ("auto", "bf16", "fp32"))
        at_least(1, "device", self, "threads")


@dataclass(frozen=True)
class ChatConfig:
    """The choices of all commands of ``trainer_bridge.chat``, a section for each."""

    reward: RewardConfig = field(default_factory=RewardConfig)
    rejection: RejectionConfig = field(default_factory=RejectionConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    ghost: GhostConfig = field(default_factory=GhostConfig)
    device: DeviceConfig = field(default_factory=DeviceConfig)

    def validate(self) -> None:
        """Raises TrainerError naming the first key whose value cannot be used."""
        for part in (self.reward, self.rejection, self.ppo, self.ghost, self.device):
            part.validate()


def load_chat(recipe: str, overrides: list[str]) -> ChatConfig:
    """Builds and validates the choices.

    Args:
        recipe: a name in ``recipes/chat``, or a path.
        overrides: ``section.key=value``.

    Raises:
        TrainerError: no such recipe, or a key or value that cannot be used.
    """
    values = read_recipe(recipe, CHAT)
    for override in overrides:
        apply_override(values, override, ChatConfig)
    config = build(ChatConfig, values)
    config.validate()
    return config


def plain(part: Any) -> dict[str, Any]:
    """A section as plain values, for records and comparison."""
    values: dict[str, Any] = dataclasses.asdict(part)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
