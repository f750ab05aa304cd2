"""What the command of the build does."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import time
from collections.abc import Sequence
from typing import NoReturn

from rich.console import Console

from pipeline.build.calls import BuildOptions
from pipeline.build.checks import check_recipe
from pipeline.build.paper import description, needs_of, paper
from pipeline.build.process import StoppedError
from pipeline.build.progress import Display
from pipeline.build.recipe import load_build
from pipeline.build.run import Build, Outcome, until
from pipeline.build.stages import stages_of
from pipeline.build.status import differences, print_status
from pipeline.build.work import DONE, Work
from pipeline.command_line import (
    errors_told,
    exit_with,
    print_error,
)
from pipeline.corpus.shard import MANIFEST, read_json
from pipeline.errors import OutputError
from pipeline.mix.making import reached_table
from pipeline.mix.recipe import parse_tokens
from pipeline.storage.filesystem import is_remote


def run(args: argparse.Namespace, flags: Sequence[str], wants_diff: bool) -> NoReturn:
    """Builds, or tells, and ends the process.

    Args:
        args: The command's flags, with the recipe.
        flags: Beam's.
        wants_diff: Whether to tell which stages the recipe touches, and build nothing.
    """
    with errors_told(stopped="What is finished is kept: the same command goes on from here."):
        if is_remote(args.output):
            raise OutputError(
                f"a build needs a folder on a disk; {args.output} is none. Mount the store, or share a disk"
            )
        options = _options(args, flags)
        if wants_diff:
            exit_with(differences(Work(args.output), options, Console(highlight=False)))
        if args.dry_run:
            paper(Work(args.output), args.recipe, options, Console(highlight=False))
            exit_with(0)
        exit_with(_build(args, options))


def _options(args: argparse.Namespace, flags: Sequence[str]) -> BuildOptions:
    without = [name for names in args.without for name in names.split(",")]
    recipe = load_build(args.recipe, args.set, without)
    check_recipe(recipe)
    tokens = args.tokens or recipe.tokens
    needs = needs_of(recipe, parse_tokens(tokens))
    until(stages_of(recipe, tokens), args.until)
    return BuildOptions(recipe, tokens, needs, tuple(flags), args.until, args.keep_raw, args.retry_failed)


def status(args: argparse.Namespace) -> NoReturn:
    """Tells what of a build is done, and ends the process."""
    with errors_told():
        exit_with(print_status(Work(args.output), Console(highlight=False), as_json=args.json))
    raise AssertionError  # exit_with ends the process


def _build(args: argparse.Namespace, options: BuildOptions) -> int:
    work, started = Work(args.output), time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, quiet=args.quiet)
    left = "a command of a build that was killed is still ending; this one begins when it has"
    with work.held(lambda: console.print(left, markup=False)) as lock:
        work.describe(description(args.recipe, options))
        build = None
        try:
            with Display(console) as display:
                build = Build(work, options, display, lock)
                display.expect([stage.name for stage in build.stages])
                outcome = build.run()
        except StoppedError as error:
            print_error(error)
            outcome = build.outcome if build else Outcome()
    return _end(work, outcome, [stage.name for stage in build.stages] if build else [], time.monotonic() - started)


def _end(work: Work, outcome: Outcome, stages: Sequence[str], seconds: float) -> int:
    """The end report; gives the exit status."""
    console = Console(highlight=False)
    status = print_status(work, console, stages=stages)
    manifest = work.path("shards", MANIFEST)
    if "mixture" in outcome.made and manifest.exists():
        console.print(reached_table(read_json(str(manifest))["mixture"]))
    say = Console(highlight=False, soft_wrap=True, markup=False).print
    for note in outcome.notes:
        say(note)
    if outcome.failed:
        print_error(
            f"failed: {', '.join(outcome.failed)}"
            + (f"; waiting: {', '.join(outcome.waiting)}" if outcome.waiting else "")
            + ". Mend that, and the same command goes on."
        )
        return 1
    say(
        f"Made {len(set(outcome.made))} stage{'s' * (len(set(outcome.made)) != 1)} in {seconds:,.1f} s."
        if outcome.made
        else "Nothing to do: all was made before."
    )
    root = shlex.quote(os.path.join(str(work.root), ""))
    say("Next:")
    if _is_done(work, "report"):
        say(f"  open {root}report/index.html")
    say(f"  python -m pipeline.inspect {root}corpus --dropped -n 3")
    if _is_done(work, "train"):
        say(f'  python -m trainer_bridge.generate {root}run "The "')
    return status


def _is_done(work: Work, stage: str) -> bool:
    record = work.record(stage)
    return record is not None and record.status == DONE
