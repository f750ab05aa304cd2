"""What the command does: tables of what each source takes, of the work, and of exact dedup."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.command_line import errors_told
from pipeline.errors import RecipeError
from pipeline.mix.recipe import MixRecipe, exact, load_mixture, parse_tokens
from pipeline.plan.dedup import dedup_needs
from pipeline.plan.estimate import Estimate, estimate, with_own_yields
from pipeline.plan.rates import Rates, rates_of_corpus, read_rates
from pipeline.plan.recipe import FACTS, PlanRecipe
from pipeline.plan.tables import amount_text, bytes_text, hours_text, titled
from pipeline.recipe import load_recipe
from pipeline.terminal import print_whole

LEAST_SECONDS = 60  # of a core; what a run of less spends is mostly its start


def run(args: argparse.Namespace) -> None:
    """Prints the plan."""
    with errors_told():
        plan, facts, rates, small = _plan(args)
    if args.json:
        sys.stdout.write(json.dumps(_as_json(plan, facts, rates), indent=1) + "\n")
        return
    console = Console(highlight=False)
    print_whole(console, sources_table(plan, facts))
    print_whole(console, work_table(plan, rates))
    print_whole(console, dedup_table(plan, facts))
    for line in notes(plan, facts, args.corpus, small):
        console.print(line, markup=False, soft_wrap=True)


def _plan(args: argparse.Namespace) -> tuple[Estimate, PlanRecipe, Rates, list[str]]:
    if args.workers is not None and args.workers < 1:
        raise RecipeError(f"--workers must be at least 1, it is {args.workers}")
    overrides = [*args.set, *([f"workers={args.workers}"] if args.workers is not None else [])]
    facts = load_recipe(PlanRecipe, args.facts, overrides)
    tokens = parse_tokens(args.tokens)
    if tokens is None:
        raise RecipeError("--tokens auto needs a corpus to look at: python -m pipeline.mix --dry-run")
    rates, small = read_rates(args.rates), []
    if args.corpus:
        own = rates_of_corpus(args.corpus)
        small = [name for name, rate in own.items() if rate.worker_seconds < LEAST_SECONDS]
        own = {name: rate for name, rate in own.items() if name not in small}
        facts = dataclasses.replace(facts, sources=with_own_yields(facts, own))
        rates = dataclasses.replace(rates, sources={**rates.sources, **own})
    return estimate(tokens, _shares(load_mixture(args.proportions), facts), facts, rates), facts, rates, small


def _shares(mixture: MixRecipe, facts: PlanRecipe) -> dict[str, float]:
    unknown = [name for name in mixture.sources if name not in facts.sources]
    if unknown:
        raise RecipeError(
            f"the facts know nothing of {', '.join(unknown)}, which the mixture has; they know "
            f"{', '.join(facts.sources)}. Add it to a copy of {FACTS.name} and give that as --facts."
        )
    total = sum(exact(source.share) for source in mixture.sources.values())
    return {name: float(exact(source.share) / total) for name, source in mixture.sources.items()}


def sources_table(plan: Estimate, facts: PlanRecipe) -> Table:
    """What each source takes, with the paper's figures beside it."""
    table = titled(f"{amount_text(plan.tokens)} tokens: what each source takes")
    for heading in ("source", "share", "tokens", "epochs", "unique", "text", "in paper", "raw data", "in"):
        table.add_column(heading, justify="left" if heading in {"source", "in"} else "right")
    for need in plan.needs:
        fact = facts.sources[need.source]
        table.add_row(
            need.source,
            f"{need.share:.1%}",
            amount_text(need.tokens),
            f"{need.epochs:.2f}",
            amount_text(need.unique_tokens),
            bytes_text(need.text_bytes),
            bytes_text(fact.paper.gigabytes * 1e9),
            bytes_text(need.raw_bytes),
            Text(f"{need.units:,} {fact.unit}", style="red" if need.is_short else ""),
        )
    table.add_section()
    sums = [sum(getattr(need, key) for need in plan.needs) for key in ("share", "tokens", "unique_tokens")]
    text, raw = (sum(getattr(need, key) for need in plan.needs) for key in ("text_bytes", "raw_bytes"))
    paper = sum(facts.sources[need.source].paper.gigabytes for need in plan.needs) * 1e9
    table.add_row(
        "in all",
        f"{sums[0]:.1%}",
        amount_text(sums[1]),
        f"{sums[1] / sums[2]:.2f}",
        amount_text(sums[2]),
        bytes_text(text),
        bytes_text(paper),
        bytes_text(raw),
        "",
        style="bold",
    )
    return table


def work_table(plan: Estimate, rates: Rates) -> Table:
    """Core hours, memory and disk of each part of the work."""
    table = titled(f"The work, with {plan.workers:,} cores (rates: {rates.machine})")
    for heading in ("part", "core hours", "hours", "worker's memory", "writes"):
        table.add_column(heading, justify="left" if heading == "part" else "right")
    per_byte = plan.parquet_bytes / sum(need.text_bytes for need in plan.needs)
    for need in plan.needs:
        _work_row(table, plan, f"clean {need.source}", need.core_hours, need.peak_bytes, need.text_bytes * per_byte)
    for part, hours, stage, written in (
        ("encode", plan.encode_hours, rates.encode, plan.token_file_bytes),
        ("write token shards", plan.write_hours, rates.write, plan.shard_bytes),
    ):
        _work_row(table, plan, part, hours, stage.peak_bytes if stage else None, written)
    table.add_section()
    disk = plan.parquet_bytes + plan.token_file_bytes + plan.shard_bytes
    _work_row(table, plan, "in all", plan.core_hours, None, disk, "bold")
    return table


def _work_row(
    table: Table, plan: Estimate, part: str, hours: float | None, peak: int | None, written: float, style: str = ""
) -> None:
    wall = None if hours is None else hours / plan.workers
    cells = (hours_text(hours), hours_text(wall), "" if peak is None else bytes_text(peak), bytes_text(written))
    table.add_row(part, *cells, style=style)


def dedup_table(plan: Estimate, facts: PlanRecipe) -> Table:
    """What exact dedup sends, keeps and holds, for each scope that a recipe can name."""
    table = titled("Exact dedup, for one scope: what a cluster shuffles, or one machine keeps in its work folder")
    for heading in ("source", "scope", "shards", "units", "hashes", "parts", "shuffled", "kept", "a part's memory"):
        table.add_column(heading, justify="left" if heading in {"source", "scope", "units"} else "right")
    for need in dedup_needs(plan.needs, facts.sources):
        table.add_row(
            need.source,
            need.scope,
            f"{need.shards:,}",
            need.unit,
            amount_text(need.hashes),
            f"{need.partitions:,}",
            bytes_text(need.shuffled_bytes),
            bytes_text(need.work_bytes),
            bytes_text(need.held_bytes),
        )
    return table


def notes(plan: Estimate, facts: PlanRecipe, corpus: str | None, small: Sequence[str] = ()) -> list[str]:
    """What the tables cannot say; ``small`` are the sources whose own runs were too small to tell anything."""
    lines = []
    if plan.dollars is not None:
        lines.append(
            f"About {hours_text(plan.wall_hours)} hours, and ${plan.dollars:,.0f} at ${plan.core_hour_dollars:g} a "
            f"core hour. Fetching, storage and traffic come on top (arXiv's bucket is requester-pays)."
        )
    for need in plan.needs:
        if need.is_short:
            paper = facts.sources[need.source].paper.epochs
            lines.append(f"{need.source}: all there is, seen {need.epochs:.2f} times; in the paper {paper:.2f} times.")
    missing = [need.source for need in plan.needs if need.core_hours is None]
    if missing:
        lines.append(f"No rate is known for {', '.join(missing)}: run a few of its files and give --corpus.")
    if small:
        lines.append(
            f"The runs of {', '.join(small)} in {corpus} took less than {LEAST_SECONDS} seconds of a core, too few to "
            "tell a rate or a yield: the general ones are used for them. Run more of their files."
        )
    if not corpus:
        lines.append("Yields are those of recipes/plan/facts.yaml; --corpus DIR takes those of your own runs.")
    return lines


def _as_json(plan: Estimate, facts: PlanRecipe, rates: Rates) -> dict[str, object]:
    keys = ("core_hours", "wall_hours", "dollars")
    dedup = [dataclasses.asdict(need) for need in dedup_needs(plan.needs, facts.sources)]
    sums = {key: getattr(plan, key) for key in keys}
    return {**dataclasses.asdict(plan), **sums, "dedup": dedup, "rates": rates.machine}
