"""The command that trains the Wikipedia-reference classifier: join, sample, train, check, report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipeline.engine import cli
from sources.commoncrawl.command import add_inputs

MIN_CHARACTERS = 1000
NEGATIVE_SHARE = 0.1

DESCRIPTION = """\
Trains the linear model that tells pages used as references in Wikipedia from random pages, as the LLaMA paper does.

--urls are the URLs that Wikipedia cites, one a line (the Wikipedia source writes them). They are joined with the
crawl's own pages by normalised URL, so nothing is crawled again. Other pages are sampled, by a seeded hash of their id,
for an equal number of negatives. A tenth of both is held out; precision, recall and a histogram of scores are reported
on it, and stored beside the model."""

EPILOG = """\
example:
  python -m sources.commoncrawl.train_reference --input 'wet/*.warc.wet.gz' --urls urls.txt --output models/reference"""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser(
        "commoncrawl.train_reference",
        DESCRIPTION,
        EPILOG,
        recipe="commoncrawl",
        kind="sources.commoncrawl.recipe:CommonCrawlRecipe",
        output="models/reference",
        output_help="folder of the model and of the pages it is trained on",
    )
    add_inputs(result)
    result.add_argument(
        "--urls",
        action="extend",
        nargs="+",
        required=True,
        metavar="FILE",
        help="URLs that Wikipedia cites, one a line",
    )
    result.add_argument(
        "--negatives",
        type=float,
        metavar="SHARE",
        help=f"share of the other pages that is sampled (default: {NEGATIVE_SHARE}; 1 for less than 100 MB of input)",
    )
    result.add_argument(
        "--min-characters", type=int, metavar="N", default=MIN_CHARACTERS, help="on both sides (default: %(default)s)"
    )
    result.add_argument("--seed", type=int, default=0, help="of the sample, the held-out tenth and the training")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, collects the pages and trains."""
    cli.run_command(parser(), arguments, "sources.commoncrawl.training_run")
