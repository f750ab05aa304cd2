"""The command: lists what a publisher has, as JSON lines."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.build.units import to_lines
from pipeline.command_line import command_parser, errors_told
from pipeline.errors import InputError
from pipeline.recipe import from_mapping, with_overrides
from pipeline.recipe_keys import listing, recipe_keys
from pipeline.storage.download import FetchError
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

DESCRIPTION = """\
Lists what a publisher has of a source's raw data, from the publisher's own listings: one unit a line, as JSON, with its
files, their sizes and checksums where the publisher gives them. Nothing else is fetched."""

EPILOG = """\
examples:
  python -m sources.publishers commoncrawl --set 'crawls=[CC-MAIN-2019-30]'
  python -m sources.publishers wikimedia --set 'date="20220701"' --set 'languages=[en, de]'
  python -m sources.publishers gutenberg --keys"""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("sources.publishers", DESCRIPTION, EPILOG)
    result.add_argument("publisher", choices=tuple(PUBLISHERS), help="whose listing")
    result.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="one of its keys")
    result.add_argument("--keys", action="store_true", help="list its keys with their defaults, and end")
    result.add_argument(
        "--cache", metavar="DIR", type=Path, default=None, help=f"for listings (default: {default_cache()})"
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and prints the units."""
    args = parser().parse_args(arguments)
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
