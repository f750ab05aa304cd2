"""The command: tables of what each source takes, of the work, and of exact dedup; and what the whole costs."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from pipeline.command_line import command_parser
from pipeline.plan.recipe import FACTS, RATES

DESCRIPTION = """\
What a corpus of so many tokens takes: for each source the raw data, and for the whole core hours, disk, time and cost.
Nothing is read but recipes and rates; the yields and sizes of the sources are facts of others, each with its origin in
recipes/plan/facts.yaml. Run a source over a few files first, and give --corpus: then its own yield and speed count."""

EPILOG = """\
examples:
  python -m pipeline.plan --tokens 1.4T
  python -m pipeline.plan --tokens 10B --workers 16 --corpus corpus/
  python -m pipeline.plan --tokens 300B --proportions my-mixture.yaml --set core_hour_dollars=0.04 --json"""


def parser() -> argparse.ArgumentParser:
    """The command's parser."""
    result = command_parser("pipeline.plan", DESCRIPTION, EPILOG)
    result.add_argument("--tokens", default="1.4T", help="the budget: 1.4T, 10B, 500M (default: 1.4T)")
    result.add_argument(
        "--proportions", default="llama1", metavar="NAME_OR_YAML", help="the mixture, as for pipeline.mix"
    )
    result.add_argument("--facts", default=str(FACTS), metavar="YAML", help="what is known of the sources")
    result.add_argument("--rates", default=str(RATES), metavar="JSON", help="measured rates, as make bench writes")
    result.add_argument("--corpus", metavar="DIR", help="take speed and yield from the runs that made this corpus")
    result.add_argument("--workers", type=int, metavar="N", help="cores at work at one time (the facts' key workers)")
    result.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a key of the facts")
    result.add_argument("--json", action="store_true", help="the plan as JSON")
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and prints the plan."""
    args = parser().parse_args(arguments)
    import_module("pipeline.plan.run").run(args)
