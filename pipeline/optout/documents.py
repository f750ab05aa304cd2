"""A source's files without what is listed: Parquet, the hashes of ids, reports, and the accounts of a shard.

Memory: a row group, 64 MB of text and its copy.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.corpus.document import to_columns
from pipeline.corpus.ledger import Ledger, StepLedger, Tally, total
from pipeline.corpus.manifest import OPT_OUT
from pipeline.corpus.shard import IDS, Layout
from pipeline.corpus.sink import HashingWriter, OutputFile, parquet_writer
from pipeline.engine.overlap import hash_id
from pipeline.errors import OutputError
from pipeline.optout.journal import Journal
from pipeline.removals.records import FOLDER, Change, changes_record, read_changes
from pipeline.removals.scan import FileMatches, ShardMatches
from pipeline.removals.step import MESSAGE, emptied
from pipeline.source import HashingReader
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import join, open_input


@dataclass
class Gone:
    """What went of a shard.

    Attributes:
        ids: The ids of documents, and of rejects that lost their text.
        tallies: Documents and characters by subset.
        said: The messages of the read step that went.
    """

    ids: list[str] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    said: bool = False


def stage_shard(layout: Layout, matches: ShardMatches, list_sha256: str, journal: Journal) -> int:
    """Writes a shard anew without what is listed of it, beside its place, and enters it into a journal.

    Args:
        layout: The source's folder.
        matches: What is listed.
        list_sha256: The checksum of the list.
        journal: Of the shard.

    Returns:
        The documents that go.

    Raises:
        OutputError: A file is not the one that its accounts know.
    """
    stats, gone = layout.read_stats(matches.shard), Gone()
    listed = {found.path: found for found in matches.outputs}
    outputs, changes = [], read_changes(layout.root, matches.shard)
    for entry in stats["outputs"]:
        if entry["path"] not in listed:
            outputs.append(entry)
            continue
        output, change = _without(layout, entry, listed[entry["path"]], list_sha256, journal, gone)
        outputs += [asdict(output)] if output else []
        changes.append(change)
    rejects = stats["rejects"]
    if matches.rejects is not None:
        rejects = asdict(_emptied(layout, rejects, matches.rejects, journal, gone))
    stats = {
        **stats,
        "ledger": _ledger(stats["ledger"], gone),
        "messages": _messages(stats["messages"], gone),
        "outputs": outputs,
        "rejects": rejects,
    }
    if stats.get("ids_sha256"):
        stats["ids_sha256"] = _stage_ids(layout, matches.shard, gone.ids, journal)
    stats["optout"] = [*stats.get("optout", ()), *([] if list_sha256 in stats.get("optout", ()) else [list_sha256])]
    if matches.outputs:
        journal.json(f"{FOLDER}/{matches.shard}.json", changes_record(matches.shard, changes))
    journal.json(f"_stats/{matches.shard}.json", stats)
    return total(gone.tallies.values()).documents


def _without(
    layout: Layout, entry: Mapping[str, Any], found: FileMatches, list_sha256: str, journal: Journal, gone: Gone
) -> tuple[OutputFile | None, Change]:
    """Stages a file of documents without some rows; None where no row is left."""
    path, characters, text_bytes = entry["path"], 0, 0

    def edit(table: pa.Table, rows: list[int]) -> pa.Table:
        nonlocal characters, text_bytes
        going = table.take(pa.array(rows, pa.int64()))
        gone.ids.extend(going["id"].to_pylist())
        characters += pc.sum(pc.utf8_length(going["text"])).as_py() or 0
        text_bytes += pc.sum(pc.binary_length(going["text"])).as_py() or 0
        keep = np.ones(table.num_rows, bool)
        keep[rows] = False
        return table.filter(pa.array(keep))

    _check(layout, entry)
    left = entry["documents"] - len(found.rows)
    if left:
        with journal.file(path) as handle:
            digest = _rewrite(layout, path, found.rows, edit, handle)
        sum_ = digest.digest.hexdigest()
        output = OutputFile(path, left, entry["characters"] - characters, digest.size, sum_)
    else:
        _rewrite(layout, path, found.rows, edit, io.BytesIO())
        journal.delete(path)
        output = None
    gone.tallies.setdefault(path.partition("/")[0], Tally()).add(len(found.rows), characters)
    after = output.sha256 if output else None
    return output, Change(path, entry["sha256"], after, found.rows, text_bytes, list_sha256)


def _emptied(layout: Layout, entry: Mapping[str, Any], found: FileMatches, journal: Journal, gone: Gone) -> OutputFile:
    """Stages a file of rejects of which some rows keep no more than the place of their record."""
    difference = 0

    def edit(table: pa.Table, rows: list[int]) -> pa.Table:
        nonlocal difference
        going = table.take(pa.array(rows, pa.int64()))
        gone.ids.extend(going["id"].to_pylist())
        gone.said |= READ_STEP in going["step"].to_pylist()
        origins = going["origin"].to_pylist()
        documents = [
            emptied(source, origin["file"], origin["offset"])
            for source, origin in zip(going["source"].to_pylist(), origins, strict=True)
        ]
        difference += len(rows) * len(MESSAGE) - (pc.sum(pc.utf8_length(going["text"])).as_py() or 0)
        columns = [*to_columns(documents, table.schema), *(going[name].combine_chunks() for name in ("step", "reason"))]
        order = np.arange(table.num_rows)
        order[rows] = table.num_rows + np.arange(len(rows))
        return pa.concat_tables([table, pa.table(columns, table.schema)]).take(pa.array(order))

    _check(layout, entry)
    with journal.file(entry["path"]) as handle:
        digest = _rewrite(layout, entry["path"], found.rows, edit, handle)
    characters = entry["characters"] + difference
    return OutputFile(entry["path"], entry["documents"], characters, digest.size, digest.digest.hexdigest())


def _check(layout: Layout, entry: Mapping[str, Any]) -> None:
    """Refuses a file that is not the one that the accounts know: it would be taken for sound once it is new."""
    place = join(layout.root, *entry["path"].split("/"))
    with open_input(place) as handle:
        if HashingReader(handle).finish()["sha256"] != entry["sha256"]:
            raise OutputError(f"{place} is not what was written to it. python -m pipeline.verify says what to do.")


def _rewrite(
    layout: Layout,
    path: str,
    rows: Sequence[int],
    edit: Callable[[pa.Table, list[int]], pa.Table],
    output: BinaryIO,
) -> HashingWriter:
    """Writes a file again, its row groups with listed rows edited; the others come out as they are."""
    digest = HashingWriter(output)
    with open_input(join(layout.root, *path.split("/"))) as handle:
        file = pq.ParquetFile(handle)
        schema = written_schema(file.schema_arrow)
        writer = parquet_writer(digest, schema)
        for table, inside in _row_groups(file, schema, rows):
            edited = edit(table, inside) if inside else table
            if edited.num_rows:
                writer.write_table(edited, row_group_size=edited.num_rows)
        writer.close()
    return digest


def _row_groups(file: pq.ParquetFile, schema: pa.Schema, rows: Sequence[int]) -> Iterator[tuple[pa.Table, list[int]]]:
    """The row groups of a file, each with the listed rows in it, counted from its own first."""
    first, places = 0, np.array(rows, np.int64)
    for group in range(file.num_row_groups):
        table = file.read_row_group(group).cast(schema)
        low, high = np.searchsorted(places, (first, first + table.num_rows))
        yield table, (places[low:high] - first).tolist()
        first += table.num_rows


def written_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with which a file was written: what is read calls the items of lists by another name."""
    return pa.schema([field.with_type(_written(field.type)) for field in schema])


def _written(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_written(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_written(field.type)) for field in kind])
    return kind


def _stage_ids(layout: Layout, shard: str, ids: Sequence[str], journal: Journal) -> str:
    """Stages the hashes of a shard's ids without some; gives the SHA-256 of the file, in hex."""
    with open_input(layout.ids(shard)) as handle:
        known = np.load(handle, allow_pickle=False)
    buffer = io.BytesIO()
    np.save(buffer, known[~np.isin(known, np.array([hash_id(identifier) for identifier in ids], np.uint64))])
    with journal.file(f"{IDS}/{shard}.npy") as output:
        output.write(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def _ledger(before: Mapping[str, Any], gone: Gone) -> dict[str, Any]:
    """The accounts, with what went as dropped by a step behind all others."""
    ledger = Ledger()
    ledger.add_json(before)
    if gone.tallies and OPT_OUT not in ledger.steps:
        kept = total(ledger.kept.values())
        ledger.steps[OPT_OUT] = StepLedger(Tally(kept.documents, kept.characters), kept)
    for subset, tally in gone.tallies.items():
        step, kept = ledger.step(OPT_OUT), ledger.kept[subset]
        step.left.add(-tally.documents, -tally.characters)
        step.dropped.setdefault(OPT_OUT, Tally()).add(tally.documents, tally.characters)
        kept.add(-tally.documents, -tally.characters)
        if not kept.documents:
            del ledger.kept[subset]
    return ledger.as_json()


def _messages(messages: Mapping[str, str], gone: Gone) -> dict[str, str]:
    """The first messages, without those of the read step where some of it went."""
    hidden = f"{READ_STEP}: "
    return {reason: MESSAGE if gone.said and reason.startswith(hidden) else text for reason, text in messages.items()}
