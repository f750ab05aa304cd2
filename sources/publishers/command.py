"""The command: lists what a publisher has, as JSON lines."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pipeline.command_line import command_parser
from pipeline.storage.filesystem import default_cache

PUBLISHERS = ("commoncrawl", "wikimedia", "gutenberg", "arxiv", "stackexchange")

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
    result.add_argument("publisher", choices=PUBLISHERS, help="whose listing")
    result.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="one of its keys")
    result.add_argument("--keys", action="store_true", help="list its keys with their defaults, and end")
    result.add_argument(
        "--cache", metavar="DIR", type=Path, default=None, help=f"for listings (default: {default_cache()})"
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and prints the units."""
    args = parser().parse_args(arguments)
    import_module("sources.publishers.run").run(args)
