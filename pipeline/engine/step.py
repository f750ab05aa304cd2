"""What is done with each item of a run: by this process, or by the workers of an engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from pipeline.engine.tasks import Worker


class EachItem(Protocol):
    """What is done with each item; it travels to the workers by pickle."""

    def connect(self) -> None:
        """Makes a worker process ready: the file systems, the list of workers."""

    def setup(self) -> None:
        """Loads what serves all items, such as models."""

    def process(self, item: Any, /) -> Iterable[Any]:
        """Does it for one item; what it gives goes on to what follows."""


class WorkerStep:
    """A step that reads and writes files of a source.

    Args:
        worker: What the steps of a run share.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def connect(self) -> None:
        """Connects the file systems."""
        self._worker.connect()

    def setup(self) -> None:
        """Loads what serves all items: nothing, unless a step says otherwise."""
