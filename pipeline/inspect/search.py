"""Finds documents in the Parquet files of a source: reads the columns of the conditions, then the rows that match.

Files are scanned some at a time, in the order of a hash of their names, so that what is shown comes from all over the
corpus and is the same in every run; once enough is found nothing more is read. Memory: one row group for each file that
is scanned at the time, and the documents found in one file.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from pipeline.corpus.manifest import READERS_REMOTE
from pipeline.errors import OutputError
from pipeline.inspect.conditions import TEXT, Condition, columns_read, matches, text_matches
from pipeline.report.corpus import DataFile, SourceCorpus
from pipeline.report.sample import open_parquet
from pipeline.storage.filesystem import is_remote

THREADS = 4
SPREAD = 8  # files that share what is shown, where so many match
SCAN_ROWS = 4096
TEXT_ROWS = 64

_MONTH = re.compile(r"arxiv/(?:[a-z-]+(?:\.[A-Z]{2})?/)?(\d{4})")  # before 2007: hep-th/9902001

Say = Callable[[str], None]


@dataclass(frozen=True)
class Query:
    """What is looked for.

    Attributes:
        kept: Whether kept documents are looked through.
        dropped: Whether rejects are.
        step: The step at which rejects ended.
        reason: Why.
        subset: The subset of kept documents.
        conditions: On columns; all must hold.
        grep: A pattern that the text must hold.
        limit: How many documents are wanted; 0 for all.
    """

    kept: bool = True
    dropped: bool = True
    step: str | None = None
    reason: str | None = None
    subset: str | None = None
    conditions: tuple[Condition, ...] = ()
    grep: str | None = None
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Found:
    """A document found: its source, its columns, and the file that it lies in."""

    corpus: SourceCorpus
    row: Mapping[str, Any]
    path: str

    @property
    def step(self) -> str | None:
        """The step at which it ended; None where it was kept."""
        return self.row.get("step")

    @property
    def reason(self) -> str | None:
        """Why it ended."""
        return self.row.get("reason")


@dataclass
class _Rows:
    """Rows of a file that match: (row group, row in it), in their order; whether there may be more."""

    file: DataFile
    places: list[tuple[int, int]] = field(default_factory=list)
    more: bool = False


def search(corpus: SourceCorpus, query: Query, say: Say = lambda _: None) -> Iterator[Found]:
    """Finds documents of a source.

    Args:
        corpus: The source.
        query: What is looked for.
        say: Told how far a long search has come.

    Raises:
        InputError: The query names what the source has not.
        OutputError: A file is missing or damaged.
    """
    count = 0
    conditions = list(query.conditions)
    ends = [Condition(name, "=", value) for name, value in (("step", query.step), ("reason", query.reason)) if value]
    for wanted, files, more in ((query.kept, kept_files(corpus, query), []), (query.dropped, None, ends)):
        if not wanted or (query.limit and count >= query.limit):
            continue
        chosen = reject_files(corpus, query) if files is None else files
        left = query.limit - count if query.limit else 0
        for found in _search_files(corpus, chosen, [*more, *conditions], query.grep, left, say):
            count += 1
            yield found


def kept_files(corpus: SourceCorpus, query: Query) -> list[DataFile]:
    """The files of documents that can hold what is looked for."""
    if query.step or query.reason:
        return []
    return [file for file in corpus.documents if query.subset in (None, file.subset)]


def reject_files(corpus: SourceCorpus, query: Query) -> list[DataFile]:
    """The files of rejects that can hold what is looked for; the stats tell which, where the reason is a rare one."""
    if not (query.step or query.reason):
        return list(corpus.rejects)
    count = sum(
        tally.documents
        for step, _, reason, tally in corpus.ends()
        if query.step in (None, step) and query.reason in (None, reason)
    )
    if count >= len(corpus.rejects):
        return list(corpus.rejects)
    with ThreadPoolExecutor(READERS_REMOTE if is_remote(corpus.layout.root) else THREADS) as pool:
        all_stats = pool.map(corpus.layout.read_stats, [file.shard for file in corpus.rejects])
        return [file for file, stats in zip(corpus.rejects, all_stats, strict=True) if _holds(stats, query)]


def _holds(stats: Mapping[str, Any], query: Query) -> bool:
    return any(
        reason in entry[kind] if (reason := query.reason) else entry[kind]
        for entry in stats["ledger"]["steps"]
        if query.step in (None, entry["step"])
        for kind in ("dropped", "failed")
    )


def _search_files(
    corpus: SourceCorpus,
    files: Sequence[DataFile],
    conditions: Sequence[Condition],
    grep: str | None,
    limit: int,
    say: Say,
) -> Iterator[Found]:
    """Goes through files twice where need be: first a few matches of each, then all of those that have more."""
    most = math.ceil(limit / min(SPREAD, len(files))) if limit and files else 0
    left = limit or sum(file.documents for file in files) + 1
    ranked = sorted(files, key=_hash) if limit else sorted(files, key=lambda file: file.path)
    if identifier := next((c.value for c in conditions if c.name == "id" and c.operator == "="), None):
        ranked.sort(key=lambda file: not may_hold(file, identifier))
    again: list[_Rows] = []
    for rows in _scan_all(corpus, ranked, conditions, grep, most, say):
        taken = rows.places[:left]
        yield from _read_rows(corpus, rows.file, taken)
        left -= len(taken)
        if left <= 0:
            return
        if rows.more:
            again.append(rows)
    for first in again:
        most = len(first.places) + left
        taken = _scan(corpus, first.file, conditions, grep, most).places[len(first.places) :]
        yield from _read_rows(corpus, first.file, taken)
        left -= len(taken)
        if left <= 0:
            return


def may_hold(file: DataFile, identifier: str) -> bool:
    """Whether an id tells that its document lies in this file rather than in others: those are looked through first.

    The ids of Wikipedia (``enwiki-12-345``), StackExchange (``cooking.stackexchange.com/12``) and books begin with what
    their subsets, or their shards, are called by; those of arXiv (``arxiv/2103.00002``) have a month, which the names
    of its tars have, too.
    """
    if month := _MONTH.match(identifier):
        return f"_{month[1]}_" in f"_{file.shard}_"
    name = identifier.partition("/" if "/" in identifier else "-")[0]
    return name in {file.subset, f"{file.subset}wiki"} or file.shard.startswith(name)


def _hash(file: DataFile) -> tuple[int, str]:
    return xxhash.xxh3_64_intdigest(file.path.encode("utf-8", "replace")), file.path


def _scan_all(
    corpus: SourceCorpus,
    files: Sequence[DataFile],
    conditions: Sequence[Condition],
    grep: str | None,
    most: int,
    say: Say,
) -> Iterator[_Rows]:
    """Scans files in order, a few ahead of the one that is asked for."""
    threads = READERS_REMOTE if is_remote(corpus.layout.root) else THREADS
    rest = iter(files)
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[_Rows]] = deque()

        def start() -> None:
            for file in islice(rest, threads - len(ahead)):
                ahead.append(pool.submit(_scan, corpus, file, conditions, grep, most))

        try:
            start()
            done = 0
            while ahead:
                yield ahead.popleft().result()
                done += 1
                say(f"{corpus.name}: {done:,} of {len(files):,} files searched")
                start()
        finally:
            for future in ahead:
                future.cancel()


def _scan(corpus: SourceCorpus, file: DataFile, conditions: Sequence[Condition], grep: str | None, most: int) -> _Rows:
    """Which rows of a file match, the first ``most`` of them (0: all)."""
    rows = _Rows(file)
    with opened(corpus, file) as parquet:
        schema = parquet.schema_arrow
        columns = [*columns_read(conditions, schema), *([TEXT] if grep is not None else [])]
        size = TEXT_ROWS if TEXT in columns else SCAN_ROWS
        for group in range(parquet.num_row_groups):
            start = 0
            for batch in parquet.iter_batches(size, row_groups=[group], columns=list(dict.fromkeys(columns))):
                kept = matches(batch, conditions, schema)
                if grep is not None:
                    kept = pc.and_(kept, text_matches(batch, grep))
                for index in pc.indices_nonzero(kept).to_pylist():
                    if most and len(rows.places) == most:
                        rows.more = True
                        return rows
                    rows.places.append((group, start + index))
                start += batch.num_rows
    return rows


def _read_rows(corpus: SourceCorpus, file: DataFile, places: Sequence[tuple[int, int]]) -> Iterator[Found]:
    """Reads rows of a file, all columns, in their order."""
    if not places:
        return
    path = corpus.open_path(file)
    with opened(corpus, file) as parquet:
        for group in sorted({group for group, _ in places}):
            wanted = deque(row for g, row in places if g == group)
            start = 0
            for batch in parquet.iter_batches(TEXT_ROWS, row_groups=[group]):
                while wanted and wanted[0] < start + batch.num_rows:
                    yield Found(corpus, batch.slice(wanted.popleft() - start, 1).to_pylist()[0], path)
                start += batch.num_rows
                if not wanted:
                    break


@contextlib.contextmanager
def opened(corpus: SourceCorpus, file: DataFile) -> Iterator[pq.ParquetFile]:
    """Opens a Parquet file of a source.

    Raises:
        OutputError: It is missing or damaged.
    """
    path = corpus.open_path(file)
    try:
        with open_parquet(path) as parquet:
            yield parquet
    except (OSError, pa.ArrowException) as error:
        raise OutputError(
            f"{path} cannot be read: {error}. python -m pipeline.verify {corpus.layout.root} tells more."
        ) from error
