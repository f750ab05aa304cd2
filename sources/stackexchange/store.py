"""Where the rows of a site wait for the join: by partition, a partition being the questions of one hash, with all their
answers.

A file holds the rows of one range of ``Posts.xml``. Rows are gathered up to 128 MB, sorted by partition and written,
one Arrow record batch for each partition, so that one partition can be read of all files without the rest.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.corpus.shard import Layout, read_json, write_json
from pipeline.storage.filesystem import atomic_output, join, open_input, write_bytes
from sources.stackexchange.rows import FAULT, Line

FLUSH_BYTES = 128 << 20  # of rows gathered before they are written
GROUPS_AT_ONCE = 256  # groups whose rows are made Python objects together
PROGRESS = ".progress"
ROW_OVERHEAD = 150  # bytes of a row in memory beside its own
_SCHEMA = pa.schema([("offset", pa.int64()), ("kind", pa.uint8()), ("key", pa.int64()), ("line", pa.binary())])
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2**64 divided by the golden ratio: Fibonacci hashing (Knuth, 6.4)
_HALF = np.uint64(32)
# The rows wait for minutes: LZ4 writes and reads them twice as fast as Zstandard at its fastest, in 1.6 times the room.
_OPTIONS = pa.ipc.IpcWriteOptions(compression=pa.Codec("lz4"))

Integers = npt.NDArray[np.int64]


def partition_of(keys: Integers, partitions: int) -> npt.NDArray[np.int64]:
    """The partition of each key; any ids spread evenly."""
    mixed = keys.astype(np.uint64) * _MULTIPLIER
    return (((mixed >> _HALF) * np.uint64(partitions)) >> _HALF).astype(np.int64)


@dataclass(frozen=True)
class SiteFiles:
    """The files of one site's join, in the work folder of its scope, which is removed when the scope is done.

    Attributes:
        layout: The source's folder.
        work: The name of the scope's work folder.
        partitions: Number of partitions.
        ranges: For each range of ``Posts.xml``, first byte and the byte behind it; one without bounds where it is
            packed.
    """

    layout: Layout
    work: str
    partitions: int
    ranges: tuple[tuple[int, int | None], ...]

    def _path(self, name: str) -> str:
        return join(self.layout.work, self.work, "rows", name)

    def rows(self, number: int) -> str:
        """The rows of a range."""
        return self._path(f"{number:05d}.arrow")

    def facts(self, number: int) -> str:
        """What the file of rows holds; written last."""
        return self._path(f"{number:05d}.json")

    def progress(self, number: int) -> str:
        """How many rows were written so far."""
        return self._path(f"{number:05d}{PROGRESS}")

    @property
    def checksum(self) -> str:
        """Size and checksum of the raw file."""
        return self._path("checksum")

    @property
    def folder(self) -> str:
        """Where all of them lie."""
        return join(self.layout.work, self.work, "rows")


class RowWriter:
    """Writes the rows of one range; a context manager. Memory: ``FLUSH_BYTES``, and 150 bytes a row of it.

    Args:
        files: The site's files.
        number: The range.
        flush_bytes: When to write.
    """

    def __init__(self, files: SiteFiles, number: int, flush_bytes: int = FLUSH_BYTES) -> None:
        self._files = files
        self._number = number
        self._flush_bytes = flush_bytes
        self._lines: list[Line] = []
        self._held = 0
        self._written = 0
        self._rows = np.zeros(files.partitions, np.int64)
        self._bytes = np.zeros(files.partitions, np.int64)

    def __enter__(self) -> RowWriter:
        self._output = atomic_output(self._files.rows(self._number))
        handle = self._output.__enter__()
        self._writer = pa.ipc.new_file(handle, _SCHEMA, options=_OPTIONS)
        return self

    def add(self, line: Line) -> None:
        """Adds a row."""
        self._lines.append(line)
        self._held += len(line.data) + ROW_OVERHEAD
        if self._held >= self._flush_bytes:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._lines, strict=True) if self._lines else ((), (), (), ())
        offsets, kinds, keys, lines = columns
        key = np.array(keys, np.int64)
        kind = np.array(kinds, np.uint8)
        offset = np.array(offsets, np.int64)
        self._lines = []
        partition = np.where(kind == FAULT, 0, partition_of(key, self._files.partitions))
        order = np.argsort(partition, kind="stable")
        ends = np.cumsum(np.bincount(partition, minlength=self._files.partitions))
        start = 0
        for number, end in enumerate(ends.tolist()):
            chosen = order[start:end]
            data = pa.array([lines[place] for place in chosen.tolist()], pa.binary())
            batch = pa.record_batch([pa.array(c[chosen]) for c in (offset, kind, key)] + [data], schema=_SCHEMA)
            self._writer.write_batch(batch)
            self._rows[number] += len(chosen)
            self._bytes[number] += data.nbytes
            start = end
        self._written += len(lines)
        self._held = 0
        write_bytes(self._files.progress(self._number), str(self._written).encode())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        self._writer.close()
        self._output.__exit__(kind, error, trace)
        if error is None:
            facts = {"rows": self._rows.tolist(), "bytes": self._bytes.tolist()}
            write_json(self._files.facts(self._number), facts)


class Group(NamedTuple):
    """The rows with one key.

    Attributes:
        key: The question's id, or a negative number.
        lines: The rows, by kind and offset; none where they are too large.
        rows: Their number.
        size: Their bytes.
        offset: That of the first.
    """

    key: int
    lines: list[Line]
    rows: int
    size: int
    offset: int


class _Run(NamedTuple):
    """Keys that are read at a time, first and last, but for those whose rows are too large."""

    low: int
    high: int
    left_out: dict[int, Group]


@dataclass
class PartitionReader:
    """Reads one partition, group by group, in the order of their keys.

    Where the partition is larger than the bound, its keys and the sizes of its rows are read first, and then its rows
    in runs of keys that keep the bound, each from the files again. So memory is the bound, about twice, and 40 bytes a
    row of the partition, whatever the site is like; the rows of a group above the limit are not read at all.

    Attributes:
        files: The site's files.
        partition: The partition.
        bound: Bytes of rows that are held at a time.
        limit: Bytes of rows of one group.
    """

    files: SiteFiles
    partition: int
    bound: int
    limit: int
    facts: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.facts = [read_json(self.files.facts(number)) for number in range(len(self.files.ranges))]

    @property
    def size(self) -> int:
        """Bytes of the partition's rows."""
        return sum(facts["bytes"][self.partition] for facts in self.facts)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for number, facts in enumerate(self.facts):
            if not facts["rows"][self.partition]:
                continue
            with open_input(self.files.rows(number)) as handle, pa.ipc.open_file(handle) as reader:
                for at in range(self.partition, reader.num_record_batches, self.files.partitions):
                    yield reader.get_batch(at)

    def groups(self) -> Iterator[Group]:
        """Reads the partition."""
        for run in self._runs():
            table = _Table([self._chosen(batch, run) for batch in self._batches()])
            yield from merge(table.groups(self.limit), (run.left_out[key] for key in sorted(run.left_out)))

    def _runs(self) -> Iterator[_Run]:
        widest = np.iinfo(np.int64)
        if self.size <= self.bound:
            yield _Run(widest.min, widest.max, {})
            return
        columns: list[tuple[Integers, ...]] = [
            (_integers(batch, "key"), _integers(batch, "offset"), _lengths(batch.column("line")))
            for batch in self._batches()
        ]
        key, offset, size = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        del columns
        distinct, first, place, rows = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        sizes = np.bincount(place, size).astype(np.int64)
        too_large = np.flatnonzero(sizes > self.limit)
        left_out = {
            int(distinct[n]): Group(int(distinct[n]), [], int(rows[n]), int(sizes[n]), int(offset[first[n]]))
            for n in too_large
        }
        sizes[too_large] = 0
        run = (np.cumsum(sizes) - sizes) // max(1, self.bound - self.limit)
        starts = np.flatnonzero(np.diff(run, prepend=-1)).tolist()
        for start, end in zip(starts, [*starts[1:], len(distinct)], strict=True):
            low, high = int(distinct[start]), int(distinct[end - 1])
            yield _Run(low, high, {key: group for key, group in left_out.items() if low <= key <= high})

    @staticmethod
    def _chosen(batch: pa.RecordBatch, run: _Run) -> pa.RecordBatch:
        key = _integers(batch, "key")
        wanted = (key >= run.low) & (key <= run.high) & ~np.isin(key, list(run.left_out))
        return batch if wanted.all() else batch.take(pa.array(np.flatnonzero(wanted)))


def merge(one: Iterator[Group], other: Iterator[Group]) -> Iterator[Group]:
    """Merges two runs of groups in the order of their keys."""
    return heapq.merge(one, other, key=lambda group: group.key)


def _integers(batch: pa.RecordBatch, name: str) -> Integers:
    values: Integers = batch.column(name).to_numpy().astype(np.int64)
    return values


def _lengths(lines: pa.BinaryArray) -> Integers:
    """Bytes of each of the lines."""
    lengths: Integers = pc.binary_length(lines).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


class _Table:
    """Rows in memory, in the order of key, kind and offset."""

    def __init__(self, batches: list[pa.RecordBatch]) -> None:
        table = pa.Table.from_batches(batches, _SCHEMA).combine_chunks()
        batches.clear()
        key, kind, offset = (table.column(name).to_numpy() for name in ("key", "kind", "offset"))
        order = np.lexsort((offset, kind, key))
        self._key, self._kind, self._offset = key[order], kind[order], offset[order]
        column = table.column("line")
        self._lines = column.chunk(0) if column.num_chunks else pa.array([], pa.binary())
        self._size = _lengths(self._lines)[order]
        self._order = order

    def groups(self, limit: int) -> Iterator[Group]:
        """The groups; those above the limit without their rows."""
        if not len(self._key):
            return
        starts = np.concatenate([[0], np.flatnonzero(np.diff(self._key)) + 1])
        sizes = np.add.reduceat(self._size, starts)
        for first in range(0, len(starts), GROUPS_AT_ONCE):
            chosen = slice(first, first + GROUPS_AT_ONCE)
            ends = [*starts[first + 1 :][:GROUPS_AT_ONCE].tolist(), len(self._key)]
            yield from self._some(starts[chosen].tolist(), ends, sizes[chosen].tolist(), limit)

    def _some(self, starts: list[int], ends: list[int], sizes: list[int], limit: int) -> Iterator[Group]:
        low = starts[0]
        rows = self._rows(low, ends[len(starts) - 1]) if sum(sizes) <= limit else None
        for start, end, size in zip(starts, ends, sizes, strict=False):
            if rows is not None:
                lines = rows[start - low : end - low]
            elif size <= limit:
                lines = self._rows(start, end)
            else:
                lines = []
            yield Group(int(self._key[start]), lines, end - start, size, int(self._offset[start]))

    def _rows(self, start: int, end: int) -> list[Line]:
        data = self._lines.take(pa.array(self._order[start:end])).to_pylist()
        columns = (column[start:end].tolist() for column in (self._offset, self._kind, self._key))
        return [Line(*row) for row in zip(*columns, data, strict=True)]
