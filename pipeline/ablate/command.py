"""The command: ``python -m pipeline.ablate [EXPERIMENT] [flags]``."""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from rich.console import Console

from pipeline.ablate.arms import Arm, Length, arms_of, length_of
from pipeline.ablate.display import Display
from pipeline.ablate.fit import fits_of, sentences, table
from pipeline.ablate.folder import Folder
from pipeline.ablate.paper import paper
from pipeline.ablate.recipe import BASELINE, AblationRecipe, built_in, load_ablation
from pipeline.ablate.run import CORPORA, SHARDS, Experiment
from pipeline.build.checks import check_recipe
from pipeline.build.process import StoppedError
from pipeline.build.recipe import built_in as built_in_recipes
from pipeline.command_line import (
    add_keys,
    command_parser,
    errors_told,
    exit_with,
    folder,
    parse,
    print_error,
)
from pipeline.errors import InputError, OutputError, RecipeError
from pipeline.mix.recipe import parse_tokens
from pipeline.recipe import as_mapping
from pipeline.recipe_keys import recipe_keys
from pipeline.storage.filesystem import is_remote
from pipeline.terminal import print_whole

OUTPUT = "ablation"
TITLE = "Ablation"
_FREE = {"seeds", "arms", "control", "confidence", "samples"}  # of an experiment, what may change in its folder

DESCRIPTION = f"""\
Tells what a change of the recipe is worth: makes a baseline and arms that differ from it in a few keys, trains a small
model on each, with several seeds and the same number of tokens, and judges all on the same held-out documents, which no
arm trains on. Only what an arm touches is made for it; all else is shared. Differences come with intervals over seeds
and documents; the baseline with another seed of its data is the control, of which none should be shown.

EXPERIMENT comes first, and is a name ({", ".join(built_in())}) or a YAML file; without one, flags say it all."""

EPILOG = f"""\
examples:
  python -m pipeline.ablate sample --output ablation/                       # the samples, in minutes
  python -m pipeline.ablate --baseline sample --arm 'no_dedup: commoncrawl.dedup.enabled=false' \\
      --arm 'all_buckets: commoncrawl.perplexity.keep=all' --model tiny --seeds 3 --output ablation/ --dry-run
  python -m pipeline.ablate --baseline mine.yaml --tokens 500M --model 134M --arm 'web: mixture.proportions=web.yaml'
  python -m pipeline.ablate mine-ablation.yaml --jobs 4 --output ablation/  # four runs at a time

an arm is a name, a colon, and keys, as often as needed:
  SOURCE.key=value      of a source's own recipe:     commoncrawl.dedup.enabled=false (python -m sources.SOURCE --keys)
  SOURCE=null           without the source
  mixture.key=value     of the mixture:               mixture.max_epochs=4            (python -m pipeline.mix --keys)
  tokenizer.key=value   a flag of tokenizer.train:    tokenizer.vocab_size=16000
  train.key=value       of the trainer:               train.optimizer.lr=1e-3         (python -m trainer_bridge.recipe)
  key=value             of the build's recipe:        mixture.proportions=redpajama   (python -m pipeline.build --keys)
  damage=0.5            shuffles the words of half of the documents: an arm that must be found worse

mine-ablation.yaml can be as short as
  baseline: sample
  arms: {{no_dedup: commoncrawl.dedup.enabled=false}}
Recipes of a baseline are those of python -m pipeline.build: {", ".join(built_in_recipes())}, or a file. --keys lists
the keys of an experiment.

The same command again makes what is missing, after Ctrl-C, kill -9 or a power cut, too; it may have more arms, and more
seeds. index.html, results.json, results.csv and documents.csv in the output say what came out; arms/NAME is a folder of
python -m pipeline.build, arms/NAME/seed-N has shards and a run of the trainer. Flags of Apache Beam pass through.
Status: 0 all done, whatever the verdicts; 1 something failed; 2 a wrong flag; 130 Ctrl-C."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.ablate", DESCRIPTION, EPILOG)
    result.usage = "python -m pipeline.ablate [EXPERIMENT] [flags]"
    add = result.add_argument
    add("--baseline", metavar="NAME|FILE", help="a recipe of pipeline.build (default: sample)")
    add("--arm", metavar="'NAME: KEY=VALUE ...'", action="append", default=[], help="an arm; as often as needed")
    add("--tokens", metavar="N", help="tokens of each run: 100M, a number, or auto (default: auto)")
    add("--model", metavar="NAME|FILE", help="the model (default: that of the baseline)")
    add("--seeds", metavar="N", type=int, help="runs of each arm (default: 3)")
    add("--no-control", action="store_true", help="without the negative control")
    add("--output", metavar="DIR", type=folder, default=OUTPUT, help=f"the folder (default: {OUTPUT})")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="override one key of the experiment")
    add_keys(result, lambda _: recipe_keys(AblationRecipe))
    add("--until", choices=(CORPORA, SHARDS), help="end when the arms' corpora, or their token shards, are made")
    add("--jobs", metavar="N", type=int, default=1, help="arms, and runs, that are made at a time (default: 1)")
    add("--title", default=TITLE, help=f"of the page (default: {TITLE})")
    fitted = "make nothing: carry the differences of several experiments, of other models or budgets, on to 7B"
    add("--fit", metavar="DIR", nargs="+", help=fitted)
    add("--dry-run", action="store_true", help="say what would be made, shared and trained, and do nothing")
    add("--quiet", action="store_true", help="no progress, only the end report")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, and runs the experiment."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = words.pop(0) if words and not words[0].startswith("-") else None
    commands = parser()
    alone = [w for before, w in pairwise(["", *words]) if w[:1] != "-" and (before[:1] != "-" or "=" in before)]
    if late := [word for word in alone if word in built_in() or word.endswith((".yaml", ".yml"))]:
        commands.error(f"{late[0]}: the experiment comes first: python -m pipeline.ablate {late[0]} ...")
    args, flags = parse(commands, words)
    if args.jobs < 1:
        commands.error(f"--jobs must be at least 1, it is {args.jobs}")
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
