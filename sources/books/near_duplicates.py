"""Which of the books that overlap goes, and the list of them that a user can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from filters.near_duplicates.minhash import Overlap, Pairs, connected_components, pack_pairs, unpack
from pipeline.storage.filesystem import atomic_output, open_input, write_bytes

REPORT = "_duplicates/duplicates.parquet"  # a folder that readers of the corpus pass over, as they do its rejects
TABLE = "duplicates.tsv"
DECIMALS = 4

REPORT_SCHEMA = pa.schema(
    {
        "removed_id": pa.string(),
        "removed_title": pa.string(),
        "survivor_id": pa.string(),
        "survivor_title": pa.string(),
        "overlap": pa.float64(),
        "containment": pa.float64(),
        "jaccard": pa.float64(),
        "removed_characters": pa.int64(),
        "survivor_characters": pa.int64(),
        "removed_file": pa.string(),
        "removed_offset": pa.int64(),
    }
)
_TABLE_COLUMNS = ("overlap", "removed_id", "removed_title", "survivor_id", "survivor_title", "containment", "jaccard")


@dataclass(frozen=True, slots=True)
class Removal:
    """A book that goes, the one that stays for it, and their overlap."""

    removed: int
    survivor: int
    overlap: Overlap


def choose_removals(
    count: int,
    candidates: Pairs,
    measure: Callable[[int, int], Overlap],
    threshold: float,
    kind: Literal["containment", "jaccard"],
    linkage: Literal["direct", "chain"],
) -> list[Removal]:
    """Measures the candidates, and decides which books go.

    Args:
        count: The number of books; they are numbered in the order in which they stay: the longest first, then by id.
        candidates: Pairs of numbers, sorted.
        measure: Gives the overlap of two books.
        threshold: Books with a greater overlap are duplicates.
        kind: The measure that is compared with the threshold.
        linkage: See ``sources.books.recipe.NearDedupRecipe``.

    Returns:
        The removals, by number of the book removed.
    """
    # Those of one group of candidates are measured one after the other: their sets are in memory then.
    labels = connected_components(count, candidates)
    pairs = sorted(zip(*(side.tolist() for side in unpack(candidates)), strict=True), key=lambda p: (labels[p[1]], p))
    if linkage == "chain":
        duplicates = [pair for pair in pairs if measure(*pair).value(kind) > threshold]
        survivors = connected_components(count, pack_pairs(duplicates)).tolist()
        return [Removal(n, s, measure(s, n)) for n, s in enumerate(survivors) if s != n]
    survivor_of: dict[int, Removal] = {}
    at = 0
    by_book = sorted(pairs, key=lambda p: (labels[p[1]], p[1], p[0]))
    while at < len(by_book):
        book, others = by_book[at][1], []
        while at < len(by_book) and by_book[at][1] == book:
            others.append(by_book[at][0])
            at += 1
        # A book that resembles one that goes is compared with what that went for.
        targets = sorted({survivor_of[o].survivor if o in survivor_of else o for o in others})
        found = [Removal(book, target, measure(target, book)) for target in targets]
        over = [removal for removal in found if removal.overlap.value(kind) > threshold]
        if over:
            survivor_of[book] = min(over, key=lambda r: (-r.overlap.value(kind), r.survivor))
    return [survivor_of[book] for book in sorted(survivor_of)]


def write_report(root_path: Callable[[str], str], rows: Sequence[dict[str, object]]) -> None:
    """Writes the list of removals as Parquet, which the steps read, and as a table for the eye, which comes first.

    Args:
        root_path: Gives the path of a file in the source's folder.
        rows: The rows, in the columns of ``REPORT_SCHEMA``.
    """
    lines = ["\t".join(_TABLE_COLUMNS), *("\t".join(_cell(row[column]) for column in _TABLE_COLUMNS) for row in rows)]
    write_bytes(root_path(TABLE), "".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
    table = pa.Table.from_pylist(list(rows), REPORT_SCHEMA)
    with atomic_output(root_path(REPORT)) as handle:
        pq.write_table(table, handle, compression="zstd", write_statistics=False)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.{DECIMALS}f}"
    return " ".join(str("" if value is None else value).split())


def read_removed(path: str) -> dict[tuple[str, int], str]:
    """For each book removed, by file and offset, the id of the one that stays for it."""
    with open_input(path) as handle:
        table = pq.read_table(handle, columns=["removed_file", "removed_offset", "survivor_id"])
    files, offsets, survivors = (table.column(name).to_pylist() for name in table.column_names)
    return dict(zip(zip(files, offsets, strict=True), survivors, strict=True))
