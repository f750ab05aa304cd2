"""Evaluates a model on tasks, from Python: the harness does the tasks and the scoring, this project the model."""

import contextlib
import io
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import torch
from jinja2 import TemplateError
from lm_eval.evaluator import evaluate as evaluate_tasks

from tokenizer.encode import Encoder
from trainer_bridge.benchmark.loading import Tasks, Unavailable, in_one_line
from trainer_bridge.benchmark.model import TrainedModel, quiet_harness
from trainer_bridge.model import Transformer
from trainer_bridge.parallel import World

Scores = dict[str, tuple[float, float | None]]
BOOTSTRAP = 1000  # resamples behind the standard error of a metric that has no formula for it
ALONE = "DISABLE_MULTIPROC"  # of the harness: the resamples are drawn in this process
# What a task's file, its documents or a metric lead to in the harness; not what PyTorch or a rank says.
FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError, TemplateError)


def evaluate(
    model: Transformer,
    encoder: Encoder,
    tasks: Sequence[str],
    *,
    world: World | None = None,
    limit: int | None = None,
    shots: int | None = None,
    data: Path | None = None,
    batch_tokens: int = 16384,
    seed: int = 0,
) -> dict[str, Scores]:
    """Evaluates a model.

    Args:
        model: in evaluation mode.
        encoder: its tokenizer.
        tasks: names of the harness's tasks and groups, or .yaml files in its format.
        world: ranks that share the work; None: this process alone.
        limit: documents of each task; None: all.
        shots: examples in the prompt; None: what each task says.
        data: a folder with data sets, see ``loading.local_data``; None: the hub.
        batch_tokens: positions of a batch.
        seed: of the draws.

    Returns:
        For each task (and each group's tasks, and the group) its metrics: value and standard error, None where there
        is none.

    Raises:
        TrainerError: no such task.
        loading.Unavailable: its data cannot be had, or it fails on them.
    """
    quiet_harness()
    asked = TrainedModel(model, encoder, world or World(0, 1, model.rope.device, None), batch_tokens, seed=seed)
    known = Tasks(data)
    known.check(tasks)
    found: dict[str, Scores] = {}
    for name in tasks:
        found |= measure(asked, known.load(name, shots=shots), limit)[0]
    return found


@torch.no_grad()
def measure(
    model: TrainedModel, loaded: dict[str, Any], limit: int | None, unsafe: bool = False
) -> tuple[dict[str, Scores], dict[str, list[dict[str, Any]]]]:
    """Evaluates loaded tasks once.

    Args:
        model: the model.
        loaded: what ``Tasks.load`` gave.
        limit: documents of each task; None: all.
        unsafe: whether tasks that run code may.

    Returns:
        The metrics of each task, and what was asked and answered of each.

    Raises:
        loading.Unavailable: a document or a metric that the harness fails on.
    """
    try:
        with _bars_on_a_terminal_alone(), _in_this_process():
            results: Any = evaluate_tasks(
                lm=model, task_dict=loaded, limit=limit, bootstrap_iters=BOOTSTRAP, confirm_run_unsafe_code=unsafe
            )
    except FAULTS as error:
        raise Unavailable(f"failed: {in_one_line(error)}") from error
    scores = {name: _scores(values) for name, values in results["results"].items()}
    return scores, results["samples"]


@contextlib.contextmanager
def _bars_on_a_terminal_alone() -> Iterator[None]:
    """The harness draws its bars wherever stderr goes; in a log they are noise."""
    with contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def _in_this_process() -> Iterator[None]:
    """The harness draws resamples in forked processes, which may hang beside threads; its word goes to stdout."""
    before = os.environ.get(ALONE)
    os.environ[ALONE] = "1"
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        if before is None:
            del os.environ[ALONE]
        else:
            os.environ[ALONE] = before


def _scores(values: Mapping[str, Any]) -> Scores:
    """Metrics of one task: ``acc,none`` and ``acc_stderr,none`` become ``acc``; other filters keep their names.

    A value that is not finite is left out.
    """
    found: Scores = {}
    for key, value in values.items():
        metric, comma, filtered = key.partition(",")
        if not comma or metric.endswith("_stderr") or not is_number(value):
            continue
        error = values.get(f"{metric}_stderr,{filtered}")
        name = metric if filtered == "none" else key
        found[name] = (float(value), float(error) if is_number(error) else None)
    return found


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value of the harness is a finite number; it writes "N/A" where it has none."""
    return isinstance(value, int | float) and math.isfinite(value)
