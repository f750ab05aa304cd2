"""``python -m pipeline.trace DIR --row N --token K``: from a token back to its document and raw record."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import command_parser, parse
from pipeline.terminal import run_module

DESCRIPTION = """\
From a token of a shard back to where it came from: its document with id and URL, the raw file and the offset of the
record there, and the text around it. Without --token, all documents of the row."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.trace", DESCRIPTION)
    result.add_argument("folder", metavar="DIR", help="a folder of shards, from python -m pipeline.mix")
    result.add_argument("--row", metavar="N", type=int, required=True, help="the row, counted from 0 over all shards")
    result.add_argument("--token", metavar="K", type=int, help="the token in the row, counted from 0")
    result.add_argument("--corpus", metavar="DIR", help="where the corpus lies now, if it was moved")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and traces."""
    args, _ = parse(parser(), arguments)
    import_module("pipeline.mix.tracing").run(args)


if __name__ == "__main__":
    run_module("pipeline.trace")
