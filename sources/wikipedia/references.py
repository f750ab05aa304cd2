"""``python -m sources.wikipedia.references``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import parse
from pipeline.terminal import run_module


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = argparse.ArgumentParser(
        prog="python -m sources.wikipedia.references",
        description="Prints the distinct URLs that the articles of a corpus cite.",
        allow_abbrev=False,
    )
    result.add_argument("folder", metavar="DIR", help="the source's folder, such as corpus/wikipedia")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and prints one URL a line."""
    args, _ = parse(parser(), arguments)
    import_module("sources.wikipedia.citations").run(args)


if __name__ == "__main__":
    run_module("sources.wikipedia.references")
