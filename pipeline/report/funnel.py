"""The funnel of a source: a Sankey diagram from what was read, through the steps, to what was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.corpus.ledger import Tally
from pipeline.report import palette
from pipeline.report.charts import Chart, Series, Table, figure, horizontal, label
from pipeline.report.corpus import SourceCorpus

MOST_REASONS = 7  # of a step, that have a flow of their own; the rest flow together
MOST_SUBSETS = 10
HEIGHT = 400
UNSEEN = "rgba(0,0,0,0)"
HAIR = 1e-3  # documents: a flow that takes no room
PAD = 16  # pixels between nodes of a column


@dataclass
class _Nodes:
    """The diagram's nodes, and its flows: from, to, documents, colour."""

    labels: list[str] = field(default_factory=list)
    colours: list[str] = field(default_factory=list)
    links: list[tuple[int, int, float, str]] = field(default_factory=list)

    def add(self, text: str, value: int, colour: str) -> int:
        self.labels.append(f"{label(text)} {value:,}")
        self.colours.append(colour)
        return len(self.labels) - 1

    def leave_room(self, last: int) -> None:
        """Adds an unseen column at the right, so that the last labels have a place beside their nodes, too."""
        self.labels.append("")
        self.colours.append(UNSEEN)
        self.links.append((last, len(self.labels) - 1, HAIR, UNSEEN))


def funnel_chart(corpus: SourceCorpus) -> Chart:
    """The diagram of documents, with every step and reason in its table."""
    import plotly.graph_objects as go  # noqa: PLC0415

    nodes = _build(corpus)
    trace = go.Sankey(
        arrangement="snap",
        node={
            "label": nodes.labels,
            "color": nodes.colours,
            "align": "left",
            "pad": PAD,
            "thickness": 12,
            "line": {"width": 0},
            "hovertemplate": "%{label}<extra></extra>",
        },
        link={
            "source": [link[0] for link in nodes.links],
            "target": [link[1] for link in nodes.links],
            "value": [link[2] for link in nodes.links],
            "color": [link[3] for link in nodes.links],
            "hovertemplate": "%{source.label} → %{target.label}<extra></extra>",
        },
        textfont={"color": palette.INK, "size": 12},
    )
    made = figure([trace], HEIGHT, margin={"l": 4, "r": 4, "t": 12, "b": 20})
    read, kept = corpus.read.documents, corpus.kept.documents
    summary = f"Flow diagram: of {read:,} records read, {kept:,} documents were kept; the table has every step."
    return Chart("The way of the documents", made, funnel_table(corpus), summary, wide=True)


def _build(corpus: SourceCorpus) -> _Nodes:
    nodes = _Nodes()
    steps = [
        (name, step) for name, step in corpus.ledger.steps.items() if step.dropped or step.failed or name == "read"
    ]
    before: int | None = None
    for name, step in steps:
        here = nodes.add(name, step.entered.documents, palette.KEPT)
        if before is not None:
            nodes.links.append((before, here, step.entered.documents, palette.FLOW))
        for kind, tallies, node, flow in (
            ("dropped", step.dropped, palette.DROPPED, palette.LOSS),
            ("failed", step.failed, palette.FAILED, palette.HARM),
        ):
            for reason, count in _largest(tallies, MOST_REASONS):
                text = reason if kind == "dropped" else f"failed: {reason}"
                end = nodes.add(text, count, node)
                nodes.links.append((here, end, count, flow))
        before = here
    assert before is not None
    end = before
    for subset, count in _largest(corpus.ledger.kept, MOST_SUBSETS):
        end = nodes.add(f"kept: {subset}", count, palette.KEPT)
        nodes.links.append((before, end, count, palette.FLOW))
    nodes.leave_room(end)
    return nodes


def _largest(tallies: dict[str, Tally], most: int) -> list[tuple[str, int]]:
    ranked = sorted(((tally.documents, name) for name, tally in tallies.items() if tally.documents), reverse=True)
    shown = [(name, count) for count, name in ranked[:most]]
    rest = [count for count, _ in ranked[most:]]
    return [*shown, (f"{len(rest)} others", sum(rest))] if rest else shown


def funnel_table(corpus: SourceCorpus) -> Table:
    """Every end of a document, and every subset, with documents, share and characters."""
    read = corpus.read
    rows = [_row("read", "records", read, read)]
    rows += [_row(step, f"{kind}: {reason}", tally, read) for step, kind, reason, tally in corpus.ends()]
    rows += [_row("kept", subset, tally, read) for subset, tally in sorted(corpus.ledger.kept.items())]
    rows.append(_row("kept", "in all", corpus.kept, read))
    return Table(["step", "", "documents", "share", "characters"], rows)


def _row(step: str, what: str, tally: Tally, read: Tally) -> Sequence[str]:
    share = tally.documents / read.documents if read.documents else 0.0
    return [step, what, f"{tally.documents:,}", f"{share:.1%}", f"{tally.characters:,}"]


def characters_chart(corpus: SourceCorpus) -> Chart:
    """Where the characters went, step by step: documents dropped, and text cut from documents that stay."""
    names: list[str] = []
    dropped: list[float] = []
    cut: list[float] = []
    left: list[float] = []
    for name, step in corpus.ledger.steps.items():
        gone = sum(t.characters for t in (*step.dropped.values(), *step.failed.values()))
        edited = step.entered.characters - step.left.characters - gone
        names.append(name)
        dropped.append(gone)
        cut.append(edited)
        left.append(step.left.characters)
    return _stacked(names, left, cut, dropped)


def _stacked(names: list[str], left: list[float], cut: list[float], dropped: list[float]) -> Chart:
    series = [
        Series("left", left, palette.KEPT),
        Series("cut from documents that stay", [max(0.0, c) for c in cut], palette.SERIES[4]),
        Series("in documents dropped", dropped, palette.DROPPED),
    ]
    shown = [s for s in series if any(s.values)]
    return horizontal("Characters, step by step", names, shown, "characters", "Stacked bars of characters by step.")
