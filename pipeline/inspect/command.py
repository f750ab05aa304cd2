"""The command that looks into a corpus."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pipeline.command_line import command_parser, parse

CHARACTERS = 1500  # shown of a text
BOTH_CHARACTERS = 100_000  # and of both its forms, side by side

DESCRIPTION = """\
Shows documents of a corpus, kept and dropped, with what is known of them; with --before-after beside the raw record
that they were made of, what was removed marked."""

EPILOG = """\
examples:
  python -m pipeline.inspect corpus/commoncrawl --dropped-by perplexity --n 20
  python -m pipeline.inspect corpus/commoncrawl --kept --where 'perplexity>380' --language en
  python -m pipeline.inspect corpus/ --url harbour --grep '(?i)lighthouse' --json | jq .meta.title
  python -m pipeline.inspect corpus/wikipedia --id enwiki-1060-11660 --before-after

Fields of --where are the columns (url, language, license, created, ...), the source's own fields, and characters. What
is shown comes from files all over the corpus, and is the same every time. On a terminal it goes through $PAGER."""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.inspect", DESCRIPTION, EPILOG)
    add = result.add_argument
    add("folders", nargs="+", metavar="DIR", help="a corpus, or one of its sources")
    add("--kept", action="store_true", help="kept documents only")
    add("--dropped", action="store_true", help="rejects only")
    add("--dropped-by", "--step", metavar="STEP", help="rejects of this step")
    add("--reason", metavar="REASON", help="rejects for this reason")
    add("--source", metavar="NAME", help="of a corpus of several sources: this one")
    add("--subset", metavar="NAME", help="kept documents of this subset")
    add("--language", metavar="CODE", help="documents in this language")
    add("--url", metavar="TEXT", help="documents whose URL holds this")
    add("--id", metavar="ID", help="the document with this id")
    add(
        "--where", metavar="EXPR", action="append", default=[], help="a condition, such as 'perplexity>300'; repeatable"
    )
    add("--grep", metavar="PATTERN", help="documents whose text holds this regular expression (RE2)")
    add("--n", "-n", type=int, default=10, metavar="N", help="how many; 0 for all (default: 10)")
    add(
        "--characters",
        type=int,
        metavar="N",
        help=f"of a text; 0: all (default: {CHARACTERS}; {BOTH_CHARACTERS} of before and after)",
    )
    add("--before-after", action="store_true", help="the raw record beside the document, changes marked")
    add("--raw", metavar="DIR", help="with --before-after: where the raw files lie now")
    add("--cache", metavar="DIR", type=Path, help="with --before-after: where fetched files are kept")
    add("--json", action="store_true", help="one JSON object a line, whole texts")
    add("--color", choices=("auto", "always", "never"), default="auto", help="default: on a terminal")
    add("--no-pager", action="store_true", help="write to the terminal without a pager")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """The command; its status is 1 where nothing was found, as grep's."""
    args, _ = parse(parser(), arguments)
    import_module("pipeline.inspect.run").run(args)
