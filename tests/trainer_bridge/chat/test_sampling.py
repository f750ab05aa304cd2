"""Drawing of answers: each by numbers of its own, whatever is drawn with it."""

import numpy as np
import pytest
import torch

from tests.trainer_bridge import tiny
from trainer_bridge.chat import sampling
from trainer_bridge.chat.sampling import padding_mask, pick, sample_answers, uniform
from trainer_bridge.errors import TrainerError
from trainer_bridge.generation import generate

PROMPTS = [[5, 9, 11], [7], [3, 4, 5, 6, 7]]


def test_numbers_are_a_function_of_their_key():
    assert uniform(3, 1, 2).tolist() == uniform(3, 1, 2).tolist()
    assert uniform(3, 1, 2).tolist() == uniform(5, 1, 2).tolist()[:3]
    assert uniform(3, 1, 2).tolist() != uniform(3, 2, 1).tolist()


def test_an_id_is_picked_by_where_its_number_falls():
    logits = torch.tensor([[0.5, 0.2, 0.3]]).log().repeat(5, 1)
    numbers = torch.tensor([0.0, 0.49, 0.51, 0.81, 1.0 - 1e-16], dtype=torch.float64)
    assert pick(logits, numbers, 1.0, 1.0).tolist() == [0, 0, 2, 1, 1]
    assert pick(logits, numbers, 1.0, 0.6).tolist() == [0, 0, 0, 2, 2]
    assert pick(logits, numbers, 0.0, 1.0).tolist() == [0] * 5


def test_shares_of_ids_are_their_probabilities():
    logits = torch.tensor([[0.1, 0.6, 0.3]]).log().repeat(4000, 1)
    drawn = pick(logits, torch.from_numpy(uniform(4000, 3)), 1.0, 1.0)
    assert np.allclose(np.bincount(drawn.numpy()) / 4000, [0.1, 0.6, 0.3], atol=0.02)


@pytest.mark.parametrize("top_p", [1.0, 0.999, 0.5])
@pytest.mark.parametrize("spread", [0.5, 3.0, 12.0])
def test_of_a_large_vocabulary_the_same_ids_are_picked(top_p, spread, monkeypatch):
    """Some ids are among the likeliest, some are not: of the flat ones hardly any."""
    logits = spread * torch.randn(200, 5000, generator=torch.Generator().manual_seed(1))
    numbers = torch.from_numpy(uniform(200, 5))
    numbers[:2] = torch.tensor([0.0, 1 - 1e-16])
    found = pick(logits, numbers, 1.3, top_p)
    monkeypatch.setattr(sampling, "LIKELIEST", 5000)  # so all are sorted
    assert torch.equal(found, pick(logits, numbers, 1.3, top_p))


def test_who_sees_whom():
    mask = padding_mask(torch.tensor([0, 2]), 0, 3)
    assert mask.shape == (2, 1, 3, 3)
    assert mask[0, 0].int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert mask[1, 0].int().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert padding_mask(torch.tensor([1]), 2, 1)[0, 0].int().tolist() == [[0, 1, 1]]


def test_an_answer_does_not_depend_on_what_is_drawn_with_it():
    model = tiny.model().eval()
    numbers = np.stack([uniform(12, 4, place) for place in range(3)])
    together = sample_answers(model, PROMPTS, numbers, [63], 1.0)
    alone = [sample_answers(model, [prompt], numbers[i : i + 1], [63], 1.0)[0] for i, prompt in enumerate(PROMPTS)]
    assert together == alone
    assert [len(answer) for answer in together] == [12, 12, 12]


def test_an_answer_that_has_ended_costs_the_others_nothing():
    """Sixteen answers end one after the other; each goes on with its own keys and values, and its own numbers."""
    model = tiny.model().eval()
    prompts = [PROMPTS[number % 3] for number in range(16)]
    numbers = np.stack([uniform(20, 4, place) for place in range(16)])
    computed = []
    model.layers[0].register_forward_pre_hook(lambda module, inputs: computed.append(len(inputs[0])))
    with torch.no_grad():
        model.output.weight[5] *= 40  # so it is likely at some places
    for stop in ([5], [5, 5]):
        computed.clear()
        together = sample_answers(model, prompts, numbers, stop, 1.0)
        rows = list(computed)
        alone = [sample_answers(model, [p], numbers[i : i + 1], stop, 1.0)[0] for i, p in enumerate(prompts)]
        assert together == alone
        lengths = [len(answer) for answer in together]
        assert len(set(lengths)) > 3
        assert rows[0] > 2 * rows[-1]
        left = [sum(length > place for length in lengths) for place in range(max(lengths))]
        assert all(count < 2 * going for count, going in zip(rows, left, strict=True))


def test_the_likeliest_answer_is_that_of_the_command_generate():
    model = tiny.model().eval()
    assert sample_answers(model, PROMPTS[:1], np.zeros((1, 8)), [63], 0.0) == [generate(model, PROMPTS[0], 8, 0.0)]


def test_an_answer_ends_with_its_end_mark():
    model = tiny.model().eval()
    whole = sample_answers(model, PROMPTS, np.zeros((3, 10)), [63], 0.0)
    one, two = whole[0][4], whole[0][4:6]
    assert sample_answers(model, PROMPTS[:1], np.zeros((1, 10)), [one], 0.0)[0] == whole[0][: whole[0].index(one) + 1]
    cut = sample_answers(model, PROMPTS, np.zeros((3, 10)), two, 0.0)[0]
    assert cut[-2:] == two
    assert cut == whole[0][: len(cut)]


def test_what_may_not_fit_is_refused():
    with pytest.raises(TrainerError, match=r"5 ids of prompt and 28 new ones exceed the context of 32"):
        sample_answers(tiny.model().eval(), PROMPTS, np.zeros((3, 28)), [63], 1.0)
