"""The command of the Wikipedia source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from pipeline.command_line import add_input, sentences, warn
from pipeline.corpus.ledger import Ledger
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from pipeline.storage.filesystem import InputFile, default_cache
from pipeline.storage.listing import match
from sources.wikipedia.dumps import ARCHIVE, DUMPS, LLAMA, fetch_dumps, languages_of
from sources.wikipedia.plan import Say, plan_dumps
from sources.wikipedia.recipe import WikipediaRecipe
from sources.wikipedia.source import Wikipedia
from sources.wikipedia.steps import CleanWikitext, uses_in_words

DESCRIPTION = """\
Wikipedia XML dumps to clean documents: articles only, their wikitext turned into text, short ones and repeated texts
dropped. Everything dropped is counted by reason, and can be read in _rejects."""

EPILOG = """\
examples:
  python -m sources.wikipedia --input 'enwiki-20220701-pages-articles-multistream.xml.bz2' --output corpus/
  python -m sources.wikipedia --lang en,de,fr --date 20220701 --output corpus/
  python -m sources.wikipedia --input articles.xml.gz --lang de --set min_characters=500

A dump's language is what --lang says, else its file's name (dewiki-...), else its header; where they differ, that is
said. A multistream dump is cut into shards where its index lies beside it (...-multistream-index.txt.bz2); any other
dump is one shard. Every flag of Apache Beam passes through. Without --runner, all cores of this machine are used;
--direct_num_workers N takes N. The same command again makes only what is missing."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser("wikipedia", DESCRIPTION, EPILOG, recipe="wikipedia", kind=WikipediaRecipe)
    add_input(
        result,
        "dumps (.xml.bz2, .xml.gz, .xml): paths, folders, globs in quotes, gs://, s3://, hf://, https://",
    )
    result.add_argument(
        "--lang",
        metavar="CODE,...",
        help=f"with --date: the languages to fetch (default: {LLAMA}, the paper's twenty); with --input: its language",
    )
    result.add_argument("--date", metavar="YYYYMMDD", help="fetch the dumps of this date")
    result.add_argument("--dumps-url", metavar="URL", default=DUMPS, help=argparse.SUPPRESS)
    result.add_argument("--archive-url", metavar="URL", default=ARCHIVE, help=argparse.SUPPRESS)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, _run, _next_commands)


def _run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    say = sentences(console)
    recipe = _with_language(load_recipe(WikipediaRecipe, args.recipe, args.set), args)
    plan = plan_dumps(_inputs(args, say), recipe, args.cache, say)
    for warning in plan.warnings:
        warn(warning)
    run = cli.run_options(args, flags, inputs="--input, or --lang and --date,")
    result = run_source(Wikipedia(recipe, plan.heads), plan.scopes, run, console)
    return replace(result, notes=(*result.notes, *_notes(result)))


def _notes(result: RunResult) -> list[str]:
    ledger = Ledger()
    ledger.add_json(result.manifest["ledger"])
    said = uses_in_words(ledger.step(CleanWikitext.name).counters)
    return [said] if said else []


def _inputs(args: argparse.Namespace, say: Say) -> list[InputFile]:
    """The dumps that ``--input``, or ``--lang`` and ``--date``, name."""
    if (args.input is None) == (args.date is None):
        raise InputError("give either --input with dumps, or --date, such as --lang en,de --date 20220701")
    if args.input is not None:
        return match(args.input, warn)
    cache = args.cache or default_cache()
    languages = languages_of(args.lang or LLAMA)
    return fetch_dumps(languages, args.date, cache, say, dumps=args.dumps_url, archive=args.archive_url)


def _with_language(recipe: WikipediaRecipe, args: argparse.Namespace) -> WikipediaRecipe:
    """The recipe, with the language that ``--lang`` gives to ``--input``."""
    if args.input is None or args.lang is None:
        return recipe
    languages = languages_of(args.lang)
    if len(languages) != 1:
        raise InputError(f"--input takes one language with --lang, not {args.lang!r}; leave it out to go by file names")
    return replace(recipe, language=languages[0])


def _next_commands(result: RunResult) -> list[str]:
    root = result.layout.root
    return [f"python -m pipeline.verify {root}", f"python -m sources.wikipedia.references {root} > urls.txt"]
