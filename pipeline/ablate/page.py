"""The page of an experiment: differences with intervals, curves, what arms kept, and documents that only one has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.ablate.charts import Curve, colours, curves, ends_text, intervals
from pipeline.ablate.folder import Folder
from pipeline.ablate.keys import is_damage
from pipeline.ablate.recipe import BASELINE, CONTROL
from pipeline.ablate.run import RUN
from pipeline.ablate.statistics import ALL, BETTER, NONE, UNKNOWN, WORSE
from pipeline.ablate.tasks import HIGHER, LOWER
from pipeline.report.charts import Chart, Table
from pipeline.report.content import Text, Texts
from pipeline.report.harmless import harmless, one_line
from pipeline.report.page import fill, numbered
from pipeline.report.paper import title_of
from pipeline.report.units import counted, share, short
from pipeline.storage.filesystem import write_bytes

PAGE = "index.html"
SMOOTH = 0.03  # of a curve of the training loss, that its running mean is over
KINDS = {
    "only_baseline": ("Only the baseline has", "dropped"),
    "only_arm": ("Only this arm has", "kept"),
    "changed": ("Both have, with another text (this arm's)", "kept"),
}


@dataclass(frozen=True)
class SourcePart:
    """What an arm changed of a source: figures, accounts beside the baseline's, and documents."""

    title: str
    facts: Sequence[tuple[str, str]]
    accounts: Table | None
    texts: Sequence[Texts]


@dataclass(frozen=True)
class ArmPart:
    """An arm's part of the page."""

    title: str
    facts: Sequence[tuple[str, str]]
    sources: Sequence[SourcePart]
    note: str


def write_page(folder: Folder, result: Mapping[str, Any], title: str) -> str:
    """Writes the page; gives its path.

    Args:
        folder: The experiment's.
        result: What it found.
        title: Of the page.
    """
    arms = [name for name in result["arms"] if name != BASELINE]
    overview = numbered("overview", list(_overview(folder, result, arms)))
    sources = numbered("sources", list(_by_source(result, arms)))
    page = fill(
        "ablation.html",
        [*overview, *sources],
        title=title,
        lead=_lead(result),
        tiles=_tiles(result),
        warnings=list(_warnings(result, arms)),
        verdicts=_verdicts(result, arms),
        notes=list(_notes(result, arms)),
        rates=_rates(result),
        differences=_differences(result, arms),
        by_source=_by_source_note(result, arms),
        tasks=_tasks(result, arms) if result.get("tasks") else None,
        heldout=_heldout(result),
        heldout_notes=list(_heldout_notes(result)),
        arms=[_arm(name, result["arms"][name]) for name in arms],
        plots={"overview": overview, "sources": sources},
    )
    path = folder.root / PAGE
    write_bytes(str(path), page.encode("utf-8", "replace"))
    return str(path)


def _lead(result: Mapping[str, Any]) -> str:
    return (
        f"Each arm is the baseline ({one_line(result['baseline'])}) but for a few keys. All trained the model "
        f"{one_line(result['model'])} on {result['tokens']:,} tokens, and are judged on the same held-out documents."
    )


def _tiles(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    judged = sum(source["judged"] for source in result["heldout"]["sources"].values())
    deviation = result["seed_deviation"]
    return [
        ("arms", str(len(result["arms"]))),
        ("seeds", str(result["seeds"])),
        ("tokens of a run", short(result["tokens"])),
        ("held-out documents", f"{judged:,}"),
        ("deviation of a seed", "unknown" if deviation is None else f"{deviation:.4f} bits per byte"),
    ]


def _warnings(result: Mapping[str, Any], arms: Sequence[str]) -> Iterator[str]:
    if result["seeds"] == 1:
        yield "One seed: nothing tells an arm's difference from the luck of one run. Give --seeds 3 or more."
    control = result["arms"].get(CONTROL)
    if control is None:
        yield "There is no control: nothing here tells what difference chance alone makes."
    elif control["verdict"][ALL] not in (NONE, UNKNOWN):
        yield (
            "The control, which differs by chance alone, is found different: the intervals of this experiment are too "
            "narrow, or this is the one time in many. Trust none of its verdicts before more seeds say the same."
        )


def _verdicts(result: Mapping[str, Any], arms: Sequence[str]) -> Table:
    rows = []
    for name in arms:
        arm = result["arms"][name]
        overrides = ", ".join(map(one_line, arm["overrides"])) or "another seed of the data"
        rows.append([_title(name), overrides, *ends_text(arm["difference"][ALL]), arm["verdict"][ALL]])
    return Table(["arm", "what differs", "bits per byte more", "from", "to", "verdict"], rows)


def _notes(result: Mapping[str, Any], arms: Sequence[str]) -> Iterator[str]:
    weights = ", ".join(f"{one_line(name)} {share(weight)}" for name, weight in result["weights"].items())
    yield (
        f"Bits per byte over all sources is their mean with the weights of the baseline's mixture ({weights}). Fewer "
        "are better; they do not depend on the tokenizer."
    )
    yield (
        "Differences are paired by document and seed. An interval holds the uncertainty of both, and the "
        f"{counted(len(result['arms']) - 1, 'interval')} hold together with {share(result['confidence'])} "
        "(Bonferroni). Where one has 0 in it, no difference is shown: that is not to say that there is none. The "
        "method is in docs/ablation.md."
    )
    if others := [name for name in arms if not result["arms"][name]["trains_alike"]]:
        yield (
            f"{', '.join(map(_title, others))}: another training or tokenizer, so the deviation of a seed is taken "
            "from its own runs and the baseline's alone; only many seeds make such intervals narrow."
        )


def _overview(folder: Folder, result: Mapping[str, Any], arms: Sequence[str]) -> Iterator[Chart]:
    named = {_title(name): result["arms"][name] for name in arms}
    rows = {name: arm["difference"][ALL] for name, arm in named.items()}
    verdicts = {name: arm["verdict"][ALL] for name, arm in named.items()}
    yield intervals("Bits per byte beside the baseline", rows, verdicts, "")
    shown = colours(list(result["arms"]))
    tokens = {name: result["tokens"] / arm["steps"] for name, arm in result["arms"].items()}
    heldout = [
        Curve(
            _title(name),
            [(point["step"] * tokens[name], point["bits_per_byte"]) for point in arm["curve"]],
            shown[name],
        )
        for name, arm in result["arms"].items()
    ]
    note = "Averaged over seeds. The last point is what is judged."
    yield curves("Held-out bits per byte", heldout, "bits per byte", note, marked=True)
    losses = [
        Curve(_title(name), _smooth(_training(folder, name, result["seeds"])), shown[name]) for name in result["arms"]
    ]
    note = "Each arm on its own data, in its own tokens, averaged over seeds: lower is not better where these differ."
    yield curves("Training loss", losses, "nats per token", note)


def _training(folder: Folder, arm: str, seeds: int) -> list[tuple[float, float]]:
    """The training loss of an arm by tokens, averaged over seeds."""
    sums: dict[int, list[float]] = {}
    for seed in range(seeds):
        path = folder.seed(arm, seed) / RUN / "metrics.jsonl"
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
            record = json.loads(line)
            if record.get("loss") is not None and "tokens" in record:
                sums.setdefault(int(record["tokens"]), []).append(float(record["loss"]))
    return [(tokens, sum(values) / len(values)) for tokens, values in sorted(sums.items())]


def _smooth(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The running mean of a curve, corrected at its beginning."""
    memory = 1 - 1 / max(2.0, SMOOTH * len(points))
    result, mean, weight = [], 0.0, 0.0
    for x, y in points:
        mean, weight = memory * mean + (1 - memory) * y, memory * weight + (1 - memory)
        result.append((x, mean / weight))
    return result


def _rates(result: Mapping[str, Any]) -> Table:
    names = list(result["arms"])
    rows = []
    for source in [*result["weights"], ALL]:
        levels = [result["arms"][name]["bits_per_byte"][source] for name in names]
        cells = [f"{level['value']:.4f} ± {(level['high'] - level['low']) / 2:.4f}" for level in levels]
        rows.append([_source(source), *cells])
    return Table(["source", *map(_title, names)], rows)


def _differences(result: Mapping[str, Any], arms: Sequence[str]) -> Table:
    rows = []
    for source in [*result["weights"], ALL]:
        cells = []
        for name in arms:
            value, low, high = ends_text(result["arms"][name]["difference"][source])
            verdict = result["arms"][name]["verdict"][source]
            shown = f" {verdict}" if verdict in (BETTER, WORSE) else ""
            cells.append(f"{value} ({low} to {high}){shown}" if low else value)
        rows.append([_source(source), *cells])
    return Table(["source", *map(_title, arms)], rows)


def _tasks(result: Mapping[str, Any], arms: Sequence[str]) -> Table:
    rows = []
    for task, found in result["tasks"].items():
        cells = [_number(found[BASELINE]["value"])]
        for name in arms:
            more, verdict = found[name]["difference"], found[name]["verdict"]
            shown = f" {verdict}" if verdict in (HIGHER, LOWER) else ""
            ends = "" if more["low"] is None else f" ({more['low']:+.4f} to {more['high']:+.4f}){shown}"
            cells.append(f"{_number(more['value'], '+')}{ends}")
        rows.append([one_line(task), *cells])
    return Table(["task", _title(BASELINE), *map(_title, arms)], rows)


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else format(value, f"{sign}.4f")


def _by_source_note(result: Mapping[str, Any], arms: Sequence[str]) -> str:
    return (
        f"The {counted(len(arms) * len(result['weights']), 'interval')} of single sources hold together with "
        f"{share(result['confidence'])}, and so are wider than those over all; those over all hold as above. What "
        "is said to be neither better nor worse shows no difference."
    )


def _by_source(result: Mapping[str, Any], arms: Sequence[str]) -> Iterator[Chart]:
    for name in arms:
        arm = result["arms"][name]
        rows = {_source(source): arm["difference"][source] for source in result["weights"]}
        verdicts = {_source(source): arm["verdict"][source] for source in result["weights"]}
        yield intervals(f"{_title(name)}, by source", rows, verdicts, "")


def _heldout(result: Mapping[str, Any]) -> Table:
    rows = [
        [_source(name), f"{source['documents']:,}", f"{source['judged']:,}", f"{source['bytes']:,}"]
        for name, source in result["heldout"]["sources"].items()
    ]
    return Table(["source", "held out", "judged", "bytes judged"], rows)


def _heldout_notes(result: Mapping[str, Any]) -> Iterator[str]:
    heldout = result["heldout"]
    yield (
        "Chosen by a hash of their ids from what the baseline keeps, before any arm was made. Every source of every "
        "arm was given a list of their ids, addresses and checksums: none of them, nor any document of the same text, "
        "was trained on."
    )
    if copies := sum(heldout["copies_in"].values()):
        where = ", ".join(f"{one_line(name)} {count:,}" for name, count in heldout["copies_in"].items())
        yield (
            f"{copies:,} of them are judged for no arm, since the corpus of an arm has {share(heldout['overlap'])} of "
            f"their words, or more, in runs of 13: near copies ({where})."
        )
    if heldout["without"]:
        names = ", ".join(map(_source, heldout["without"]))
        yield f"No documents of {names} are held out: there are too few. Arms are not judged on them."


def _arm(name: str, arm: Mapping[str, Any]) -> ArmPart:
    facts = [
        ("what differs", ", ".join(map(one_line, arm["overrides"])) or "another seed of the data"),
        ("made anew", "the token shards" if name == CONTROL else _made(arm)),
        ("bits per byte by seed", ", ".join(f"{value:.4f}" for value in arm["by_seed"])),
    ]
    note = "No source of it was made anew: its documents are the baseline's, but for sources that it leaves out."
    return ArmPart(_title(name), facts, [_source_part(source) for source in arm["kept"]], note)


def _made(arm: Mapping[str, Any]) -> str:
    damaged = ["all sources, damaged"] if any(map(is_damage, arm["overrides"])) else []
    return ", ".join([*damaged, *map(one_line, arm["made"])]) or "nothing but the training"


def _source_part(kept: Mapping[str, Any]) -> SourcePart:
    before, after = kept["documents"]
    facts = [
        ("documents", f"{after:,}, the baseline has {before:,}"),
        ("only in the baseline", f"{kept['only_baseline']:,}"),
        ("only in this arm", f"{kept['only_arm']:,}"),
        ("with another text", f"{kept['changed']:,}"),
    ]
    return SourcePart(_source(kept["source"]), facts, _accounts(kept["accounts"]), list(_texts(kept)))


def _accounts(rows: Sequence[Sequence[Any]]) -> Table | None:
    if not rows:
        return None
    cells = []
    for fate, step, reason, before, after in rows:
        name = " ".join(filter(None, (one_line(step), f"{fate}: {one_line(reason)}")))
        cells.append([name, f"{before:,}", f"{after:,}", f"{after - before:+,}" if after != before else "0"])
    return Table(["fate", "baseline", "this arm", "more"], cells)


def _texts(kept: Mapping[str, Any]) -> Iterator[Texts]:
    for key, (title, kind) in KINDS.items():
        if kept[key]:
            items = [
                Text(
                    one_line(sample["id"]),
                    [("address", one_line(sample["url"]))] if sample["url"] else [],
                    harmless(sample["text"]),
                    sample["left_out"],
                )
                for sample in kept["samples"][key]
            ]
            yield Texts(title, kind, kept[key], items, "None of them is shown (samples: 0).")


def _title(name: str) -> str:
    return one_line(name)


def _source(name: str) -> str:
    return "all, weighted" if name == ALL else title_of(name)
