"""The command of the GitHub source."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from filters.code.licenses import LicenseGate
from pipeline.command_line import add_input, exit_with, sentences
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError, RecipeError
from pipeline.recipe import load_recipe
from pipeline.storage.filesystem import is_remote
from sources.github.plan import plan_inputs
from sources.github.raw_file import FileReader
from sources.github.recipe import GitHubRecipe
from sources.github.source import GitHub

SQL = Path(__file__).with_name("bigquery.sql")

DESCRIPTION = """\
Source files of GitHub to clean documents: only repositories under MIT, BSD or Apache licences, no vendored or generated
files, licence headers taken out, low quality and identical files dropped. Everything dropped is counted by reason, and
can be read in _rejects (but for the text of files whose licence or path is not allowed, which is kept nowhere)."""

EPILOG = """\
examples:
  python -m sources.github --input repos/ --output corpus/               # each folder in it is a repository
  python -m sources.github --input my-project/ numpy-1234abcd.tar.gz     # one repository; GitHub's tars
  python -m sources.github --input 'bq/*.json.gz' --output corpus/       # an export of BigQuery, also .parquet
  python -m sources.github --input the-stack/data/ --set rejects.keep=sample
  python -m sources.github --print-sql > export.sql                      # the query that makes such an export

The licence of a folder or a tar is told from its licence files and package metadata. Every flag of Apache Beam passes
through. Without --runner, all cores of this machine are used; --direct_num_workers N takes N. The same command again
makes only what is missing."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser("github", DESCRIPTION, EPILOG, recipe="github", kind=GitHubRecipe)
    add_input(
        result,
        "a folder of repositories or one repository, tars of them, exports of BigQuery, The Stack's Parquet: "
        "paths, globs in quotes; dumps also gs://, s3://, hf://, https://",
    )
    result.add_argument("--print-sql", action="store_true", help="print the BigQuery query that makes the export")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    commands = parser()
    if commands.parse_known_args(arguments)[0].print_sql:
        sys.stdout.write(SQL.read_text(encoding="utf-8"))
        exit_with(0)
    cli.run_command(commands, arguments, _run, _next_commands)


def _run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
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


def _next_commands(result: RunResult) -> list[str]:
    return [f"python -m pipeline.verify {shlex.quote(result.layout.root)}"]
