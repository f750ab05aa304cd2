"""What the runs of an experiment reached on tasks, and how arms differ there.

Tasks are measured by the trainer at the end of each run, and on the way (``evaluation.tasks``). A value of a run is
uncertain for its seed, and for the documents of the task; the harness tells the standard error of the latter for each
run alone, so a difference counts both runs' as if their documents were others: its interval is too wide rather than too
narrow.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.ablate.arms import Arm
from pipeline.ablate.folder import Folder
from pipeline.ablate.recipe import BASELINE, AblationRecipe
from pipeline.ablate.statistics import NONE, UNKNOWN, Estimate, estimate_of, seed_variance
from pipeline.errors import OutputError

METRICS = "metrics.jsonl"
STDERR = "_stderr"
HIGHER, LOWER = "higher", "lower"
MANY = 1e6  # degrees of freedom of a standard error that comes without them

Values = Mapping[str, tuple[float, float]]  # by task and metric: the value, and its standard error over documents


def flags_of(experiment: AblationRecipe, every: int) -> list[str]:
    """The trainer's settings for the tasks of an experiment; none where there are no tasks."""
    if not experiment.tasks:
        return []
    limit = "null" if experiment.task_limit is None else str(experiment.task_limit)
    found = [f"evaluation.every={every}", f"evaluation.tasks={json.dumps(list(experiment.tasks))}"]
    found += [f"evaluation.limit={limit}"]
    return found + ([f"evaluation.data={experiment.task_data}"] if experiment.task_data else [])


def read_tasks(run: Path) -> dict[str, tuple[float, float]]:
    """What a run reached at its end.

    Args:
        run: Its folder.

    Raises:
        OutputError: It has no record of tasks.
    """
    last: Mapping[str, Mapping[str, float]] = {}
    try:
        for line in (run / METRICS).read_text(encoding="utf-8").splitlines():
            last = json.loads(line).get("evaluation", {}).get("tasks") or last
    except (OSError, ValueError) as error:
        raise OutputError(f"{run / METRICS} cannot be read: {error}") from error
    if not last:
        raise OutputError(f"{run / METRICS} has no results of tasks. Remove the run's folder, and it is trained anew.")
    return {
        f"{Path(task).stem if task.endswith('.yaml') else task}: {metric}": (
            float(value),
            float(metrics.get(metric + STDERR) or 0.0),
        )
        for task, metrics in last.items()
        for metric, value in metrics.items()
        if not metric.endswith(STDERR)
    }


def summarise_tasks(
    experiment: AblationRecipe, arms: Sequence[Arm], runs: Mapping[str, Sequence[Values]], confidence: float
) -> dict[str, dict[str, Any]]:
    """Values, differences and verdicts by task and arm.

    Args:
        experiment: The experiment.
        arms: Its arms, the baseline among them.
        runs: By arm, what the run of each seed reached.
        confidence: Of one interval.
    """
    names = list(dict.fromkeys(name for values in runs.values() for run in values for name in run))
    alike = [arm.name for arm in arms if arm.trains_alike]
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        scores = {arm: np.array([run.get(name, (math.nan, 0.0)) for run in values]) for arm, values in runs.items()}
        found[name] = {}
        for arm in arms:
            values = scores[arm.name]
            entry: dict[str, Any] = {"value": _plain(values[:, 0].mean()), "by_seed": list(map(_plain, values[:, 0]))}
            if arm.name != BASELINE:
                pooled = alike if arm.name in alike else [BASELINE, arm.name]
                of_seeds = seed_variance(np.array([scores[other][:, 0] for other in pooled]))
                more = _difference(values, scores[BASELINE], of_seeds, confidence)
                entry["difference"] = {key: _plain(getattr(more, key)) for key in ("value", "low", "high")}
                entry["verdict"] = _verdict(more)
            found[name][arm.name] = entry
    return found


def read_all(experiment: AblationRecipe, arms: Sequence[Arm], folder: Folder, run: str) -> dict[str, list[Values]]:
    """What all runs reached, by arm and seed."""
    return {arm.name: [read_tasks(folder.seed(arm.name, n) / run) for n in range(experiment.seeds)] for arm in arms}


def _difference(values: Any, base: Any, of_seeds: tuple[float, int], confidence: float) -> Estimate:
    more, seeds = float(values[:, 0].mean() - base[:, 0].mean()), len(values)
    square, freedom = of_seeds
    if not freedom or math.isnan(more):
        return Estimate(more, math.nan, math.nan, math.nan, math.nan)
    documents = float((values[:, 1] ** 2).mean() + (base[:, 1] ** 2).mean())
    return estimate_of(more, [(2 * square / seeds, freedom), (documents, MANY)], confidence)


def _verdict(more: Estimate) -> str:
    if math.isnan(more.low):
        return UNKNOWN
    return HIGHER if more.low > 0 else LOWER if more.high < 0 else NONE


def _plain(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
