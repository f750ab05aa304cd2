"""Generation: the cache changes nothing, and the draws are what they say."""

import pytest
import torch

from tests.trainer_bridge import tiny
from trainer_bridge.errors import TrainerError
from trainer_bridge.generation import KeyValueCache, generate, sample


@pytest.mark.parametrize("config", [tiny.SHAPE, tiny.GROUPED])
def test_the_cache_gives_the_logits_of_the_whole_sequence(config):
    model, x = tiny.model(config), tiny.ids(2, 20)
    expected = model(x)
    with torch.inference_mode():
        cache = KeyValueCache(model, 2, 20)
        pieces = [model(x[:, :7], cache=cache, start=0)]
        pieces += [model(x[:, i : i + 1], cache=cache, start=i) for i in range(7, 20)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), expected, atol=1e-4, rtol=1e-4)


def test_greedy_continuation_takes_the_likeliest_each_time():
    model, prompt = tiny.model(), [1, 5, 9]
    ids = list(prompt)
    for _ in range(10):
        ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    assert generate(model, prompt, 10, temperature=0) == ids[3:]


def test_a_seed_fixes_the_draws():
    model = tiny.model()
    draws = [generate(model, [1], 20, 1.0, 1.0, seed) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_generation_stops_at_the_end_of_sequence():
    model = tiny.model()
    new = generate(model, [1, 5, 9], 20, temperature=0)
    assert generate(model, [1, 5, 9], 20, temperature=0, stop=new[3]) == new[: new.index(new[3]) + 1]


def test_no_more_than_the_context():
    with pytest.raises(TrainerError, match="3 ids of prompt and 30 new ones exceed the context of 32"):
        generate(tiny.model(), [1, 2, 3], 30)


def draw(logits, temperature, top_p, count=4000):
    generator = torch.Generator().manual_seed(0)
    return sample(torch.tensor(logits).expand(count, -1), temperature, top_p, generator).bincount(minlength=len(logits))


def test_draws_follow_the_probabilities():
    counts = draw(torch.tensor([0.5, 0.3, 0.2]).log().tolist(), 1.0, 1.0)
    assert [round(c / 4000, 1) for c in counts.tolist()] == [0.5, 0.3, 0.2]


def test_temperature_sharpens():
    assert draw([1.0, 0.0], 0.1, 1.0).tolist()[0] > 3990


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, 1), (0.6, 2), (0.85, 3), (1.0, 4)])
def test_top_p_keeps_the_fewest_that_reach_it(top_p, kept):
    counts = draw(torch.tensor([0.1, 0.5, 0.15, 0.25]).log().tolist(), 1.0, top_p)
    assert {i for i, c in enumerate(counts.tolist()) if c} == set([1, 3, 2, 0][:kept])
