"""Differences between arms in bits per byte, with intervals over seeds and documents.

Each document is scored by each arm's run of each seed. The difference of an arm from the baseline on a source is that
of all bits, divided by all bytes, averaged over seeds: pairs of the same document, so how hard a text is drops out. It
is uncertain for two reasons, and the interval holds both:

- *documents*: others might have been held out. The variance of the ratio over documents (Cochran 1977, section 2.11),
  of differences that are averaged over seeds.
- *seeds*: other first weights, draws and orders. A randomised block design with seeds as blocks: the mean square of
  what is left of the arms' scores by seed without the means of arms and seeds, pooled over the arms that train the same
  model in the same way, the control among them, since three runs of one arm tell little of their variance. Another
  trainer or tokenizer may vary many times as much (a learning rate that all but diverges), which would hide what the
  other arms do, and be told too exactly itself: such an arm has the variance of its own differences by seed.

Their sum has, by Welch and Satterthwaite, an approximate number of degrees of freedom, and the interval is Student's.
Over ``all`` sources it is the mean with the weights of the mixture's shares. Intervals are widened (Bonferroni) so that
all of a table hold together with the stated confidence; a difference is shown where its interval leaves 0 out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

ALL = "all"
LN2 = math.log(2)
WORSE, BETTER, NONE, UNKNOWN = "worse", "better", "no difference shown", "one seed: not judged"
_NODES = 64  # of the quadrature; the integrand is smooth
_STEPS = 60  # of the bisection

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A value with its interval.

    Attributes:
        value: The estimate, in bits per byte.
        low: The interval's lower end; nan where there is none.
        high: Its upper end.
        error: The standard error.
        freedom: Degrees of freedom.
    """

    value: float
    low: float
    high: float
    error: float
    freedom: float

    @property
    def verdict(self) -> str:
        """What a difference of it from 0 says: more bits are worse."""
        if math.isnan(self.low):
            return UNKNOWN
        if self.low > 0:
            return WORSE
        return BETTER if self.high < 0 else NONE


@dataclass(frozen=True)
class Scores:
    """What was measured on one source.

    Attributes:
        bits: By arm [S, D]: of each seed and document.
        bytes: Of each document [D].
    """

    bits: Mapping[str, Numbers]
    bytes: Numbers

    def rates(self, arm: str) -> Numbers:
        """Bits per byte of an arm, by seed [S]."""
        result: Numbers = self.bits[arm].sum(1) / self.bytes.sum()
        return result


def levels(
    scores: Mapping[str, Scores], weights: Mapping[str, float], arm: str, confidence: float
) -> dict[str, Estimate]:
    """Bits per byte of an arm, by source and over all, each with an interval of its own.

    Documents and seeds are both taken as drawn; the intervals of two arms may overlap where their paired difference is
    clear: it is ``differences`` that compares.
    """
    found, seeds = {}, _seeds(scores, arm)
    for name, source in scores.items():
        mean = source.bits[arm].mean(0)
        documents = _ratio_variance(mean, source.bytes)
        rates = source.rates(arm)
        own = float(rates.var(ddof=1)) / seeds if seeds > 1 else 0.0
        parts = [(documents, len(source.bytes) - 1), (own, seeds - 1)]
        found[name] = estimate_of(float(rates.mean()), parts, confidence)
    found[ALL] = _level_of_all(scores, weights, arm, confidence)
    return found


def _level_of_all(scores: Mapping[str, Scores], weights: Mapping[str, float], arm: str, confidence: float) -> Estimate:
    rates = sum((weights[name] * source.rates(arm) for name, source in scores.items()), np.zeros(1))
    parts = [
        (weights[name] ** 2 * _ratio_variance(source.bits[arm].mean(0), source.bytes), len(source.bytes) - 1)
        for name, source in scores.items()
    ]
    if len(rates) > 1:
        parts.append((float(rates.var(ddof=1)) / len(rates), len(rates) - 1))
    return estimate_of(float(rates.mean()), parts, confidence)


def differences(
    scores: Mapping[str, Scores],
    weights: Mapping[str, float],
    arm: str,
    base: str,
    confidence: float,
    alike: Collection[str] | None = None,
) -> dict[str, Estimate]:
    """How many bits per byte more an arm needs than the baseline, by source and over all.

    Args:
        scores: By source; each of the same arms and seeds.
        weights: Of the sources; they sum to 1.
        arm: The arm.
        base: The baseline.
        confidence: Of each of these intervals alone.
        alike: The arms that vary alike by seed, the baseline among them; None for all.
    """
    found = {
        name: _difference({name: source}, {name: 1.0}, arm, base, confidence, alike) for name, source in scores.items()
    }
    found[ALL] = _difference(scores, weights, arm, base, confidence, alike)
    return found


def _difference(
    scores: Mapping[str, Scores],
    weights: Mapping[str, float],
    arm: str,
    base: str,
    confidence: float,
    alike: Collection[str] | None,
) -> Estimate:
    value, parts = 0.0, list[tuple[float, float]]()
    for name, source in scores.items():
        more = source.bits[arm].mean(0) - source.bits[base].mean(0)
        value += weights[name] * float(more.sum() / source.bytes.sum())
        parts.append((weights[name] ** 2 * _ratio_variance(more, source.bytes), len(source.bytes) - 1))
    seeds = _seeds(scores, arm)
    if seeds < 2:
        return Estimate(value, math.nan, math.nan, math.nan, math.nan)
    pooled = (base, arm) if alike is not None and arm not in alike else alike
    square, freedom = seed_variance(rates_of_all(scores, weights, pooled))
    return estimate_of(value, [*parts, (2 * square / seeds, freedom)], confidence)


def rates_of_all(
    scores: Mapping[str, Scores], weights: Mapping[str, float], of: Collection[str] | None = None
) -> Numbers:
    """Bits per byte over sources, by arm and seed [A, S]; of some arms where they are named."""
    arms = [arm for arm in next(iter(scores.values())).bits if of is None or arm in of]
    return np.array([sum(weights[name] * source.rates(arm) for name, source in scores.items()) for arm in arms])


def seed_variance(rates: Numbers) -> tuple[float, int]:
    """The variance of one run by its seed, of scores by arm and seed [A, S], and its degrees of freedom: 0 for none."""
    arms, seeds = rates.shape
    if arms < 2 or seeds < 2:
        return 0.0, 0
    left = rates - rates.mean(1, keepdims=True) - rates.mean(0, keepdims=True) + rates.mean()
    freedom = (arms - 1) * (seeds - 1)
    return float((left**2).sum() / freedom), freedom


def _ratio_variance(values: Numbers, sizes: Numbers) -> float:
    """The variance of sum(values) / sum(sizes) over documents."""
    count, left = len(values), values - values.sum() / sizes.sum() * sizes
    return float(count / (count - 1) * (left**2).sum() / sizes.sum() ** 2)


def _seeds(scores: Mapping[str, Scores], arm: str) -> int:
    return int(next(iter(scores.values())).bits[arm].shape[0])


def estimate_of(value: float, parts: Sequence[tuple[float, float]], confidence: float) -> Estimate:
    """A value with the interval of a sum of variances, each with its degrees of freedom."""
    variance = sum(part for part, _ in parts)
    below = sum(part**2 / freedom for part, freedom in parts if part > 0)
    if variance == 0 or below == 0:
        return Estimate(value, value, value, 0.0, math.inf)
    freedom = variance**2 / below
    reach = student_quantile(0.5 + confidence / 2, freedom) * math.sqrt(variance)
    return Estimate(value, value - reach, value + reach, math.sqrt(variance), freedom)


def together(confidence: float, comparisons: int) -> float:
    """The confidence of each of some intervals, for all of them to hold with the given one (Bonferroni)."""
    return 1 - (1 - confidence) / max(1, comparisons)


def student_below(t: float, freedom: float) -> float:
    """The probability that Student's t is below a value.

    With t = sqrt(freedom) tan(a) the density is a power of the cosine, which is integrated by Gauss and Legendre.
    """
    nodes, weights = _legendre()
    end = math.atan(t / math.sqrt(freedom))
    pieces = np.linspace(0.0, end, 9)
    half = np.diff(pieces)[:, None] / 2
    angles = pieces[:-1, None] + half * (1 + nodes)
    integral = float((half * weights * np.cos(angles) ** (freedom - 1)).sum())
    logarithm = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(math.pi) / 2
    return 0.5 + math.exp(logarithm) * integral


@cache
def _legendre() -> tuple[Numbers, Numbers]:
    return np.polynomial.legendre.leggauss(_NODES)


@cache
def student_quantile(probability: float, freedom: float) -> float:
    """The value that Student's t is below with a probability of 0.5 or more."""
    freedom = min(freedom, 1e6)
    low, high = 0.0, math.pi / 2
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if student_below(math.sqrt(freedom) * math.tan(middle), freedom) < probability:
            low = middle
        else:
            high = middle
    return math.sqrt(freedom) * math.tan((low + high) / 2)
