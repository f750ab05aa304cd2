"""What the command of the Books source does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from pipeline.command_line import sentences, warn
from pipeline.corpus.shard import Layout, Scope
from pipeline.engine import cli
from pipeline.engine.options import RunOptions
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from pipeline.storage.filesystem import InputFile, exists, join, write_bytes
from pipeline.storage.listing import Known, match
from sources.books.near_duplicates import REPORT, TABLE
from sources.books.plan import Plan, archive_prefixes, plan_books
from sources.books.recipe import BooksRecipe
from sources.books.source import Books

PASSED_OVER = "passed_over.tsv"


NO_BOOKS3 = (
    "Without Books3: it is no longer distributed, since it holds books under copyright. If you have the right to use a "
    "copy, give it as --books3 books3.tar.gz."
)


def run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    """Runs the source."""
    say = sentences(console)
    recipe = load_recipe(BooksRecipe, args.recipe, args.set)
    known: Known = {}
    files = _gutenberg_files(args, known)
    if not args.books3:
        say(NO_BOOKS3)
    books3 = [file for pattern in args.books3 for file in _match("--books3", pattern, known)]
    plan = plan_books(files, books3, recipe.files_per_shard)
    say(f"books of Gutenberg: {plan.books:,}, chosen from files: {len(files):,}; tars of Books3: {len(books3):,}")
    run = cli.run_options(args, flags, inputs="--gutenberg and --books3", files=(PASSED_OVER, TABLE, REPORT))
    root = Layout(join(run.output, "books")).root
    source = Books(recipe, root, _catalogue(files), archive_prefixes(books3))

    def prepare(layout: Layout, scopes: Sequence[Scope], run: RunOptions) -> None:
        _write_passed_over(layout, plan)
        if recipe.near_dedup.enabled:
            from sources.books.near_dedup import prepare_near_dedup  # noqa: PLC0415 - Beam, which takes a second to import

            prepare_near_dedup(source, run, console, layout, scopes)

    return run_source(source, plan.scopes, run, console, prepare)


def _gutenberg_files(args: argparse.Namespace, known: Known) -> list[InputFile]:
    if not args.gutenberg and not args.books3:
        raise InputError("give --gutenberg with a mirror or a folder of texts, --books3 with a tar, or both")
    return [file for pattern in args.gutenberg for file in _match("--gutenberg", pattern, known)]


def _match(flag: str, pattern: str, known: Known) -> list[InputFile]:
    try:
        return match([pattern], warn, known)
    except InputError as error:
        raise InputError(str(error).replace("--input", flag)) from error


def _catalogue(files: Sequence[InputFile]) -> str | None:
    """The ``metadata.csv`` of PG-19, beside the folders of its texts."""
    for file in sorted(files):
        folder, _, name = file.path.rpartition("/")
        if name == "metadata.csv":
            return file.path
        if folder.rpartition("/")[2] in {"train", "validation", "test"}:
            beside = join(folder.rpartition("/")[0] or ".", "metadata.csv")
            return beside if exists(beside) else None
    return None


def _write_passed_over(layout: Layout, plan: Plan) -> None:
    """Lists the files that are not read, and why."""
    rows = "".join(f"{path}\t{reason}\n" for path, reason in plan.passed_over)
    write_bytes(join(layout.root, PASSED_OVER), f"file\treason\n{rows}".encode("utf-8", "replace"))


def next_commands(result: RunResult) -> list[str]:
    """What the user may type next."""
    root = result.layout.root
    return [f"python -m pipeline.verify {root}", f"less -S {join(root, TABLE)}"]
