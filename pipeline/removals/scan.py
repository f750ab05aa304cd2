"""Which rows of a source's files a list means: one pass over ids, addresses and the sources' own fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.corpus.manifest import READERS_REMOTE
from pipeline.corpus.shard import Layout
from pipeline.errors import OutputError
from pipeline.removals.matching import NONE, Removals
from pipeline.removals.step import MESSAGE
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import is_remote, join, open_input

BATCH_ROWS = 65_536
BATCH_TEXTS = 256  # where texts are read
THREADS = 2
FAILED = "error_"  # with what the reasons of documents begin that failed in a step
AHEAD = 256  # shards whose stats are held


@dataclass(frozen=True)
class FileMatches:
    """The listed rows of one Parquet file.

    Attributes:
        path: The file, below its source's folder.
        rows: The rows, ascending.
        places: For each the place of the removal in the list.
    """

    path: str
    rows: list[int]
    places: list[int]


@dataclass(frozen=True)
class ShardMatches:
    """The listed rows of one shard of a source.

    Attributes:
        shard: The shard.
        outputs: Those of its documents, by file; files without any are left out.
        rejects: Those of its rejects; None without any.
    """

    shard: str
    outputs: tuple[FileMatches, ...]
    rejects: FileMatches | None

    @property
    def files(self) -> list[FileMatches]:
        """Those of all its files."""
        return [*self.outputs, *([self.rejects] if self.rejects else [])]

    def __bool__(self) -> bool:
        """Whether anything of the shard is listed."""
        return bool(self.outputs) or self.rejects is not None


def scan_source(layout: Layout, removals: Removals, *, rejects: bool = True) -> Iterator[ShardMatches]:
    """What is listed of each shard of a source, in the order of their names, those with nothing among them.

    Args:
        layout: The source's folder.
        removals: The list.
        rejects: Whether rejects are looked at; a published corpus may be without.
    """
    source = layout.root.rstrip("/").rpartition("/")[2]
    with ThreadPoolExecutor(READERS_REMOTE if is_remote(layout.root) else THREADS) as pool:
        names = iter(sorted(layout.done()))
        while some := list(islice(names, AHEAD)):
            yield from pool.map(lambda name: _scan_shard(layout, source, name, removals, rejects), some)


def _scan_shard(layout: Layout, source: str, name: str, removals: Removals, with_rejects: bool) -> ShardMatches:
    stats = layout.read_stats(name)
    try:
        messages = removals.of_messages(source, str(stats["scope"]["name"]))
        outputs = [scan_file(layout.root, entry["path"], removals) for entry in stats["outputs"]]
        entry = stats["rejects"] if with_rejects else None
        rejects = scan_file(layout.root, entry["path"], removals, messages) if entry else None
    except (KeyError, TypeError) as error:
        raise OutputError(f"{layout.stats(name)} is damaged: {error!r}") from error
    return ShardMatches(name, tuple(filter(None, outputs)), rejects)


def scan_file(root: str, path: str, removals: Removals, messages: int = NONE) -> FileMatches | None:
    """The listed rows of a Parquet file of documents or rejects; None where there are none.

    Args:
        root: The folder that its path is below.
        path: The file.
        removals: The list.
        messages: Of rejects: the removal that means all of the read step that say anything; NONE for none.

    Raises:
        OutputError: It cannot be read.
    """
    place = join(root, *path.split("/"))
    try:
        with open_input(place) as handle:
            file = pq.ParquetFile(handle)
            columns = removals.columns(file.schema_arrow)
            if messages != NONE:
                columns = [*columns, "step", *([] if "text" in columns else ["text"])]
            columns += ["reason"] if "reason" in file.schema_arrow.names else []
            found, failed = _scan(file, columns, removals, messages) if columns else ([], [])
        found = sorted([*found, *_failed(root, path, failed, removals)])
    except (pa.ArrowException, OSError, KeyError) as error:
        raise OutputError(
            f"{place} cannot be read: {error}. python -m pipeline.verify says what else is wrong."
        ) from error
    return FileMatches(path, [row for row, _ in found], [place for _, place in found]) if found else None


def _scan(
    file: pq.ParquetFile, columns: Sequence[str], removals: Removals, messages: int
) -> tuple[list[tuple[int, int]], list[int]]:
    """The listed rows of a file, each with the place of its removal; and the rejects that failed and are not listed."""
    first, found, failed = 0, list[tuple[int, int]](), list[int]()
    for batch in file.iter_batches(BATCH_TEXTS if "text" in columns else BATCH_ROWS, columns=list(columns)):
        places = removals.of_rows(batch)
        if messages != NONE:
            said = pc.and_(pc.equal(batch.column("step"), READ_STEP), pc.not_equal(batch.column("text"), MESSAGE))
            places[(places == NONE) & said.to_numpy(zero_copy_only=False)] = messages
        rows = np.flatnonzero(places != NONE)
        if "reason" in columns:
            errors = pc.starts_with(batch.column("reason"), FAILED).to_numpy(zero_copy_only=False)
            failed += (first + np.flatnonzero(errors & (places == NONE))).tolist()
        found += zip((first + rows).tolist(), places[rows].tolist(), strict=True)
        first += batch.num_rows
    return found, failed


def _failed(root: str, path: str, rows: Sequence[int], removals: Removals) -> Iterator[tuple[int, int]]:
    """Those of some rejects that are listed, by id and address alone: a document that fails loses its own fields."""
    file = FileMatches(path, list(rows), [])
    columns = listed_rows(root, file, ["id", "url", "source"]) if rows else ()
    for row, values in zip(rows, columns, strict=True):
        if (place := removals.of_failed(values["source"], values["id"], values["url"])) != NONE:
            yield row, place


def listed_rows(root: str, found: FileMatches, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Some columns of the listed rows of a file, in order.

    Raises:
        OutputError: It cannot be read.
    """
    place, first, rows = join(root, *found.path.split("/")), 0, np.array(found.rows, np.int64)
    try:
        with open_input(place) as handle:
            file = pq.ParquetFile(handle)
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                low, high = np.searchsorted(rows, (first, first + batch.num_rows))
                yield from batch.take(pa.array(rows[low:high] - first)).to_pylist()
                first += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        raise OutputError(f"{place} cannot be read: {error}") from error
