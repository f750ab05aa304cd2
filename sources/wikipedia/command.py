"""The command of the Wikipedia source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipeline.command_line import add_input
from pipeline.engine import cli
from sources.wikipedia.addresses import ARCHIVE, DUMPS, LLAMA

DESCRIPTION = """\
Wikipedia XML dumps to clean documents: articles only, their wikitext turned into text, short ones and repeated texts
dropped. Everything dropped is counted by reason, and can be read in _rejects."""


EPILOG = """\
examples:
  python -m sources.wikipedia --input 'enwiki-20220701-pages-articles-multistream.xml.bz2' --output corpus/
  python -m sources.wikipedia --lang en,de,fr --date 20220701 --output corpus/
  python -m sources.wikipedia --input articles.xml.gz --lang de --set min_characters=500

A dump's language is what --lang says, else its file's name (dewiki-...), else its header; where they differ, that is
said. A multistream dump is cut into shards where its index lies beside it (...-multistream-index.txt.bz2); any other
dump is one shard. Every flag of Apache Beam passes through. Without --runner, all cores of this machine are used;
--direct_num_workers N takes N. The same command again makes only what is missing."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser(
        "wikipedia", DESCRIPTION, EPILOG, recipe="wikipedia", kind="sources.wikipedia.recipe:WikipediaRecipe"
    )
    add_input(
        result,
        "dumps (.xml.bz2, .xml.gz, .xml): paths, folders, globs in quotes, gs://, s3://, hf://, https://",
    )
    result.add_argument(
        "--lang",
        metavar="CODE,...",
        help=f"with --date: the languages to fetch (default: {LLAMA}, the paper's twenty); with --input: its language",
    )
    result.add_argument("--date", metavar="YYYYMMDD", help="fetch the dumps of this date")
    result.add_argument("--dumps-url", metavar="URL", default=DUMPS, help=argparse.SUPPRESS)
    result.add_argument("--archive-url", metavar="URL", default=ARCHIVE, help=argparse.SUPPRESS)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, "sources.wikipedia.run")
