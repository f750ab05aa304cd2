"""What is said of removals: the tables of a run, and the report for who asked, neither with any text."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from rich.table import Table

from pipeline.corpus.sink import REJECTS
from pipeline.optout.corpus import SourceMatches
from pipeline.removals.lists import RemovalList
from pipeline.removals.scan import FileMatches, listed_rows
from pipeline.report.harmless import harmless
from pipeline.storage.filesystem import exists, read_bytes, write_bytes
from pipeline.storage.ownership import check_file

COMMAND = "pipeline.optout"
MARK = f"# python -m {COMMAND}"
COLUMNS = ("line", "kind", "value", "note", "found", "source", "file", "id", "url")
NOTHING = "nothing"

Row = tuple[str, ...]


def table_of(found: Sequence[SourceMatches], tokens: dict[str, int] | None) -> Table:
    """What is listed of each source.

    Args:
        found: What was found.
        tokens: Ids of the documents by source, as token files count them; None where there are none.
    """
    table = Table(title="opt-out", title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    table.add_column("source", no_wrap=True)
    for heading in ("shards", "with any", "documents", "rejects", *(["tokens"] if tokens is not None else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    for source in found:
        counts = [source.scanned, len(source.shards), source.documents, source.rejects]
        counts += [tokens.get(source.name, 0)] if tokens is not None else []
        table.add_row(source.name, *(f"{count:,}" for count in counts))
    return table


def report_rows(listed: RemovalList, found: Sequence[SourceMatches]) -> list[Row]:
    """The rows of the report: for each removal what was found, without any text."""
    rows: list[Row] = []
    for source in found:
        for shard in source.shards:
            for file in shard.files:
                rows += _rows_of(listed, source, file)
    return rows


def _rows_of(listed: RemovalList, source: SourceMatches, file: FileMatches) -> Iterable[Row]:
    what = "reject" if file.path.startswith(f"{REJECTS}/") else "document"
    for place, row in zip(file.places, listed_rows(source.layout.root, file, ["id", "url"]), strict=True):
        removal = listed.removals[place]
        shown = (removal.value, removal.note, what, source.name, file.path, row["id"], row["url"] or "")
        yield (str(removal.line), removal.kind, *shown)


def check_report(path: str) -> None:
    """Refuses to write a report over a file that no such command wrote."""
    check_file(path, COMMAND, MARK, overwrite=None)


def write_report(path: str, listed: RemovalList, rows: Sequence[Row]) -> None:
    """Writes the report, with what an earlier report of the same list has: what it found may be gone since.

    Args:
        path: The file; ``check_report`` allows it.
        listed: The list.
        rows: Of this run.
    """
    head = f"{MARK}; list {listed.sha256}"
    merged = {row for row in (*_earlier(path, head), *rows) if row[COLUMNS.index("found")] != NOTHING}
    lines = {row[0] for row in merged}
    for removal in listed.removals:
        if str(removal.line) not in lines:
            rest = (removal.kind, removal.value, removal.note, NOTHING, "", "", "", "")
            merged.add((str(removal.line), *rest))
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([harmless(cell) for cell in row] for row in sorted(merged, key=lambda row: (int(row[0]), row)))
    write_bytes(path, f"{head}\n{buffer.getvalue()}".encode("utf-8", "replace"))


def _earlier(path: str, head: str) -> list[Row]:
    """The rows of a report of the same list; none where there is no such report."""
    if not exists(path):
        return []
    first, _, rest = read_bytes(path).decode("utf-8", "replace").partition("\n")
    rows = list(csv.reader(io.StringIO(rest), delimiter="\t"))[1:] if first == head else []
    return [tuple(row) for row in rows if len(row) == len(COLUMNS)]
