"""Distributions of a source's fields, from its samples, scaled up to the whole corpus.

A kept document stands for (kept / sampled kept) documents, a reject for (rejects of its step and reason, from the
ledger) / (those sampled). So kept and dropped documents may be sampled at different rates, and ``rejects.keep: sample``
changes nothing but the noise; where everything was read, the counts are exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.report.corpus import SourceCorpus
from pipeline.report.fields import CREATED, MONTHLY, NO_PLOT, Field, by_language, cutoffs, fields_of, surveyed
from pipeline.report.sample import Sample
from pipeline.steps import READ_STEP

KEPT = "kept"
HERE = "here"  # dropped by the step that judges by the field
ELSEWHERE = "elsewhere"  # dropped by another step
FATES = (KEPT, HERE, ELSEWHERE)
BINS = 40
BARS = 20  # categories shown; the rest are summed
TAIL = 0.002  # of the values at each end of a scale that has no bounds: they are counted in its outermost bins
MANY_VALUES = 1000  # from which the tails are cut
MOST_LANGUAGES = 6  # that have a plot of their own where cut-offs depend on the language
MOST_DISTINCT = 0.5  # a text field with more distinct values than this share of its rows tells documents apart
FAR = 30.0  # times the values of a logarithmic axis, beyond which a cut-off is not drawn
MANY_ROWS = 20  # from which that share is looked at
OTHER = "(others)"
NONE = "(none)"

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """Counts of documents, by fate, in bins.

    Attributes:
        field: The field.
        edges: The edges of the bins, one more than there are bins.
        counts: For each fate, the documents in each bin.
        cutoffs: Where the recipe cuts.
        clipped: Whether values beyond the outermost edges are counted in the outermost bins.
        values: The number of values that were looked at.
        unseen: The documents whose value a logarithmic axis has not.
    """

    field: Field
    edges: Numbers
    counts: dict[str, Numbers]
    cutoffs: tuple[float, ...]
    clipped: bool
    values: int
    unseen: float = 0.0


@dataclass(frozen=True)
class Bars:
    """Counts of documents, by fate and category: the most frequent first, or months in their order."""

    field: Field
    names: list[str]
    counts: dict[str, Numbers]
    values: int


Distribution = Histogram | Bars


@dataclass(frozen=True)
class Population:
    """Sampled rows, with the weight of each: how many documents it stands for.

    Attributes:
        step: The step at which they ended; None of those that were kept.
        rows: The rows of a sample.
        weights: One for each row.
    """

    step: str | None
    rows: pa.Table
    weights: Numbers


def populations(corpus: SourceCorpus, kept: Sample, rejects: Sample) -> list[Population]:
    """The samples with their weights; records that never became documents are left out."""
    found = []
    if kept.rows is not None:
        found.append(Population(None, kept.rows, np.full(kept.size, corpus.kept.documents / kept.size)))
    if rejects.rows is None:
        return found
    ends = list(zip(rejects.rows["step"].to_pylist(), rejects.rows["reason"].to_pylist(), strict=True))
    sampled = Counter(ends)
    counted = {(step, reason): tally.documents for step, _, reason, tally in corpus.ends()}
    weights = np.array([counted.get(end, sampled[end]) / sampled[end] for end in ends])
    for step in dict.fromkeys(step for step, _ in ends):
        if step != READ_STEP:
            here = np.array([end[0] == step for end in ends])
            found.append(Population(step, rejects.rows.filter(pa.array(here)), weights[here]))
    return found


def distributions(corpus: SourceCorpus, samples: Sequence[Population]) -> Iterator[Distribution]:
    """All that a source's fields have to show, those of its table first.

    Args:
        corpus: The source.
        samples: What ``populations`` gave.
    """
    named = [field for field in fields_of(corpus.name) if field is not CREATED or corpus.name not in MONTHLY]
    known = {field.column for field in named} | NO_PLOT
    columns = list(dict.fromkeys(name for sample in samples for name in sample.rows.column_names))
    generic = [
        Field(name, name.removeprefix("meta.").replace("_", " ").capitalize())
        for name in columns
        if name.startswith("meta.") and name not in known and not name.endswith("_id")
    ]
    recipe = surveyed(corpus.recipe, corpus.manifest.get("surveys", {}))
    for field in (*named, *generic):
        languages = by_language(field, recipe)
        for one, rows in _of_languages(languages, samples) if languages else [(field, samples)]:
            drawn = distribution(one, rows, recipe)
            if drawn is not None:
                yield drawn


def _of_languages(
    fields: Mapping[str, Field], samples: Sequence[Population]
) -> Iterator[tuple[Field, Sequence[Population]]]:
    """The rows of each language, the most frequent languages first."""
    weights: Counter[str] = Counter()
    for sample in samples:
        if "language" in sample.rows.column_names:
            for name, weight in zip(sample.rows["language"].to_pylist(), sample.weights.tolist(), strict=True):
                weights[name] += weight if name in fields else 0
    ranked = sorted((name for name in fields if weights[name]), key=lambda name: (-weights[name], name))
    for name in ranked[:MOST_LANGUAGES]:
        yield fields[name], [_rows_in(name, sample) for sample in samples if "language" in sample.rows.column_names]


def _rows_in(language: str, sample: Population) -> Population:
    found = pc.fill_null(pc.equal(sample.rows["language"], language), False).combine_chunks()
    return Population(sample.step, sample.rows.filter(found), sample.weights[found.to_numpy(zero_copy_only=False)])


def distribution(field: Field, samples: Sequence[Population], recipe: Mapping[str, Any]) -> Distribution | None:
    """The distribution of one field; None where it would say nothing."""
    parts = [(_fate(field, s), *_values(field, s)) for s in samples if field.column in s.rows.column_names]
    parts = [part for part in parts if len(part[1])]
    if not parts:
        return None
    kind = parts[0][1].type
    if pa.types.is_timestamp(kind):
        return _months(field, parts)
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _bars(field, parts)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = [(fate, _numbers(values), weights) for fate, values, weights in parts]
        return _histogram(field, numbers, cutoffs(field, recipe))
    return None


def histogram(field: Field, values: pa.ChunkedArray, recipe: Mapping[str, Any]) -> Histogram | None:
    """The histogram of a column outside the documents; each row counts once."""
    numbers = _numbers(pc.drop_null(values))
    return _histogram(field, [(HERE, numbers, np.ones(len(numbers)))], cutoffs(field, recipe))


def _fate(field: Field, sample: Population) -> str:
    if sample.step is None:
        return KEPT
    return HERE if sample.step == field.step else ELSEWHERE


def _values(field: Field, sample: Population) -> tuple[pa.Array, Numbers]:
    """The values of a field that are there, lists laid flat, and the weight of each."""
    column = sample.rows[field.column].combine_chunks()
    weights = sample.weights
    if field.of:
        if field.of not in sample.rows.column_names:
            return pa.array([], pa.float64()), weights[:0]
        whole = _numbers(sample.rows[field.of].combine_chunks())
        with np.errstate(divide="ignore", invalid="ignore"):
            column = pa.array(1 - _numbers(column) / whole, from_pandas=True)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        parents = pc.list_parent_indices(column).to_numpy()
        column, weights = pc.list_flatten(column), weights[parents]
    there = pc.is_valid(column)
    return column.filter(there), weights[there.to_numpy(zero_copy_only=False)]


def _numbers(values: pa.Array | pa.ChunkedArray) -> Numbers:
    return np.asarray(pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)


def _histogram(
    field: Field, parts: Sequence[tuple[str, Numbers, Numbers]], cuts: tuple[float, ...]
) -> Histogram | None:
    finite = [(fate, v[np.isfinite(v)], w[np.isfinite(v)]) for fate, v, w in parts]
    every = np.concatenate([values for _, values, _ in finite])
    unseen = 0.0
    if field.scale == "log":
        unseen = float(sum(weights[values <= 0].sum() for _, values, weights in finite))
        finite = [(fate, v[v > 0], w[v > 0]) for fate, v, w in finite]
        every = every[every > 0]
    if not len(every) or (every.min() == every.max() and field.bounds is None):
        return None
    cuts = tuple(cut for cut in cuts if _in_sight(field, cut, every))
    edges = _edges(field, every, cuts)
    counts = {fate: np.zeros(len(edges) - 1) for fate in FATES}
    for fate, values, weights in finite:
        counts[fate] += np.histogram(np.clip(values, edges[0], edges[-1]), edges, weights=weights)[0]
    clipped = bool(every.min() < edges[0] or every.max() > edges[-1])
    return Histogram(field, edges, counts, cuts, clipped, len(every), unseen)


def _in_sight(field: Field, cut: float, values: Numbers) -> bool:
    """Whether a cut-off lies so near to the values that both can be seen."""
    if field.scale != "log":
        return True
    return bool(cut > 0 and values.min() / FAR <= cut <= values.max() * FAR)


def _edges(field: Field, values: Numbers, cuts: tuple[float, ...]) -> Numbers:
    if field.bounds is not None:
        return np.linspace(*field.bounds, BINS + 1)
    tail = TAIL if len(values) >= MANY_VALUES else 0.0
    low, high = np.quantile(values, [tail, 1 - tail])
    low, high = min([low, *cuts]), max([high, *cuts])
    if field.scale == "log":
        return np.geomspace(low, max(high, low * 1.01), BINS + 1)
    if high - low <= BINS and not np.any(values % 1):  # few whole numbers: a bin each
        return np.arange(np.floor(low), np.ceil(high) + 2) - 0.5
    return np.linspace(low, max(high, low + 1e-9), BINS + 1)


def _bars(field: Field, parts: Sequence[tuple[str, pa.Array, Numbers]]) -> Bars | None:
    sums: dict[str, Counter[str]] = {fate: Counter() for fate in FATES}
    rows = 0
    for fate, values, weights in parts:
        rows += len(values)
        for value, weight in zip(values.to_pylist(), weights.tolist(), strict=True):
            sums[fate][_name(value)] += weight
    every = sum(sums.values(), Counter())
    if len(every) < 2 or (rows >= MANY_ROWS and len(every) > MOST_DISTINCT * rows):
        return None
    ranked = sorted(every, key=lambda name: (-every[name], name))
    names = ranked[:BARS]
    counts = {fate: np.array([tally[name] for name in names], np.float64) for fate, tally in sums.items()}
    if rest := ranked[BARS:]:
        names = [*names, OTHER]
        counts = {fate: np.append(counts[fate], sum(sums[fate][name] for name in rest)) for fate in counts}
    return Bars(field, names, counts, rows)


def _name(value: Any) -> str:
    """A category as one reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value != "" else NONE


def _months(field: Field, parts: Sequence[tuple[str, pa.Array, Numbers]]) -> Bars | None:
    sums: dict[str, Counter[str]] = {fate: Counter() for fate in FATES}
    rows = 0
    for fate, values, weights in parts:
        rows += len(values)
        for month, weight in zip(pc.strftime(values, "%Y-%m").to_pylist(), weights.tolist(), strict=True):
            sums[fate][month] += weight
    months = sorted(set().union(*sums.values()))
    if len(months) > 3 * BINS:  # years then
        sums = {fate: _by_year(tally) for fate, tally in sums.items()}
        months = sorted(set().union(*sums.values()))
    if len(months) < 2:
        return None
    counts = {fate: np.array([tally[month] for month in months], np.float64) for fate, tally in sums.items()}
    return Bars(field, months, counts, rows)


def _by_year(tally: Counter[str]) -> Counter[str]:
    years: Counter[str] = Counter()
    for month, weight in tally.items():
        years[month[:4]] += weight
    return years
