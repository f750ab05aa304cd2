"""What the command of the instructions source does."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from rich.console import Console

from pipeline.command_line import sentences, warn
from pipeline.corpus.shard import plan_shards
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from sources.instructions.plan import plan_inputs
from sources.instructions.recipe import InstructionsRecipe
from sources.instructions.source import Instructions


def run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    """Runs the source."""
    recipe = load_recipe(InstructionsRecipe, args.recipe, args.set)
    if not args.input:
        raise InputError(
            "give --input with files of instruction data (.json, .jsonl, .parquet, .gz), or folders of them"
        )
    plan = plan_inputs(args.input, recipe, args.format, warn)
    for sentence in plan.sentences:
        sentences(console)(sentence)
    for warning in plan.warnings:
        warn(warning)
    scopes = plan_shards(plan.inputs, "all", 1)
    return run_source(Instructions(recipe, args.format), scopes, cli.run_options(args, flags), console)


def next_commands(result: RunResult) -> list[str]:
    """What the user may type next."""
    root = shlex.quote(result.layout.root)
    return [f"python -m pipeline.verify {root}", f"python -m pipeline.inspect {root} -n 3"]
