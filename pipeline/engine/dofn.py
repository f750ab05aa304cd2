"""Steps as Beam's functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.internal import pickler
from apache_beam.typehints.decorators import IOTypeHints

if TYPE_CHECKING:
    from pipeline.engine.step import EachItem


class Do(beam.DoFn):
    """A step in a graph.

    A worker unpacks it, and sets it up, at the first item. What goes wrong before that, in ``setup`` or while Beam
    reads the graph, is an error that some engines never hear of: Beam's worker opens its data channel at the first
    item, and Spark's and Flink's runners wait three minutes for that channel, and then try again.

    Args:
        step: The step.
    """

    def __init__(self, step: EachItem) -> None:
        self._step: EachItem | None = step
        self._packed = b""
        self._is_ready = False

    def __getstate__(self) -> bytes:
        return self._packed or pickler.dumps(self._step)

    def __setstate__(self, packed: bytes) -> None:
        self._step, self._packed, self._is_ready = None, packed, False

    def default_type_hints(self) -> IOTypeHints:
        """Those of the step's own ``process``."""
        found = IOTypeHints.from_callable(self.step.process) or IOTypeHints.empty()
        return found.strip_iterable()

    def process(self, item: Any, *side: Any) -> Iterable[Any]:
        """Does it for one item; before the first, makes the worker process ready and loads what serves all items."""
        step = self.step
        if not self._is_ready:
            step.connect()
            step.setup()
            self._is_ready = True
        return step.process(item, *side)

    @property
    def step(self) -> EachItem:
        """The step; a worker that lacks one of its modules cannot unpack it.

        Raises:
            ImportError: It lacks one.
        """
        if self._step is None:
            self._step = pickler.loads(self._packed)
        return self._step


def par_do(step: EachItem, *side: object) -> beam.ParDo:
    """A step for each element; ``side`` are its side inputs."""
    return beam.ParDo(Do(step), *side)
