"""What a source's part of the report holds: its accounts, its plots, its texts."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from pipeline.corpus.ledger import Tally
from pipeline.report import palette
from pipeline.report.budget import Budget
from pipeline.report.charts import Chart, Series, bars, columns, histogram, horizontal
from pipeline.report.corpus import SourceCorpus
from pipeline.report.distributions import Bars, distributions, populations
from pipeline.report.distributions import histogram as histogram_of
from pipeline.report.fields import EXTRAS, MONTHLY, NO_COUNTER, SHARES, Monthly, list_fields
from pipeline.report.funnel import characters_chart, funnel_chart
from pipeline.report.harmless import harmless, one_line
from pipeline.report.paper import title_of
from pipeline.report.sample import EXCERPT_CHARACTERS, Excerpt, Sample, open_parquet, take_sample
from pipeline.report.units import bytes_, counted, seconds, share, short
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import exists, join

MOST_SUBSETS = 24
FEWEST_COUNTERS = 3  # of a step, that make a plot
MOST_COUNTERS = 24
_YYMM = re.compile(r"\d\d(0[1-9]|1[0-2])")
MOST_EXTRA_ROWS = 1_000_000
FACT_CHARACTERS = 200
UNSAMPLED = "None of them is among the sampled rejects: python -m pipeline.inspect looks through all that were kept."
NO_REJECTS = "The run kept no text of what it dropped (rejects.keep in the recipe)."


@dataclass(frozen=True)
class Text:
    """A document to be read: its id, what is known of it, the beginning of its text, the characters left out."""

    identifier: str
    facts: Sequence[tuple[str, str]]
    text: str
    left_out: int


@dataclass(frozen=True)
class Texts:
    """Texts of one fate: what it is called, how many documents met it, some of them, and why there are none."""

    title: str
    kind: str
    documents: int
    items: Sequence[Text]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A source's part of the page.

    Attributes:
        name: The source's name.
        title: What it is called.
        facts: A few figures, each with its name.
        charts: Its plots.
        texts: Its texts, the kept ones first.
        sampled: From how much the distributions were drawn, in a sentence.
        warnings: What a reader must know before all else.
        recipe: The recipe, key by key.
        bytes_per_character: Of the sampled kept texts; None where there are none.
    """

    name: str
    title: str
    facts: Sequence[tuple[str, str]]
    charts: Sequence[Chart]
    texts: Sequence[Texts]
    sampled: str
    warnings: Sequence[str]
    recipe: Sequence[tuple[str, str]]
    bytes_per_character: float | None


def build_section(corpus: SourceCorpus, budget: Budget, title: str = "") -> Section:
    """Reads what the section of a source needs, and makes its plots.

    Args:
        corpus: The source.
        budget: How much of its documents, and of its rejects, is read.
        title: What it is called; its usual title, where that is empty.
    """
    lists = list_fields(corpus.name)
    kept = take_sample(corpus, corpus.documents, lists, budget)
    rejects = take_sample(corpus, corpus.rejects, lists, budget)
    return Section(
        corpus.name,
        title or title_of(corpus.name),
        list(_facts(corpus)),
        list(_charts(corpus, kept, rejects)),
        list(_texts(corpus, kept, rejects)),
        _sampled(corpus, kept, rejects),
        list(_warnings(corpus, kept, rejects)),
        list(flat(corpus.recipe)),
        _bytes_per_character(kept),
    )


def _facts(corpus: SourceCorpus) -> Iterator[tuple[str, str]]:
    inputs = corpus.manifest["inputs"]
    raw = sum(entry["bytes"] for entry in inputs if entry["bytes"] and entry["bytes"] > 0)
    read, kept, timing = corpus.read, corpus.kept, corpus.timing
    text = corpus.ledger.step(READ_STEP).counters.get("text_bytes", 0)
    files = len({entry["path"] for entry in inputs})
    yield "raw inputs", f"{counted(files, 'file')}, {bytes_(raw)}"
    yield "shards", f"{corpus.manifest['shards']:,}"
    yield "records read", f"{read.documents:,}"
    yield "documents kept", f"{kept.documents:,} ({share(kept.documents / read.documents if read.documents else 0)})"
    yield "characters kept", f"{short(kept.characters)} ({share(_part(kept.characters, read.characters))})"
    yield "Parquet", bytes_(sum(file.bytes for file in corpus.documents))
    for said in SHARES.get(corpus.name, ()):
        counters = corpus.ledger.step(said.step).counters
        if counters[said.whole]:
            part, whole = counters[said.part], counters[said.whole]
            yield said.title, f"{part:,} of {whole:,} ({share(part / whole)})"
    yield from _held_out(corpus)
    if timing["worker_seconds"]:
        yield "worker time", seconds(timing["worker_seconds"])
        yield "speed of a worker", _speed(text, read.documents, timing["worker_seconds"])
        yield "largest worker", bytes_(timing["peak_bytes"])


def _held_out(corpus: SourceCorpus) -> Iterator[tuple[str, str]]:
    """How the classifiers of a source do on pages that they were not trained on, as their training measured."""
    for name, record in (corpus.manifest["configuration"].get("training") or {}).items():
        with contextlib.suppress(KeyError, TypeError, ValueError):  # a record of another model
            held_out, pages = record["held_out"], record["pages"]
            precision = "unknown" if held_out["precision"] is None else share(held_out["precision"])
            yield (
                f"{one_line(name.partition('.')[0])} classifier",
                f"precision {precision}, recall {share(held_out['recall'])} at {held_out['threshold']:g}, on "
                f"{pages['held_out_positives']:,} cited pages and {pages['held_out_negatives']:,} others held out",
            )


def _part(value: float, whole: float) -> float:
    return value / whole if whole else 0.0


def _speed(text: int, documents: int, spent: float) -> str:
    rate = f"{short(documents / spent)} documents/s"
    return f"{text / 1e6 / spent:,.3g}\u202fMB/s, {rate}" if text else rate


def _charts(corpus: SourceCorpus, kept: Sample, rejects: Sample) -> Iterator[Chart]:
    yield funnel_chart(corpus)
    for extra in EXTRAS.get(corpus.name, ()):
        path = join(corpus.layout.root, extra.file)
        drawn = histogram_of(extra.field, _column(path, extra.field.column), corpus.recipe) if exists(path) else None
        if drawn is not None:
            yield histogram(drawn)
    if corpus.name in MONTHLY:
        yield from _months(corpus, MONTHLY[corpus.name])
    for one in distributions(corpus, populations(corpus, kept, rejects)):
        yield bars(one) if isinstance(one, Bars) else histogram(one)
    if len(corpus.ledger.kept) > 1:
        yield _subsets(corpus.ledger.kept)
    yield characters_chart(corpus)
    yield from _counters(corpus)
    if any(corpus.timing["steps"].values()):
        yield _time(corpus.timing["steps"])


def _column(path: str, name: str) -> pa.ChunkedArray:
    """A column of a Parquet file, its first million rows."""
    taken, rows = [], 0
    with open_parquet(path) as parquet:
        for batch in parquet.iter_batches(columns=[name]):
            taken.append(batch.column(0).slice(0, MOST_EXTRA_ROWS - rows))
            rows += batch.num_rows
            if rows >= MOST_EXTRA_ROWS:
                break
        kind = parquet.schema_arrow.field(name).type
    return pa.chunked_array(taken, kind)


def _months(corpus: SourceCorpus, monthly: Monthly) -> Iterator[Chart]:
    """Kept and lost records of each month, from the counters of its steps."""
    read, kept = ({_year_month(m): n for m, n in _by_month(corpus, *place)} for place in (monthly.read, monthly.kept))
    if not read:
        return
    names = sorted(read)
    series = [
        Series("kept", [kept.get(n, 0) for n in names], palette.KEPT),
        Series("dropped or failed", [read[n] - kept.get(n, 0) for n in names], palette.DROPPED),
    ]
    yield columns("Yield by month", names, series, "records", f"Bars of records kept and lost in {len(names)} months.")


def _by_month(corpus: SourceCorpus, step: str, prefix: str) -> Iterator[tuple[str, int]]:
    account = corpus.ledger.steps.get(step)
    for name, count in (account.counters if account else Counter[str]()).items():
        month = name.removeprefix(prefix)
        if name.startswith(prefix) and _YYMM.fullmatch(month):
            yield month, count


def _year_month(digits: str) -> str:
    """arXiv's YYMM as a date: it began in 1991."""
    century = 19 if int(digits[:2]) >= 91 else 20
    return f"{century}{digits[:2]}-{digits[2:]}"


def _subsets(kept: Mapping[str, Tally]) -> Chart:
    ranked = sorted(kept, key=lambda name: (-kept[name].characters, name))
    names, rest = ranked[:MOST_SUBSETS], ranked[MOST_SUBSETS:]
    values: list[float] = [kept[name].characters for name in names]
    if rest:
        names, values = [*names, f"{len(rest)} others"], [*values, sum(kept[name].characters for name in rest)]
    series = [Series("characters", values, palette.KEPT)]
    return horizontal(
        "Characters kept, by subset", names, series, "characters", "Bars of characters by subset.", labelled=True
    )


def _counters(corpus: SourceCorpus) -> Iterator[Chart]:
    """What the steps counted besides: the rules of a step that has many, encodings met, and so on."""
    for name, step in corpus.ledger.steps.items():
        counted = {key: n for key, n in step.counters.items() if n and not key.startswith(NO_COUNTER)}
        if len(counted) < FEWEST_COUNTERS:
            continue
        names = sorted(counted, key=lambda key: (-counted[key], key))[:MOST_COUNTERS]
        series = [Series("count", [counted[key] for key in names], palette.SERIES[3])]
        yield horizontal(
            f"Counted by {name}", names, series, "times", f"Bars of the counters of the step {name}.", labelled=True
        )


def _time(steps: Mapping[str, float]) -> Chart:
    names = [name for name, spent in steps.items() if spent > 0]
    series = [Series("seconds", [steps[name] for name in names], palette.SERIES[2])]
    return horizontal(
        "Worker time, by step", names, series, "seconds of all workers", "Bars of seconds by step.", labelled=True
    )


def _texts(corpus: SourceCorpus, kept: Sample, rejects: Sample) -> Iterator[Texts]:
    for items in kept.excerpts.values():
        yield Texts("Kept", "kept", corpus.kept.documents, [_text(item) for item in items])
    note = UNSAMPLED if corpus.rejects else NO_REJECTS
    for step, kind, reason, tally in corpus.ends():
        items = rejects.excerpts.get((step, reason), [])
        title = f"{kind.capitalize()} by {step}: {reason}"
        yield Texts(one_line(title), kind, tally.documents, [_text(item) for item in items], note)


def _text(excerpt: Excerpt) -> Text:
    facts = [(name.removeprefix("meta."), value) for name, value in excerpt.row.items()]
    shown = [
        (name, one_line(fact(value)[:FACT_CHARACTERS]))
        for name, value in facts
        if value is not None and name not in {"id", "step", "reason", "bytes"}
    ]
    left_out = max(0, excerpt.characters - EXCERPT_CHARACTERS)
    return Text(one_line(str(excerpt.row["id"])[:FACT_CHARACTERS]), shown, harmless(excerpt.text), left_out)


def fact(value: Any) -> str:
    """A value of a document's columns, as one reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return value.isoformat(" ", "seconds").removesuffix("+00:00") if hasattr(value, "isoformat") else str(value)


def _sampled(corpus: SourceCorpus, kept: Sample, rejects: Sample) -> str:
    parts = []
    lost = sum(tally.documents for *_, tally in corpus.ends())
    for sample, whole, what in ((kept, corpus.kept.documents, "kept documents"), (rejects, lost, "rejects")):
        if sample.size == whole:
            parts.append(f"all {whole:,} {what}")
        else:
            files, of = sample.files
            parts.append(f"{sample.size:,} of {whole:,} {what} (in {files:,} of {of:,} files)")
    exact = kept.size == corpus.kept.documents and rejects.size == lost
    return f"Distributions and texts are from {' and '.join(parts)}" + (
        "." if exact else "; the counts in them are scaled up to all documents."
    )


def _warnings(corpus: SourceCorpus, kept: Sample, rejects: Sample) -> Iterator[str]:
    if not corpus.finished:
        yield f"No run has ended here yet; done so far: {counted(corpus.manifest['shards'], 'shard')}."
    for fault in corpus.ledger.check():
        yield f"The accounts do not add up: {fault}. Run python -m pipeline.verify on the folder."
    unreadable = [*kept.unreadable, *rejects.unreadable]
    if unreadable:
        yield f"{counted(len(unreadable), 'sampled file')} could not be read, for example {one_line(unreadable[0])}"


def _bytes_per_character(kept: Sample) -> float | None:
    if kept.rows is None:
        return None
    characters = sum(kept.rows["characters"].to_pylist())
    return sum(kept.rows["bytes"].to_pylist()) / characters if characters else None


def flat(recipe: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A recipe as keys with their path, and values."""
    for key, value in recipe.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{key}.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield one_line(f"{prefix}{key}"), one_line(shown[:1000])
