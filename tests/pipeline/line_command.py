"""The command of the tests' own source, as any source has one."""

import argparse

from rich.console import Console

from pipeline.command_line import parse
from pipeline.corpus.shard import plan_shards
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.recipe import load_recipe
from pipeline.storage.listing import match
from tests.pipeline.line_source import LineRecipe, LineSource

RECIPE = "tests/pipeline/line_recipe.yaml"


def parser() -> argparse.ArgumentParser:
    epilog = "examples:\n  python -m sources.lines --input texts/"
    result = cli.source_parser("lines", "Lines to documents.", epilog, recipe=RECIPE, kind=LineRecipe)
    result.add_argument("--input", nargs="+", required=True, metavar="PATH", help="text files")
    return result


def main(arguments: list[str] | None = None) -> None:
    commands = parser()
    args, flags = parse(commands, arguments)

    def command(console: Console) -> RunResult:
        recipe = load_recipe(LineRecipe, args.recipe, args.set)
        scopes = plan_shards(match(args.input), recipe.scope, recipe.scope_files)
        return run_source(LineSource(recipe), scopes, cli.run_options(args, flags), console)

    cli.main(command, lambda result: [f"python -m pipeline.verify {result.layout.root}"], args.quiet)
