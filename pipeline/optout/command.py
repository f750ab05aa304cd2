"""The command that takes out what people asked to be left out: it looks first, and acts where it is told to."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import command_parser, folder, parse
from pipeline.removals.kinds import KINDS

DESCRIPTION = """\
Takes documents out of what is made: a corpus, its token files, token shards. A list says which. Without --apply it
tells what it finds, and changes nothing.

Of a corpus the documents leave their Parquet files, and the ledger counts them as dropped: opt_out; rejects of theirs
lose their text. Their ids are cut out of token files. In token shards, for training and held out, their places are
filled by documents of the same source that were not drawn, then by those that were, once more each; where these do
not suffice, rows are taken out. All that is not listed keeps its bytes. Killed at any point, the same command ends
what it began; a second time, the same list changes nothing."""

EPILOG = """\
a list is UTF-8: a line a removal, its kind, a tab, its value; behind another tab, a note for the report. Empty lines
and lines that begin with # are passed over. Kinds:
{kinds}

addresses are compared without scheme, fragment and one slash at the end of the path; case and Punycode of the host do
not matter, those of the path do, and so does www. (docs/optout.md has it to the letter).

examples:
  python -m pipeline.optout corpus/ shards/ --list removals.tsv            # what it would do
  python -m pipeline.optout corpus/ shards/ --list removals.tsv --apply --report answer.tsv
  python -m pipeline.verify corpus/ shards/ --absent removals.tsv          # proves it, from the files
  python -m sources.commoncrawl ... --set optout=removals.tsv              # never lets them in

What was dropped as a copy of a document that goes does not come back; with --exact the scopes concerned are marked,
and the source's command makes them anew."""

DATE = re.compile(r"\d{4}-\d\d-\d\d")


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    kinds = "\n".join(f"  {kind.name:<19} {kind.example:<30} {kind.meaning}" for kind in KINDS.values())
    result = command_parser("pipeline.optout", DESCRIPTION, EPILOG.format(kinds=kinds))
    add = result.add_argument
    add(
        "folders",
        nargs="+",
        metavar="DIR",
        type=folder,
        help="a corpus or a source's folder, and all token shards of it",
    )
    add("--list", metavar="FILE", required=True, help="what is to be taken out")
    add("--apply", action="store_true", help="take it out; without, only tell what would go")
    add("--exact", action="store_true", help="with --apply: have the scopes of dedup that are concerned made anew")
    add("--report", metavar="FILE", help="write what was found for each line of the list, without text (TSV)")
    add("--corpus", metavar="DIR", help="of token shards: where their corpus lies now, if it was moved")
    add("--date", metavar="YYYY-MM-DD", help="the date in the log (default: today)")
    add("--quiet", action="store_true", help="no progress, only the summary")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line, looks, and acts."""
    commands = parser()
    args, _ = parse(commands, arguments)
    if args.exact and not args.apply:
        commands.error("--exact goes with --apply")
    if args.date is not None and not DATE.fullmatch(args.date):
        commands.error(f"--date must look like 2026-03-31, it is {args.date}")
    import_module("pipeline.optout.run").run(args)
