"""Steps done by this process, one item after the other: without Beam, which takes a second to import."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.engine.options import RunOptions, is_one_process
from pipeline.engine.scratch import interruptible
from pipeline.engine.step import EachItem


def run_here(step: EachItem, items: Iterable[object]) -> None:
    """Has a step done for each item by this process.

    Args:
        step: The step.
        items: What it is given, one at a time.
    """
    with interruptible():
        step.setup()
        for item in items:
            for _ in step.process(item):
                pass


def run_each(step: EachItem, items: Sequence[object], label: str, options: RunOptions, root: str) -> None:
    """Has a step done for each item, wherever it is to run.

    Args:
        step: The step.
        items: What it is given, one at a time.
        label: What it does, in a graph.
        options: How to run.
        root: The folder that its workers write to.
    """
    if is_one_process(options.flags):
        run_here(step, items)
    else:
        from pipeline.engine.runners import run_spread  # noqa: PLC0415 - Beam, which takes a second to import

        run_spread(step, items, label, options, root)
