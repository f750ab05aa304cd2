"""What the command of the Wikipedia source does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from pipeline.command_line import sentences, warn
from pipeline.corpus.ledger import Ledger
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from pipeline.storage.filesystem import InputFile, default_cache
from pipeline.storage.listing import match
from sources.wikipedia.addresses import LLAMA
from sources.wikipedia.dumps import fetch_dumps, languages_of
from sources.wikipedia.plan import Say, plan_dumps
from sources.wikipedia.recipe import WikipediaRecipe
from sources.wikipedia.source import Wikipedia
from sources.wikipedia.steps import CleanWikitext, uses_in_words


def run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    """Runs the source."""
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


def next_commands(result: RunResult) -> list[str]:
    """What the user may type next."""
    root = result.layout.root
    return [f"python -m pipeline.verify {root}", f"python -m sources.wikipedia.references {root} > urls.txt"]
