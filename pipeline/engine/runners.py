"""How a pipeline is run: on this machine by a process for each core, on a job service, or wherever Beam can."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment
from rich.console import Console

from pipeline.engine.attendance import is_service
from pipeline.engine.dofn import par_do
from pipeline.engine.options import RunOptions, is_local, worker_count
from pipeline.engine.scratch import interruptible
from pipeline.engine.service import run_on_service
from pipeline.engine.step import EachItem
from pipeline.errors import UserError, user_message, was_interrupted


def local_runner(options: PipelineOptions, sign: str) -> FnApiRunner:
    """The local runner: a process for each core, unless ``--direct_num_workers`` says otherwise.

    It is the runner that Beam's DirectRunner falls back to; the DirectRunner itself first tries to download the Prism
    binary. Workers are started by ``pipeline.engine.worker``, which is quiet and never outlives the run, nor the
    sign of it.
    """
    direct = options.view_as(DirectOptions)
    direct.direct_num_workers = worker_count(options._flags)
    if direct.direct_num_workers == 1 or direct.direct_running_mode == "multi_threading":
        return FnApiRunner()
    direct.direct_running_mode = "in_memory"  # what the runner takes to be the environment that it is given
    command = f"exec {shlex.quote(sys.executable)} -m pipeline.engine.worker {os.getpid()} {shlex.quote(sign)}"
    return FnApiRunner(SubprocessSDKEnvironment.from_command_string(command))


def run_spread(step: EachItem, items: Sequence[object], label: str, options: RunOptions, root: str) -> None:
    """Has a step done for each item by Beam.

    Args:
        step: The step.
        items: What it is given, one at a time.
        label: What it does.
        options: How to run.
        root: The folder that its workers write to.
    """
    run_beam(partial(_each, step=step, items=items, label=label), options, root)


def _each(pipeline: beam.Pipeline, step: EachItem, items: Sequence[object], label: str) -> None:
    spread = pipeline | "Items" >> beam.Create(list(items), reshuffle=False) | "Spread" >> beam.Reshuffle()
    _ = spread | label >> par_do(step)


def run_beam(build: Callable[[beam.Pipeline], object], options: RunOptions, root: str) -> None:
    """Runs a pipeline; what its workers raise for the user arrives as a UserError, and Ctrl-C as itself.

    Args:
        build: Adds the steps to the pipeline that it is given.
        options: How to run.
        root: The folder that its workers write to.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    before, threading.excepthook = threading.excepthook, _end_with_worker
    try:
        with interruptible() as sign:
            given = PipelineOptions(list(options.flags))  # Beam changes some of them
            if is_service(options.flags):
                run_on_service(build, given, root)
                return
            with _pipeline(options.beam, sign) as pipeline:
                build(pipeline)
    except UserError as error:
        error.args = (user_message(error),)  # without the step's name, which Beam adds
        raise
    except Exception as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        message = user_message(error)
        if message is None:
            raise
        raise UserError(message) from error
    finally:
        threading.excepthook = before


def _pipeline(options: PipelineOptions, sign: str) -> beam.Pipeline:
    runner = local_runner(options, sign) if is_local(options._flags) else None
    try:
        return beam.Pipeline(runner, options)
    except ValueError as error:  # no such runner, or it lacks a flag
        raise UserError(str(error)) from error


def _end_with_worker(death: threading.ExceptHookArgs) -> None:
    """Ends the run when a local worker process died: the runner would wait for it for ever.

    The runner notices the death in the thread that started the worker, and nowhere else. Leaving at once is safe, since
    every output appears whole or not at all, and the other workers follow their parent.
    """
    if isinstance(death.exc_value, grpc.RpcError):
        return  # a stream to the dead worker broke, in yet another thread
    if "Worker subprocess exited" not in str(death.exc_value):
        threading.__excepthook__(death)
        return
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.show_cursor()
    console.print(
        f"error: a worker process died ({death.exc_value}). If the system ran out of memory, use fewer workers "
        "(--direct_num_workers). Finished shards are kept: the same command goes on from here.",
        style="bold red",
        markup=False,
    )
    os._exit(1)
