"""The objective of PPO, on literal numbers."""

import torch

from trainer_bridge.chat.objective import (
    advantages,
    combined_scores,
    policy_loss,
    token_rewards,
    value_loss,
    whiten,
)

MASK = torch.tensor([[False, True, True, True], [True, True, False, False]])


def test_the_safety_score_counts_for_safety_prompts_and_below_its_threshold():
    helpful = torch.tensor([3.0, 3.0, 3.0, 3.0])
    safe = torch.tensor([2.0, 2.0, -1.7, -1.8])  # sigmoid(-1.7) = 0.154, sigmoid(-1.8) = 0.142
    prompts = torch.tensor([True, False, False, False])
    assert combined_scores(helpful, safe, prompts, 0.15).tolist() == [2.0, 3.0, 3.0, -1.7999999523162842]
    assert combined_scores(helpful, None, prompts, 0.15) is helpful


def test_whitened_values_have_mean_0_and_deviation_1():
    whitened = whiten(torch.tensor([1.0, 2.0, 3.0, 6.0]))
    assert torch.allclose(whitened, torch.tensor([-2.0, -1.0, 0.0, 3.0]) / 3.5**0.5, atol=1e-6)
    assert whiten(torch.tensor([4.0, 4.0])).tolist() == [0.0, 0.0]


def test_only_what_the_mask_shows_is_whitened():
    values = torch.tensor([[9.0, 1.0, 3.0, 1.0], [3.0, 2.0, 9.0, 9.0]])
    whitened = whiten(values, MASK)
    assert whitened[~MASK].tolist() == [0.0, 0.0, 0.0]
    assert torch.allclose(whitened[MASK].mean(), torch.tensor(0.0), atol=1e-6)
    assert torch.allclose(whitened[MASK].var(correction=0), torch.tensor(1.0), atol=1e-5)


def test_rewards_of_an_answer_add_up_to_the_final_one_less_beta_times_the_divergence():
    divergence = torch.tensor([[7.0, 1.0, 2.0, 3.0], [0.5, -0.25, 7.0, 7.0]])
    rewards = token_rewards(torch.tensor([10.0, 20.0], dtype=torch.float64), divergence, MASK, 0.1)
    assert torch.allclose(rewards, torch.tensor([[0.0, -0.1, -0.2, 9.7], [-0.05, 20.025, 0.0, 0.0]]))
    assert torch.allclose(rewards.sum(1), torch.tensor([10.0 - 0.6, 20.0 - 0.025]))


def test_advantages_with_lambda_1_are_what_follows_less_the_value():
    rewards = torch.tensor([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 0.0, 0.0]])
    values = torch.tensor([[9.0, 0.5, 0.25, 1.0], [2.0, 3.0, 9.0, 9.0]])
    gains, returns = advantages(rewards, values, MASK, 1.0, 1.0)
    assert gains.tolist() == [[0.0, 5.5, 4.75, 2.0], [7.0, 2.0, 0.0, 0.0]]
    assert returns.tolist() == [[0.0, 6.0, 5.0, 3.0], [9.0, 5.0, 0.0, 0.0]]


def test_advantages_with_lambda_0_look_one_value_ahead():
    rewards = torch.tensor([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 0.0, 0.0]])
    values = torch.tensor([[9.0, 0.5, 0.25, 1.0], [2.0, 3.0, 9.0, 9.0]])
    gains, _ = advantages(rewards, values, MASK, 0.5, 0.0)
    assert gains.tolist() == [[0.0, 1 + 0.125 - 0.5, 2 + 0.5 - 0.25, 2.0], [4 + 1.5 - 2, 2.0, 0.0, 0.0]]


def test_the_policy_gains_nothing_beyond_the_clip():
    new = torch.tensor([[0.0, 0.5, 0.1, -0.5]], requires_grad=True)
    gain = torch.tensor([[1.0, 1.0, 1.0, -1.0]])
    mask = torch.tensor([[False, True, True, True]])
    loss, clipped, moved = policy_loss(new, torch.zeros(1, 4), gain, mask, 0.2)
    loss.backward()
    assert torch.allclose(loss, torch.tensor(-1.2) - torch.tensor(0.1).exp() + 0.8)
    assert new.grad is not None
    assert (new.grad != 0).tolist() == [[False, False, True, False]]
    assert int(clipped) == 2
    assert float(moved) > 0


def test_the_value_loss_is_the_worse_of_moving_freely_and_by_the_clip():
    old, returns = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 9.0]])
    mask = torch.tensor([[True, False]])
    assert float(value_loss(torch.tensor([[1.0, 5.0]]), old, returns, mask, 0.25)) == 0.5 * 0.75**2
    assert float(value_loss(torch.tensor([[-2.0, 5.0]]), old, returns, mask, 0.25)) == 0.5 * 9
