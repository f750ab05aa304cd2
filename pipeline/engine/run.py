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

from pipeline.corpus.manifest import all_stats, build_manifest, write_manifest
from pipeline.corpus.promised import all_promised, settle
from pipeline.corpus.shard import SCOPES, Layout, Scope, shards_of
from pipeline.engine import graph
from pipeline.engine.configuration import (
    check_configuration,
    claim_configuration,
    same_configuration,
    write_configuration,
)
from pipeline.engine.losses import decisive_keys
from pipeline.engine.overlap import overlap_of, refuse_copies
from pipeline.engine.parts import Part, await_others, refuse_missing, share
from pipeline.engine.passes import SharedScopes
from pipeline.engine.process import FORMAT
from pipeline.engine.progress import ProgressReporter
from pipeline.engine.runners import RunOptions, is_local, run_beam
from pipeline.engine.state import (
    check_source,
    claim_scopes,
    claim_source,
    forget_all,
    forget_damaged,
    forget_marked,
    held,
    mark_failed,
    promise_listed,
    refuse_marked,
    remove_marks,
    remove_work,
)
from pipeline.engine.tasks import Worker, tasks_of, work_folder
from pipeline.errors import OutputError, name_a_few
from pipeline.recipe import fingerprint
from pipeline.source import Source, rounds_of, survey_of, tells_overlap
from pipeline.storage.filesystem import is_remote, join, list_names
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
        manifest: The manifest of all that is there; of a part, that of its shards.
        layout: Where it lies.
        notes: The source's own sentences for the reader.
        keys: For steps, the keys of the recipe that decide them.
        error: What is wrong with the whole, though all was written; the exit status is 1 then.
        part: Which part of the source it was; all of it where None.
        finished: Whether it settled what parts made.
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
    part: Part | None = None
    finished: bool = False


# A pass of a source's own before the rest: given the folder, the scopes that are missing, and the part, if those scopes
# are shared by all parts.
Prepare = Callable[[Layout, Sequence[Scope], Part | None], None]


def run_source(
    source: Source,
    scopes: Sequence[Scope],
    options: RunOptions,
    console: Console,
    prepare: Prepare | None = None,
) -> RunResult:
    """Makes what is missing of a source, or of a part of it, or settles what parts made.

    Args:
        source: The source.
        scopes: Its scopes, from ``plan_shards``.
        options: How to run.
        console: Where progress shows.
        prepare: A pass of the source's own before the rest, given the scopes that are missing; where nothing is, it is
            not called. It keeps what must survive a kill in the scopes' work folders, and uses ``run_beam``. Given a
            part, it does that part's share, and waits for the others.

    Returns:
        What was done, with the manifest of all that is there.

    Raises:
        UserError: The models cannot be used, the output cannot be written, or it holds something else; files of other
            parts are missing, or shards to be finished are.
    """
    started = time.monotonic()
    layout, part = Layout(join(options.output, source.name)), options.part
    planned = {shard.name for shard in (shards_of(scopes) if part is None else part.shards(scopes))}
    raw = [file.path for shard in shards_of(scopes) for file in shard.inputs]
    check_apart(layout.root, [*options.folders, *raw], options.inputs)
    check_source(layout, source.name, _command(source, options))
    steps = [step for round_ in rounds_of(source) for step in round_.steps] or source.steps_before_dedup()
    steps += source.steps_after_dedup()
    for step in steps:
        step.load()  # a missing or damaged model is said now, by this process, not by a worker in an hour
    configuration = same_configuration(layout, {"format": FORMAT, "source": source.name, **source.describe()})
    with held(layout, part):
        claim = _claim if part is None else _claim_part
        owned, notes, orphans, done = claim(layout, source, configuration, scopes, options)
        if options.finish:
            refuse_missing(scopes, done, sorted({count for _, count in layout.parts()}))
        else:
            _run_missing(source, scopes, done, options, layout, fingerprint(configuration), console, prepare)
        if part is None:
            owned.remove_temporaries()  # of attempts that were killed while they wrote
            notes += [note for note in [overlap_of(layout)] if note and (options.finish or planned - done)]
            settle(layout, planned, layout.done(), orphans)
            remove_work(layout, planned)  # also what a run left that was killed between its last shard and this line
            remove_marks(layout)
            manifest = write_manifest(layout, source.name, configuration)
        else:
            manifest = build_manifest(all_stats(layout, sorted(planned)), f"{source.name}, part {part}", configuration)
    return RunResult(
        len(planned),
        len(planned & done),
        len(planned - done),
        time.monotonic() - started,
        manifest,
        layout,
        notes,
        decisive_keys(steps),
        part=part,
        finished=options.finish,
    )


def _command(source: Source, options: RunOptions) -> str:
    return options.command or f"sources.{source.name}"


def _claim(
    layout: Layout, source: Source, configuration: dict[str, Any], scopes: Sequence[Scope], options: RunOptions
) -> tuple[Owned, list[str], set[str], set[str]]:
    """Claims the output for this run, and forgets what must be made again; what is done is listed once.

    Returns:
        The folder, sentences on that, the shards whose files are left over and not planned any more, and those that are
        done.
    """
    owned = claim_source(layout, source.name, _command(source, options), options.files)
    orphans, done = set[str](), layout.done()
    if check_configuration(layout, configuration, made=bool(done)):
        orphans = all_promised(layout)
        forget_all(layout)
        write_configuration(layout, configuration)
    if options.retry_failed:
        mark_failed(layout, scopes, done)
    forgotten = forget_marked(layout, scopes, options.cache)
    damaged = forget_damaged(layout, shards_of(scopes), done - forgotten)
    done -= forgotten | damaged
    orphans |= forgotten
    if tells_overlap(source):
        refuse_copies(layout, scopes, done)
    claim_scopes(layout, scopes, done, options.inputs)
    promise_listed(layout, {shard.name for shard in shards_of(scopes)} - done)
    return owned, _made_again(damaged), orphans, done


def _made_again(damaged: set[str]) -> list[str]:
    cause = "Made again, since Parquet files of theirs were missing or cut"
    return [f"{cause}: {name_a_few(sorted(damaged))}"] if damaged else []


def _claim_part(
    layout: Layout, source: Source, configuration: dict[str, Any], scopes: Sequence[Scope], options: RunOptions
) -> tuple[Owned, list[str], set[str], set[str]]:
    """Claims the output for a part: it writes what all parts write alike, and forgets nothing but what is its own.

    Returns:
        The folder; sentences on that; no shards, for a run of the whole finds those that are left over; and what is
        done.
    """
    part = options.part
    assert part is not None
    owned = claim_source(layout, source.name, _command(source, options), options.files, alone=False)
    claim_configuration(layout, configuration, begun=bool(list_names(join(layout.root, SCOPES), ".json")))
    mine = share(part, scopes) if part.by_scopes(scopes) else scopes
    done = layout.done()
    if part.by_scopes(scopes):
        done -= forget_marked(layout, mine, options.cache)
    else:
        refuse_marked(layout, mine)
    damaged = forget_damaged(layout, part.shards(scopes), done)
    done -= damaged
    if tells_overlap(source):
        refuse_copies(layout, scopes, done)
    claim_scopes(layout, mine, done, options.inputs, alone=False)
    promise_listed(layout, {shard.name for shard in part.shards(scopes)} - done)
    return owned, _made_again(damaged), set(), done


def _run_missing(
    source: Source,
    scopes: Sequence[Scope],
    done: set[str],
    options: RunOptions,
    layout: Layout,
    configuration: str,
    console: Console,
    prepare: Prepare | None,
) -> None:
    """Makes the scopes that are not done, or a part's share of them."""
    part = options.part
    shared = part is not None and not part.by_scopes(scopes)
    missing = [
        scope
        for scope in (scopes if shared else share(part, scopes))
        if any(shard.name not in done for shard in scope.shards)
    ]
    if not missing:
        return
    if prepare is not None:
        prepare(layout, missing, part if shared else None)
    mine = {shard.name for shard in (shards_of(missing) if part is None else part.shards(scopes))}
    own = [Scope(scope.name, tuple(s for s in scope.shards if s.name in mine)) for scope in missing]
    remote, rounds, surveyed = is_remote(layout.root), rounds_of(source), survey_of(source) is not None
    worker = Worker(source, layout, options.cache, tuple(options.flags))
    with ProgressReporter(layout, own, done, console, remote, bool(rounds), [r.name for r in rounds[:-1]], surveyed):
        if part is not None and shared:
            _run_passes(SharedScopes(worker, part, scopes, done, configuration), part, options, layout.root, console)
        else:
            _run_scopes(worker, missing, done, options, configuration)
    lost = {shard.name for shard in shards_of(own)} - layout.done()
    if lost:
        raise OutputError(
            f"the run ended without {len(lost)} shards, {min(lost)} among them; run the same command again"
            + ("" if is_local(options.beam) else f". All machines must see {layout.root} as this one does.")
        )


def _run_scopes(
    worker: Worker, missing: Sequence[Scope], done: set[str], options: RunOptions, configuration: str
) -> None:
    """Makes whole scopes, and removes their work folders."""
    rounds, layout = worker.rounds(), worker.layout
    exchange: graph.Exchange = "files" if is_local(options.beam) else "shuffle"
    at_once = (rounds or worker.survey() is not None) and is_local(options.beam)
    for scopes in _at_once(missing) if at_once else [list(missing)]:
        tasks = [task for scope in scopes for task in tasks_of(scope, done, configuration, rounds)]
        run_beam(partial(graph.build, worker=worker, tasks=tasks, exchange=exchange), options, layout.root)
        for scope in scopes:
            remove_work(layout, {s.name for s in scope.shards}, work_folder(scope.fingerprint))


def _run_passes(shared: SharedScopes, part: Part, options: RunOptions, root: str, console: Console) -> None:
    """Makes a part's share of scopes that all parts share; the last run of all removes their work folders."""
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    for one in shared.passes():
        if one.build is not None:
            run_beam(one.build, options, root)
        await_others(part, one.what, one.wanted, one.there, say)


def _at_once(missing: Sequence[Scope]) -> Iterator[list[Scope]]:
    """Groups the scopes that run together."""
    group: list[Scope] = []
    for scope in missing:
        if group and len(shards_of([*group, scope])) > SHARDS_AT_ONCE:
            yield group
            group = []
        group.append(scope)
    yield group
