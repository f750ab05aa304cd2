"""The command of the CommonCrawl source."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console

from pipeline.command_line import add_input, warn
from pipeline.corpus.shard import plan_shards
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from pipeline.storage.download import FetchError
from pipeline.storage.filesystem import InputFile, default_cache, require
from pipeline.storage.listing import match
from sources.commoncrawl.listing import MIRRORS, crawl_files
from sources.commoncrawl.models import settle_languages, unscored
from sources.commoncrawl.percentiles import cutoff_notes
from sources.commoncrawl.recipe import CommonCrawlRecipe
from sources.commoncrawl.source import CommonCrawl

DESCRIPTION = """\
CommonCrawl WET files to clean documents, as CCNet and the LLaMA paper do it: drop short pages, drop lines that other
pages repeat, keep the asked-for languages, score with an n-gram language model and keep its better buckets, keep pages
that look like those that Wikipedia cites. Everything dropped is counted by reason, and can be read in _rejects."""

EPILOG = """\
examples:
  python -m sources.commoncrawl --input 'wet/*.warc.wet.gz' --output corpus/
  python -m sources.commoncrawl --crawl CC-MAIN-2019-30 --files 0-99 --output corpus/
  python -m sources.commoncrawl --crawl CC-MAIN-2019-30 --files 0-9999 --mirror s3 --output s3://bucket/corpus
  python -m sources.commoncrawl --input wet/ --recipe my.yaml --set perplexity.keep=all --set reference.enabled=false
  python -m sources.commoncrawl --crawl CC-MAIN-2019-30 --files 0-99 --output gs://bucket/corpus \\
      --runner DataflowRunner --project my-project --region europe-west4 --temp_location gs://bucket/tmp

Every flag of Apache Beam passes through. Without --runner, all cores of this machine are used; --direct_num_workers N
takes N. The same command again makes only what is missing."""

EMBEDDED_MODEL = (
    "The perplexity model is the small embedded one, which tells prose from the rest, roughly; for real work train one "
    "or take CCNet's (docs/commoncrawl.md)."
)
NO_CLASSIFIER = (
    "No reference classifier is given (reference.model), so pages unlike those that Wikipedia cites are kept, too. "
    "Train one: python -m sources.commoncrawl.train_reference --input {inputs} --urls urls.txt"
)


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser("commoncrawl", DESCRIPTION, EPILOG, recipe="commoncrawl", kind=CommonCrawlRecipe)
    add_inputs(result)
    return result


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that name WET files."""
    group = parser.add_mutually_exclusive_group(required=True)
    add_input(group, "WET files: paths, folders, globs in quotes, gs://, s3://, hf://, https://")
    group.add_argument("--crawl", metavar="CC-MAIN-YYYY-WW", help="fetch this crawl's WET files")
    parser.add_argument("--files", metavar="A-B", help="with --crawl: the files A to B of its list, counted from 0")
    parser.add_argument(
        "--mirror",
        choices=tuple(MIRRORS),
        default="https",
        help="with --crawl: from where; s3 is for machines in Amazon's region us-east-1, needs credentials of "
        "Amazon's, and reads without a cache (default: https)",
    )
    parser.add_argument("--crawl-url", metavar="URL", help=argparse.SUPPRESS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, _run, _next_commands)


def _run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    recipe = settle_languages(load_recipe(CommonCrawlRecipe, args.recipe, args.set))
    scopes = plan_shards(inputs(args), recipe.dedup.scope, recipe.dedup.scope_files)
    result = run_source(CommonCrawl(recipe), scopes, cli.run_options(args, flags), console)
    return replace(result, notes=[*result.notes, *filter(None, _notes(recipe, result, args))])


def _notes(recipe: CommonCrawlRecipe, result: RunResult, args: argparse.Namespace) -> Iterator[str]:
    """What a reader of the funnel should know of the models that made it."""
    yield unscored(recipe)
    yield from cutoff_notes(result.manifest.get("surveys", {}), recipe.perplexity)
    if recipe.perplexity.languages and recipe.perplexity.lm.startswith("samples/"):
        yield EMBEDDED_MODEL
    if recipe.reference.enabled and not recipe.reference.model:
        yield NO_CLASSIFIER.format(inputs="..." if args.input is None else shlex.join(args.input[:1]))


def inputs(args: argparse.Namespace) -> list[InputFile]:
    """The WET files that ``--input`` or ``--crawl`` name."""
    if args.crawl is None:
        if args.files is not None:
            raise InputError("--files goes with --crawl; --input names its files itself")
        return match(args.input, warn)
    first, dash, last = (args.files or "").partition("-")
    if not first.isdigit() or (dash and (not last.isdigit() or int(last) < int(first))):
        raise InputError(f"--files must be a number or a range such as 0-99, it is {args.files!r}")
    cache, base = args.cache or default_cache(), args.crawl_url or MIRRORS[args.mirror]
    require(base)
    try:
        urls = crawl_files(args.crawl, int(first), int(last or first), base_url=base, cache_dir=cache)
    except FetchError as error:
        raise InputError(str(error)) from error
    return [InputFile(url, -1) for url in urls]


def _next_commands(result: RunResult) -> list[str]:
    return [f"python -m pipeline.verify {shlex.quote(result.layout.root)}"]
