"""The command of the books source."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipeline.command_line import add_input
from pipeline.engine import cli

DESCRIPTION = """\
Project Gutenberg, and Books3 where you have it, to clean documents: header, licence and trailer removed, languages
chosen, and every book removed that another one holds to more than 90 %. Everything dropped is counted by reason, and
can be read in _rejects; duplicates.tsv lists each book removed with the one that stays."""


EPILOG = """\
examples:
  python -m sources.books --gutenberg mirror/ --output corpus/
  python -m sources.books --gutenberg mirror/ --books3 books3.tar.gz --output corpus/
  python -m sources.books --gutenberg 'pg19/*/*.txt' --set language.keep=all --set near_dedup.measure=jaccard

--gutenberg takes a mirror (1/3/4/1342/1342-0.txt, -8.txt, .zip), a folder of pg*.txt, or PG-19 (train/*.txt, with its
metadata.csv); of the files with one ebook number the best is read. Every flag of Apache Beam passes through. Without
--runner, all cores of this machine are used; --direct_num_workers N takes N. The same command again makes only what is
missing."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = cli.source_parser("books", DESCRIPTION, EPILOG, recipe="books", kind="sources.books.recipe:BooksRecipe")
    gutenberg = "Project Gutenberg's files: mirrors, folders, globs in quotes, gs://, s3://, hf://"
    add_input(result, gutenberg, "--gutenberg", default=[])
    add_input(result, "a tar or tar.gz of .epub.txt files", "--books3", "TAR", default=[])
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and runs the source."""
    cli.run_command(parser(), arguments, "sources.books.run")
