"""Rows of the papers' tables, and which evaluations they take."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.settings import parse_yaml
from trainer_bridge.errors import TrainerError
from trainer_bridge.recipe import build

SUITES = Path(__file__).parent / "suites"


@dataclass(frozen=True)
class Job:
    """One evaluation, which may give several rows.

    Attributes:
        task: of the harness or of this project, or a .yaml file.
        shots: examples in the prompt; None: what the task says.
        changes: keys of the task's file that are otherwise, as JSON.
        needs: ``code``, ``judge`` or nothing.
    """

    task: str
    shots: int | None = None
    changes: str = "{}"
    needs: str | None = None

    @property
    def name(self) -> str:
        """What its result is called on disk."""
        shots = "" if self.shots is None else f"-{self.shots}"
        is_file = self.task.endswith(".yaml")
        told_apart = (self.task if is_file else "") + ("" if self.changes == "{}" else self.changes)
        digest = f"-{hashlib.sha256(told_apart.encode()).hexdigest()[:8]}" if told_apart else ""
        return f"{Path(self.task).stem if is_file else self.task}{shots}{digest}"


@dataclass(frozen=True)
class Row:
    """A number of a table.

    Attributes:
        name: what ``--leave`` and ``--tasks`` call it.
        title: what the table calls it.
        task: see ``Job``.
        metric: as the harness names it; None: all that the task has.
        table: of the paper; None: none.
        part: the member of a group whose number it is.
        shots: see ``Job``.
        scale: what the metric is multiplied with.
        needs: see ``Job``.
        changes: see ``Job``.
        paper: numbers by size of the paper's model.
    """

    name: str
    title: str
    task: str
    metric: str | None = None
    table: int | None = None
    part: str | None = None
    shots: int | None = None
    scale: float = 100.0
    needs: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    paper: Mapping[str, float] = field(default_factory=dict)

    @property
    def job(self) -> Job:
        """The evaluation that it takes."""
        return Job(self.task, self.shots, json.dumps(self.changes, sort_keys=True), self.needs)


def suite_names() -> list[str]:
    """Suites that come with the project, sorted."""
    return sorted(path.stem for path in SUITES.glob("*.yaml"))


def read_suite(name: str) -> list[Row]:
    """The rows of a suite, in the order of the paper's tables."""
    path = SUITES / f"{name}.yaml"
    rows = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    return [_row(values) for values in rows]


def _row(values: Mapping[str, Any]) -> Row:
    free = {key: values[key] for key in ("changes", "paper") if key in values}
    plain = {key: value for key, value in values.items() if key not in free}
    return Row(**{**build(Row, plain).__dict__, **free})


def select(asked: Sequence[str], leave: Sequence[str]) -> list[Row]:
    """The rows that a command line asks for.

    Args:
        asked: suites, ``SUITE:ROW``, tasks of the harness, .yaml files.
        leave: rows to leave out, or the beginnings of their names.

    Raises:
        TrainerError: no such row; nothing is left.
    """
    rows: dict[str, Row] = {}
    for name in asked:
        suite, colon, wanted = name.partition(":")
        if suite in suite_names():
            found = [row for row in read_suite(suite) if not colon or row.name == wanted]
            if not found:
                known = ", ".join(row.name for row in read_suite(suite))
                raise TrainerError(f"--tasks {name}: {suite} has no row {wanted!r}; it has {known}")
        else:
            title = Path(name).stem if name.endswith(".yaml") else name
            found = [Row(name, title, name, scale=1.0)]
        rows.update({f"{suite}:{row.name}": row for row in found})
    kept = [row for row in rows.values() if not any(row.name.startswith(left) for left in leave)]
    if not kept:
        raise TrainerError("--leave leaves nothing of what --tasks names" if rows else "--tasks names nothing")
    return kept
