"""Surveys: what a source measures on all documents of a scope before it judges any, such as percentiles of a score.

Between the passes lie a small file a shard, with a row for each document, and what the scope's rows give, a few
numbers. No text is kept, and the pass that writes need not measure again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from pipeline.corpus.document import Document
from pipeline.steps import Step

Row = tuple[Any, ...]  # what was measured of a document, in the order of the survey's columns
Settled = Mapping[str, Any]  # what the rows of a scope give; JSON


class Survey(Protocol):
    """What is measured, and what becomes of it."""

    @property
    def columns(self) -> pa.Schema:
        """The columns of the rows."""

    def steps(self) -> list[Step]:
        """The steps that measure, in the place of those after dedup; they are not loaded."""

    def row(self, document: Document) -> Row | None:
        """What the steps measured of a document, dropped or not; None where nothing was."""

    def settle(self, shards: Iterable[pa.Table]) -> Settled:
        """What the rows of a scope's shards give; must not depend on their order."""


@runtime_checkable
class SettledStep(Step, Protocol):
    """A step that judges by what a survey found in the scope."""

    def settle(self, settled: Settled, measured: Mapping[int, Row]) -> None:
        """Called before each shard.

        Args:
            settled: What the scope's rows gave.
            measured: The rows of the shard's documents, by ``Document.number``.
        """
