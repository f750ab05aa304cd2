"""Results as a table, ours beside the paper's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer_bridge.benchmark.suites import Row

HEAD = ("task", "metric", "this run", "±")


@dataclass(frozen=True)
class Result:
    """What came of a row.

    Attributes:
        row: the row.
        values: by metric, value and standard error, as the harness gives them; empty where there are none.
        note: why there are none.
    """

    row: Row
    values: Mapping[str, tuple[float, float | None]]
    note: str = ""

    def lines(self, sizes: Sequence[str]) -> list[tuple[str, ...]]:
        """The row's lines in the table: one for each metric."""
        beside = tuple(_beside(self.row.paper, size, size == sizes[0]) for size in sizes)
        if not self.values:
            return [(self.row.title, self.row.metric or "", "-", "", *beside)]
        return [
            (self.row.title, metric, _number(value, self.row.scale), _number(error, self.row.scale), *beside)
            for metric, (value, error) in self.values.items()
        ]

    def report(self) -> dict[str, Any]:
        """The row for JSON; values are scaled as the table's."""
        row = self.row
        scaled = {
            metric: {"value": value * row.scale, "stderr": None if error is None else error * row.scale}
            for metric, (value, error) in self.values.items()
        }
        return {
            **{"name": row.name, "title": row.title, "task": row.task, "shots": row.shots, "table": row.table},
            **{"metrics": scaled, "paper": dict(row.paper), "note": self.note},
        }


def _number(value: float | None, scale: float) -> str:
    if value is None:
        return ""
    return f"{value * scale:.1f}" if scale == 100 else f"{value * scale:.4g}"


def _beside(paper: Mapping[str, float], size: str, first: bool) -> str:
    """The paper's number; where it gives none of the first size, that of the size it gives."""
    if size in paper:
        return f"{paper[size]:g}"
    return next((f"{value:g} ({other})" for other, value in paper.items()), "") if first else ""


def markdown(results: Sequence[Result], sizes: Sequence[str]) -> str:
    """A table that reads as text, and as Markdown; below it, why there are rows without a number."""
    head = (*HEAD, *(f"paper {size}" for size in sizes))
    lines = [tuple(cell.replace("|", "\\|") for cell in line) for result in results for line in result.lines(sizes)]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    rule = tuple("-" * width if number < 2 else "-" * (width - 1) + ":" for number, width in enumerate(widths))
    table = (_line(line, widths) for line in (head, rule, *lines))
    notes: dict[str, list[str]] = {}
    for result in results:
        if not result.values:
            notes.setdefault(result.note, []).append(result.row.title)
    below = [f"{', '.join(titles)}: {note}" for note, titles in notes.items()]
    return "\n".join([*table, *(["", *below] if below else [])]) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (c.ljust(w) if n < 2 else c.rjust(w) for n, (c, w) in enumerate(zip(cells, widths, strict=True)))
    return f"| {' | '.join(padded)} |"
