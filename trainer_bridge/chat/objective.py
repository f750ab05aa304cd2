"""What PPO maximises, and how (Llama 2, section 3.2.3; Schulman et al. 2016 and 2017; Stiennon et al. 2020).

Shapes: B answers, T places at which an id is predicted. A mask [B, T] says which of the predicted ids are the answer's;
those of an answer lie together. Nothing here knows a model.
"""

import torch
from torch import Tensor

SMALLEST = 1e-8  # added to a variance


def combined_scores(helpfulness: Tensor, safety: Tensor | None, is_safety: Tensor, threshold: float) -> Tensor:
    """R_c of the paper before its sigmoid: the safety model's score where it counts, else the helpfulness model's.

    It counts where the prompt is one that may elicit unsafe answers, or where its reward, the sigmoid of its score, is
    below a threshold (0.15). The paper whitens logit(R_c), which is the score itself: so the sigmoid is never rounded.

    Args:
        helpfulness: scores [B].
        safety: scores of the safety model [B]; None where there is none.
        is_safety: bool [B].
        threshold: a reward.
    """
    if safety is None:
        return helpfulness
    return torch.where(is_safety | (safety.sigmoid() < threshold), safety, helpfulness)


def whiten(values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean to 0, deviation (over all of them) to 1; 0 where a mask is false."""
    chosen = values if mask is None else values[mask]
    whitened = (values - chosen.mean()) * torch.rsqrt(chosen.var(correction=0) + SMALLEST)
    return whitened if mask is None else whitened * mask


def token_rewards(final: Tensor, divergence: Tensor, mask: Tensor, beta: float) -> Tensor:
    """R = final - beta * KL, taken apart: each id bears its part of the divergence, the last one the final reward, too.

    Args:
        final: [B].
        divergence: log of the policy's probability of each id less that of the first policy's [B, T].
        mask: which ids are the answer's [B, T]; each answer has at least one.
        beta: weight of the divergence.

    Returns:
        [B, T]; 0 outside the answers.
    """
    places = torch.arange(mask.shape[1], device=mask.device)
    last = (places * mask).argmax(1, keepdim=True)
    rewards = -beta * divergence * mask
    return rewards.scatter_add(1, last, final.unsqueeze(1).to(rewards.dtype))


def advantages(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimates, and the returns that the value function learns.

    Args:
        rewards: [B, T], 0 outside the answers.
        values: of the state before each id [B, T].
        mask: which ids are the answer's [B, T].
        gamma: discount of later rewards.
        lam: 0: one step and the next value; 1: all that follows.

    Returns:
        Both [B, T], 0 outside the answers.
    """
    values = values * mask
    result = torch.zeros_like(rewards)
    following, value = torch.zeros_like(rewards[:, 0]), torch.zeros_like(values[:, 0])
    for place in reversed(range(rewards.shape[1])):
        surprise = rewards[:, place] + gamma * value - values[:, place]
        following = (surprise + gamma * lam * following) * mask[:, place]
        result[:, place], value = following, values[:, place]
    return result, (result + values) * mask


def policy_loss(
    new: Tensor, old: Tensor, advantage: Tensor, mask: Tensor, clip: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The clipped loss of PPO; its sum, how many ids were clipped, and how far the policy has moved.

    Args:
        new: log probabilities of the ids now [B, T].
        old: when they were drawn [B, T].
        advantage: [B, T].
        mask: which ids count [B, T].
        clip: epsilon.
    """
    change = (new - old) * mask
    ratio = change.exp()
    loss = torch.max(-advantage * ratio, -advantage * ratio.clamp(1 - clip, 1 + clip))
    outside = ((ratio - 1).abs() > clip) & mask
    return (loss * mask).sum(), outside.sum().detach(), ((ratio - 1 - change) * mask).sum().detach()


def value_loss(new: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float) -> Tensor:
    """Half the squared error of the values, or, where that is worse, of values that moved by the clip; summed."""
    near = old + (new - old).clamp(-clip, clip)
    return (0.5 * torch.max((new - returns) ** 2, (near - returns) ** 2) * mask).sum()
