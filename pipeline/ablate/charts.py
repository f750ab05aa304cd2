"""The plots of an experiment: differences with their intervals, and curves over the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report import palette
from pipeline.report.charts import Chart, Table, figure, label
from pipeline.report.harmless import one_line
from pipeline.report.units import short

MOST_POINTS = 400  # of a curve
ROW = 30  # pixels of an interval
VERDICT_COLOURS = {"worse": palette.DROPPED, "better": "#2f855a"}


@dataclass(frozen=True)
class Curve:
    """A line: its name, its points, its colour."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str


def colours(arms: Sequence[str]) -> dict[str, str]:
    """A colour for each arm; the baseline's is the text's."""
    series = [colour for colour in palette.SERIES if colour not in VERDICT_COLOURS.values()]
    return {
        name: palette.INK if number == 0 else series[(number - 1) % len(series)] for number, name in enumerate(arms)
    }


def intervals(title: str, rows: Mapping[str, Mapping[str, Any]], verdicts: Mapping[str, str], note: str) -> Chart:
    """Differences from the baseline, a line each: the value, and its interval where there is one.

    Args:
        title: The chart's.
        rows: By name: value, low, high.
        verdicts: By name.
        note: What a reader must know.
    """
    import plotly.graph_objects as go  # noqa: PLC0415 - not for --help

    names = list(rows)
    values = [rows[name]["value"] for name in names]
    ends = [[0.0 if rows[n]["low"] is None else rows[n]["high"] - rows[n]["value"] for n in names]]
    ends.append([0.0 if rows[n]["low"] is None else rows[n]["value"] - rows[n]["low"] for n in names])
    traces = [
        go.Scatter(
            x=[values[row]],
            y=[row],
            mode="markers",
            marker={"color": VERDICT_COLOURS.get(verdicts[name], palette.MUTED), "size": 9},
            error_x={
                "type": "data",
                "array": [ends[0][row]],
                "arrayminus": [ends[1][row]],
                "color": VERDICT_COLOURS.get(verdicts[name], palette.MUTED),
                "thickness": 2,
                "width": 5,
            },
            customdata=[f"{label(name)}: {label(verdicts[name])}"],
            hovertemplate="%{customdata}, %{x:+.4f}<extra></extra>",
        )
        for row, name in enumerate(names)
    ]
    made = figure(traces, 70 + ROW * max(3, len(names)))
    made["layout"]["xaxis"].update(nticks=6, zeroline=True, zerolinewidth=2, zerolinecolor=palette.MUTED)
    made["layout"]["xaxis"]["title"]["text"] = "more bits per byte than the baseline: worse"
    made["layout"]["yaxis"].update(
        range=[max(3, len(names)) - 0.5, -0.5],
        tickvals=list(range(len(names))),
        ticktext=[label(name) for name in names],
        tickfont={"color": palette.INK},
        showgrid=False,
        zeroline=False,
    )
    cells = [[one_line(name), *ends_text(rows[name]), verdicts[name]] for name in names]
    table = Table(["", "difference", "from", "to", "verdict"], cells)
    legend = [("worse", palette.DROPPED), ("better", "#2f855a"), ("no difference shown", palette.MUTED)]
    return Chart(title, made, table, f"Differences of {len(names)} from the baseline.", legend, note, wide=True)


def ends_text(row: Mapping[str, Any]) -> list[str]:
    """A difference and the ends of its interval, as a table shows them."""
    return ["" if row[key] is None else f"{row[key]:+.4f}" for key in ("value", "low", "high")]


def curves(title: str, lines: Sequence[Curve], unit: str, note: str = "", *, marked: bool = False) -> Chart:
    """Lines over the tokens of the training.

    Args:
        title: The chart's.
        lines: The lines; points beyond a few hundred are thinned out.
        unit: Of the values.
        note: What a reader must know.
        marked: Whether each point is drawn.
    """
    import plotly.graph_objects as go  # noqa: PLC0415

    traces = []
    for line in lines:
        points = line.points[:: max(1, len(line.points) // MOST_POINTS)]
        traces.append(
            go.Scatter(
                x=[x for x, _ in points],
                y=[y for _, y in points],
                mode="lines+markers" if marked else "lines",
                name=label(line.name),
                line={"color": line.colour, "width": 2},
                marker={"color": line.colour, "size": 6},
                hovertemplate="%{x:,.3~s} tokens: %{y:.4f}<extra>%{fullData.name}</extra>",
            )
        )
    made = figure(traces, 340, yaxis={"title": {"text": unit}, "nticks": 6})
    made["layout"]["xaxis"]["title"]["text"] = "tokens"
    made["layout"]["xaxis"].update(nticks=6, tickformat="~s")
    ends = [
        [one_line(line.name), short(line.points[-1][0]), f"{line.points[-1][1]:.4f}"] for line in lines if line.points
    ]
    table = Table(["arm", "tokens", "at the end"], ends)
    summary = f"Curves of {len(lines)} arms."
    return Chart(title, made, table, summary, [(line.name, line.colour) for line in lines], note, wide=True)
