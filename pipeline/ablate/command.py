"""The command: ``python -m pipeline.ablate [EXPERIMENT] [flags]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise

from pipeline.ablate.recipe import CORPORA, SHARDS, AblationRecipe, built_in
from pipeline.build.recipe import built_in as built_in_recipes
from pipeline.command_line import add_keys, command_parser, folder, parse
from pipeline.recipe_keys import recipe_keys

OUTPUT = "ablation"
TITLE = "Ablation"

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
    import_module("pipeline.ablate.making").run(name, args, flags)
