"""What an experiment found: the scores of all runs, compared; as JSON and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.ablate.arms import Arm, Length, model_shape
from pipeline.ablate.folder import Folder
from pipeline.ablate.heldout import overlaps, read_heldout
from pipeline.ablate.recipe import BASELINE, CONTROL, AblationRecipe
from pipeline.ablate.run import KEPT, OVERLAP, RUN, SCORES
from pipeline.ablate.statistics import (
    ALL,
    LN2,
    Estimate,
    Numbers,
    Scores,
    differences,
    levels,
    rates_of_all,
    seed_variance,
    together,
)
from pipeline.ablate.tasks import read_all, summarise_tasks
from pipeline.corpus.shard import read_json, write_json
from pipeline.errors import InputError, OutputError
from pipeline.mix.recipe import exact
from pipeline.storage.filesystem import write_bytes

FORMAT = 1
DIGITS = 6
_AGAIN = "Remove it, and the same command makes it anew."
HEAD = ("arm", "source", "bits_per_byte", "low", "high", "difference", "difference_low", "difference_high", "verdict")
RESULTS, TABLE, DOCUMENTS, TASKS = "results.json", "results.csv", "documents.csv", "tasks.csv"


@dataclass(frozen=True)
class Measured:
    """The scores of an experiment.

    Attributes:
        steps: By arm, the steps at which it was scored, the last one the end.
        scores: By place of the training, the end last: by source, bits of each arm, seed and document.
        documents: The held-out documents, in the order of the scores.
        overlap: Of each, the largest share of its words that the corpus of an arm has, and that arm.
        judged: Which of them are judged [D].
        weights: Of the sources that are judged.
    """

    steps: Mapping[str, Sequence[int]]
    scores: Sequence[Mapping[str, Scores]]
    documents: Sequence[Mapping[str, Any]]
    overlap: Sequence[tuple[float, str]]
    judged: Sequence[bool]
    weights: Mapping[str, float]

    @property
    def end(self) -> Mapping[str, Scores]:
        """The scores at the end of the training."""
        return self.scores[-1]


def measure(experiment: AblationRecipe, arms: Sequence[Arm], folder: Folder) -> Measured:
    """Reads the scores of all runs, and settles which documents are judged.

    Raises:
        InputError: No source has two documents that are judged.
        OutputError: A file of scores is damaged.
    """
    documents = read_heldout(folder.documents)
    overlap = _overlap(arms, folder, len(documents))
    judged = [share < experiment.heldout.overlap for share, _ in overlap]
    sources = list(dict.fromkeys(row["source"] for row in documents))
    rows = {name: [n for n, row in enumerate(documents) if row["source"] == name and judged[n]] for name in sources}
    rows = {name: numbers for name, numbers in rows.items() if len(numbers) > 1}
    if not rows:
        raise InputError(
            "of no source two held-out documents can be judged: the corpora have copies of the others "
            f"(heldout.overlap={experiment.heldout.overlap:g})"
        )
    runs = {
        arm.name: [_read(folder.seed(arm.name, n) / SCORES, documents) for n in range(experiment.seeds)] for arm in arms
    }
    steps = {name: sorted(found[0]) for name, found in runs.items()}
    places = min(map(len, steps.values()))
    sizes = np.array([len(row["text"].encode()) for row in documents], float)
    scores = [
        {
            name: Scores(
                {
                    arm: np.array([run[steps[arm][place - places]][numbers] for run in found]) / LN2
                    for arm, found in runs.items()
                },
                sizes[numbers],
            )
            for name, numbers in rows.items()
        }
        for place in range(places)
    ]
    return Measured(steps, scores, documents, overlap, judged, _weights(arms[0], list(rows)))


def _weights(base: Arm, sources: Sequence[str]) -> dict[str, float]:
    """The shares of sources in the baseline's mixture, of those that are judged."""
    shares = {name: exact(share.share) for name, share in base.mixture.sources.items() if name in sources}
    return {name: float(share / sum(shares.values())) for name, share in shares.items()}


def _overlap(arms: Sequence[Arm], folder: Folder, documents: int) -> list[tuple[float, str]]:
    """For each document the largest share of its words that an arm's corpus has, and which arm's."""
    found = [(0.0, "")] * documents
    for arm in arms:
        for report in sorted((folder.arm(arm.name) / OVERLAP).glob("*")):
            shares = overlaps(report, documents)
            found = [max(old, (new, arm.name)) if new > old[0] else old for old, new in zip(found, shares, strict=True)]
    return found


def _read(path: Path, documents: Sequence[Mapping[str, Any]]) -> dict[int, Numbers]:
    """Nats of each document [D], by step."""
    found: dict[int, list[float]] = {}
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            for row in csv.DictReader(file):
                found.setdefault(int(row["step"]), []).append(float(row["nats"]))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise OutputError(
            f"{path} cannot be read: {error!r}. Remove it, and the same command makes it anew."
        ) from error
    for step, values in found.items():
        if len(values) != len(documents):
            raise OutputError(
                f"{path} has {len(values):,} documents of step {step}, not {len(documents):,}. Remove it."
            )
    if not found:
        raise OutputError(f"{path} holds no scores. {_AGAIN}")
    return {step: np.array(values) for step, values in found.items()}


def summarise(
    experiment: AblationRecipe, arms: Sequence[Arm], folder: Folder, measured: Measured, length: Length
) -> dict[str, Any]:
    """What an experiment found, as JSON holds it."""
    compared = [arm for arm in arms if arm.name != BASELINE]
    sources = list(measured.end)
    one = together(experiment.confidence, len(compared))
    each = together(experiment.confidence, len(compared) * len(sources))
    alike = [arm.name for arm in arms if arm.trains_alike]
    square, freedom = seed_variance(rates_of_all(measured.end, measured.weights, alike))
    result: dict[str, Any] = {
        "format": FORMAT,
        "baseline": experiment.baseline,
        "model": arms[0].recipe.train.model,
        "parameters": model_shape(arms[0]),
        "tokens": length.tokens,
        "seeds": experiment.seeds,
        "confidence": experiment.confidence,
        "confidence_of_one": {"all": one, "by_source": each},
        "seed_deviation": _plain(math.sqrt(square)) if freedom else None,
        "seed_freedom": freedom,
        "weights": {name: _plain(weight) for name, weight in measured.weights.items()},
        "heldout": _heldout(experiment, folder, measured),
        "arms": {},
    }
    if experiment.tasks:
        runs = read_all(experiment, arms, folder, RUN)
        count = len(compared) * len({name for values in runs.values() for run in values for name in run})
        result["tasks"] = summarise_tasks(experiment, arms, runs, together(experiment.confidence, count))
    for arm in arms:
        result["arms"][arm.name] = _arm(experiment, arm, folder, measured, length, (one, each), alike)
    return result


def _heldout(experiment: AblationRecipe, folder: Folder, measured: Measured) -> dict[str, Any]:
    by_source: dict[str, dict[str, int]] = {}
    for row, judged in zip(measured.documents, measured.judged, strict=True):
        counts = by_source.setdefault(row["source"], {"documents": 0, "judged": 0, "bytes": 0})
        counts["documents"] += 1
        counts["judged"] += judged
        counts["bytes"] += len(row["text"].encode()) if judged else 0
    copies: dict[str, int] = {}
    for (_, arm), judged in zip(measured.overlap, measured.judged, strict=True):
        if not judged:
            copies[arm] = copies.get(arm, 0) + 1
    return {
        "sources": by_source,
        "copies_in": copies,
        "without": (folder.record("heldout") or {}).get("left_out", []),
        "overlap": experiment.heldout.overlap,
    }


def _arm(
    experiment: AblationRecipe,
    arm: Arm,
    folder: Folder,
    measured: Measured,
    length: Length,
    confidence: tuple[float, float],
    alike: Sequence[str],
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "overrides": list(arm.overrides),
        "made": list(arm.touched),
        "steps": length.steps[arm.name],
        "trains_alike": arm.trains_alike,
        "bits_per_byte": {
            name: _estimate(value)
            for name, value in levels(measured.end, measured.weights, arm.name, experiment.confidence).items()
        },
        "by_seed": [_plain(float(value)) for value in _of_all(measured.end, measured.weights, arm.name)],
        "curve": [
            {"step": measured.steps[arm.name][place - len(measured.scores)], "bits_per_byte": _plain(value)}
            for place, value in enumerate(_curve(measured, arm.name))
        ],
    }
    kept = folder.arm(arm.name) / KEPT
    found["kept"] = read_json(str(kept))["sources"] if kept.exists() else []
    if arm.name == BASELINE:
        return found
    one, each = confidence
    whole = differences(measured.end, measured.weights, arm.name, BASELINE, one, alike)[ALL]
    parts = differences(measured.end, measured.weights, arm.name, BASELINE, each, alike)
    found["difference"] = {ALL: _estimate(whole), **{name: _estimate(parts[name]) for name in measured.end}}
    found["verdict"] = {ALL: whole.verdict, **{name: parts[name].verdict for name in measured.end}}
    return found


def _curve(measured: Measured, arm: str) -> Iterator[float]:
    for scores in measured.scores:
        yield float(_of_all(scores, measured.weights, arm).mean())


def _of_all(scores: Mapping[str, Scores], weights: Mapping[str, float], arm: str) -> Numbers:
    return sum((weights[name] * source.rates(arm) for name, source in scores.items()), np.zeros(1))


def _estimate(value: Estimate) -> dict[str, float | None]:
    parts = {"value": value.value, "low": value.low, "high": value.high, "error": value.error}
    return {name: _plain(number) for name, number in parts.items()}


def _plain(value: float) -> float | None:
    return round(value, DIGITS) if math.isfinite(value) else None


def write_results(folder: Folder, result: Mapping[str, Any], measured: Measured) -> None:
    """Writes the results as JSON, and two tables: by arm and source, and by document."""
    write_json(str(folder.root / RESULTS), dict(result))
    write_bytes(str(folder.root / TABLE), _csv(_table(result)).encode("utf-8", "surrogateescape"))
    if "tasks" in result:
        write_bytes(str(folder.root / TASKS), _csv(_task_table(result)).encode("utf-8", "replace"))
    write_bytes(str(folder.root / DOCUMENTS), _csv(_documents(result, measured)).encode("utf-8", "replace"))


def _csv(rows: Iterator[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _table(result: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    yield (
        "arm",
        "source",
        "bits_per_byte",
        "low",
        "high",
        "difference",
        "difference_low",
        "difference_high",
        "verdict",
    )
    for name, arm in result["arms"].items():
        for source, level in arm["bits_per_byte"].items():
            more = arm.get("difference", {}).get(source, {})
            ends = [more.get(key) for key in ("value", "low", "high")]
            yield name, source, level["value"], level["low"], level["high"], *ends, arm.get("verdict", {}).get(source)


def _task_table(result: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
    yield ("task", "arm", "value", "difference", "difference_low", "difference_high", "verdict")
    for task, arms in result["tasks"].items():
        for name, entry in arms.items():
            more = entry.get("difference", {})
            yield task, name, entry["value"], *(more.get(key) for key in ("value", "low", "high")), entry.get("verdict")


def _documents(result: Mapping[str, Any], measured: Measured) -> Iterator[Sequence[Any]]:
    """Bits per byte of each judged document, by arm, averaged over seeds; and what of it the corpora have."""
    arms = list(result["arms"])
    yield ("source", "document", "bytes", "overlap", *arms)
    places = {name: iter(range(len(scores.bytes))) for name, scores in measured.end.items()}
    for row, (overlap, _), judged in zip(measured.documents, measured.overlap, measured.judged, strict=True):
        name, size = row["source"], len(row["text"].encode())
        bits: list[Any] = [""] * len(arms)
        if judged and name in places:
            place = next(places[name])
            bits = [_plain(float(measured.end[name].bits[arm][:, place].mean()) / size) for arm in arms]
        yield name, row["id"], size, overlap, *bits


def sentence(name: str, arm: Mapping[str, Any]) -> str:
    """The verdict on an arm, in a sentence."""
    more, verdict = arm["difference"][ALL], arm["verdict"][ALL]
    what = "the control" if name == CONTROL else name
    if more["low"] is None:
        return f"{what}: {more['value']:+.4f} bits per byte, of one seed: not judged"
    ends = f"{more['value']:+.4f} bits per byte, from {more['low']:+.4f} to {more['high']:+.4f}"
    return f"{what}: {verdict} ({ends})"
