"""The command of the StackExchange source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipeline.command_line import add_input
from pipeline.engine import cli

DESCRIPTION = """\
StackExchange's data dump to clean documents: of the largest sites each question with its answers, from the highest
score to the lowest, their HTML turned into text. Everything dropped is counted by reason, and can be read in _rejects;
sites.tsv lists the sites that are taken and those that are not."""


EPILOG = """\
examples:
  python -m sources.stackexchange --input 'dump/*.7z' --output corpus/
  python -m sources.stackexchange --input dump/ --sites stackoverflow.com,superuser.com --output corpus/
  python -m sources.stackexchange --preferences --input 'dump/*.7z' --output corpus/
  python -m sources.stackexchange --input cardano.stackexchange.com/Posts.xml --set keep_unanswered=false

--input takes the dump's archives (<site>.7z; of stackoverflow.com the one with the posts), which are read as they are,
or Posts.xml, plain, .gz or .bz2, in a folder named after its site; a plain one is cut, so that all workers share one
site. Other files are passed over. Every flag of Apache Beam passes through. Without --runner, all cores of this machine
are used; --direct_num_workers N takes N. The same command again makes only what is missing; more sites may follow."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser(
        "stackexchange",
        DESCRIPTION,
        EPILOG,
        recipe="stackexchange",
        kind="sources.stackexchange.recipe:StackExchangeRecipe",
    )
    add_input(result, "archives or Posts.xml: paths, folders, globs in quotes, gs://, s3://, hf://, https://")
    result.add_argument(
        "--sites",
        metavar="SITE,...",
        default="",
        help="the sites to take, instead of those with the most posts (recipe: largest, meta_sites)",
    )
    result.add_argument(
        "--preferences",
        action="store_true",
        help="make pairs of answers of which one was liked better, in stackexchange_preferences/ (recipe: preferences)",
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, "sources.stackexchange.run")
