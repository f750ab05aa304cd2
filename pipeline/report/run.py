"""What the command of the report does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from rich.console import Console

from pipeline.command_line import errors_told, exit_with
from pipeline.errors import InputError
from pipeline.report.budget import Budget
from pipeline.report.command import PAGE
from pipeline.report.content import build_section
from pipeline.report.corpus import Corpora, SourceCorpus, find
from pipeline.report.harmless import one_line
from pipeline.report.overview import build_overview
from pipeline.report.page import render
from pipeline.report.paper import in_paper_order, title_of
from pipeline.storage.filesystem import join, require, write_bytes
from pipeline.storage.ownership import check_file

COMMAND = "pipeline.report"
MARK = '<meta name="generator" content="llama-corpus">'


def report(
    folders: Sequence[str], output: str, title: str, budget: Budget, console: Console, overwrite: bool = False
) -> str:
    """Writes the report.

    Args:
        folders: Corpora, sources, token shards.
        output: The folder of the page.
        title: Its title.
        budget: How much of each source is sampled.
        console: Where progress shows.
        overwrite: Whether the user allows it to write over a page that is not a report.

    Returns:
        The path of the page.

    Raises:
        UserError: A folder holds nothing to report, or the page cannot be written.
    """
    for path in (*folders, output):
        require(path)
    path = join(output, PAGE)
    check_file(path, COMMAND, MARK, overwrite)
    corpora = find(folders)
    sources = _in_order(corpora)
    sections = {}
    with console.status("") as status:
        for number, corpus in enumerate(sources, 1):
            status.update(f"{one_line(corpus.name)} ({number} of {len(sources)})")
            sections[corpus.layout.root] = build_section(corpus, budget, _title(corpus, sources))
    overview = build_overview(Corpora(sources, corpora.mixtures), sections)
    write_bytes(path, render(title, overview, [sections[c.layout.root] for c in sources]).encode("utf-8", "replace"))
    return path


def _title(corpus: SourceCorpus, sources: Sequence[SourceCorpus]) -> str:
    """What a source is called on the page: with its folder, where another one has its name."""
    alone = sum(other.name == corpus.name for other in sources) == 1
    return title_of(corpus.name) if alone else f"{title_of(corpus.name)} ({one_line(corpus.layout.root)})"


def _in_order(corpora: Corpora) -> list[SourceCorpus]:
    order = {name: number for number, name in enumerate(in_paper_order([c.name for c in corpora.sources]))}
    return sorted(corpora.sources, key=lambda corpus: (order[corpus.name], corpus.layout.root))


def run(args: argparse.Namespace) -> NoReturn:
    """Writes the report, and ends the process."""
    with errors_told():
        if args.documents < 1:
            raise InputError(f"--documents must be at least 1, it is {args.documents}")
        budget = Budget(documents=args.documents)
        path = report(args.folders, args.output, args.title, budget, Console(stderr=True), args.overwrite)
    print(path, file=sys.stdout)  # noqa: T201
    exit_with(0)
