"""Titles of documents that went, in the reports that lie beside a source: they go, too; ids and figures stay."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.optout.journal import Journal
from pipeline.storage.filesystem import exists, join, open_input, read_bytes

NEAR_DUPLICATES = "_duplicates/duplicates.parquet"  # of books, as docs/formats.md has it
NEAR_DUPLICATES_TABLE = "duplicates.tsv"
SIDES = ("removed", "survivor")


def stage_reports(root: str, ids: set[str], journal: Journal) -> None:
    """Stages the reports of a source's folder without the titles of some documents."""
    place = join(root, *NEAR_DUPLICATES.split("/"))
    if not ids or not exists(place):
        return
    with open_input(place) as handle:
        table = pq.read_table(handle)
    rows = table.to_pylist()
    known = {row[f"{side}_id"] for row in rows for side in SIDES}
    if not known & ids:
        return
    for row in rows:
        for side in SIDES:
            if row[f"{side}_id"] in ids:
                row[f"{side}_title"] = None
    with journal.file(NEAR_DUPLICATES) as output:
        pq.write_table(pa.Table.from_pylist(rows, table.schema), output, compression="zstd", write_statistics=False)
    if exists(join(root, NEAR_DUPLICATES_TABLE)):
        with journal.file(NEAR_DUPLICATES_TABLE) as output:
            output.write(_without_titles(read_bytes(join(root, NEAR_DUPLICATES_TABLE)), ids))


def _without_titles(data: bytes, ids: set[str]) -> bytes:
    """The table for the eye, of which the first line names the columns."""
    head, *lines = [line.split("\t") for line in data.decode("utf-8", "replace").splitlines()]
    for line in lines:
        for side in SIDES:
            if line[head.index(f"{side}_id")] in ids:
                line[head.index(f"{side}_title")] = ""
    return "".join("\t".join(line) + "\n" for line in [head, *lines]).encode()
