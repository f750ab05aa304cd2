"""Runs a source: plans, refuses what must not mix, runs what is missing, and sums up.

On one machine the scopes run one after the other, which bounds the work folder, or so many at once as make up
``SHARDS_AT_ONCE``, which keeps all workers busy; on a cluster all of them are one job.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment
from rich.console import Console

from pipeline.corpus.manifest import CONFIGURATION, READERS_REMOTE, write_manifest
from pipeline.corpus.shard import IDS, REDO, SCOPES, TIMING, WORK, Layout, Scope, read_json, shards_of, write_json
from pipeline.engine import graph
from pipeline.engine.losses import decisive_keys
from pipeline.engine.overlap import overlap_of, refuse_copies
from pipeline.engine.process import FORMAT
from pipeline.engine.progress import ProgressReporter
from pipeline.engine.scratch import interruptible
from pipeline.errors import OutputError, UserError, name_a_few, user_message, was_interrupted
from pipeline.recipe import difference, fingerprint
from pipeline.source import UNREADABLE, Source, rounds_of, survey_of, tells_overlap
from pipeline.storage.filesystem import (
    delete_tree,
    exists,
    file_sha256,
    file_sizes,
    is_remote,
    join,
    list_names,
    list_tree,
    remove_temporaries,
    write_bytes,
)

try:
    import fcntl
except ImportError:  # pragma: no cover - no such locks on Windows
    fcntl = None  # type: ignore[assignment]

LOCAL_RUNNERS = {"directrunner", "fnapirunner"}
TRUNCATED = "truncated_"  # with what these reasons begin, a file was cut short: truncated_gzip, truncated_7z
SHARDS_AT_ONCE = 50  # CCNet's scope; without dedup nothing is kept for a scope, and all of them run at once


@dataclass(frozen=True)
class RunOptions:
    """How to run, as opposed to what to make: none of it changes a byte of the outputs.

    Attributes:
        output: The corpus folder; the source writes below ``<output>/<source>``.
        beam: Beam's options.
        cache: Where fetched files are kept; the default cache where None.
        retry_failed: Whether scopes with files that could not be read are made again.
        inputs: The flags that name the inputs, for messages.
    """

    output: str
    beam: PipelineOptions
    cache: Path | None = None
    retry_failed: bool = False
    inputs: str = "--input"


@dataclass(frozen=True)
class RunResult:
    """What a run did.

    Attributes:
        planned: Shards planned.
        done_before: Those of them that were done before it.
        written: Those that it wrote.
        seconds: How long it took.
        manifest: The manifest of all that is there.
        layout: Where it lies.
        notes: The source's own sentences for the reader.
        keys: For steps, the keys of the recipe that decide them.
        error: What is wrong with the whole, though all was written; the exit status is 1 then.
    """

    planned: int
    done_before: int
    written: int
    seconds: float
    manifest: dict[str, Any]
    layout: Layout
    notes: Sequence[str] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None


def is_local(options: PipelineOptions) -> bool:
    """Tells whether a run stays on this machine: no runner, or a direct one, is asked for."""
    return (options.view_as(StandardOptions).runner or "DirectRunner").rsplit(".", 1)[-1].lower() in LOCAL_RUNNERS


def _cores() -> int:
    """The cores that this process may use, which can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def local_runner(options: PipelineOptions, sign: str) -> FnApiRunner:
    """The local runner: a process for each core, unless ``--direct_num_workers`` says otherwise.

    It is the runner that Beam's DirectRunner falls back to; the DirectRunner itself first tries to download the Prism
    binary. Workers are started by ``pipeline.engine.worker``, which is quiet and never outlives the run, nor the
    sign of it.
    """
    direct = options.view_as(DirectOptions)
    if not any(flag.startswith("--direct_num_workers") for flag in options._flags):
        direct.direct_num_workers = _cores()
    if direct.direct_num_workers < 0:
        raise UserError(f"--direct_num_workers must be 0 (all cores) or more, it is {direct.direct_num_workers}")
    if direct.direct_num_workers == 1 or direct.direct_running_mode == "multi_threading":
        return FnApiRunner()
    direct.direct_running_mode = "in_memory"  # what the runner takes to be the environment that it is given
    command = f"exec {shlex.quote(sys.executable)} -m pipeline.engine.worker {os.getpid()} {shlex.quote(sign)}"
    return FnApiRunner(SubprocessSDKEnvironment.from_command_string(command))


def run_source(
    source: Source,
    scopes: Sequence[Scope],
    options: RunOptions,
    console: Console,
    prepare: Callable[[Layout, Sequence[Scope]], None] | None = None,
) -> RunResult:
    """Makes what is missing of a source.

    Args:
        source: The source.
        scopes: Its scopes, from ``plan_shards``.
        options: How to run.
        console: Where progress shows.
        prepare: A pass of the source's own before the rest, given the scopes that are missing; where nothing is, it is
            not called. It keeps what must survive a kill in the scopes' work folders, and uses ``run_beam``.

    Returns:
        What was done, with the manifest of all that is there.

    Raises:
        UserError: The models cannot be used, the output cannot be written, or it holds something else.
    """
    started = time.monotonic()
    layout = Layout(join(options.output, source.name))
    steps = [step for round_ in rounds_of(source) for step in round_.steps] or source.steps_before_dedup()
    steps += source.steps_after_dedup()
    for step in steps:
        step.load()  # a missing or damaged model is said now, by this process, not by a worker in an hour
    configuration = {"format": FORMAT, "source": source.name, **source.describe()}
    with exclusive(layout):
        claim(layout, configuration, made=bool(layout.done()), stale=(WORK, TIMING, SCOPES, IDS))
        if options.retry_failed:
            _mark_failed(layout, scopes)
        _forget_marked(layout, scopes)
        notes = _forget_damaged(layout, scopes)
        done = layout.done()
        if tells_overlap(source):
            refuse_copies(layout, scopes, done)
        _claim_scopes(layout, scopes, done, options.inputs)
        missing = [scope for scope in scopes if any(s.name not in done for s in scope.shards)]
        if missing and prepare is not None:
            prepare(layout, missing)
        if missing:
            notes += _run_missing(source, missing, done, options, layout, fingerprint(configuration), console)
        delete_tree(layout.work)  # also what a run left that was killed between its last shard and this line
        planned = {shard.name for shard in shards_of(scopes)}
        manifest = write_manifest(layout, source.name, configuration)
    return RunResult(
        len(planned),
        len(planned & done),
        len(planned - done),
        time.monotonic() - started,
        manifest,
        layout,
        notes,
        decisive_keys(steps),
    )


def _run_missing(
    source: Source,
    missing: Sequence[Scope],
    done: set[str],
    options: RunOptions,
    layout: Layout,
    configuration: str,
    console: Console,
) -> list[str]:
    """Makes the scopes that are not done; gives sentences on what was met."""
    remote, rounds = is_remote(layout.root), rounds_of(source)
    surveyed = survey_of(source) is not None
    _remove_unfinished(layout, missing, done)
    passes = [r.name for r in rounds[:-1]]
    with ProgressReporter(layout, missing, done, console, remote, bool(rounds), passes, surveyed):
        for scopes in _at_once(missing) if (rounds or surveyed) and is_local(options.beam) else [list(missing)]:
            tasks = [task for scope in scopes for task in graph.tasks_of(scope, done, configuration, rounds)]
            worker = graph.Worker(source, layout, options.cache, tuple(options.beam._flags))
            run_beam(partial(graph.build, worker=worker, tasks=tasks), options)
            for scope in scopes:
                delete_tree(join(layout.work, graph.work_folder(scope.fingerprint)))
    lost = {shard.name for shard in shards_of(missing)} - layout.done()
    if lost:
        raise OutputError(
            f"the run ended without {len(lost)} shards, {min(lost)} among them; run the same command again"
        )
    return [note for note in [overlap_of(layout)] if note]


def _at_once(missing: Sequence[Scope]) -> Iterator[list[Scope]]:
    """Groups the scopes that run together."""
    group: list[Scope] = []
    for scope in missing:
        if group and len(shards_of([*group, scope])) > SHARDS_AT_ONCE:
            yield group
            group = []
        group.append(scope)
    yield group


def _remove_unfinished(layout: Layout, missing: Sequence[Scope], done: set[str]) -> None:
    """Removes the outputs of shards that an ended run did not finish: this one may have none to put in their place."""
    unfinished = {shard.name for shard in shards_of(missing)} - done
    for path in list_tree(layout.root, ".parquet"):
        _, _, name = path.removesuffix(".parquet").partition("/")
        if name in unfinished:
            delete_tree(join(layout.root, *path.split("/")))


def run_beam(build: Callable[[beam.Pipeline], object], options: RunOptions) -> None:
    """Runs a pipeline; what its workers raise for the user arrives as a UserError, and Ctrl-C as itself.

    Args:
        build: Adds the steps to the pipeline that it is given.
        options: How to run.
    """
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    before, threading.excepthook = threading.excepthook, _end_with_worker
    try:
        with interruptible() as sign, _pipeline(options.beam, sign) as pipeline:
            build(pipeline)
    except UserError:
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
    runner = local_runner(options, sign) if is_local(options) else None
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


def claim(layout: Layout, configuration: dict[str, Any], *, made: bool, stale: Sequence[str]) -> None:
    """Writes the configuration into a new output; refuses an output that was made by another one.

    Args:
        layout: The output.
        configuration: All that decides it.
        made: Whether anything is finished there.
        stale: The folders to remove where nothing is: those of a run that finished nothing.

    Raises:
        OutputError: What is finished there was made by another configuration.
    """
    path = join(layout.root, CONFIGURATION)
    before = _read_json(path)
    if before == configuration:
        return
    if made:
        changes = "\n  ".join(difference(before or {}, configuration))
        raise OutputError(
            f"{layout.root} was made by another configuration. What differs (there -> here):\n  {changes}\n"
            "Choose another --output, or remove that folder to make it anew."
        )
    for folder in stale:
        delete_tree(join(layout.root, folder))
    write_json(path, configuration)


def _claim_scopes(layout: Layout, scopes: Sequence[Scope], done: set[str], inputs: str) -> None:
    """Records what each scope holds; refuses a shard that is done in another company, or of another input."""
    with ThreadPoolExecutor(READERS_REMOTE if is_remote(layout.root) else 1) as pool:
        records = list(pool.map(_read_json, [layout.scope(scope.name) for scope in scopes]))
    for scope, before in zip(scopes, records, strict=True):
        record = {"fingerprint": scope.fingerprint, "shards": [s.name for s in scope.shards]}
        company = {*record["shards"], *(before["shards"] if before else ())}
        if before != record and company & done:
            there = len(before["shards"]) if before else "other"
            raise OutputError(
                f"shard {min(company & done)} in {layout.root} was deduplicated with other files than now "
                f"({there} shards there, {len(scope.shards)} here, or files of other names or sizes). Give the same "
                f"{inputs} as before, wherever they lie now (more files may follow, in whole scopes; --retry-failed "
                "takes in a file that could not be read then), or choose another --output."
            )
        _check_moved(layout, scope, done)
        if before != record:
            write_json(layout.scope(scope.name), record)


def _check_moved(layout: Layout, scope: Scope, done: set[str]) -> None:
    """Refuses a scope whose files were moved and are not those that were read: it compares one file's checksum."""
    for shard in scope.shards:
        if shard.name not in done:
            continue
        entries = layout.read_stats(shard.name)["inputs"]
        pairs = zip(shard.inputs, entries, strict=False) if len(entries) == len(shard.inputs) else ()
        for file, entry in pairs:
            is_whole = os.path.isfile(file.path) and not file.is_part and entry["sha256"]
            if file.path == entry["path"] or not is_whole:
                continue
            if file_sha256(file.path) != entry["sha256"]:
                raise OutputError(
                    f"{file.path} is not the file of which shard {shard.name} in {layout.root} was made "
                    f"({entry['path']}), though it has its name and size. Give the same files as before, or choose "
                    "another --output."
                )
            return


def _mark_failed(layout: Layout, scopes: Sequence[Scope]) -> None:
    """Marks the scopes that hold a file that could not be read, to be made again."""
    done = layout.done()
    for scope in scopes:
        finished = [shard.name for shard in scope.shards if shard.name in done]
        if any(_has_unreadable(layout.read_stats(name)) for name in finished):
            write_bytes(layout.redo(scope.name), b"")


def _has_unreadable(stats: dict[str, Any]) -> bool:
    """Whether a file broke off while it was read, was cut short, or gave nothing but failures."""
    reasons = stats["ledger"]["steps"][0]["failed"]
    broke_off = any(reason == UNREADABLE or reason.startswith(TRUNCATED) for reason in reasons)
    return broke_off or any(0 < entry.get("failed", 0) == entry.get("records", 0) for entry in stats["inputs"])


def _forget_marked(layout: Layout, scopes: Sequence[Scope]) -> None:
    """Forgets that the shards of marked scopes were done; the mark goes last, so that no half of it is ever done."""
    marked = list_names(join(layout.root, SCOPES), REDO)
    for scope in scopes:
        if scope.name not in marked:
            continue
        record = _read_json(layout.scope(scope.name)) or {"fingerprint": scope.fingerprint, "shards": []}
        for name in {*record["shards"], *(shard.name for shard in scope.shards)}:
            timings = (layout.timing(name), layout.timing(f"{name}.hash"), layout.timing(f"{name}.survey"))
            for path in (layout.stats(name), *timings):
                delete_tree(path)
        delete_tree(join(layout.work, graph.work_folder(record["fingerprint"])))
        delete_tree(layout.scope(scope.name))
        delete_tree(layout.redo(scope.name))


def _forget_damaged(layout: Layout, scopes: Sequence[Scope]) -> list[str]:
    """Forgets that shards were done whose Parquet files are missing or cut, so that this run makes them again."""
    done = layout.done()
    sizes = file_sizes(layout.root, ".parquet") if done else {}
    planned = [shard.name for shard in shards_of(scopes) if shard.name in done]
    with ThreadPoolExecutor(READERS_REMOTE if is_remote(layout.root) else 1) as pool:
        stats = pool.map(layout.read_stats, planned)
        damaged = [name for name, entry in zip(planned, stats, strict=True) if _lacks_files(entry, sizes)]
    for name in damaged:
        delete_tree(layout.stats(name))
    if not damaged:
        return []
    return [f"Made again, since Parquet files of theirs were missing or cut: {name_a_few(damaged)}"]


def _lacks_files(stats: Mapping[str, Any], sizes: Mapping[str, int]) -> bool:
    """Whether a Parquet file of a shard is not there with its size."""
    files = [*stats["outputs"], *([stats["rejects"]] if stats["rejects"] else [])]
    return any(sizes.get(file["path"]) != file["bytes"] for file in files)


def _read_json(path: str) -> Any:
    return read_json(path) if exists(path) else None


@contextlib.contextmanager
def exclusive(layout: Layout) -> Iterator[None]:
    """Makes the output folder, checks that it can be written, and keeps a second local run out of it."""
    if is_remote(layout.root):
        yield
        return
    try:
        os.makedirs(layout.root, exist_ok=True)
        lock = open(join(layout.root, ".lock"), "w")  # noqa: SIM115 - closed below
    except OSError as error:
        raise OutputError(f"cannot write to {layout.root}: {error.strerror}. Choose another --output.") from error
    with lock:
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(f"another run is writing to {layout.root}; wait for it, or stop it") from error
        except OSError:  # a file system without locks
            pass
        remove_temporaries(layout.root)
        yield
