"""What the command of the CommonCrawl source does."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console

from pipeline.command_line import warn
from pipeline.corpus.shard import plan_shards
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from pipeline.storage.fetch_errors import FetchError
from pipeline.storage.filesystem import InputFile, default_cache, require
from pipeline.storage.listing import match
from sources.commoncrawl.listing import MIRRORS, crawl_files
from sources.commoncrawl.models import settle_languages, unscored
from sources.commoncrawl.percentiles import cutoff_notes
from sources.commoncrawl.recipe import CommonCrawlRecipe
from sources.commoncrawl.source import CommonCrawl

EMBEDDED_MODEL = (
    "The perplexity model is the small embedded one, which tells prose from the rest, roughly; for real work train one "
    "or take CCNet's (docs/commoncrawl.md)."
)


NO_CLASSIFIER = (
    "No reference classifier is given (reference.model), so pages unlike those that Wikipedia cites are kept, too. "
    "Train one: python -m sources.commoncrawl.train_reference --input {inputs} --urls urls.txt"
)


def run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    """Runs the source."""
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


def next_commands(result: RunResult) -> list[str]:
    """What the user may type next."""
    return [f"python -m pipeline.verify {shlex.quote(result.layout.root)}"]
