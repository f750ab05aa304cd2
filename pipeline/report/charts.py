"""The report's plots, made with Plotly: each is a figure, and the same numbers as a table for who cannot see it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from pipeline.report import palette
from pipeline.report.distributions import ELSEWHERE, FATES, HERE, KEPT, Bars, Histogram
from pipeline.report.harmless import one_line
from pipeline.report.units import short

LABEL_CHARACTERS = 32
HEIGHT = 250  # pixels
ROW = 22  # pixels of a bar
GROUPED_ROW, GROUP = 12, 8  # pixels of one beside others, and of the room between groups
AXIS = 60  # pixels of the axis below bars, with its title
FEW = 3  # bars, below which a plot does not shrink further
FEW_COUNTS = 4  # up to which an axis of counts has a tick at each
NARROW = 0.12  # of the axis, a range that is too narrow for its name
NAMES_ABOVE = 13  # pixels between the values of cut-offs and the names of the ranges above them
FEW_MONTHS = 12
FEW_DECADES = 2.5  # of a logarithmic axis, within which 2 and 5 have ticks, too
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', sans-serif"
FATE_COLOURS = {KEPT: palette.KEPT, HERE: palette.DROPPED, ELSEWHERE: palette.ELSEWHERE}


@dataclass(frozen=True)
class Table:
    """The numbers of a plot: the heads of its columns, and its rows."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Chart:
    """A plot of the page.

    Attributes:
        title: Its title.
        figure: Plotly's figure, as JSON holds it.
        table: Its numbers.
        summary: What it shows, in a sentence, for screen readers.
        legend: The names of its colours, where there are two or more: name, and the colour on a light page.
        note: What a reader must know of it.
        wide: Whether it takes the whole width; it may then be scrolled on a narrow screen.
    """

    title: str
    figure: Mapping[str, Any]
    table: Table
    summary: str
    legend: Sequence[tuple[str, str]] = ()
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Series:
    """One colour of a bar chart: its name, a number for each bar, and its colour."""

    name: str
    values: Sequence[float]
    colour: str


def label(text: str, limit: int = LABEL_CHARACTERS) -> str:
    """A name as Plotly shows it: harmless, on one line, clipped, and with nothing that Plotly takes for markup."""
    line = one_line(text)
    short = line if len(line) <= limit else f"{line[: limit - 1]}…"
    return short.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def number(value: float) -> str:
    """A count, whole and with commas; a small share with the digits that matter."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"


def figure(data: Sequence[Any], height: int = HEIGHT, **layout: Any) -> dict[str, Any]:
    """A figure in the report's style, as plain JSON values."""
    import plotly.graph_objects as go  # noqa: PLC0415 - half a second, and inspect shares this room

    axis = {
        "gridcolor": palette.GRID,
        "linecolor": palette.GRID,
        "zerolinecolor": palette.GRID,
        "tickfont": {"color": palette.MUTED},
        "title": {"font": {"color": palette.MUTED, "size": 12}},
        "automargin": True,
    }
    style = go.Layout(
        height=height,
        font={"family": FONT, "size": 12, "color": palette.INK},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 8, "r": 14, "t": 12, "b": 8},
        showlegend=False,
        hoverlabel={"bgcolor": palette.PAPER, "bordercolor": palette.GRID, "font": {"color": palette.INK}},
        xaxis=axis,
        yaxis=axis,
        bargap=0.04,
        barmode="stack",
    )
    drawn = go.Figure(list(data), style)
    drawn.update_layout(**layout)
    made: dict[str, Any] = drawn.to_plotly_json()
    made["layout"].pop("template", None)
    return _plain(made)  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return round(value, 6) if isinstance(value, float) else value


def fate_name(fate: str, step: str) -> str:
    """What the legend calls a fate."""
    if fate == KEPT:
        return "kept"
    if fate == HERE:
        return f"dropped by {step}" if step else "removed"
    return "dropped elsewhere" if step else "dropped"


def histogram(drawn: Histogram) -> Chart:
    """A histogram by fate, with the cut-offs drawn in."""
    import plotly.graph_objects as go  # noqa: PLC0415

    shown = [fate for fate in FATES if drawn.counts[fate].any()]
    series = [
        Series(fate_name(fate, drawn.field.step), drawn.counts[fate].tolist(), FATE_COLOURS[fate]) for fate in shown
    ]
    edges = drawn.edges
    ranges = [f"{edge(a)} – {edge(b)}" for a, b in pairwise(edges)]
    traces = [
        go.Bar(
            x=((edges[:-1] + edges[1:]) / 2).tolist(),
            width=(edges[1:] - edges[:-1]).tolist(),
            y=list(one.values),
            name=one.name,
            marker={"color": one.colour, "line": {"width": 0}},
            customdata=ranges,
            hovertemplate="%{customdata}: %{y:,.0f}<extra>%{fullData.name}</extra>",
        )
        for one in series
    ]
    shapes, notes = _cutoff_lines(drawn)
    tallest = np.sum(list(drawn.counts.values()), axis=0).max()
    counts = {"title": {"text": drawn.field.counted}, **_count_ticks(float(tallest))}
    made = figure(traces, yaxis=counts, shapes=shapes, annotations=notes)
    made["layout"]["margin"]["t"] = (38 if len(notes) > len(shapes) else 24) if shapes else 12
    made["layout"]["xaxis"]["title"]["text"] = drawn.field.unit
    made["layout"]["xaxis"].update(_log_axis(edges[0], edges[-1]) if drawn.field.scale == "log" else {"nticks": 8})
    cuts = f" Cut at {' and '.join(map(edge, drawn.cutoffs))}." if drawn.cutoffs else ""
    note = "The outermost bars hold all that lies beyond." if drawn.clipped else ""
    if drawn.unseen:
        note = f"{note} Not on this axis: 0, in {number(round(drawn.unseen))} of the {drawn.field.counted}.".strip()
    rows = [i for i in range(len(ranges)) if any(one.values[i] for one in series)]
    table = _series_table([ranges[i] for i in rows], [_picked(one, rows) for one in series], drawn.field.unit)
    return Chart(drawn.field.title, made, table, f"Histogram of {drawn.values:,} values.{cuts}", _legend(series), note)


def _count_ticks(most: float) -> dict[str, Any]:
    """Ticks at whole numbers: there is no half of a document."""
    return {"dtick": 1} if most <= FEW_COUNTS else {"nticks": 5}


def _picked(series: Series, rows: Sequence[int]) -> Series:
    return Series(series.name, [series.values[i] for i in rows], series.colour)


def _legend(series: Sequence[Series]) -> list[tuple[str, str]]:
    return [(one.name, one.colour) for one in series] if len(series) > 1 else []


def _log_axis(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis whose ticks are written out."""
    steps = (1, 2, 5) if math.log10(high / low) <= FEW_DECADES else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    shown = [tick for tick in ticks if low <= tick <= high]
    return {"type": "log", "tickvals": shown, "ticktext": [short(tick) for tick in shown], "tickangle": 0}


def _cutoff_lines(drawn: Histogram) -> tuple[list[Any], list[Any]]:
    """Lines at the cut-offs, with their values above, and the names of the ranges between them."""
    line = {"color": palette.INK, "width": 1.5, "dash": "dash"}
    shapes = [
        {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper", "line": line} for at in drawn.cutoffs
    ]
    notes = [_note(at, f"{at:g}", drawn.field.scale) for at in drawn.cutoffs]
    if len(drawn.field.names) == len(drawn.cutoffs) + 1:
        bounds = [float(drawn.edges[0]), *drawn.cutoffs, float(drawn.edges[-1])]
        for name, (low, high) in zip(drawn.field.names, pairwise(bounds), strict=True):
            scaled = [math.log(at) if drawn.field.scale == "log" else at for at in (low, high, bounds[0], bounds[-1])]
            if scaled[1] - scaled[0] < NARROW * (scaled[3] - scaled[2]):
                continue  # its name would run into its neighbour's
            middle = math.sqrt(low * high) if drawn.field.scale == "log" else (low + high) / 2
            notes.append(_note(middle, name, drawn.field.scale, NAMES_ABOVE))
    return shapes, notes


def _note(at: float, text: str, scale: str, above: int = 0) -> dict[str, Any]:
    """A text above the plot, where no bar hides it, so many pixels higher than right above."""
    return {
        "x": math.log10(at) if scale == "log" and at > 0 else at,
        "y": 1.0,
        "yref": "paper",
        "yanchor": "bottom",
        "yshift": above,
        "text": text,
        "showarrow": False,
        "font": {"color": palette.MUTED, "size": 11},
    }


def edge(value: float) -> str:
    """The edge of a bin."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def bars(drawn: Bars) -> Chart:
    """Horizontal bars by category, or upright ones by month."""
    series = [
        Series(fate_name(fate, drawn.field.step), drawn.counts[fate].tolist(), FATE_COLOURS[fate])
        for fate in FATES
        if drawn.counts[fate].any()
    ]
    summary = f"Bars of {drawn.values:,} documents by {drawn.field.title.lower()}."
    upright = drawn.field.unit == "month"
    return (columns if upright else horizontal)(drawn.field.title, drawn.names, series, "documents", summary)


def columns(title: str, months: Sequence[str], series: Sequence[Series], unit: str, summary: str) -> Chart:
    """Upright bars, stacked, one a month (``2022-07``) or one a year (``2022``), in their places in time.

    A few months stand beside each other wherever they lie: in time their bars might be too thin to be seen.
    """
    import plotly.graph_objects as go  # noqa: PLC0415

    traces = [
        go.Bar(
            x=[month if "-" in month else f"{month}-01" for month in months],
            y=list(one.values),
            name=label(one.name),
            marker={"color": one.colour, "line": {"width": 0}},
            customdata=[label(month) for month in months],
            hovertemplate="%{customdata}: %{y:,.4~g}<extra>%{fullData.name}</extra>",
        )
        for one in series
    ]
    made = figure(
        traces,
        yaxis={
            "title": {"text": unit},
            **_count_ticks(max(map(sum, zip(*(one.values for one in series), strict=True)))),
        },
        xaxis={"type": "date" if len(months) > FEW_MONTHS else "category", "nticks": 6},
    )
    return Chart(title, made, _series_table(months, series), summary, _legend(series))


def horizontal(
    title: str,
    names: Sequence[str],
    series: Sequence[Series],
    unit: str,
    summary: str,
    *,
    grouped: bool = False,
    labelled: bool = False,
) -> Chart:
    """Horizontal bars, the first on top, stacked or beside each other, with their values where they are labelled."""
    import plotly.graph_objects as go  # noqa: PLC0415

    traces = [
        go.Bar(
            y=list(range(len(names))),
            x=list(one.values),
            name=label(one.name),
            orientation="h",
            marker={"color": one.colour, "line": {"width": 0}},
            text=[short(value) for value in one.values] if labelled else None,
            textposition="outside" if labelled else "none",
            textfont={"color": palette.MUTED},
            cliponaxis=False,
            customdata=[label(name, 80) for name in names],
            hovertemplate="%{customdata}: %{x:,.4~g}<extra>%{fullData.name}</extra>",
        )
        for one in series
    ]
    height = AXIS + max(FEW, len(names)) * (GROUPED_ROW * len(series) + GROUP if grouped else ROW)
    made = figure(traces, height, bargap=0.25, barmode="group" if grouped else "stack")
    made["layout"]["xaxis"]["title"]["text"] = unit
    made["layout"]["xaxis"].update(nticks=5, tickangle=0)
    if labelled:
        made["layout"]["margin"]["r"] = 56
    made["layout"]["yaxis"].update(
        range=[max(len(names), FEW) - 0.5, -0.5],  # a few bars do not become blocks
        tickvals=list(range(len(names))),
        ticktext=[label(name) for name in names],
        tickfont={"color": palette.INK},
        showgrid=False,
        zeroline=False,
    )
    return Chart(title, made, _series_table(names, series), summary, _legend(series))


def _series_table(names: Sequence[str], series: Sequence[Series], first: str = "") -> Table:
    rows = [
        [one_line(name), *(number(round(float(one.values[i]), 3)) for one in series)] for i, name in enumerate(names)
    ]
    return Table([first, *(one_line(one.name) for one in series)], rows)
