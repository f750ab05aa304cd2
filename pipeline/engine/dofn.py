"""What all steps of ours in a Beam graph begin with."""

from __future__ import annotations

import apache_beam as beam

from pipeline.engine.tasks import Worker


class WorkerStep(beam.DoFn):
    """A step that reads and writes files of a source.

    Args:
        worker: What the steps of a run share.
    """

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def setup(self) -> None:
        """Connects the file systems."""
        self._worker.connect()
