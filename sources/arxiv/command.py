"""The command of the arXiv source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipeline.command_line import add_input
from pipeline.engine import cli

DESCRIPTION = """\
arXiv's LaTeX sources to clean documents: files put together, comments and bibliographies removed, the authors' own
macros expanded, each paper from its first section on, its newest version only. Everything dropped is counted by reason,
and can be read in _rejects."""


EPILOG = """\
examples:
  python -m sources.arxiv --input 'arXiv_src_*.tar' --output corpus/
  python -m sources.arxiv --input tars/ --metadata arxiv-metadata-oai-snapshot.json --output corpus/
  python -m sources.arxiv --input eprints/ --set latex.after_bibliography=keep

--input takes arXiv's bulk tars of sources, and e-prints as arXiv gives them out one by one: files (.gz, .tar.gz, .tar,
.tex), or folders below a folder that is given, one for each paper. Every flag of Apache Beam passes through. Without
--runner, all cores of this machine are used; --direct_num_workers N takes N. The same command again makes only what is
missing; more months may follow."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser("arxiv", DESCRIPTION, EPILOG, recipe="arxiv", kind="sources.arxiv.recipe:ArxivRecipe")
    add_input(
        result,
        "bulk tars, e-prints, or folders of them: paths, globs in quotes, gs://, s3://, hf://, https://",
    )
    result.add_argument(
        "--metadata",
        metavar="JSON",
        help="arXiv's metadata (arxiv-metadata-oai-snapshot.json of its Kaggle data set, or .gz): licences, titles",
    )
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, "sources.arxiv.run")
