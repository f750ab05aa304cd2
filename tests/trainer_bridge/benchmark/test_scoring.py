"""Likelihoods and continuations in batches: each text's own, whatever it is batched with."""

import pytest
import torch

from tests.trainer_bridge import runs, tiny
from trainer_bridge.benchmark.scoring import Continuation, Prompt, Scorer
from trainer_bridge.generation import generate

TEXTS = [
    Continuation((1, 5, 9, 12, 7), 2),
    Continuation((1, 5, 9, 12, 8), 2),  # the same input
    Continuation((1, 5, 9, 12, 8), 4),  # more of it is scored
    Continuation((1, 30), 1),
    Continuation(tuple(range(1, 33)), 31),
    Continuation((1, 5, 9, 12, 7), 2),  # asked twice
]


def scorer(config=tiny.SHAPE, **kwargs):
    return Scorer(tiny.model(config).eval(), runs.ALONE, **kwargs)


def expected(model, text):
    """Straight from the model's logits."""
    logits = model(torch.tensor([text.ids[:-1]]))[0].log_softmax(-1)[-text.scored :]
    wanted = torch.tensor(text.ids[-text.scored :])
    return logits.gather(1, wanted[:, None]).sum().item(), bool((logits.argmax(-1) == wanted).all())


@pytest.mark.parametrize("config", [tiny.SHAPE, tiny.GROUPED])
@pytest.mark.parametrize("batch_tokens", [1, 40, 4096])
def test_likelihoods_are_the_models(config, batch_tokens):
    asked = scorer(config, batch_tokens=batch_tokens)
    for (value, greedy), text in zip(asked.loglikelihoods(TEXTS), TEXTS, strict=True):
        wanted, same = expected(asked.model, text)
        assert (value, greedy) == (pytest.approx(wanted, abs=1e-4), same)


def test_the_likeliest_continuation_is_told():
    asked = scorer()
    best = int(asked.model(torch.tensor([[1, 5]]))[0, -1].argmax())
    found = asked.loglikelihoods([Continuation((1, 5, best), 1), Continuation((1, 5, (best + 1) % 64), 1)])
    assert [greedy for _, greedy in found] == [True, False]


def test_texts_that_differ_in_their_last_id_are_one_input():
    asked = scorer()
    rows = []
    asked.model.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    asked.loglikelihoods([Continuation((1, 5, 9, answer), 1) for answer in (10, 11, 12, 13)])
    assert rows == [1]


PROMPTS = [Prompt((1, 5, 9), 8), Prompt((1, 7), 8), Prompt((1, 5, 9, 12, 30, 31, 4), 8), Prompt((1, 5, 9), 3)]


@pytest.mark.parametrize("config", [tiny.SHAPE, tiny.GROUPED])
@pytest.mark.parametrize("batch_tokens", [1, 4096])
def test_greedy_continuations_are_those_of_one_text_alone(config, batch_tokens):
    asked = scorer(config, batch_tokens=batch_tokens)
    alone = [generate(asked.model, list(p.ids), p.count, temperature=0, stop=2) for p in PROMPTS]
    alone = [ids[: ids.index(2)] if 2 in ids else ids for ids in alone]
    assert asked.continuations(PROMPTS, str, 2) == alone
    assert len({tuple(ids) for ids in alone}) == len(alone)  # so that a text given another's answer would be seen


def test_a_stop_ends_a_continuation():
    asked = scorer()
    (ids,) = asked.continuations([Prompt((1, 5, 9), 8, temperature=1.0)], str, -1)
    assert ids.index(ids[3]) == 2  # it comes twice in a row, for the first time
    stop = f"{ids[2]}, {ids[3]}"  # as ``str`` decodes a list
    (cut,) = asked.continuations([Prompt((1, 5, 9), 8, (stop,), temperature=1.0)], str, -1)
    assert cut == ids[:4]


def test_each_way_of_continuing_keeps_to_its_own_texts():
    asked = scorer()
    mixed = [PROMPTS[0], Prompt((1, 5, 9), 6, temperature=1.0), PROMPTS[3], Prompt((1, 7), 8, ("zzz",))]
    assert asked.continuations(mixed, str, -1) == [asked.continuations([p], str, -1)[0] for p in mixed]


def draws(batch_tokens=4096, **kwargs):
    prompts = [Prompt((1, 5, 9), 6, temperature=1.0, seed=seed, **kwargs) for seed in range(40)]
    return scorer(batch_tokens=batch_tokens).continuations(prompts, str, -1)


def test_a_draw_depends_on_its_seed_alone():
    assert draws() == draws(batch_tokens=1)
    assert len({tuple(ids) for ids in draws()}) > 30


def test_a_small_nucleus_is_the_likeliest():
    greedy = scorer().continuations([Prompt((1, 5, 9), 6)], str, -1)
    assert draws(top_p=1e-6) == greedy * 40


def test_draws_follow_the_probabilities():
    asked = scorer()
    prompts = [Prompt((1, 5, 9), 1, temperature=1.0, seed=seed) for seed in range(4000)]
    found = torch.tensor(asked.continuations(prompts, str, -1)).flatten().bincount(minlength=64) / 4000
    wanted = asked.model(torch.tensor([[1, 5, 9]]))[0, -1].softmax(-1)
    assert (found - wanted).abs().max() < 0.03
