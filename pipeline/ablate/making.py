"""What the command of the experiment does."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from rich.console import Console

from pipeline.ablate.arms import Arm, Length, arms_of, length_of
from pipeline.ablate.display import Display
from pipeline.ablate.fit import fits_of, sentences, table
from pipeline.ablate.folder import Folder
from pipeline.ablate.paper import paper
from pipeline.ablate.recipe import BASELINE, AblationRecipe, load_ablation
from pipeline.ablate.run import Experiment
from pipeline.build.checks import check_recipe
from pipeline.build.process import StoppedError
from pipeline.command_line import (
    errors_told,
    exit_with,
    print_error,
)
from pipeline.errors import InputError, OutputError, RecipeError
from pipeline.mix.recipe import parse_tokens
from pipeline.recipe import as_mapping
from pipeline.storage.filesystem import is_remote
from pipeline.terminal import print_whole

_FREE = {"seeds", "arms", "control", "confidence", "samples"}  # of an experiment, what may change in its folder


def run(name: str | None, args: argparse.Namespace, flags: Sequence[str]) -> NoReturn:
    """Runs the experiment, or tells what it would do, and ends the process."""
    with errors_told(stopped="What is finished is kept: the same command goes on from here."):
        if args.fit:
            exit_with(_fit(args.fit))
        if is_remote(args.output):
            raise OutputError(f"an experiment needs a folder on a disk; {args.output} is none")
        experiment, place = _experiment(name, args), Folder(args.output)
        arms = arms_of(experiment, experiment.tokens)
        for arm in arms:
            _check(arm)
        if not place.record("length") and (tokens := parse_tokens(experiment.tokens)) is not None:
            length_of(arms, tokens)  # refuses a budget that is no whole steps of all arms
        if args.dry_run:
            paper(experiment, arms, place, args.jobs, Console(highlight=False))
            exit_with(0)
        exit_with(_run(experiment, arms, place, args, flags))


def _fit(folders: Sequence[str]) -> int:
    fits, console = fits_of(folders), Console(highlight=False)
    print_whole(console, table(fits))
    for sentence in sentences(fits):
        console.print(sentence, markup=False, soft_wrap=True)
    return 0


def _experiment(name: str | None, args: argparse.Namespace) -> AblationRecipe:
    if name is None and not args.arm and args.baseline is None:
        raise RecipeError(
            "there is nothing to compare: name an experiment, such as sample, or give --baseline and --arm (--help has "
            "examples)"
        )
    given = {key: getattr(args, key) for key in ("baseline", "tokens", "model", "seeds")}
    return load_ablation(name, args.set, args.arm, {**given, "control": False if args.no_control else None})


def _check(arm: Arm) -> None:
    try:
        check_recipe(arm.recipe)
    except RecipeError as error:
        raise RecipeError(f"{BASELINE if arm.name == BASELINE else f'arm {arm.name}'}: {error}") from error


def _run(
    experiment: AblationRecipe, arms: Sequence[Arm], place: Folder, args: argparse.Namespace, flags: Sequence[str]
) -> int:
    for package, what in (("torch", "PyTorch trains the arms"), ("plotly", "Plotly draws the page")):
        if importlib.util.find_spec(package) is None:
            raise InputError(
                f"{what}, and is not installed: python -m pip install '.[train,report]' (make ablate does)"
            )
    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, quiet=args.quiet)
    left = "a command of an experiment that was killed is still ending; this one begins when it has"
    with place.held(lambda: console.print(left, markup=False)) as lock:
        place.settle(*_identity(experiment, arms))
        with Display(console) as display:
            run = Experiment(experiment, arms, place, display, lock, args.jobs, flags)
            try:
                length = run.run(args.until)
            except StoppedError as error:
                print_error(error)
                return 1
        seconds = time.monotonic() - started
        return _end(run, None if args.until else length, args.title, seconds)


def _identity(experiment: AblationRecipe, arms: Sequence[Arm]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What may not change in a folder: of the experiment, and of each arm."""
    settings = {key: value for key, value in as_mapping(experiment).items() if key not in _FREE}
    settings["heldout"].pop("overlap")
    return settings, {arm.name: {"overrides": list(arm.overrides), "recipe": as_mapping(arm.recipe)} for arm in arms}


def _end(run: Experiment, length: Length | None, title: str, seconds: float) -> int:
    """Compares where all was trained, writes what came out, and tells it; gives the exit status."""
    from pipeline.ablate.page import write_page  # noqa: PLC0415 - plots
    from pipeline.ablate.results import measure, sentence, summarise, write_results  # noqa: PLC0415

    arms = [arm for arm in run.arms if arm.name not in run.outcome.failed]
    say = Console(highlight=False, soft_wrap=True, markup=False).print
    root = shlex.quote(os.path.join(str(run.folder.root), ""))
    if len(arms) > 1 and length is not None:
        measured = measure(run.experiment, arms, run.folder)
        result = summarise(run.experiment, arms, run.folder, measured, length)
        write_results(run.folder, result, measured)
        write_page(run.folder, result, title)
        say(
            f"Bits per byte on {sum(measured.judged):,} held-out documents beside the baseline's "
            f"{result['arms'][BASELINE]['bits_per_byte']['all']['value']:.4f}, after {length.tokens:,} tokens, "
            f"{run.experiment.seeds} seeds:"
        )
        for arm in arms[1:]:
            say(f"  {sentence(arm.name, result['arms'][arm.name])}")
    if run.outcome.failed:
        for message in dict.fromkeys(run.outcome.failed.values()):
            print_error(message)
        print_error(f"failed: {', '.join(run.outcome.failed)}. Mend that, and the same command goes on.")
        return 1
    steps = run.outcome.made
    say(
        f"Made {steps} step{'s' * (steps != 1)} in {seconds:,.1f} s."
        if steps
        else "Nothing to do: all was made before."
    )
    say("Next:")
    if length is not None:
        say(f"  open {root}index.html")
    say(f"  python -m pipeline.inspect {root}arms/{arms[-1].name}/corpus --dropped -n 3")
    return 0
