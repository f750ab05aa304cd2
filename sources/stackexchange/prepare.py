"""The two passes before the rest: counting posts, where sites are chosen by them, and sorting rows into partitions.

Nothing but names passes through Beam; what a pass made is a file, whose presence marks that part done, so a run that
was killed goes on with the parts that are missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline.command_line import sentences
from pipeline.corpus.shard import Layout, Scope, read_json, write_json
from pipeline.engine.here import run_each
from pipeline.engine.options import RunOptions
from pipeline.engine.parts import await_others, share
from pipeline.engine.process import write_timing
from pipeline.engine.progress import Bar, Watcher
from pipeline.engine.state import claim_source
from pipeline.engine.step import WorkerStep
from pipeline.engine.tasks import Worker
from pipeline.source import HashingReader
from pipeline.steps import Chain
from pipeline.storage.filesystem import exists, is_remote, join, list_names, list_tree, open_input, read_bytes
from sources.stackexchange.dump import count_posts, read_lines
from sources.stackexchange.sites import PostCount, Site
from sources.stackexchange.source import StackExchange
from sources.stackexchange.store import PROGRESS, RowWriter

COUNTS = "_counts"
CHECKSUM = -1  # the number of the task that reads a raw file for its checksum


@dataclass(frozen=True)
class RangeTask:
    """A range of a site's posts; or ``CHECKSUM``."""

    site: str
    number: int


class SortRows(WorkerStep):
    """RangeTask -> its name: writes the rows of a range by partition."""

    def process(self, task: RangeTask) -> Iterator[str]:
        """Sorts a range; nothing happens where its facts are there."""
        source = self._worker.source
        assert isinstance(source, StackExchange)
        if task.number == CHECKSUM:
            write_checksum(source, task.site, self._worker.cache)
        else:
            sort_range(source, self._worker.layout, task.site, task.number, self._worker.cache)
        yield f"{task.site}-{task.number}"


def write_checksum(source: StackExchange, name: str, cache: Path | None) -> None:
    """Reads a site's raw file whole, and writes its size and SHA-256; without one where it cannot be read."""
    files, file = source.files[name], source.plans[name].site.file
    if exists(files.checksum):
        return
    entry: dict[str, object] = {"bytes": file.size, "sha256": None}
    try:
        with open_input(file.path, cache) as handle:
            entry = HashingReader(handle).finish()
    except OSError:
        pass  # the rows' own pass says so, as a failed record
    write_json(files.checksum, entry)


def sort_range(source: StackExchange, layout: Layout, name: str, number: int, cache: Path | None) -> None:
    """Writes the rows of one range of a site by partition; nothing happens where they are there."""
    files, plan = source.files[name], source.plans[name]
    if exists(files.facts(number)):
        return
    started = time.perf_counter()
    limit = int(source.recipe.max_row_megabytes * (1 << 20))
    with RowWriter(files, number) as writer:
        for line in read_lines(plan.site, *plan.ranges[number], limit, cache):
            writer.add(line)
    chain = Chain([], source.name)
    chain.seconds["sort rows"] = time.perf_counter() - started
    write_timing(layout, f"{name}-{number:05d}.rows", started, chain)


def prepare_sites(
    source: StackExchange,
    options: RunOptions,
    console: Console,
    layout: Layout,
    scopes: Sequence[Scope],
) -> None:
    """Sorts the rows of all sites that are missing into partitions; for ``run_source(prepare=...)``.

    A part sorts its share of the ranges, and waits for the others.
    """
    part = options.part
    tasks = [
        RangeTask(scope.name, number)
        for scope in scopes
        for number in (CHECKSUM, *range(len(source.plans[scope.name].ranges)))
    ]
    worker = Worker(source, layout, options.cache, tuple(options.flags))
    label = "Sort the rows of each site by question"
    folders = {scope.name: source.files[scope.name].folder for scope in scopes}
    left = [task for task in share(part, tasks) if not exists(_made_by(source, task))]
    with RowProgress(folders, console, is_remote(layout.root)):
        if left:
            run_each(SortRows(worker), left, label, options, layout.root)
    if part is not None:
        wanted = {_made_by(source, task): number for number, task in enumerate(tasks)}
        await_others(part, "sorted rows", wanted, lambda: _there(folders.values()), sentences(console))


def _made_by(source: StackExchange, task: RangeTask) -> str:
    """The file that a task writes last."""
    files = source.files[task.site]
    return files.checksum if task.number == CHECKSUM else files.facts(task.number)


def _there(folders: Iterable[str]) -> set[str]:
    return {join(folder, name) for folder in folders for name in list_tree(folder, "")}


class CountPosts(WorkerStep):
    """Site -> its name: counts its questions and answers."""

    def process(self, site: Site) -> Iterator[str]:
        """Counts, and writes the count with the file that it is of."""
        posts = count_posts(site, self._worker.cache)
        entry = {"path": site.file.path, "bytes": site.file.size, "posts": posts.posts, "fault": posts.fault}
        write_json(counts_path(self._worker.layout, site), entry)
        yield site.name


def counts_path(layout: Layout, site: Site) -> str:
    """Where the number of a site's posts is kept, so that later runs need not count again."""
    return join(layout.root, COUNTS, f"{site.name}.json")


def known_count(layout: Layout, site: Site) -> PostCount | None:
    """The number of a site's posts, where it was counted in the same file."""
    path = counts_path(layout, site)
    found = read_json(path) if exists(path) else {}
    same = (found.get("path"), found.get("bytes")) == (site.file.path, site.file.size)
    fault = found.get("fault")
    return PostCount(int(found["posts"]), tuple(fault) if fault else None) if same else None


def count_sites(
    source: StackExchange, sites: Sequence[Site], options: RunOptions, layout: Layout, say: Callable[[str], None]
) -> Mapping[str, PostCount]:
    """Counts the questions and answers of each site, in parallel; known counts without a fault are taken.

    A part counts its share of the sites, and waits for the others. The last run of all counts nothing.
    """
    known = {site.name: known_count(layout, site) for site in sites}
    missing = [site for site in share(options.part, sites) if (count := known[site.name]) is None or count.fault]
    if missing and not options.finish:
        names = [*options.files, *(f"{COUNTS}/{site.name}.json" for site in sites)]
        claim_source(
            layout, source.name, options.command or f"sources.{source.name}", names, alone=options.part is None
        )
        worker = Worker(source, layout, options.cache, tuple(options.flags))
        run_each(CountPosts(worker), missing, "Count the posts", options, layout.root)
    if options.part is not None:
        wanted = {site.name: number for number, site in enumerate(sites)}

        def counted() -> list[str]:
            return [site.name for site in sites if known_count(layout, site) is not None]

        await_others(options.part, "counts of posts", wanted, counted, say)
    return {site.name: known_count(layout, site) or PostCount(0) for site in sites}


class RowProgress(Watcher):
    """Shows, while the rows are sorted, how many are, read off the files that the workers leave.

    Args:
        folders: For each site where its rows are written.
        console: Where it shows.
        remote: Whether they are on an object store, which is asked less often.
    """

    def __init__(self, folders: Mapping[str, str], console: Console, remote: bool) -> None:
        super().__init__(console, remote)
        self._folders = folders
        self._rows = 0

    def look(self) -> None:
        """Adds up what the workers have counted."""
        self._rows = sum(
            int(read_bytes(join(folder, f"{name}{PROGRESS}")))
            for folder in self._folders.values()
            for name in list_names(folder, PROGRESS)
        )

    def bars(self) -> list[Bar]:
        """The one bar; how many rows come is not known."""
        return [Bar("sort", self._rows, None, "rows", f"{self._rate():,.0f} a second")]

    def line(self) -> str:
        """One line: rows so far, and their rate."""
        elapsed = time.monotonic() - self._started
        sites = len(self._folders)
        return f"sorted {self._rows:,} rows of {sites:,} sites, {self._rate():,.0f} a second, {elapsed:,.0f} s"

    def _rate(self) -> float:
        return self._rows / max(time.monotonic() - self._started, 1e-9)
