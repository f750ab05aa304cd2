"""A bounded sample of a source's Parquet files, the same one in every run.

Files are taken in the order of a hash of their names. Of each a row group is taken (more, where one does not suffice),
each in proportion to its rows, and of that rows at even distances, as many as the file has documents in proportion: so
every document has about the same chance, wherever it stands. Of rejects, a few rows more are taken of the reasons that
these rows lack. No more than ``Budget`` says is kept, however large the corpus, and of that only the columns asked for;
texts are measured and let go, batch by batch. In memory: one row group of a file, the columns of the sampled rows, and
the excerpts.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from pipeline.report.budget import Budget
from pipeline.report.corpus import DataFile, SourceCorpus
from pipeline.storage.filesystem import is_remote, open_input

CHARACTERS = "characters"  # columns that are measured from the text
BYTES = "bytes"
TEXT = "text"
READ_BUFFER = 1 << 20  # bytes read at once of a column
BATCH_ROWS = 256
EXCERPT_CHARACTERS = 2_000
_COLUMNS = ("id", "url", "language", "created", "license")
_ENDS = ("step", "reason")

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A document to be shown: its columns, the beginning of its text, and the characters of all of it."""

    row: Mapping[str, Any]
    text: str
    characters: int


@dataclass
class Sample:
    """Sampled rows.

    Attributes:
        rows: One row a document: the scalar columns, those of ``meta`` named ``meta.<field>``, ``characters`` and
            ``bytes`` (UTF-8) of the text. None where no row was read.
        population: The documents that the sample stands for.
        files: Files read, and files there are.
        excerpts: For each group, the texts that are shown, in the order of a hash of their ids.
        unreadable: Files that could not be read, and why.
    """

    rows: pa.Table | None
    population: int
    files: tuple[int, int]
    excerpts: dict[tuple[str, ...], list[Excerpt]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Rows sampled."""
        return 0 if self.rows is None else int(self.rows.num_rows)


@dataclass
class _Excerpts:
    """The texts of each group whose ids have the smallest hashes."""

    limit: int
    heaps: dict[tuple[str, ...], list[tuple[int, int, Excerpt]]] = field(default_factory=dict)
    count: int = 0

    def offer(self, batch: pa.RecordBatch, rows: pa.Table, group: Sequence[str]) -> None:
        keys = list(zip(*(rows.column(name).to_pylist() for name in group), strict=True)) if group else []
        sizes = rows.column(CHARACTERS).to_pylist()
        for number, identifier in enumerate(rows.column("id").to_pylist()):
            heap = self.heaps.setdefault(keys[number] if keys else (), [])
            rank = -xxhash.xxh3_64_intdigest(identifier.encode())
            self.count += 1
            if len(heap) == self.limit and rank <= heap[0][0]:
                continue
            text = pc.utf8_slice_codeunits(batch.column(TEXT).slice(number, 1), 0, EXCERPT_CHARACTERS)[0].as_py()
            excerpt = Excerpt(rows.slice(number, 1).to_pylist()[0], text, sizes[number])
            (heapq.heappushpop if len(heap) == self.limit else heapq.heappush)(heap, (rank, self.count, excerpt))

    def sorted(self) -> dict[tuple[str, ...], list[Excerpt]]:
        return {key: [entry[2] for entry in sorted(heap, reverse=True)] for key, heap in sorted(self.heaps.items())}


def take_sample(
    corpus: SourceCorpus,
    files: Sequence[DataFile],
    lists: Sequence[str] = (),
    budget: Budget = Budget(),  # noqa: B008 - it is frozen
) -> Sample:
    """Samples documents, or rejects, of a source.

    Args:
        corpus: The source.
        files: Its documents or its rejects.
        lists: Fields of ``meta`` that hold lists and are wanted; others of that kind are not read.
        budget: How much to read.
    """
    chosen = _chosen(files, budget.files)
    population = sum(file.documents for file in files)
    share = _share(chosen, budget)
    tables: list[pa.Table] = []
    excerpts = _Excerpts(budget.excerpts)
    ends = _Ends(budget.excerpts)
    unreadable = []
    for file in chosen:
        try:
            for batch, rows in _read(corpus.open_path(file), file, lists, share, ends):
                if budget.excerpts:
                    excerpts.offer(batch, rows, [name for name in _ENDS if name in rows.column_names])
                tables.append(rows)
        except (OSError, pa.ArrowException) as error:
            unreadable.append(f"{file.path}: {error}")
    rows = pa.concat_tables(tables, promote_options="permissive") if tables else None
    opened = len(chosen) - len(unreadable)
    return Sample(rows, population, (opened, len(files)), excerpts.sorted(), unreadable)


def open_parquet(path: str) -> pq.ParquetFile:
    """Opens a Parquet file for reading a little of it."""
    source = open_input(path) if is_remote(path) else path
    return pq.ParquetFile(source, buffer_size=READ_BUFFER, pre_buffer=False)


def _chosen(files: Sequence[DataFile], limit: int) -> list[DataFile]:
    ranked = sorted(files, key=lambda file: (xxhash.xxh3_64_intdigest(file.path.encode("utf-8", "replace")), file.path))
    return sorted(ranked[:limit], key=lambda file: file.path)


def _share(chosen: Sequence[DataFile], budget: Budget) -> float:
    """The share of the chosen files' rows that the budget allows."""
    documents = sum(file.documents for file in chosen)
    characters = sum(file.characters for file in chosen)
    return min(1.0, budget.documents / max(1, documents), budget.characters / max(1, characters))


def _read(
    path: str, file: DataFile, lists: Sequence[str], share: float, ends: _Ends
) -> Iterator[tuple[pa.RecordBatch, pa.Table]]:
    """The chosen rows of a file, as they lie in it and as a sample's table."""
    with open_parquet(path) as parquet:
        columns = wanted_columns(parquet.schema_arrow, lists)
        sizes = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
        for group, chosen in chosen_rows(sizes, share, file.path).items():
            rows = ends.with_lacking(parquet, group, chosen) if share < 1 and "step" in columns else chosen
            start = 0
            for read in parquet.iter_batches(batch_size=BATCH_ROWS, row_groups=[group], columns=columns):
                inside = rows[(rows >= start) & (rows < start + read.num_rows)] - start
                if len(inside):
                    batch = read if len(inside) == read.num_rows else read.take(pa.array(inside))
                    yield batch, flattened(batch)
                start += read.num_rows
                if start > rows[-1]:
                    break


def chosen_rows(sizes: Sequence[int], share: float, name: str) -> dict[int, Rows]:
    """Which rows of a file are taken.

    Args:
        sizes: The rows of each row group.
        share: The share of all rows that is wanted.
        name: The file's name; a hash of it says where the first row lies.

    Returns:
        For each row group of which rows are taken, these, ascending. A row group is decoded up to the last of them,
        so they lie in no more row groups than they need.
    """
    total = sum(sizes)
    wanted = math.ceil(total * share)
    if wanted >= total:
        return {group: np.arange(size, dtype=np.int64) for group, size in enumerate(sizes) if size}
    begins = np.concatenate([[0], np.cumsum(sizes)])
    rank = xxhash.xxh3_64_intdigest(name.encode("utf-8", "replace"))
    first = int(np.searchsorted(begins, rank % total, side="right")) - 1
    groups: list[int] = []
    for group in (*range(first, len(sizes)), *range(first)):
        groups.append(group)
        if sum(sizes[g] for g in groups) >= wanted:
            break
    whole = np.concatenate([np.arange(begins[group], begins[group + 1]) for group in sorted(groups)])
    distance = len(whole) / wanted
    offset = (rank >> 32) / 2**32 * distance
    rows = whole[np.minimum((offset + np.arange(wanted) * distance).astype(np.int64), len(whole) - 1)]
    owners = np.searchsorted(begins, rows, side="right") - 1
    return {int(group): rows[owners == group] - begins[group] for group in np.unique(owners)}


@dataclass
class _Ends:
    """How many rejects of each step and reason are sampled, so that rare ones are, too."""

    least: int
    sampled: Counter[str] = field(default_factory=Counter)

    def with_lacking(self, parquet: pq.ParquetFile, group: int, rows: Rows) -> Rows:
        """The chosen rows of a row group, and some of each reason of which there are too few yet."""
        table = parquet.read_row_group(group, columns=list(_ENDS))
        ends = pc.binary_join_element_wise(*(table[name].cast(pa.string()) for name in _ENDS), "\0")
        coded = pc.fill_null(ends, "").combine_chunks().dictionary_encode()
        codes = coded.indices.to_numpy()
        found = [rows]
        for code, end in enumerate(coded.dictionary.to_pylist()):
            taken = int(np.count_nonzero(codes[rows] == code))
            lacking = self.least - self.sampled[end] - taken
            if lacking > 0:
                others = np.setdiff1d(np.flatnonzero(codes == code), rows)
                more = others[:: math.ceil(len(others) / lacking)] if len(others) else others
                found.append(more)
                taken += len(more)
            self.sampled[end] += taken
        return np.unique(np.concatenate(found))


def wanted_columns(schema: pa.Schema, lists: Sequence[str] = ()) -> list[str]:
    """The text and the scalar columns, those of ``meta`` by their dotted names, and the lists asked for."""
    columns = [name for name in (*_COLUMNS, TEXT, *_ENDS) if name in schema.names]
    meta = schema.field("meta").type if "meta" in schema.names else []
    wanted = [child.name for child in meta if not pa.types.is_nested(child.type) or child.name in lists]
    return [*columns, *(f"meta.{name}" for name in wanted)]


def flattened(batch: pa.RecordBatch) -> pa.Table:
    """A batch without its text, which is measured, and with the fields of ``meta`` as columns ``meta.<field>``."""
    columns: dict[str, pa.Array] = {}
    for name in batch.schema.names:
        column = batch.column(name)
        if name == TEXT:
            columns[CHARACTERS] = pc.utf8_length(column)
            columns[BYTES] = pc.binary_length(column)
        elif pa.types.is_struct(column.type):
            for number, child in enumerate(column.type):
                columns[f"{name}.{child.name}"] = pc.struct_field(column, [number])
        else:
            columns[name] = column
    return pa.table(columns)
