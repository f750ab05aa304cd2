"""What the command of the StackExchange source does."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.console import Console

from pipeline.command_line import sentences, warn
from pipeline.corpus.ledger import JOINED, RECORDS, Ledger
from pipeline.corpus.shard import Layout, Scope
from pipeline.engine import cli
from pipeline.engine.options import RunOptions
from pipeline.engine.run import RunResult, run_source
from pipeline.engine.tasks import work_folder
from pipeline.errors import InputError, OutputError
from pipeline.recipe import load_recipe
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import exists, join, write_bytes
from pipeline.storage.listing import match
from sources.stackexchange.plan import SitePlan, plan_site
from sources.stackexchange.preferences import StackExchangePreferences
from sources.stackexchange.recipe import StackExchangeRecipe
from sources.stackexchange.sites import Found, PostCount, Site, competing, find_sites, largest, named
from sources.stackexchange.source import StackExchange
from sources.stackexchange.store import SiteFiles

SITES = "sites.tsv"


def run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    """Runs the source."""
    say = sentences(console)
    recipe = load_recipe(StackExchangeRecipe, args.recipe, args.set)
    if not args.input:
        raise InputError("give --input with the dump's archives (<site>.7z), Posts.xml files, or a folder of them")
    names = [name.strip().lower() for name in args.sites.split(",") if name.strip()]
    found = find_sites(match(args.input, warn), names)
    run = cli.run_options(args, flags, files=(SITES,))
    kind = StackExchangePreferences if args.preferences else StackExchange
    if args.preferences:
        run = replace(run, command="sources.stackexchange --preferences")
    layout = Layout(join(run.output, kind(recipe).name))
    chosen, passed, counts = _choose(found.sites, names, kind(recipe), run, layout, say)
    if not names:
        _refuse_earlier(layout, passed)
    plans = [plan_site(site, recipe, args.cache) for site in chosen]
    scopes = [plan.scope for plan in plans]
    files = {plan.site.name: _files(layout, plan, scope) for plan, scope in zip(plans, scopes, strict=True)}
    source = kind(recipe, {plan.site.name: plan for plan in plans}, files)
    say(_planned(plans, passed))
    if doubt := _uncertain(chosen):
        warn(doubt)

    def prepare(layout: Layout, scopes: Sequence[Scope], run: RunOptions) -> None:
        _write_sites(layout, found, chosen, passed, counts)
        from sources.stackexchange.prepare import prepare_sites  # noqa: PLC0415 - Beam, which takes a second to import

        prepare_sites(source, run, console, layout, scopes)

    result = run_source(source, scopes, run, console, prepare)
    return replace(result, notes=[*result.notes, *_notes(result)], error=_uncertain(chosen))


def _choose(
    sites: Sequence[Site],
    names: Sequence[str],
    source: StackExchange,
    run: RunOptions,
    layout: Layout,
    say: Callable[[str], None],
) -> tuple[list[Site], dict[str, str], dict[str, PostCount]]:
    """The sites that are taken; for each other one the reason; the numbers of posts, where they decide."""
    if names:
        return *named(sites, names), {}
    recipe = source.recipe
    chosen, passed = competing(sites, recipe.meta_sites)
    if len(chosen) <= recipe.largest:
        return chosen, passed, {}
    from sources.stackexchange.prepare import count_sites  # noqa: PLC0415 - Beam, too

    counts = dict(count_sites(source, chosen, run, layout, say))
    chosen, smaller = largest(chosen, counts, recipe.largest)
    return chosen, passed | smaller, counts


def _refuse_earlier(layout: Layout, passed: dict[str, str]) -> None:
    """Refuses to leave a site in the output that this run passes over.

    Raises:
        OutputError: There is one.
    """
    for name, reason in sorted(passed.items()):
        if exists(layout.scope(name)):
            raise OutputError(
                f"{layout.root} holds {name}, which is {reason} now. Choose another --output, or name the sites "
                "with --sites."
            )


def _files(layout: Layout, plan: SitePlan, scope: Scope) -> SiteFiles:
    return SiteFiles(layout, work_folder(scope.fingerprint), plan.partitions, plan.ranges)


def _planned(plans: Sequence[SitePlan], passed: dict[str, str]) -> str:
    shards = sum(plan.partitions for plan in plans)
    megabytes = sum(plan.size for plan in plans) / 1e6
    others = f"; passed over: {len(passed):,}" if passed else ""
    return f"sites: {len(plans):,}, {megabytes:,.1f} MB of Posts.xml, shards: {shards:,}{others}"


def _uncertain(chosen: Sequence[Site]) -> str | None:
    """What to say where sites could not be counted, so that others may be taken in their place."""
    faults = [f"{site.name} ({site.fault[1]})" for site in chosen if site.fault]
    if not faults:
        return None
    return (
        f"which sites are the largest is uncertain: {len(faults)} could not be counted: {'; '.join(faults[:3])}. "
        "Fetch or unpack them anew, or name the sites to take with --sites"
    )


def _write_sites(
    layout: Layout, found: Found, chosen: Sequence[Site], passed: dict[str, str], counts: dict[str, PostCount]
) -> None:
    """Lists the sites and what became of each, and the files that are not read."""
    failed = {site.name: f"failed: {site.fault[0]}" for site in chosen if site.fault}
    decisions = {site.name: failed.get(site.name) or passed.get(site.name, "taken") for site in found.sites}
    rows = [(site.name, site.file.path, _counted(counts.get(site.name)), decisions[site.name]) for site in found.sites]
    rows += [("", path, "", reason) for path, reason in found.passed_over]
    text = "".join("\t".join(row) + "\n" for row in [("site", "file", "posts", "decision"), *rows])
    write_bytes(join(layout.root, SITES), text.encode("utf-8", "replace"))


def _counted(count: PostCount | None) -> str:
    return "" if count is None else f"{count.posts}{' or more' if count.fault else ''}"


def _notes(result: RunResult) -> list[str]:
    """What the records of the funnel are made of: answers have no line of their own in it."""
    ledger = Ledger()
    ledger.add_json(result.manifest["ledger"])
    counters = ledger.step(READ_STEP).counters
    if RECORDS not in counters:
        return [f"{counters['rows']:,} rows: {counters['questions']:,} questions and {counters['answers']:,} answers"]
    return [
        f"{counters[RECORDS]:,} rows, of which {counters[JOINED]:,} are answers that became part of their question's "
        "record; the others are the records above"
    ]


def next_commands(result: RunResult) -> list[str]:
    """What the user may type next."""
    root = result.layout.root
    return [f"python -m pipeline.verify {root}", f"cat {join(root, SITES)}"]
