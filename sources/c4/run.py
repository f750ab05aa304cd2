"""What the command of the C4 source does."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from rich.console import Console

from pipeline.command_line import sentences
from pipeline.corpus.shard import Scope, plan_shards
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from sources.c4.recipe import BadWordsRecipe, C4Recipe
from sources.c4.source import C4
from sources.commoncrawl.run import inputs

SAMPLE_LIST = (
    "The recipe's list of bad words is the sample's, of invented words. For real work give the List of Dirty, Naughty, "
    "Obscene and Otherwise Bad Words: --set bad_words.list=PATH_OR_URL, or the recipe c4_exact."
)


def run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    """Runs the source."""
    recipe = load_recipe(C4Recipe, args.recipe, args.set)
    scopes = _scopes(args, recipe)
    if args.origin == "wet" and recipe.bad_words.list == BadWordsRecipe().list:
        sentences(console)(SAMPLE_LIST)
    return run_source(C4(recipe, args.origin), scopes, cli.run_options(args, flags), console)


def _scopes(args: argparse.Namespace, recipe: C4Recipe) -> list[Scope]:
    """Without dedup every file is a scope of its own, and any may follow later."""
    if args.origin == "published":
        if args.crawl is not None:
            raise InputError("--crawl names WET files: it goes with --from wet")
        return plan_shards(inputs(args), "files", 1)
    return plan_shards(inputs(args), recipe.dedup.scope, recipe.dedup.scope_files)


def next_commands(result: RunResult) -> list[str]:
    """What the user may type next."""
    return [f"python -m pipeline.verify {shlex.quote(result.layout.root)}"]
