"""What the command of the GitHub source does."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence

from rich.console import Console

from filters.code.licenses import LicenseGate
from pipeline.command_line import sentences
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError, RecipeError
from pipeline.recipe import load_recipe
from pipeline.storage.filesystem import is_remote
from sources.github.plan import plan_inputs
from sources.github.raw_file import FileReader
from sources.github.recipe import GitHubRecipe
from sources.github.source import GitHub


def run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    """Runs the source."""
    recipe = load_recipe(GitHubRecipe, args.recipe, args.set)
    try:
        LicenseGate(recipe.licenses)
    except ValueError as error:
        raise RecipeError(f"{args.recipe}: licenses: {error}") from error
    if not args.input:
        raise InputError("give --input with a folder of repositories, tars of them, or exports of BigQuery")
    say = sentences(console)
    run = cli.run_options(args, flags)
    source = GitHub(recipe, args.cache, None if is_remote(run.output) else os.path.abspath(run.output))
    plan = plan_inputs(args.input, FileReader(recipe, source.output), say)
    for sentence in plan.sentences:
        say(sentence)
    return run_source(source, plan.scopes, run, console)


def next_commands(result: RunResult) -> list[str]:
    """What the user may type next."""
    return [f"python -m pipeline.verify {shlex.quote(result.layout.root)}"]
