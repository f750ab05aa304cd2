"""The command: what lies in each folder that is given, and what is wrong with it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import command_parser, parse


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser(
        "pipeline.verify", "Recomputes the accounts of a corpus from its files; exits with 1 where anything differs."
    )
    result.add_argument(
        "folders",
        nargs="+",
        metavar="DIR",
        help="a corpus, a source's folder, such as corpus/books, one of token shards, or a run of the trainer",
    )
    result.add_argument("--quick", action="store_true", help="do not read the texts: no checksums, no characters")
    result.add_argument("--without-rejects", action="store_true", help="of a corpus that was published without them")
    result.add_argument(
        "--absent", metavar="LIST", help="prove, besides, that nothing of a list of removals is left (docs/optout.md)"
    )
    result.add_argument("--corpus", metavar="DIR", help="of token shards: where the corpus lies now, if it was moved")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and verifies."""
    args, _ = parse(parser(), arguments)
    import_module("pipeline.verify.run").run(args)
