"""Runs a source: plans, refuses what must not mix, runs what is missing, and sums up.

On one machine the scopes run one after the other, which bounds the work folder, or so many at once as make up
``SHARDS_AT_ONCE``, which keeps all workers busy; on a cluster all of them are one job.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rich.console import Console

from pipeline.corpus.manifest import write_manifest
from pipeline.corpus.promised import all_promised, settle
from pipeline.corpus.shard import Layout, Scope, shards_of
from pipeline.engine import graph
from pipeline.engine.configuration import check_configuration, same_configuration, write_configuration
from pipeline.engine.losses import decisive_keys
from pipeline.engine.overlap import overlap_of, refuse_copies
from pipeline.engine.process import FORMAT
from pipeline.engine.progress import ProgressReporter
from pipeline.engine.runners import RunOptions, is_local, run_beam
from pipeline.engine.state import (
    check_source,
    claim_scopes,
    claim_source,
    exclusive,
    forget_all,
    forget_damaged,
    forget_marked,
    mark_failed,
    promise_listed,
    remove_work,
)
from pipeline.errors import OutputError
from pipeline.recipe import fingerprint
from pipeline.source import Source, rounds_of, survey_of, tells_overlap
from pipeline.storage.filesystem import is_remote, join
from pipeline.storage.ownership import Owned, check_apart

SHARDS_AT_ONCE = 50  # CCNet's scope; without dedup nothing is kept for a scope, and all of them run at once


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
    planned = {shard.name for shard in shards_of(scopes)}
    raw = [file.path for shard in shards_of(scopes) for file in shard.inputs]
    check_apart(layout.root, [*options.folders, *raw], options.inputs)
    check_source(layout, source.name, _command(source, options))
    steps = [step for round_ in rounds_of(source) for step in round_.steps] or source.steps_before_dedup()
    steps += source.steps_after_dedup()
    for step in steps:
        step.load()  # a missing or damaged model is said now, by this process, not by a worker in an hour
    configuration = same_configuration(layout, {"format": FORMAT, "source": source.name, **source.describe()})
    with exclusive(layout):
        owned, notes, orphans = _claim(layout, source, configuration, scopes, options)
        done = layout.done()
        missing = [scope for scope in scopes if any(s.name not in done for s in scope.shards)]
        if missing and prepare is not None:
            prepare(layout, missing)
        if missing:
            notes += _run_missing(source, missing, done, options, layout, fingerprint(configuration), console)
        settle(layout, planned, layout.done(), orphans)
        owned.remove_temporaries()  # of attempts that were killed while they wrote
        remove_work(layout, planned)  # also what a run left that was killed between its last shard and this line
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


def _command(source: Source, options: RunOptions) -> str:
    return options.command or f"sources.{source.name}"


def _claim(
    layout: Layout, source: Source, configuration: dict[str, Any], scopes: Sequence[Scope], options: RunOptions
) -> tuple[Owned, list[str], set[str]]:
    """Claims the output for this run, and forgets what must be made again.

    Returns:
        The folder, sentences on that, and the shards whose files are left over and not planned any more.
    """
    owned = claim_source(layout, source.name, _command(source, options), options.files)
    orphans: set[str] = set()
    if check_configuration(layout, configuration, made=bool(layout.done())):
        orphans = all_promised(layout)
        forget_all(layout)
        write_configuration(layout, configuration)
    if options.retry_failed:
        mark_failed(layout, scopes)
    orphans |= forget_marked(layout, scopes, options.cache)
    notes = forget_damaged(layout, scopes)
    done = layout.done()
    if tells_overlap(source):
        refuse_copies(layout, scopes, done)
    claim_scopes(layout, scopes, done, options.inputs)
    promise_listed(layout, {shard.name for shard in shards_of(scopes)} - done)
    return owned, notes, orphans


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
    passes = [r.name for r in rounds[:-1]]
    with ProgressReporter(layout, missing, done, console, remote, bool(rounds), passes, surveyed):
        for scopes in _at_once(missing) if (rounds or surveyed) and is_local(options.beam) else [list(missing)]:
            tasks = [task for scope in scopes for task in graph.tasks_of(scope, done, configuration, rounds)]
            worker = graph.Worker(source, layout, options.cache, tuple(options.flags))
            run_beam(partial(graph.build, worker=worker, tasks=tasks), options, layout.root)
            for scope in scopes:
                remove_work(layout, {s.name for s in scope.shards}, graph.work_folder(scope.fingerprint))
    lost = {shard.name for shard in shards_of(missing)} - layout.done()
    if lost:
        raise OutputError(
            f"the run ended without {len(lost)} shards, {min(lost)} among them; run the same command again"
            + ("" if is_local(options.beam) else f". All machines must see {layout.root} as this one does.")
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
