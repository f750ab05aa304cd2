"""The command of the report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import command_parser, folder, parse
from pipeline.report.budget import Budget

PAGE = "index.html"

DESCRIPTION = """\
Writes one HTML page about a corpus: for each source what was read, dropped and kept, the distributions of its scores,
and texts of every fate; the mixture asked and reached; speed and memory. The page opens without a network."""

EPILOG = """\
examples:
  python -m pipeline.report corpus/ shards/ --output report/
  python -m pipeline.report corpus/wikipedia --title 'Wikipedia, July 2022' --documents 100000

It reads manifests, and of the Parquet files a sample that is the same in every run; the page says how large it is."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    default = Budget()
    result = command_parser("pipeline.report", DESCRIPTION, EPILOG)
    result.add_argument("folders", nargs="+", metavar="DIR", help="a corpus, one of its sources, or token shards")
    result.add_argument(
        "--output", metavar="DIR", type=folder, default="report", help="where the page goes (default: report)"
    )
    result.add_argument(
        "--overwrite", action="store_true", help=f"write over an {PAGE} that this command did not write"
    )
    result.add_argument("--title", default="Corpus report", help="the page's title")
    result.add_argument(
        "--documents",
        type=int,
        default=default.documents,
        metavar="N",
        help=f"documents sampled of each source, and as many rejects (default: {default.documents:,})",
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and writes the report."""
    args, _ = parse(parser(), arguments)
    import_module("pipeline.report.run").run(args)
