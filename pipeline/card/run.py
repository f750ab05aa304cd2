"""What the command of the data card does."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

from pipeline.card.card import data_card
from pipeline.command_line import errors_told, exit_with
from pipeline.errors import InputError
from pipeline.report.corpus import find
from pipeline.storage.filesystem import require, write_bytes
from pipeline.storage.ownership import check_file, is_sealed, sealed

COMMAND = "pipeline.card"


def run(args: argparse.Namespace) -> NoReturn:
    """Writes the card, and ends the process."""
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
