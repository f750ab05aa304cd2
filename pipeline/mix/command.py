"""The command of the mixture."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import add_keys, command_parser, folder, parse
from pipeline.mix.recipe import MixRecipe, load_mixture
from pipeline.recipe_keys import recipe_keys

DESCRIPTION = """\
Mixes the sources of a corpus in given proportions and writes token shards for training. Each document is encoded once
for a tokenizer; then the tokens are counted and the plan is shown: how many tokens each source has, is asked for, and
how many epochs that makes. Then the shards are written: Arrow files that datasets.load_from_disk and the trainer open
as they are, in which every shard, and any run of first shards, holds the proportions."""

EPILOG = """\
examples:
  python -m pipeline.mix --proportions llama1 --tokens auto --corpus corpus/ --tokenizer tokenizer.model
  python -m pipeline.mix --proportions llama1 --tokens 10B --corpus corpus/ --tokenizer tokenizer.model --dry-run
  python -m pipeline.mix --proportions mine.yaml --set seed=1 --set heldout_tokens=1000000 ...
  python -m pipeline.mix --set missing=renormalise ...       # without the sources that are not there
  python -m pipeline.mix --proportions chat --template llama2 --corpus corpus/ --tokenizer T --output chat-shards/

mine.yaml can be as short as
  sources: {wikipedia: {share: 60}, books: {share: 40}}
Its other keys are optional; --keys lists them. --tokens auto takes the largest budget in which no source passes
max_epochs.

The same command again makes only what is missing. Token files stay in the corpus (2 bytes a token), so that another
mixture starts at its plan. Every flag of Apache Beam passes through; --direct_num_workers N takes N cores, else all
work."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.mix", DESCRIPTION, EPILOG)
    add = result.add_argument
    add("--proportions", metavar="NAME|FILE", default="llama1", help="a name in recipes/mix/ or a YAML file (llama1)")
    add("--tokens", metavar="N", default="auto", help="tokens to write: 1.4T, 10B, 500M, a number, or auto (auto)")
    add("--corpus", metavar="DIR", default="corpus", help="the folder that the sources wrote to (corpus)")
    add("--tokenizer", metavar="FILE", required=True, help="a SentencePiece model: yours, or LLaMA's own")
    add(
        "--output",
        metavar="DIR",
        type=folder,
        default="shards",
        help="folder of the shards: local, gs:// or s3:// (shards)",
    )
    add(
        "--template",
        metavar="NAME|FILE",
        help="encode conversations by this template, with a loss mask: a name in recipes/chat/templates or a YAML file",
    )
    add("--token-files", metavar="DIR", help="where token files are kept (_tokens in the corpus)")
    add("--set", metavar="KEY=VALUE", action="append", default=[], help="override one key of the recipe")
    add_keys(result, lambda args: recipe_keys(MixRecipe, load_mixture(args.proportions, args.set, args.template)))
    add("--dry-run", action="store_true", help="encode what is new, show the plan, and write no shard")
    add("--json", action="store_true", help="with --dry-run: print the plan as JSON")
    add("--quiet", action="store_true", help="no progress, only the plan and the summary")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and makes the mixture."""
    commands = parser()
    args, flags = parse(commands, arguments)
    if args.json and not args.dry_run:
        commands.error("--json goes with --dry-run; of shards that are written, manifest.json has all of it")
    import_module("pipeline.mix.making").run(args, flags)
