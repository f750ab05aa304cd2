"""Answers of a policy, with all that PPO learns from them: rewards, probabilities, values, advantages."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainer_bridge.chat.config import PPOConfig
from trainer_bridge.chat.dialogue import Dialogues, number_of
from trainer_bridge.chat.judges import Judges
from trainer_bridge.chat.objective import advantages, token_rewards, whiten
from trainer_bridge.chat.prompts import Prompt
from trainer_bridge.chat.sampling import sample_answers, uniform
from trainer_bridge.chat.scalar import ScalarModel, padded
from trainer_bridge.model import Transformer

HELDOUT = 1  # of the draws' key: other numbers than those of training
TRAINING = 0


@dataclass(frozen=True)
class Answers:
    """Answers to some prompts.

    Attributes:
        prompts: B of them.
        ids: of the answers.
        scores: of the reward model [B].
        ended: whether each has its end mark [B].
    """

    prompts: Sequence[Prompt]
    ids: Sequence[list[int]]
    scores: NDArray[np.float64]
    ended: NDArray[np.bool_]


@dataclass(frozen=True)
class Rollout:
    """An iteration's answers as tensors: B rows, T places, of which a mask says where an id of the answer is predicted.

    Attributes:
        ids: prompts and answers [B, T + 1].
        mask: [B, T].
        old: log probabilities of the ids when they were drawn [B, T].
        values: of the state before each [B, T].
        advantages: [B, T].
        returns: [B, T].
        kl: sum over an answer of its divergence from the first policy [B].
        entropy: mean over the answers' ids.
    """

    ids: Tensor
    mask: Tensor
    old: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor
    kl: Tensor
    entropy: float


def log_probabilities(model: Transformer, ids: Tensor, mask: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Of the ids behind the first, where a mask says so: log probability, and the entropy of what they were drawn from.

    Args:
        model: the policy.
        ids: [B, T + 1].
        mask: [B, T]; logits are computed only there.
        temperature: of the draws.

    Returns:
        Both [B, T] fp32, 0 elsewhere; the entropy without gradient.
    """
    h = model.hidden(ids[:, :-1])[mask]
    logs = (model.output(h).float() / temperature).log_softmax(-1)
    chosen = logs.gather(-1, ids[:, 1:][mask].unsqueeze(-1)).squeeze(-1)
    with torch.no_grad():
        entropy = -(logs.exp() * logs).sum(-1)
    empty = torch.zeros(mask.shape, device=ids.device)
    return empty.masked_scatter(mask, chosen), empty.masked_scatter(mask, entropy)


def answer(
    policy: Transformer,
    judges: Judges,
    dialogues: Dialogues,
    prompts: Sequence[Prompt],
    config: PPOConfig,
    *key: int,
) -> Answers:
    """Draws and scores an answer to each prompt: a function of the weights, the prompts, and the key.

    Prompts of like length are answered together, in parts of eight micro-batches.
    """
    size = 8 * config.micro_batch
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place].ids))
    found: list[list[int]] = [[] for _ in prompts]
    for start in range(0, len(order), size):
        part = order[start : start + size]
        keys = [(config.seed, *key, number_of(prompts[place].id), place) for place in part]
        numbers = np.stack([uniform(config.tokens, *own) for own in keys])
        ids = [prompts[place].ids for place in part]
        for place, drawn in zip(
            part, sample_answers(policy, ids, numbers, dialogues.stop, config.temperature), strict=True
        ):
            found[place] = drawn
    scores = np.array(judges.scores(prompts, found))
    return Answers(prompts, found, scores, np.array([dialogues.ended(ids) for ids in found]))


def tensors(answers: Answers, device: torch.device) -> tuple[Tensor, Tensor]:
    """Prompts and answers as rows of ids [B, T + 1], and where an id of the answer is predicted [B, T]."""
    texts = [[*prompt.ids, *ids] for prompt, ids in zip(answers.prompts, answers.ids, strict=True)]
    ids, lengths = padded(texts, device)
    begins = torch.tensor([len(prompt.ids) for prompt in answers.prompts], device=device)
    places = torch.arange(1, ids.shape[1], device=device)
    return ids, (places >= begins[:, None]) & (places < lengths[:, None])


@torch.no_grad()
def divergence(
    policy: Transformer, first: Transformer, ids: Tensor, mask: Tensor, config: PPOConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Log probabilities, by how much they differ from the first policy's, and entropies; all [B, T]."""
    parts = []
    for start in range(0, len(ids), config.micro_batch):
        rows = slice(start, start + config.micro_batch)
        now, entropy = log_probabilities(policy, ids[rows], mask[rows], config.temperature)
        before, _ = log_probabilities(first, ids[rows], mask[rows], config.temperature)
        parts.append((now, now - before, entropy))
    old, differences, entropies = (torch.cat(some) for some in zip(*parts, strict=True))
    return old, differences, entropies


@torch.no_grad()
def roll_out(
    answers: Answers, policy: Transformer, first: Transformer, value: ScalarModel, config: PPOConfig
) -> Rollout:
    """Everything that the steps of an iteration need of its answers.

    Args:
        answers: drawn from the policy.
        policy: the one that drew them.
        first: the one that the divergence is from.
        value: the value function.
        config: the recipe.
    """
    device = policy.output.weight.device
    ids, mask = tensors(answers, device)
    old, differences, entropies = divergence(policy, first, ids, mask, config)
    parts = [value(ids[start : start + config.micro_batch, :-1]) for start in range(0, len(ids), config.micro_batch)]
    values = torch.cat(parts) * mask
    final = torch.from_numpy(answers.scores).to(device)
    final = whiten(final) if config.whiten else final
    final = final - config.missing_end_penalty * torch.from_numpy(~answers.ended).to(device)
    rewards = token_rewards(final, differences, mask, config.beta)
    gains, returns = advantages(rewards, values, mask, config.gamma, config.lam)
    gains = whiten(gains, mask) if config.whiten_advantages else gains
    entropy = float(entropies.sum() / mask.sum())
    return Rollout(ids, mask, old, values, gains, returns, differences.sum(1), entropy)
