"""Damages a source on purpose: python -m pipeline.ablate.damage SOURCE --output DIR --share 0.5.

The words of a share of its documents, drawn by a hash of their ids, are shuffled: the same words, in as much text, and
no order. An experiment that does not find a model worse that was trained on it is too small to find anything.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import command_parser, folder
from pipeline.terminal import run_main

COMMAND = "pipeline.ablate.damage"

DESCRIPTION = """\
Writes the documents of a source with the words of some of them shuffled: what an ablation must find to be worse. The
places of white space stay, so characters, bytes and lines are as many as before. All other columns are copied, what is
not changed is linked, and the accounts add up: the output is a source as the other commands know it. Its manifest says
what was done to it."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser(COMMAND, DESCRIPTION)
    result.add_argument("source", metavar="DIR", help="the folder of a source, such as corpus/wikipedia")
    result.add_argument("--output", metavar="DIR", type=folder, required=True, help="a new folder")
    result.add_argument("--share", type=float, default=0.5, help="share of the documents (0.5)")
    result.add_argument("--seed", type=int, default=0, help="of the draw and the order (0)")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and damages."""
    args = parser().parse_args(arguments)
    import_module("pipeline.ablate.damaging").run(args)


if __name__ == "__main__":
    run_main(main)
