"""The command of the data card."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import command_parser, parse

DESCRIPTION = """\
Writes the data card of a corpus in Hugging Face's form: sources, licences, processing, counts, known limits. As the
README.md of the corpus folder it also tells load_dataset which files are whose."""

EPILOG = """\
examples:
  python -m pipeline.card corpus/ shards/ --output corpus/README.md
  python -m pipeline.card corpus/ --title 'Our corpus' | less"""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.card", DESCRIPTION, EPILOG)
    result.add_argument("folders", nargs="+", metavar="DIR", help="a corpus, one of its sources, or token shards")
    result.add_argument("--output", metavar="FILE", help="where the card goes (default: the standard output)")
    result.add_argument(
        "--overwrite", action="store_true", help="write over a file that this command did not write, or that was edited"
    )
    result.add_argument("--title", default="LLaMA corpus", help="the card's title")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and writes the card."""
    args, _ = parse(parser(), arguments)
    import_module("pipeline.card.run").run(args)
