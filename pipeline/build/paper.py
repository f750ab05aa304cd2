"""What a build takes, on paper: what is fetched from where, hours, disk, cost; nothing is asked of a server."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline.build.calls import BuildOptions
from pipeline.build.need import Need
from pipeline.build.publishers import FILES, HOMES
from pipeline.build.recipe import BuildRecipe, SourceBuild
from pipeline.build.run import until
from pipeline.build.sources import given_inputs, own_files
from pipeline.build.stages import left_out_of, stages_of
from pipeline.build.status import changes
from pipeline.build.work import Work
from pipeline.errors import RecipeError
from pipeline.mix.recipe import exact, load_mixture
from pipeline.plan.estimate import Estimate, estimate
from pipeline.plan.estimate import Need as SourceNeed
from pipeline.plan.rates import read_rates
from pipeline.plan.recipe import FACTS, RATES, PlanRecipe, SourceFacts
from pipeline.plan.tables import amount_text, bytes_text, hours_text, titled
from pipeline.recipe import load_recipe
from pipeline.storage.filesystem import is_remote
from pipeline.terminal import print_whole

ADDRESSES = ("url", "dumps")  # the keys that do
BILLED = "s3://"
ROUNDING = 1e-6
TRANSFER_DOLLARS = 0.09  # for each GB that leaves Amazon's network, its list price


def shares_of(recipe: BuildRecipe) -> dict[str, float]:
    """The share of each source in the mixture, 0 to 1, of those that the build makes."""
    mixture = load_mixture(recipe.mixture.proportions, recipe.mixture.set)
    shares = {name: exact(source.share) for name, source in mixture.sources.items() if name in recipe.sources}
    if not shares:
        raise RecipeError("the mixture has none of the build's sources: see mixture.proportions")
    return {name: float(share / sum(shares.values())) for name, share in shares.items()}


def needs_of(recipe: BuildRecipe, tokens: int | None) -> dict[str, Need]:
    """What a budget needs of each source; nothing where all there is is wanted.

    Raises:
        RecipeError: A source has no facts from which to reckon.
    """
    if tokens is None:
        return {}
    facts = load_recipe(PlanRecipe, str(FACTS))
    shares = shares_of(recipe)
    if beside := [name for name in recipe.sources if name not in shares]:
        raise RecipeError(
            f"the mixture takes nothing of {beside[0]}, so no budget tells how much: --without {beside[0]}"
        )
    if unknown := [name for name in shares if name not in facts.sources]:
        raise RecipeError(f"no facts are known of {unknown[0]}, so a budget cannot be cut to it: give --tokens auto")
    return {
        name: Need(
            tokens=share * tokens / facts.sources[name].paper.epochs,
            text_per_raw=facts.sources[name].text_per_raw,
            bytes_per_token=facts.sources[name].bytes_per_token,
            file_bytes=(recipe.sources[name].file_megabytes or facts.sources[name].unit_megabytes) * 1e6,
            margin=recipe.margin,
        )
        for name, share in shares.items()
    }


def _estimate(options: BuildOptions) -> tuple[Estimate, PlanRecipe] | None:
    """The estimate of a budget; None where all there is is made, or nothing is known of it."""
    facts = load_recipe(PlanRecipe, str(FACTS), [f"workers={os.cpu_count() or 1}"])
    shares = shares_of(options.recipe)
    if not options.needs and not set(shares) <= set(facts.sources):
        return None
    recipe, rates = options.recipe, read_rates(RATES)
    tokens = sum(need.tokens * facts.sources[name].paper.epochs for name, need in options.needs.items())
    if not options.needs:
        tokens = sum(
            there_bytes(recipe.sources[name], facts.sources[name])
            * facts.sources[name].text_per_raw
            / facts.sources[name].bytes_per_token
            for name in shares
        )
    found = estimate(max(1.0, tokens), shares, facts, rates)
    takes_all = not options.needs
    needs = (
        _as_built(need, recipe.sources[need.source], facts.sources[need.source], takes_all=takes_all)
        for need in found.needs
    )
    return replace(found, needs=tuple(needs)), facts


def is_here(source: SourceBuild) -> bool:
    """Whether the raw data of a source are files on this machine."""
    return source.raw["publisher"] == FILES and not any(map(is_remote, given_inputs(source.raw)))


def there_bytes(source: SourceBuild, facts: SourceFacts) -> float:
    """Bytes of all raw data of a source, as far as they are known without asking anybody."""
    if is_here(source):
        return sum(unit.size(0.0) for unit in own_files(source.raw))
    return facts.units * facts.unit_megabytes * 1e6


def _as_built(need: SourceNeed, source: SourceBuild, facts: SourceFacts, *, takes_all: bool) -> SourceNeed:
    """What a source takes by a recipe: all of it, or a part of each language at the least, and never more than all."""
    there = there_bytes(source, facts)
    raw = there if takes_all or source.share is not None else min(there, need.raw_bytes)
    if source.each_stratum and not is_here(source):
        raw = max(raw, facts.strata * facts.stratum_megabytes * 1e6)
    hours = None if need.core_hours is None else need.core_hours * raw / need.raw_bytes
    units = math.ceil(raw / (facts.unit_megabytes * 1e6) - ROUNDING)
    return replace(need, raw_bytes=raw, units=units, core_hours=hours)


def description(recipe: str, options: BuildOptions) -> dict[str, Any]:
    """What a build is to make, as ``status`` needs it."""
    found = _estimate(options)
    core_hours = {need.source: need.core_hours for need in found[0].needs} if found else {}
    return {
        "recipe": recipe,
        "tokens": options.tokens,
        "seed": options.recipe.seed,
        "stages": [stage.name for stage in stages_of(options.recipe, options.tokens)],
        "sources": {
            name: {
                "tokens": options.needs[name].tokens if name in options.needs else None,
                "estimated_core_hours": core_hours.get(name),
            }
            for name in options.recipe.sources
        },
    }


def paper(work: Work, name: str, options: BuildOptions, console: Console) -> None:
    """Prints what a build would fetch and make."""
    found = _estimate(options)
    result = titled(f"{name}, {options.tokens} tokens: what is fetched, and from where")
    for heading in ("source", "share", "tokens", "raw data", "in", "there", "hours", "from"):
        result.add_column(heading, justify="left" if heading in {"source", "in", "from"} else "right")
    shares = shares_of(options.recipe)
    needs = {need.source: need for need in found[0].needs} if found else {}
    for source, build in options.recipe.sources.items():
        record, need = work.record(source), needs.get(source)
        there = "" if record is None else f"{len(record.units):,} units"
        place = Text(where(build.raw), overflow="fold")
        if need is None or found is None:
            result.add_row(source, f"{shares.get(source, 0):.1%}", "all", "", "", there, "", place)
            continue
        raw, unit = f"{bytes_text(need.raw_bytes)}", _units_text(need, build, found[1].sources[source])
        wall = None if need.core_hours is None else need.core_hours / found[0].workers
        tokens = amount_text(need.tokens) if options.needs else "all"
        result.add_row(source, f"{need.share:.1%}", tokens, raw, unit, there, hours_text(wall), place)
    print_whole(console, result)
    for line in _sentences(work, options, found):
        console.print(line, markup=False, soft_wrap=True)


def _units_text(need: SourceNeed, source: SourceBuild, facts: SourceFacts) -> str:
    """In how many units raw data come, as their publisher has them."""
    if is_here(source):
        return ""
    return f"{need.units:,} {facts.unit.removesuffix('s') if need.units == 1 else facts.unit}"


def _sentences(work: Work, options: BuildOptions, found: tuple[Estimate, PlanRecipe] | None) -> list[str]:
    stages = until(stages_of(options.recipe, options.tokens), options.until)
    lines = [f"Stages: {', '.join(stage.name for stage in stages)}"]
    if work.has_build():
        touched = changes(work, stages)
        kept = [stage.name for stage in stages if stage.name not in touched]
        lines.append(f"As it is in {work.root}, but for what a larger budget adds: {', '.join(kept) or 'nothing'}")
    lines += [f"{name} is left out, and its share divided" for name in left_out_of(options.recipe)]
    each = [name for name, source in options.recipe.sources.items() if source.each_stratum]
    lines += [f"{name}: one part of each language or other stratum at the least, whatever the budget" for name in each]
    for name, source in options.recipe.sources.items():
        if source.share is not None and options.needs:
            lines.append(f"{name}: all of it is read, and what the budget needs is taken by a hash ({source.share})")
    if not options.needs:
        lines.append("Nothing is cut to a budget: all raw data named are made.")
    if found is None:
        return lines
    plan, facts = found
    disk = plan.parquet_bytes + plan.token_file_bytes + plan.shard_bytes
    fetched = [need for need in plan.needs if not is_here(options.recipe.sources[need.source])]
    raw = sum(need.raw_bytes for need in fetched)
    stays = sum(need.raw_bytes for need in fetched if not options.recipe.sources[need.source].grows)
    held = raw if options.keep_raw else stays + min(raw - stays, 2e9 * options.recipe.batch_gigabytes)
    lines.append(
        f"With {plan.workers} cores about {hours_text(plan.wall_hours)} hours, {bytes_text(raw)} fetched, "
        f"{bytes_text(disk)} written, and at most about {bytes_text(held)} of raw data "
        "on the disk at a time. Fetching takes what your line takes, and is not among the hours."
    )
    for need in plan.needs:
        if need.is_short and options.needs:
            paper_ = facts.sources[need.source].paper.epochs
            lines.append(
                f"{need.source}: all there is, which is seen {need.epochs:.2f} times; in the paper {paper_:.2f} times"
            )
    if plan.dollars is not None:
        lines.append(
            f"Cores: ${plan.dollars:,.2f} at ${facts.core_hour_dollars:g} an hour; storage and traffic come on top."
        )
    lines += [
        f"{name}: {line}" for name, source in options.recipe.sources.items() if (line := asked(source.raw, plan, name))
    ]
    lines.append(
        "Estimates: speeds were measured elsewhere (recipes/plan/rates.json), yields are others' "
        "(recipes/plan/facts.yaml). The build corrects them by what its first batches give."
    )
    return lines


def asked(raw: Mapping[str, Any], plan: Estimate, name: str) -> str:
    """What of a source costs money or a permission before a byte comes."""
    if raw["publisher"] != "arxiv" or not str(raw.get("url", BILLED)).startswith(BILLED):
        return ""
    size = next((need.raw_bytes for need in plan.needs if need.source == name), 0.0)
    allowed = (
        "allowed by raw.requester_pays" if raw.get("requester_pays") else "refused unless raw.requester_pays is true"
    )
    return (
        f"arXiv's bucket bills who reads it: about ${size / 1e9 * TRANSFER_DOLLARS:,.2f} outside its region; {allowed}."
    )


def where(raw: Mapping[str, Any]) -> str:
    """Where raw data lie, in a few words."""
    publisher, keys = str(raw["publisher"]), {key: value for key, value in raw.items() if key != "publisher"}
    if publisher == "files":
        given = keys.get("input") or []
        return ", ".join(given if isinstance(given, list) else [str(given)])
    place = next((str(keys[key]) for key in ADDRESSES if key in keys), HOMES.get(publisher, publisher))
    named = [value for key, value in keys.items() if key in ("crawls", "date", "languages", "item", "until")]
    told = [", ".join(map(str, value)) if isinstance(value, list) else str(value) for value in named]
    return f"{place} {'; '.join(told)}".strip()
