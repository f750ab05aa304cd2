"""Differences and their intervals, against values from tables, by hand, and in simulated experiments."""

import math

import numpy as np
import pytest

from pipeline.ablate.statistics import (
    ALL,
    BETTER,
    NONE,
    UNKNOWN,
    WORSE,
    Estimate,
    Scores,
    differences,
    levels,
    seed_variance,
    student_below,
    student_quantile,
    together,
)

WHOLE = {"web": 1.0}


def scores(**arms) -> dict[str, Scores]:
    """One source of documents of ten bytes: bits of each arm, a row a seed."""
    bits = {name: np.array(rows, float) for name, rows in arms.items()}
    return {"web": Scores(bits, np.full(next(iter(bits.values())).shape[1], 10.0))}


@pytest.mark.parametrize(
    ("probability", "freedom", "value"),
    [  # from printed tables of Student's t
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.95, 4, 2.132),
        (0.995, 3, 5.841),
        (0.975, 30, 2.042),
        (0.975, 1e9, 1.960),
    ],
)
def test_students_quantiles(probability, freedom, value):
    assert student_quantile(probability, freedom) == pytest.approx(value, abs=0.0006)
    assert student_below(value, freedom) == pytest.approx(probability, abs=1e-4)


def test_students_distribution_with_one_degree_is_cauchys():
    assert student_below(1.0, 1) == pytest.approx(0.75, abs=1e-12)
    assert student_below(0.0, 7.5) == 0.5


def test_the_difference_is_that_of_all_bits_by_all_bytes():
    found = differences(scores(base=[[20, 30], [22, 32]], arm=[[21, 33], [23, 35]]), WHOLE, "arm", "base", 0.95)
    assert found["web"].value == found[ALL].value == pytest.approx(0.2)  # 1 and 3 bits more, of 20 bytes


def test_without_any_noise_of_seeds_it_is_the_paired_t_over_documents():
    base = [[20.0, 30, 40, 50]] * 3
    more = np.array([1.0, 2, 3, 6])
    found = differences(scores(base=base, arm=[list(np.array(base[0]) + more)] * 3), WHOLE, "arm", "base", 0.95)[ALL]
    error = more.std(ddof=1) / math.sqrt(4) / 10
    assert found.error == pytest.approx(error)
    assert found.freedom == pytest.approx(3)
    assert (found.low, found.high) == pytest.approx((0.3 - 3.182446 * error, 0.3 + 3.182446 * error), abs=1e-6)


def test_without_any_noise_of_documents_it_is_the_block_design_over_seeds():
    rates = {"base": [20, 22, 21], "control": [21, 22, 20], "arm": [24, 25, 26]}
    found = differences(scores(**{n: [[r, r] for r in s] for n, s in rates.items()}), WHOLE, "arm", "base", 0.95)[ALL]
    left = [[-1 / 3, 1 / 3, 0], [2 / 3, 1 / 3, -1], [-1 / 3, -2 / 3, 1]]  # without the means of rows and columns
    square = sum(x * x for row in left for x in row) / 4 / 100
    assert seed_variance(np.array(list(rates.values())) / 10) == (pytest.approx(square), 4)
    assert found.error == pytest.approx(math.sqrt(2 * square / 3))
    assert found.freedom == pytest.approx(4)


def test_an_arm_that_varies_otherwise_widens_no_other_and_has_its_own_variance():
    rates = {"base": [20, 22, 21], "control": [21, 22, 20], "arm": [24, 25, 26], "hot": [20, 60, 100]}
    both = scores(**{name: [[r, r] for r in row] for name, row in rates.items()})
    without = scores(**{name: [[r, r] for r in row] for name, row in rates.items() if name != "hot"})
    alike = ("base", "control", "arm")
    calm = differences(both, WHOLE, "arm", "base", 0.95, alike)
    assert calm == differences(without, WHOLE, "arm", "base", 0.95)
    assert (calm[ALL].verdict, differences(both, WHOLE, "arm", "base", 0.95)[ALL].verdict) == (WORSE, NONE)
    hot = differences(both, WHOLE, "hot", "base", 0.95, alike)[ALL]  # the paired t over seeds
    assert (hot.error, hot.freedom) == (pytest.approx(np.std([0, 3.8, 7.9], ddof=1) / math.sqrt(3)), pytest.approx(2))


def test_one_arm_alone_has_no_variance_of_seeds():
    assert seed_variance(np.array([[1.0, 2.0]])) == (0.0, 0)


def test_what_seeds_have_in_common_drops_out():
    base = [[20.0, 30], [40, 50], [60, 70]]
    found = differences(scores(base=base, arm=[[x + 1 for x in row] for row in base]), WHOLE, "arm", "base", 0.95)[ALL]
    assert (found.value, found.error, found.verdict) == (pytest.approx(0.1), pytest.approx(0, abs=1e-9), WORSE)


def test_sources_count_by_their_weights():
    both = {
        **scores(base=[[20, 20]] * 2, arm=[[22, 22]] * 2),
        "code": scores(base=[[9, 9]] * 2, arm=[[5, 5]] * 2)["web"],
    }
    found = differences(both, {"web": 0.75, "code": 0.25}, "arm", "base", 0.95)
    assert found[ALL].value == pytest.approx(0.75 * 0.2 - 0.25 * 0.4)
    assert levels(both, {"web": 0.75, "code": 0.25}, "base", 0.95)[ALL].value == pytest.approx(0.75 * 2 + 0.25 * 0.9)


def test_one_seed_is_not_judged():
    found = differences(scores(base=[[20, 30]], arm=[[21, 33]]), WHOLE, "arm", "base", 0.95)[ALL]
    assert (found.value, found.verdict) == (pytest.approx(0.2), UNKNOWN)


def test_a_verdict_leaves_zero_out():
    ends = {(0.1, 0.3): WORSE, (-0.3, -0.1): BETTER, (-0.1, 0.3): NONE, (0.0, 0.2): NONE}
    assert {pair: Estimate(0.1, *pair, 0.1, 3).verdict for pair in ends} == ends


def test_intervals_that_are_to_hold_together_are_wider():
    assert together(0.95, 1) == pytest.approx(0.95)
    assert together(0.95, 5) == pytest.approx(0.99)


def simulated(generator: np.random.Generator, effect: float) -> dict[str, Scores]:
    """Four arms, three seeds, twenty documents: noise of seeds, of documents, and of both; one arm has an effect."""
    sizes = generator.integers(200, 4000, 20).astype(float)
    hard, arms = generator.normal(2.5, 0.4, 20), {}
    shared = generator.normal(0, 0.05, (3, 1))
    for name in ("base", "arm", "control", "other"):
        noise = generator.normal(0, 0.02, (3, 1)) + generator.normal(0, 0.03, 20) + generator.normal(0, 0.05, (3, 20))
        arms[name] = (hard + shared + noise + effect * (name == "arm")) * sizes
    return {"web": Scores(arms, sizes)}


@pytest.mark.parametrize("effect", [0.0, 0.2])
def test_intervals_hold_the_true_difference_as_often_as_they_say(effect):
    generator = np.random.default_rng(0)
    found = [differences(simulated(generator, effect), WHOLE, "arm", "base", 0.9)[ALL] for _ in range(300)]
    held = sum(one.low <= effect <= one.high for one in found)
    assert 258 <= held <= 288  # of 300, 90 %: within three deviations and a half
    if effect:
        assert sum(one.verdict == WORSE for one in found) == 300
