"""The command: ``python -m pipeline.build [RECIPE]``, ``... status DIR``, ``... diff [RECIPE]``."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import NoReturn

from rich.console import Console

from pipeline.build.calls import BuildOptions
from pipeline.build.checks import check_recipe
from pipeline.build.paper import description, needs_of, paper
from pipeline.build.process import StoppedError
from pipeline.build.progress import Display
from pipeline.build.recipe import DEFAULT, BuildRecipe, built_in, load_build
from pipeline.build.run import Build, Outcome, until
from pipeline.build.stages import stages_of
from pipeline.build.status import differences, print_status
from pipeline.build.work import DONE, Work
from pipeline.command_line import (
    add_keys,
    command_parser,
    errors_told,
    exit_with,
    folder,
    parse,
    print_error,
)
from pipeline.corpus.shard import MANIFEST, read_json
from pipeline.errors import OutputError
from pipeline.mix.command import reached_table
from pipeline.mix.recipe import parse_tokens
from pipeline.recipe_keys import recipe_keys
from pipeline.storage.filesystem import is_remote

WORK = "work"

DESCRIPTION = f"""\
Makes a whole corpus by one recipe: fetches the raw data, makes the sources, trains the models and the tokenizer, mixes,
verifies, reports. Without a recipe it makes the embedded samples. For a budget of tokens it takes of each source a
slice that is a fair sample of it, and part of every larger slice: with more --tokens the same folder grows.

RECIPE comes first, and is a name ({", ".join(built_in())}) or a YAML file; a recipe of your own is a few lines over
one: base: llama1.

other forms:
  python -m pipeline.build status DIR [--json]    what is done, what runs, what failed, what is left
  python -m pipeline.build diff [RECIPE] ...      which stages a changed recipe touches, and by which key"""

EPILOG = """\
examples:
  python -m pipeline.build                                                  # the samples, to work/
  python -m pipeline.build llama1 --tokens 1B --output work/ --dry-run      # what is fetched from where, and its cost
  python -m pipeline.build llama1 --tokens 1B --output work/ --without arxiv      # whose bucket bills who reads it
  python -m pipeline.build llama1 --tokens 10B --output work/ --without arxiv     # later: goes on from there
  python -m pipeline.build mine.yaml --set mixture.proportions=redpajama --until mixture
  python -m pipeline.build status work/

The same command again makes what is missing, after Ctrl-C, kill -9 or a power cut, too. A source that fails does not
stop the others. What a changed recipe makes anew is moved to work/_build/aside before, and comes back with the old
recipe. Every flag of Apache Beam passes through to the stages; --direct_num_workers N takes N cores, else all work.
Status: 0 all done; 1 something failed, or is missing; 2 a wrong flag; 130 Ctrl-C."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.build", DESCRIPTION, EPILOG)
    result.usage = (
        "python -m pipeline.build [RECIPE] [flags]"  # Beam's flags may follow: a recipe later could be a value
    )
    result.set_defaults(recipe=DEFAULT)
    add = result.add_argument
    add("--tokens", metavar="N", help="tokens to write: 1B, 500M, a number, or auto (default: what the recipe says)")
    add("--output", metavar="DIR", type=folder, default=WORK, help=f"the folder of the build (default: {WORK})")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="override one key of the recipe")
    add_keys(result, lambda _: recipe_keys(BuildRecipe, load_build(DEFAULT)))
    add(
        "--without", metavar="SOURCE", action="append", default=[], help="leave a source out; the others share its part"
    )
    add("--until", metavar="STAGE", help="end after this stage, such as mixture")
    add("--dry-run", action="store_true", help="say what would be fetched and made, and do nothing")
    add("--keep-raw", action="store_true", help="keep all fetched files; else those go that are not read again")
    add("--retry-failed", action="store_true", help="make again what sources could not read")
    add("--quiet", action="store_true", help="no progress, only the end report")
    return result


def status_parser() -> argparse.ArgumentParser:
    """The parser of ``status``."""
    result = command_parser("pipeline.build status", "What of a build is done, runs, failed, and is left.")
    result.add_argument("output", metavar="DIR", nargs="?", default=WORK, help=f"its folder (default: {WORK})")
    result.add_argument("--json", action="store_true", help="as JSON")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, and builds, or tells."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["status"]:
        _status(words[1:])
    wants_diff = words[:1] == ["diff"]
    words = words[1:] if wants_diff else words
    recipe = words.pop(0) if words and not words[0].startswith("-") else DEFAULT
    commands = parser()
    alone = [
        word for before, word in pairwise(["", *words]) if word[:1] != "-" and (before[:1] != "-" or "=" in before)
    ]
    if late := [word for word in alone if word in built_in() or word.endswith((".yaml", ".yml"))]:
        commands.error(f"{late[0]}: the recipe comes first: python -m pipeline.build {late[0]} ...")
    args, flags = parse(commands, words)
    args.recipe = recipe
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


def _status(words: Sequence[str]) -> NoReturn:
    args = status_parser().parse_args(words)
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
