"""What the command of the arXiv source does."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from pipeline.command_line import sentences, warn
from pipeline.corpus.shard import Layout, Scope
from pipeline.engine import cli
from pipeline.engine.options import RunOptions
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError
from pipeline.recipe import load_recipe
from pipeline.storage.filesystem import join, write_bytes
from sources.arxiv.metadata import metadata_digest, prepare_metadata
from sources.arxiv.plan import Plan, plan_inputs
from sources.arxiv.recipe import ArxivRecipe
from sources.arxiv.report import YIELD, notes, yield_table
from sources.arxiv.source import Arxiv
from sources.arxiv.versions import Inputs


def run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    """Runs the source."""
    say = sentences(console)
    recipe = load_recipe(ArxivRecipe, args.recipe, args.set)
    if not args.input:
        raise InputError("give --input with bulk tars (arXiv_src_*.tar), or a folder of e-prints")
    plan = plan_inputs(args.input, recipe.eprints_per_shard, args.cache, warn)
    say(_planned(plan))
    run = cli.run_options(args, flags, files=(YIELD,))
    _refuse_more_parts_than_months(run, plan)
    digest = metadata_digest(args.metadata, args.cache) if args.metadata else None
    inputs = Inputs(plan.tars, plan.folders)
    source = Arxiv(recipe, Layout(join(run.output, "arxiv")).root, inputs, digest)

    def prepare(layout: Layout, scopes: Sequence[Scope], run: RunOptions) -> None:
        from sources.arxiv.superseded import prepare_versions  # noqa: PLC0415 - Beam, which takes a second to import

        superseded = prepare_versions(source, inputs, run, layout, scopes)
        if superseded:
            say(f"older versions, or copies, of other submissions, which are not read: {superseded:,}")
        if args.metadata:
            found = prepare_metadata(args.metadata, layout.root, {scope.name for scope in scopes}, args.cache)
            bad = f"; lines that are no record: {found.bad:,}" if found.bad else ""
            say(f"papers of these months in the metadata: {found.papers:,}{bad}")

    result = run_source(source, plan.scopes, run, console, prepare)
    if result.part is None:
        write_bytes(join(result.layout.root, YIELD), yield_table(result.manifest))
    return replace(result, notes=[*result.notes, *notes(result.manifest)])


def _refuse_more_parts_than_months(run: RunOptions, plan: Plan) -> None:
    """Before the part leaves a mark in the output, by which ``--finish`` would send users to it."""
    months = len(plan.scopes)
    if run.part is not None and not run.part.by_scopes(plan.scopes):
        first = ", ".join(f"{number}/{months}" for number in range(1, months + 1)[:2])
        raise InputError(
            f"--part {run.part}: parts take whole months of arXiv, and there are {months}: give at most as many "
            f"parts ({first}, ...)"
        )


def _planned(plan: Plan) -> str:
    parts = [_number(len(plan.tars), "bulk tar")] if plan.tars else []
    parts += [_number(plan.papers, "e-print")] if plan.papers else []
    passed = f"; passed over: {', '.join(plan.passed_over[:3])}" if plan.passed_over else ""
    more = f" and {len(plan.passed_over) - 3:,} more" if len(plan.passed_over) > 3 else ""
    return f"{' and '.join(parts)}, of {_number(len(plan.scopes), 'month')}{passed}{more}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def next_commands(result: RunResult) -> list[str]:
    """What the user may type next."""
    root = result.layout.root
    return [f"python -m pipeline.verify {root}", f"cat {join(root, YIELD)}"]
