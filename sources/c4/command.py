"""The command of the C4 source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipeline.engine import cli
from sources.commoncrawl.command import add_inputs

DESCRIPTION = """\
C4, from one of two inputs. --from published: the files of the published corpus (c4-train.*.json.gz, c4-validation.*,
or their Parquet copies), used as they are. --from wet: Common Crawl WET files, by the rules of the code that made C4:
one page a URL, lines that end like sentences, no line on two pages, English, no bad words. Everything dropped is
counted by reason, and can be read in _rejects."""


EPILOG = """\
examples:
  python -m sources.c4 --from published --input 'c4/en/*.json.gz' --output corpus/
  python -m sources.c4 --from wet --input 'wet/*.warc.wet.gz' --output corpus/ --set bad_words.list=LDNOOBW/en
  python -m sources.c4 --from wet --crawl CC-MAIN-2019-18 --files 0-99 --output corpus/ --recipe c4_exact
  python -m sources.c4 --from wet --input wet/ --set dedup.span_lines=3 --set lines.min_words=3

Every flag of Apache Beam passes through. Without --runner, all cores of this machine are used; --direct_num_workers N
takes N. The same command again makes only what is missing."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser("c4", DESCRIPTION, EPILOG, recipe="c4", kind="sources.c4.recipe:C4Recipe")
    result.add_argument("--from", dest="origin", choices=("published", "wet"), required=True, help="what the input is")
    add_inputs(result)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, "sources.c4.run")
