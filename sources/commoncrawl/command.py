"""The command of the CommonCrawl source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipeline.command_line import add_input
from pipeline.engine import cli
from sources.commoncrawl.listing import MIRRORS

DESCRIPTION = """\
CommonCrawl WET files to clean documents, as CCNet and the LLaMA paper do it: drop short pages, drop lines that other
pages repeat, keep the asked-for languages, score with an n-gram language model and keep its better buckets, keep pages
that look like those that Wikipedia cites. Everything dropped is counted by reason, and can be read in _rejects."""


EPILOG = """\
examples:
  python -m sources.commoncrawl --input 'wet/*.warc.wet.gz' --output corpus/
  python -m sources.commoncrawl --crawl CC-MAIN-2019-30 --files 0-99 --output corpus/
  python -m sources.commoncrawl --crawl CC-MAIN-2019-30 --files 0-9999 --mirror s3 --output s3://bucket/corpus
  python -m sources.commoncrawl --input wet/ --recipe my.yaml --set perplexity.keep=all --set reference.enabled=false
  python -m sources.commoncrawl --crawl CC-MAIN-2019-30 --files 0-99 --output gs://bucket/corpus \\
      --runner DataflowRunner --project my-project --region europe-west4 --temp_location gs://bucket/tmp

Every flag of Apache Beam passes through. Without --runner, all cores of this machine are used; --direct_num_workers N
takes N. The same command again makes only what is missing."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser(
        "commoncrawl", DESCRIPTION, EPILOG, recipe="commoncrawl", kind="sources.commoncrawl.recipe:CommonCrawlRecipe"
    )
    add_inputs(result)
    return result


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that name WET files."""
    group = parser.add_mutually_exclusive_group(required=True)
    add_input(group, "WET files: paths, folders, globs in quotes, gs://, s3://, hf://, https://")
    group.add_argument("--crawl", metavar="CC-MAIN-YYYY-WW", help="fetch this crawl's WET files")
    parser.add_argument("--files", metavar="A-B", help="with --crawl: the files A to B of its list, counted from 0")
    parser.add_argument(
        "--mirror",
        choices=tuple(MIRRORS),
        default="https",
        help="with --crawl: from where; s3 is for machines in Amazon's region us-east-1, needs credentials of "
        "Amazon's, and reads without a cache (default: https)",
    )
    parser.add_argument("--crawl-url", metavar="URL", help=argparse.SUPPRESS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, "sources.commoncrawl.run")
