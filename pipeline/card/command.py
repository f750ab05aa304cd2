"""The command of the data card."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.card.card import data_card
from pipeline.command_line import command_parser, errors_told, exit_with, parse
from pipeline.errors import InputError
from pipeline.report.corpus import find
from pipeline.storage.filesystem import require, write_bytes
from pipeline.storage.ownership import check_file, is_sealed, sealed

COMMAND = "pipeline.card"

DESCRIPTION = """\
Writes the data card of a corpus in Hugging Face's form: sources, licences, processing, counts, known limits. As the
README.md of the corpus folder it also tells load_dataset which files are whose."""

EPILOG = """\
examples:
  python -m pipeline.card corpus/ shards/ --output corpus/README.md
  python -m pipeline.card corpus/ --title 'Our corpus' | less"""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    commands = command_parser("pipeline.card", DESCRIPTION, EPILOG)
    commands.add_argument("folders", nargs="+", metavar="DIR", help="a corpus, one of its sources, or token shards")
    commands.add_argument("--output", metavar="FILE", help="where the card goes (default: the standard output)")
    commands.add_argument(
        "--overwrite", action="store_true", help="write over a file that this command did not write, or that was edited"
    )
    commands.add_argument("--title", default="LLaMA corpus", help="the card's title")
    args, _ = parse(commands, arguments)
    with errors_told():
        for path in (*args.folders, *([args.output] if args.output else [])):
            require(path)
        if args.output:
            check_file(args.output, COMMAND, lambda data: is_sealed(data, COMMAND), args.overwrite)
        corpora = find(args.folders)
        if not corpora.sources:
            raise InputError(
                "there is no corpus in these folders, only token shards: give the folder of the corpus, too"
            )
        card = data_card(corpora, args.title)
        if args.output:
            write_bytes(args.output, sealed(card, COMMAND).encode("utf-8", "replace"))
    sys.stdout.write(f"{args.output}\n" if args.output else card)
    exit_with(0)
