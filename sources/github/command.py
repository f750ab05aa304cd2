"""The command of the GitHub source."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.command_line import add_input, exit_with
from pipeline.engine import cli

SQL = Path(__file__).with_name("bigquery.sql")


DESCRIPTION = """\
Source files of GitHub to clean documents: only repositories under MIT, BSD or Apache licences, no vendored or generated
files, licence headers taken out, low quality and identical files dropped. Everything dropped is counted by reason, and
can be read in _rejects (but for the text of files whose licence or path is not allowed, which is kept nowhere)."""


EPILOG = """\
examples:
  python -m sources.github --input repos/ --output corpus/               # each folder in it is a repository
  python -m sources.github --input my-project/ numpy-1234abcd.tar.gz     # one repository; GitHub's tars
  python -m sources.github --input 'bq/*.json.gz' --output corpus/       # an export of BigQuery, also .parquet
  python -m sources.github --input the-stack/data/ --set rejects.keep=sample
  python -m sources.github --print-sql > export.sql                      # the query that makes such an export

The licence of a folder or a tar is told from its licence files and package metadata. Every flag of Apache Beam passes
through. Without --runner, all cores of this machine are used; --direct_num_workers N takes N. The same command again
makes only what is missing."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser(
        "github", DESCRIPTION, EPILOG, recipe="github", kind="sources.github.recipe:GitHubRecipe"
    )
    add_input(
        result,
        "a folder of repositories or one repository, tars of them, exports of BigQuery, The Stack's Parquet: "
        "paths, globs in quotes; dumps also gs://, s3://, hf://, https://",
    )
    result.add_argument("--print-sql", action="store_true", help="print the BigQuery query that makes the export")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    commands = parser()
    if commands.parse_known_args(arguments)[0].print_sql:
        sys.stdout.write(SQL.read_text(encoding="utf-8"))
        exit_with(0)
    cli.run_command(commands, arguments, "sources.github.run")
