"""The recipes of the chat commands: the paper's values, and what is refused."""

import pytest

from tests.tables import refusals
from trainer_bridge.chat.config import MARGINS, load_chat
from trainer_bridge.errors import TrainerError


def test_the_values_of_llama_2():
    config = load_chat("llama2", [])
    reward, ppo = config.reward, config.ppo
    assert (reward.lr, reward.batch_pairs, reward.epochs, reward.final_lr_fraction) == (1e-5, 512, 1, 0.1)
    assert (reward.warmup_fraction, reward.warmup_least, reward.eps, reward.weight_decay) == (0.03, 5, 1e-5, 0.1)
    assert (ppo.betas, ppo.eps, ppo.weight_decay, ppo.clip_norm, ppo.lr) == ((0.9, 0.95), 1e-5, 0.1, 1.0, 1e-6)
    assert (ppo.batch, ppo.mini_batch, ppo.epochs, ppo.clip, ppo.beta) == (512, 64, 1, 0.2, 0.01)
    assert (ppo.safety_threshold, ppo.whiten, ppo.iterations) == (0.15, True, 200)
    assert config.rejection.temperature == 1.2


def test_where_70B_differs():
    small, large = load_chat("llama2", []), load_chat("llama2_70B", [])
    assert (large.reward.lr, large.ppo.beta) == (5e-6, 0.005)
    assert large.rejection == small.rejection


def test_the_two_tables_of_margins():
    assert MARGINS["small"] == (1, 2 / 3, 1 / 3, 0)
    assert MARGINS["large"] == (3, 2, 1, 0)


test_refused = refusals(
    lambda override: load_chat("llama2", [override]),
    TrainerError,
    {
        "reward.margins=huge": "reward.margins = 'huge' cannot be used; allowed: small, large, none",
        "reward.margin_bounds=[1,2,3]": "allowed: three numbers, the largest first",
        "reward.micro_batch=5": "allowed: a divisor of reward.batch_pairs = 512",
        "reward.heldout=0": "allowed: a share above 0 and below 1",
        "ppo.mini_batch=100": "allowed: a divisor of ppo.batch = 512",
        "ppo.batch=1": "allowed: at least 2 with ppo.whiten: a single reward is whitened to 0",
        "ppo.bata=1": "unknown key ppo.bata; did you mean ppo.beta?",
        "ppo.lr=nan": "ppo.lr = 'nan' cannot be used",
        "ghost.answers=some": "allowed: last, all, given",
        "rejection.top_p=0": "allowed: above 0, at most 1",
        "device.dtype=fp8": "allowed: auto, bf16, fp32",
    },
)


def test_an_unknown_recipe_names_those_there_are():
    with pytest.raises(TrainerError, match="no recipe 'llama3'; there are llama2, llama2_70B, tiny"):
        load_chat("llama3", [])
