"""The sketches of a shard's books, and the whole shingle sets of some of them, as files in the scope's work folder.

``books/<shard>.arrow`` has a row for each book that reaches near-dedup, with its signature; ``samples/<shard>.arrow``
its sampled shingles, cut into ranges of hashes, so that a range can be read of all shards without the rest;
``shingles/<shard>.arrow`` a record batch with all shingles for each book that is a candidate.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.near_duplicates.minhash import PERMUTATIONS, SAMPLED_SHARE, MinHasher, sampled
from filters.near_duplicates.shingles import Hashes, ShingleHasher
from pipeline.corpus.document import Document
from pipeline.corpus.shard import Layout, Shard
from pipeline.engine.process import write_timing
from pipeline.errors import InputError
from pipeline.source import read_shard
from pipeline.steps import Chain, Step
from pipeline.storage.filesystem import atomic_output, exists, join, open_input, write_bytes
from sources.books.source import Books

FLUSH_SAMPLES = 500_000  # sampled shingles held before they are written: 6 MB
FLUSH_BOOKS = 1_000

BOOK_SCHEMA = pa.schema(
    {
        "file": pa.string(),
        "offset": pa.int64(),
        "id": pa.string(),
        "title": pa.string(),
        "characters": pa.int64(),
        "shingles": pa.int64(),
        "signature": pa.binary(4 * PERMUTATIONS),
    }
)
_SAMPLE_SCHEMA = pa.schema([("hash", pa.uint64()), ("book", pa.uint32())])
_SHINGLE_SCHEMA = pa.schema([("hash", pa.uint64())])


@dataclass(frozen=True)
class SketchFiles:
    """Where the files of near-dedup lie: in the work folder of the scope, which is removed when the scope is done.

    Attributes:
        layout: The source's folder.
        work: The name of the scope's work folder.
        ranges: Number of ranges of hashes.
    """

    layout: Layout
    work: str
    ranges: int

    def _path(self, kind: str, shard: str) -> str:
        return join(self.layout.work, self.work, kind, f"{shard}.arrow")

    def books(self, shard: str) -> str:
        """The books of a shard; written last."""
        return self._path("books", shard)

    def samples(self, shard: str) -> str:
        """Their sampled shingles."""
        return self._path("samples", shard)

    def shingles(self, shard: str) -> str:
        """All shingles of the candidates among them."""
        return self._path("shingles", shard)


def _books(source: Books, shard: Shard, cache: Path | None, steps: Sequence[Step]) -> tuple[Chain, Iterator[Document]]:
    chain = Chain(steps, source.name)
    items = read_shard(source, shard, cache, Counter())
    return chain, (item for item in chain.run(items) if isinstance(item, Document))


def sketch_shard(
    source: Books, files: SketchFiles, shard: Shard, cache: Path | None, steps: Sequence[Step], hasher: ShingleHasher
) -> None:
    """Reads a shard, and writes the sketches of its books; nothing happens where they are there.

    Memory: the largest book, with 60 bytes a word, and what is held before it is written, 10 MB.

    Args:
        source: The source.
        files: Where the sketches go.
        shard: The shard.
        cache: The cache folder for fetched files.
        steps: The steps before near-dedup, loaded.
        hasher: The shingle hasher.
    """
    if exists(files.books(shard.name)):
        return
    started = time.perf_counter()
    chain, books = _books(source, shard, cache, steps)
    minhasher = MinHasher()
    with contextlib.ExitStack() as stack:  # closes the samples first, so that the books are there last
        rows = _Rows(stack, files.books(shard.name))
        samples = _Samples(stack, files.samples(shard.name), files.ranges)
        for number, book in enumerate(books):
            shingles = hasher.shingles(book.text)
            samples.add(number, sampled(shingles))
            title = book.meta.get("title")
            signature = minhasher.signature(shingles).tobytes()
            rows.add((book.file, book.offset, book.id, title, len(book.text), len(shingles), signature))
        samples.flush()
        rows.flush()
    write_timing(files.layout, f"{shard.name}.hash", started, chain.seconds)


def _writer(stack: contextlib.ExitStack, path: str, schema: pa.Schema) -> pa.RecordBatchFileWriter:
    handle = stack.enter_context(atomic_output(path))
    return stack.enter_context(pa.ipc.new_file(handle, schema))


class _Rows:
    """Writes the rows of books, a thousand at a time."""

    def __init__(self, stack: contextlib.ExitStack, path: str) -> None:
        self._writer = _writer(stack, path, BOOK_SCHEMA)
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= FLUSH_BOOKS:
            self.flush()

    def flush(self) -> None:
        columns = list(zip(*self._rows, strict=True)) or [()] * len(BOOK_SCHEMA)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, BOOK_SCHEMA, strict=True)]
        self._writer.write_batch(pa.record_batch(arrays, schema=BOOK_SCHEMA))
        self._rows = []


class _Samples:
    """Writes sampled shingles: at each flush one record batch for each range."""

    def __init__(self, stack: contextlib.ExitStack, path: str, ranges: int) -> None:
        self._writer = _writer(stack, path, _SAMPLE_SCHEMA)
        span = (1 << 64) // SAMPLED_SHARE
        self._bounds = np.array([span * number // ranges for number in range(1, ranges)], np.uint64)
        self._hashes: list[Hashes] = []
        self._books: list[int] = []
        self._held = 0

    def add(self, book: int, hashes: Hashes) -> None:
        self._hashes.append(hashes)
        self._books.append(book)
        self._held += len(hashes)
        if self._held >= FLUSH_SAMPLES:
            self.flush()

    def flush(self) -> None:
        hashes = np.concatenate(self._hashes) if self._hashes else np.empty(0, np.uint64)
        books = np.repeat(np.array(self._books, np.uint32), [len(h) for h in self._hashes])
        order = np.argsort(hashes, kind="stable")
        cuts = np.searchsorted(hashes[order], self._bounds)
        for part in np.split(order, cuts):
            arrays = [pa.array(hashes[part]), pa.array(books[part], pa.uint32())]
            self._writer.write_batch(pa.record_batch(arrays, schema=_SAMPLE_SCHEMA))
        self._hashes, self._books, self._held = [], [], 0


def read_books(path: str) -> pa.Table:
    """The books of a shard."""
    with open_input(path) as handle, pa.ipc.open_file(handle) as reader:
        return reader.read_all()


def read_samples(path: str, number: int, ranges: int) -> Iterator[tuple[Hashes, npt.NDArray[np.uint32]]]:
    """The sampled shingles of a shard in one range of hashes, and for each the number of its book in the shard."""
    with open_input(path) as handle, pa.ipc.open_file(handle) as reader:
        for at in range(number, reader.num_record_batches, ranges):
            batch = reader.get_batch(at)
            yield batch.column("hash").to_numpy(), batch.column("book").to_numpy()


def write_shingles(
    source: Books,
    files: SketchFiles,
    shard: Shard,
    wanted: Sequence[int],
    cache: Path | None,
    steps: Sequence[Step],
    hasher: ShingleHasher,
) -> None:
    """Reads a shard again, and writes all shingles of some of its books; nothing happens where they are there.

    Args:
        source: The source.
        files: Where they go.
        shard: The shard.
        wanted: The numbers of the books, ascending.
        cache: The cache folder for fetched files.
        steps: The steps before near-dedup, loaded.
        hasher: The shingle hasher.

    Raises:
        InputError: A file changed since it was sketched; the scope is marked to be made again.
    """
    if exists(files.shingles(shard.name)):
        return
    chosen, found = frozenset(wanted), 0
    _, books = _books(source, shard, cache, steps)
    with contextlib.ExitStack() as stack:
        writer = _writer(stack, files.shingles(shard.name), _SHINGLE_SCHEMA)
        for number, book in enumerate(books):
            if number in chosen:
                found += 1
                writer.write_batch(pa.record_batch([pa.array(hasher.shingles(book.text))], schema=_SHINGLE_SCHEMA))
        if found < len(chosen):
            write_bytes(files.layout.redo(shard.scope), b"")
            raise InputError(
                f"{shard.inputs[0].path}, or a file beside it, changed while the run was at work on it. Once it is at "
                "rest, run the same command again: all is looked at again."
            )


class ShingleReader:
    """Reads shingle sets, and keeps the last ones in memory, up to a limit.

    Args:
        files: Where they lie.
        max_bytes: The limit.
    """

    def __init__(self, files: SketchFiles, max_bytes: int) -> None:
        self._files = files
        self._limit = max_bytes
        self._held: dict[tuple[str, int], Hashes] = {}
        self._size = 0

    def read(self, shard: str, place: int) -> Hashes:
        """The shingles of the book at a place among a shard's candidates."""
        key = (shard, place)
        if key in self._held:
            self._held[key] = self._held.pop(key)  # the last used stays longest
            return self._held[key]
        with open_input(self._files.shingles(shard)) as handle, pa.ipc.open_file(handle) as reader:
            hashes: Hashes = reader.get_batch(place).column("hash").to_numpy()
        self._held[key] = hashes
        self._size += hashes.nbytes
        while self._size > self._limit and len(self._held) > 2:
            self._size -= self._held.pop(next(iter(self._held))).nbytes
        return hashes
