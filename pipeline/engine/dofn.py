"""Steps as Beam's functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.typehints.decorators import IOTypeHints

from pipeline.engine.step import EachItem


class Do(beam.DoFn):
    """A step in a graph.

    Args:
        step: The step.
    """

    def __init__(self, step: EachItem) -> None:
        self._step = step

    def default_type_hints(self) -> IOTypeHints:
        """Those of the step's own ``process``."""
        found = IOTypeHints.from_callable(self._step.process) or IOTypeHints.empty()
        return found.strip_iterable()

    def setup(self) -> None:
        """Makes the worker process ready, and loads what serves all items."""
        self._step.connect()
        self._step.setup()

    def process(self, item: Any, *side: Any) -> Iterable[Any]:
        """Does it for one item."""
        return self._step.process(item, *side)


def par_do(step: EachItem, *side: object) -> beam.ParDo:
    """A step for each element; ``side`` are its side inputs."""
    return beam.ParDo(Do(step), *side)
