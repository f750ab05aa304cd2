"""An extrapolation: differences of several sizes of model and budgets, and what their trend would be at a larger one.

Experiments of the same arms, each with another model or budget, give each arm's difference from the baseline with its
standard error, at some compute (6 operations a weight and token). A straight line in the logarithm of compute is fitted
to them, each weighted by its own error, and carried on to a larger model. The interval holds the errors of the
differences alone: that the line goes on is an assumption, which nothing measured here can prove.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from rich.table import Table

from pipeline.ablate.recipe import BASELINE
from pipeline.ablate.statistics import ALL
from pipeline.corpus.shard import read_json
from pipeline.errors import InputError

RESULTS = "results.json"
FEWEST = 2
TARGET = "7B"
# Of the LLaMA paper's 7B: 32 layers of 4,096 without the embeddings, and 1T tokens (tables 1 and 2).
TARGET_WEIGHTS, TARGET_TOKENS = 12 * 32 * 4096**2, 1e12
FLOPS_PER_WEIGHT = 6


@dataclass(frozen=True)
class Point:
    """A difference at some compute: operations, bits per byte, and the standard error."""

    compute: float
    value: float
    error: float


@dataclass(frozen=True)
class Fit:
    """A line through differences, carried on.

    Attributes:
        points: What it goes through, by compute.
        slope: Bits per byte for ten times the compute.
        value: The difference at the target.
        low: The lower end of its interval.
        high: The upper end.
        misfit: The chance of points that lie as far from the line, if it were true; None where there are but two.
    """

    points: Sequence[Point]
    slope: float
    value: float
    low: float
    high: float
    misfit: float | None


def fit(points: Sequence[Point], target: float, confidence: float) -> Fit:
    """Fits a line in the logarithm of compute, and gives its value at a target.

    Args:
        points: Two or more, at different compute.
        target: Operations.
        confidence: Of the interval.
    """
    ordered = sorted(points, key=lambda point: point.compute)
    x = np.log10([point.compute for point in ordered])
    y = np.array([point.value for point in ordered])
    weights = 1 / np.array([point.error for point in ordered]) ** 2
    design = np.stack([np.ones_like(x), x - x.mean()], 1)
    covariance = np.linalg.inv(design.T @ (weights[:, None] * design))
    line = covariance @ (design.T @ (weights * y))
    at = np.array([1.0, math.log10(target) - x.mean()])
    value, error = float(at @ line), math.sqrt(float(at @ covariance @ at))
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * error
    left = float((weights * (y - design @ line) ** 2).sum())
    misfit = _beyond(left, len(ordered) - FEWEST) if len(ordered) > FEWEST else None
    return Fit(ordered, float(line[1]), value, value - reach, value + reach, misfit)


def _beyond(value: float, freedom: int) -> float:
    """The chance that chi-square is above a value: the upper incomplete gamma function, for whole degrees."""
    half, total = value / 2, 0.0
    if freedom % 2:
        total = math.erfc(math.sqrt(half))
        terms = [half ** (k + 0.5) / math.gamma(k + 1.5) for k in range(freedom // 2)]
    else:
        terms = [half**k / math.gamma(k + 1) for k in range(freedom // 2)]
    return float(total + math.exp(-half) * sum(terms))


def fits_of(folders: Sequence[str]) -> dict[str, Fit]:
    """The fit of each arm that all experiments have.

    Raises:
        InputError: Experiments are missing, not judged, of other baselines or sources, or of one size.
    """
    results = [_result(folder) for folder in folders]
    if len(results) < FEWEST:
        raise InputError(f"--fit needs {FEWEST} experiments or more, of different models or budgets")
    if len({result["baseline"] for result in results}) > 1:
        raise InputError("--fit: the experiments have different baselines: " + ", ".join(_names(results)))
    if any(result["weights"] != results[0]["weights"] for result in results):
        told = "; ".join(", ".join(f"{name} {weight:.1%}" for name, weight in r["weights"].items()) for r in results)
        raise InputError(f"--fit: the experiments are judged on other sources, or other shares of them: {told}")
    computes = [FLOPS_PER_WEIGHT * result["parameters"] * result["tokens"] for result in results]
    if len(set(computes)) < FEWEST:
        raise InputError("--fit: the experiments have the same compute; give them other models or budgets")
    arms = [name for name in results[0]["arms"] if all(_is_same(name, result, results[0]) for result in results)]
    target = FLOPS_PER_WEIGHT * TARGET_WEIGHTS * TARGET_TOKENS
    found = {}
    for name in arms:
        measured = [result["arms"][name]["difference"][ALL] for result in results]
        points = [Point(c, one["value"], one["error"]) for c, one in zip(computes, measured, strict=True)]
        found[name] = fit(points, target, results[0]["confidence"])
    if not found:
        raise InputError("--fit: the experiments have no arm in common")
    return found


def _names(results: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted({str(result["baseline"]) for result in results})


def _is_same(name: str, result: Mapping[str, Any], first: Mapping[str, Any]) -> bool:
    arm = result["arms"].get(name)
    return name != BASELINE and arm is not None and arm["overrides"] == first["arms"][name]["overrides"]


def _result(folder: str) -> dict[str, Any]:
    path = Path(folder, RESULTS)
    if not path.exists():
        raise InputError(f"--fit: there is no {path}: python -m pipeline.ablate --output {folder} makes it")
    result = read_json(str(path))
    if any(not arm["difference"][ALL]["error"] for name, arm in result["arms"].items() if name != BASELINE):
        raise InputError(f"--fit: nothing is known of the errors in {folder}: give it two seeds or more")
    return result


def table(fits: Mapping[str, Fit]) -> Table:
    """The fits for the screen."""
    title = f"extrapolated to {TARGET} and {TARGET_TOKENS / 1e12:g}T tokens: bits per byte more than the baseline"
    drawn = Table(title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    for heading in ("arm", "measured, by compute", "per tenfold compute", f"at {TARGET}", "from", "to", "line fits"):
        drawn.add_column(heading, justify="left" if heading == "arm" else "right", no_wrap=True)
    for name, one in fits.items():
        measured = ", ".join(f"{point.value:+.4f}" for point in one.points)
        fits_well = "two points" if one.misfit is None else f"p = {one.misfit:.2f}"
        ends = [f"{value:+.4f}" for value in (one.slope, one.value, one.low, one.high)]
        drawn.add_row(name, measured, *ends, fits_well)
    return drawn


def sentences(fits: Mapping[str, Fit]) -> list[str]:
    """What a reader must know of the table."""
    target = FLOPS_PER_WEIGHT * TARGET_WEIGHTS * TARGET_TOKENS
    farthest = target / max(point.compute for one in fits.values() for point in one.points)
    return [
        f"This is an extrapolation over a factor of {farthest:,.0f} in compute, by a straight line in its logarithm. "
        "The intervals hold the errors of the measured differences, not that the line may bend: take it for a question "
        "to be asked at a larger size, not for an answer."
    ]
