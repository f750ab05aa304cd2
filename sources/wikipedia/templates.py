"""``python -m sources.wikipedia.templates``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pipeline.command_line import parse
from pipeline.terminal import run_module

MOST = 50  # templates shown of a language

DESCRIPTION = """\
Counts the templates inside the prose of a dump's articles, and shows those that have no rule: how often each is used,
and the characters and numbers of its arguments, which a run of the source loses. Faulty pages are passed."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(
        prog="python -m sources.wikipedia.templates", description=DESCRIPTION, allow_abbrev=False
    )
    result.add_argument(
        "dumps", nargs="+", metavar="DUMP", help="dumps (.xml.bz2, .xml.gz, .xml): paths, folders, globs"
    )
    result.add_argument("--lang", metavar="CODE", help="their language; by default each one's name or header says it")
    result.add_argument("--pages", type=int, metavar="N", help="read the first N articles of each dump")
    result.add_argument(
        "--definitions", metavar="DIR", type=Path, help="write the definitions of those templates there, for the recipe"
    )
    result.add_argument("--most", type=int, metavar="N", default=MOST, help=f"templates to show (default: {MOST})")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and prints a table for each language."""
    args, _ = parse(parser(), arguments)
    import_module("sources.wikipedia.measure").run(args)


if __name__ == "__main__":
    run_module("sources.wikipedia.templates")
