"""Runs a source: plans, refuses what must not mix, has what is missing made, and sums up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pipeline.corpus.manifest import all_stats, build_manifest, write_manifest
from pipeline.corpus.promised import all_promised, settle
from pipeline.corpus.shard import SCOPES, Layout, Scope, shards_of
from pipeline.engine.configuration import (
    check_configuration,
    claim_configuration,
    same_configuration,
    write_configuration,
)
from pipeline.engine.growth import grown, keep_seen, mark_unjoined, refuse_other_dedup
from pipeline.engine.losses import decisive_keys
from pipeline.engine.options import RunOptions
from pipeline.engine.overlap import overlap_of, refuse_copies
from pipeline.engine.parts import Part, refuse_missing, share
from pipeline.engine.process import FORMAT
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
from pipeline.errors import InputError, name_a_few
from pipeline.recipe import fingerprint
from pipeline.removals.records import is_pending, read_log
from pipeline.source import Source, removals_of, rounds_of, tells_overlap
from pipeline.storage.filesystem import join, list_names
from pipeline.storage.ownership import Owned, check_apart

if TYPE_CHECKING:
    from pipeline.removals.matching import Removals


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


# A pass of a source's own before the rest: given the folder, the scopes that are missing, and how to run, with the part
# where those scopes are shared by all parts.
Prepare = Callable[[Layout, Sequence[Scope], RunOptions], None]


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
            not called. It keeps what must survive a kill in the scopes' work folders, and uses ``run_each``. Given a
            part, it does that part's share, and waits for the others.

    Returns:
        What was done, with the manifest of all that is there.

    Raises:
        UserError: The models cannot be used, the output cannot be written, or it holds something else; files of other
            parts are missing, or shards to be finished are.
    """
    started = time.monotonic()
    layout, part = Layout(join(options.output, source.name)), options.part
    rounds = rounds_of(source)
    if options.grow:
        refuse_other_dedup(source.name, rounds)
    planned = {shard.name for shard in (shards_of(scopes) if part is None else part.shards(scopes))}
    raw = [file.path for shard in shards_of(scopes) for file in shard.inputs]
    check_apart(layout.root, [*options.folders, *raw], options.inputs)
    check_source(layout, source.name, _command(source, options))
    steps = [step for round_ in rounds for step in round_.steps] or source.steps_before_dedup()
    steps += source.steps_after_dedup()
    for step in steps:
        step.load()  # a missing or damaged model is said now, by this process, not by a worker in an hour
    removals = removals_of(source)
    configuration = same_configuration(layout, {"format": FORMAT, "source": source.name, **source.describe()})
    with held(layout, part):
        if options.grow:
            given, scopes = scopes, grown(layout, scopes)
        claim = _claim if part is None else _claim_part
        owned, notes, orphans, done = claim(layout, source, configuration, scopes, options)
        if options.grow:
            scopes = grown(layout, given)  # what was forgotten joins what is there
        claim_scopes(layout, _own(scopes, part), done, options.inputs, alone=part is None)
        promise_listed(layout, planned - done)
        there = done
        if options.finish:
            refuse_missing(scopes, done, sorted({count for _, count in layout.parts()}))
        elif missing := _missing(scopes, done, part):
            _refuse_without_list(layout, removals)
            from pipeline.engine.making import make_missing  # noqa: PLC0415 - nothing to do needs none of it

            fitting = options.for_bytes(sum(shard.size for shard in shards_of(missing)))
            if prepare is not None:
                shared = part if part is not None and not part.by_scopes(scopes) else None
                prepare(layout, missing, replace(fitting, part=shared))
            key = fingerprint(configuration)
            there = make_missing(source, scopes, missing, done, fitting, layout, key, console)
        if part is None:
            owned.remove_temporaries()  # of attempts that were killed while they wrote
            notes += [note for note in [overlap_of(layout, there)] if note and (options.finish or planned - done)]
            settle(layout, planned, there, orphans)
            keep_seen(layout, scopes, rounds, there)
            remove_work(layout, planned)  # also what a run left that was killed between its last shard and this line
            remove_marks(layout)
            manifest = write_manifest(layout, source.name, configuration, there)
        else:
            manifest = build_manifest(all_stats(layout, sorted(planned)), f"{source.name}, part {part}", configuration)
    return RunResult(
        len(planned),
        len(planned & done),
        len(planned - done),
        time.monotonic() - started,
        manifest,
        layout,
        [*notes, *_made_without(layout, manifest, removals)],
        decisive_keys(steps),
        part=part,
        finished=options.finish,
    )


def _own(scopes: Sequence[Scope], part: Part | None) -> Sequence[Scope]:
    """The scopes of which this run makes something: of a part, those that it takes, or shares with others."""
    return share(part, scopes) if part is not None and part.by_scopes(scopes) else scopes


def _refuse_without_list(layout: Layout, removals: Removals | None) -> None:
    """Refuses to make shards without a list of removals where one was applied: what it took out would come back.

    Raises:
        InputError: No list is given; or removals were begun, and not ended.
    """
    if is_pending(layout.root):
        raise InputError(
            f"removals from {layout.root} were begun and not ended: run the same python -m pipeline.optout again first"
        )
    if removals is None and (log := read_log(layout.root)):
        raise InputError(
            f"a list of removals was applied to {layout.root} (sha256 {str(log[-1].get('list'))[:16]}...), and what is "
            "made now would not leave out what it names. Give it: --set optout=LIST"
        )


def _made_without(layout: Layout, manifest: Mapping[str, Any], removals: Removals | None) -> list[str]:
    """Says how many shards were made before the list that is given, and never went through it."""
    if removals is None or any(line.get("list") == removals.sha256 for line in read_log(layout.root)):
        return []
    before = manifest["shards"] - manifest.get("optout", {}).get(removals.sha256, 0)
    said = f"Made without this list of removals: {before:,} shards. python -m pipeline.optout takes its documents out."
    return [said] if before else []


def _missing(scopes: Sequence[Scope], done: set[str], part: Part | None) -> list[Scope]:
    """Those of them of which something is missing."""
    return [scope for scope in _own(scopes, part) if any(shard.name not in done for shard in scope.shards)]


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
    if options.grow:
        mark_unjoined(layout, scopes, done)
        forgotten |= forget_marked(layout, scopes, options.cache)
        done -= forgotten
    orphans |= forgotten
    if tells_overlap(source):
        refuse_copies(layout, scopes, done)
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
    mine = _own(scopes, part)
    done = layout.done()
    if part.by_scopes(scopes):
        done -= forget_marked(layout, mine, options.cache)
    else:
        refuse_marked(layout, mine)
    damaged = forget_damaged(layout, part.shards(scopes), done)
    done -= damaged
    if tells_overlap(source):
        refuse_copies(layout, scopes, done)
    return owned, _made_again(damaged), set(), done
