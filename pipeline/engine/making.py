"""Makes what is missing of a source: whole scopes, or a part's share of scopes that several parts make.

On one machine the scopes run one after the other, which bounds the work folder, or so many at once as make up
``SHARDS_AT_ONCE``, which keeps all workers busy; on a cluster all of them are one job.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from rich.console import Console

from pipeline.corpus.shard import Layout, Scope, shards_of
from pipeline.engine.exchange.files import tasks_done
from pipeline.engine.growth import keep_seen
from pipeline.engine.here import run_each
from pipeline.engine.options import RunOptions, is_local, is_one_process
from pipeline.engine.parts import Part, await_others
from pipeline.engine.passes import Passes
from pipeline.engine.progress import ProgressReporter
from pipeline.engine.state import remove_work
from pipeline.engine.tasks import Worker, grids_of, tasks_of, work_folder
from pipeline.errors import OutputError
from pipeline.source import Source, rounds_of, survey_of
from pipeline.storage.filesystem import is_remote

SHARDS_AT_ONCE = 50  # CCNet's scope; without dedup nothing is kept for a scope, and all of them run at once


def make_missing(
    source: Source,
    scopes: Sequence[Scope],
    missing: Sequence[Scope],
    done: set[str],
    options: RunOptions,
    layout: Layout,
    configuration: str,
    console: Console,
) -> set[str]:
    """Makes the scopes that are not done, or a part's share of them.

    Args:
        source: The source.
        scopes: The whole plan.
        missing: Those of its scopes of which something is to be made.
        done: The shards that are done.
        options: How to run.
        layout: Where it writes.
        configuration: The fingerprint of the configuration.
        console: Where progress shows.

    Returns:
        All shards that are done now, by one listing.

    Raises:
        UserError: Something is wrong, or some of it was not made.
    """
    part = options.part
    shared = part is not None and not part.by_scopes(scopes)
    mine = {shard.name for shard in (shards_of(missing) if part is None else part.shards(scopes))}
    own = [Scope(scope.name, tuple(s for s in scope.shards if s.name in mine)) for scope in missing]
    remote, rounds, surveyed = is_remote(layout.root), rounds_of(source), survey_of(source) is not None
    keeps = is_local(options.flags) and part is None and not remote
    worker = Worker(source, layout, options.cache, tuple(options.flags), keeps)
    earlier = [round_.name for round_ in rounds[:-1]]
    by_files = shared or is_local(options.flags)
    exchange = _exchange(worker, missing) if by_files else []
    with ProgressReporter(layout, own, done, console, remote, bool(rounds), earlier, surveyed, exchange):
        if part is not None and shared:
            _run_passes(Passes(worker, part, scopes, done, configuration), part, options, layout.root, console)
        else:
            _run_scopes(worker, missing, done, options, configuration)
    there = layout.done()
    lost = {shard.name for shard in shards_of(own)} - there
    if lost:
        raise OutputError(
            f"the run ended without {len(lost)} shards, {min(lost)} among them; run the same command again"
            + ("" if is_local(options.flags) else f". All machines must see {layout.root} as this one does.")
        )
    return there


def _exchange(worker: Worker, scopes: Sequence[Scope]) -> list[str]:
    """The files of the exchange by which progress shows."""
    found: list[str] = []
    for scope in scopes:
        grids = grids_of(scope, worker.rounds())
        if all(grid.is_direct for grid in grids):
            continue
        work, shards = work_folder(scope.fingerprint), [shard.name for shard in scope.shards]
        for number, grid in enumerate(grids):
            found += tasks_done(worker.layout, worker.folder(work, number), grid, shards)
    return found


def _run_scopes(
    worker: Worker, missing: Sequence[Scope], done: set[str], options: RunOptions, configuration: str
) -> None:
    """Makes whole scopes, and removes their work folders."""
    rounds, layout = worker.rounds(), worker.layout
    at_once = (rounds or worker.survey() is not None) and is_local(options.flags)
    grows = any(scope.after is not None for scope in missing)
    for scopes in _at_once(missing) if at_once or grows else [list(missing)]:
        if is_one_process(options.flags):
            for one in Passes(worker, None, scopes, done, configuration):
                run_each(one.step, one.items, one.label, options, layout.root)
        else:
            _run_graph(worker, scopes, done, options, configuration)
        keep_seen(layout, scopes, rounds, layout.done() if any(scope.after is not None for scope in scopes) else set())
        for scope in scopes:
            remove_work(layout, {s.name for s in scope.shards}, work_folder(scope.fingerprint))


def _run_graph(
    worker: Worker, scopes: Sequence[Scope], done: set[str], options: RunOptions, configuration: str
) -> None:
    """Makes whole scopes by one graph of Beam."""
    from pipeline.engine import graph  # noqa: PLC0415 - Beam, which takes a second to import
    from pipeline.engine.runners import run_beam  # noqa: PLC0415

    tasks = [task for scope in scopes for task in tasks_of(scope, done, configuration, worker.rounds())]
    exchange: graph.Exchange = "files" if is_local(options.flags) else "shuffle"
    run_beam(partial(graph.build, worker=worker, tasks=tasks, exchange=exchange), options, worker.layout.root)


def _run_passes(shared: Passes, part: Part, options: RunOptions, root: str, console: Console) -> None:
    """Makes a part's share of scopes that all parts share; the last run of all removes their work folders."""
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    for one in shared:
        if one.items:
            run_each(one.step, one.items, one.label, options, root)
        await_others(part, one.what, one.wanted, one.there, say)


def _at_once(missing: Sequence[Scope]) -> Iterator[list[Scope]]:
    """Groups the scopes that run together."""
    group: list[Scope] = []
    for scope in missing:
        joins = {other.name for other in group} & {*(scope.after or ())}
        if group and (joins or len(shards_of([*group, scope])) > SHARDS_AT_ONCE):
            yield group
            group = []
        group.append(scope)
    yield group
