"""The command of the C4 source."""

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
from sources.commoncrawl.command import add_inputs, inputs

DESCRIPTION = """\
C4, from one of two inputs. --from published: the files of the published corpus (c4-train.*.json.gz, c4-validation.*,
or their Parquet copies), used as they are. --from wet: Common Crawl WET files, by the rules of the code that made C4:
one page a URL, lines that end like sentences, no line on two pages, English, no bad words. Everything dropped is
counted by reason, and can be read in _rejects."""

EPILOG = """\
examples:
  python -m sources.c4 --from published --input 'c4/en/*.json.gz' --output corpus/
  python -m sources.c4 --from wet --input 'wet/*.warc.wet.gz' --output corpus/ --set bad_words.list=LDNOOBW/en
  python -m sources.c4 --from wet --crawl CC-MAIN-2019-18 --files 0-99 --output corpus/ --recipe c4_exact
  python -m sources.c4 --from wet --input wet/ --set dedup.span_lines=3 --set lines.min_words=3

Every flag of Apache Beam passes through. Without --runner, all cores of this machine are used; --direct_num_workers N
takes N. The same command again makes only what is missing."""

SAMPLE_LIST = (
    "The recipe's list of bad words is the sample's, of invented words. For real work give the List of Dirty, Naughty, "
    "Obscene and Otherwise Bad Words: --set bad_words.list=PATH_OR_URL, or the recipe c4_exact."
)


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser("c4", DESCRIPTION, EPILOG, recipe="c4", kind=C4Recipe)
    result.add_argument("--from", dest="origin", choices=("published", "wet"), required=True, help="what the input is")
    add_inputs(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, _run, _next_commands)


def _run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
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


def _next_commands(result: RunResult) -> list[str]:
    return [f"python -m pipeline.verify {shlex.quote(result.layout.root)}"]
