"""The loss curve of a run as an SVG file, written by hand so that a training machine needs no plotting library."""

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 480, 62, 150, 34, 46
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#7f7f7f")
MOST_POINTS = 1500  # of one line; more cannot be seen
Points = Sequence[tuple[float, float]]


def smooth(points: Points) -> list[tuple[float, float]]:
    """Exponential mean of the y values over about 3 % of them, corrected at the beginning as Adam's is."""
    memory = 1 - 1 / max(2.0, 0.03 * len(points))
    result, mean, weight = [], 0.0, 0.0
    for x, y in points:
        mean = memory * mean + (1 - memory) * y
        weight = memory * weight + (1 - memory)
        result.append((x, mean / weight))
    return result


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers inside a range, about as many as asked for."""
    raw = (high - low) / about or 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw * 0.999)
    first = math.ceil(low / step)
    return [step * i for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _label(value: float) -> str:
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def write_loss_plot(path: Path, loss: Points, by_source: dict[str, Points], heldout: Points = ()) -> None:
    """Draws the loss of each step, its running mean, and the running mean of each source.

    Args:
        path: where to write.
        loss: (tokens seen, loss) of each step.
        by_source: the same for each source.
        heldout: the same of held-out text, drawn as it is.
    """
    loss = [(x, y) for x, y in loss if math.isfinite(y)]
    lines: dict[str, Points] = {"all": smooth(loss), **{name: smooth(points) for name, points in by_source.items()}}
    if heldout:
        lines["held-out"] = heldout
    _write(path, "training loss (nats per token)", loss, lines)


def write_curves(path: Path, title: str, lines: Mapping[str, Points]) -> None:
    """Draws lines as they are.

    Args:
        path: where to write; nothing is written where there are no points.
        title: what the values are.
        lines: (tokens seen, value) by name.
    """
    _write(path, title, [], lines)


def _write(path: Path, title: str, cloud: Points, lines: Mapping[str, Points]) -> None:
    """Draws lines, and behind them a thin one; the first line is the most visible one."""
    shown = [point for line in (cloud, *lines.values()) for point in line if math.isfinite(point[1])]
    if not shown:
        return
    x_high = max(x for x, _ in shown) or 1.0
    y_low, y_high = min(y for _, y in shown), max(y for _, y in shown)
    y_low, y_high = (y_low, y_high) if y_high > y_low else (y_low - 0.5, y_high + 0.5)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x = LEFT + point[0] / x_high * (WIDTH - LEFT - RIGHT)
        return x, TOP + (y_high - point[1]) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    def polyline(points: Points, colour: str, style: str) -> str:
        thin = points[:: max(1, len(points) // MOST_POINTS)]
        path = " ".join("{:.1f},{:.1f}".format(*place(point)) for point in thin if math.isfinite(point[1]))
        return f'<polyline points="{path}" fill="none" stroke="{colour}" {style}/>'

    parts = _axes(title, ticks(0.0, x_high), ticks(y_low, y_high), place)
    if cloud:
        parts.append(polyline(cloud, "#bbbbbb", 'stroke-width="0.7"'))
    for i, (name, points) in enumerate(lines.items()):
        colour = "black" if i == 0 else COLOURS[(i - 1) % len(COLOURS)]
        parts.append(polyline(points, colour, f'stroke-width="{2 if i == 0 else 1.2}"'))
        end = f" {points[-1][1]:.3f}" if points else ""
        text = html.escape(name) + end
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{TOP + 12 + 17 * i}" fill="{colour}">{text}</text>')
    frame = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
    body = "\n".join(parts)
    path.write_text(f'{frame}font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n')


def _axes(title: str, x_ticks: list[float], y_ticks: list[float], place: object) -> list[str]:
    """Grid lines with their numbers, and the titles."""
    assert callable(place)
    parts = []
    for value in x_ticks:
        x = place((value, 0.0))[0]
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eeeeee"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_label(value)}</text>')
    for value in y_ticks:
        y = place((0.0, value))[1]
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#eeeeee"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_label(value)}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">tokens</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 14}">{html.escape(title)}</text>')
    return parts
