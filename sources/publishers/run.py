"""What the command does: lists what a publisher has, or the keys by which it is asked."""

from __future__ import annotations

import argparse
import sys

from pipeline.build.units import to_lines
from pipeline.command_line import errors_told
from pipeline.errors import InputError
from pipeline.recipe import from_mapping, with_overrides
from pipeline.recipe_keys import listing, recipe_keys
from pipeline.storage.fetch_errors import FetchError
from pipeline.storage.filesystem import default_cache
from sources.publishers.arxiv import ArxivBucket
from sources.publishers.commoncrawl import CommonCrawlCrawls
from sources.publishers.gutenberg import GutenbergMirror
from sources.publishers.stackexchange import StackExchangeDump
from sources.publishers.wikimedia import WikimediaDumps

WRONG = 2  # the exit status where keys are wrong, or do not allow what they ask for
Publisher = ArxivBucket | CommonCrawlCrawls | GutenbergMirror | StackExchangeDump | WikimediaDumps

PUBLISHERS: dict[str, type[Publisher]] = {
    "commoncrawl": CommonCrawlCrawls,
    "wikimedia": WikimediaDumps,
    "gutenberg": GutenbergMirror,
    "arxiv": ArxivBucket,
    "stackexchange": StackExchangeDump,
}


def run(args: argparse.Namespace) -> None:
    """Prints the units, or the keys."""
    kind = PUBLISHERS[args.publisher]
    if args.keys:
        sys.stdout.write(listing(recipe_keys(kind)))
        return
    with errors_told(WRONG):
        publisher: Publisher = from_mapping(kind, with_overrides({}, args.set), f"the publisher {args.publisher}")
        publisher.check()
    with errors_told():
        try:
            sys.stdout.write(to_lines(publisher.units(args.cache or default_cache())))
        except FetchError as error:
            raise InputError(str(error)) from error
