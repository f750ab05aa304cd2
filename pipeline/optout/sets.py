"""One set of token shards, those for training or those held out, as documents are taken out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus.shard import Layout
from pipeline.corpus.sink import HashingWriter
from pipeline.errors import OutputError
from pipeline.mix.balance import prefixes
from pipeline.mix.folder import ShardAccount, read_account
from pipeline.mix.gather import PADDING
from pipeline.mix.masks import masks_samples
from pipeline.mix.quotas import ShardForm
from pipeline.mix.rows import Row, ShardFolder, loss_of, read_batches, row_of
from pipeline.optout.journal import Journal
from pipeline.optout.pool import Flags, Pool
from pipeline.optout.spans import Filling, Span, fill, find_spans, padding, row_batch
from pipeline.storage.filesystem import join
from pipeline.verify.rows import ShardCount, segments_of, verify_batch

Numbers = npt.NDArray[np.int64]


@dataclass
class Drawn:
    """What the shards of a set have, as far as removals ask.

    Attributes:
        documents: For each document, by number, whether any shard has any of it.
        rows: For each shard with removed documents, the rows that have any of them, ascending.
        begun: Of a held-out set: by document, with which of its ids pieces begin.
        masked: The documents with ids for which the loss is off, but not where their template alone has it off.
    """

    documents: Flags
    rows: dict[str, list[int]] = field(default_factory=dict)
    begun: dict[int, set[int]] = field(default_factory=dict)
    masked: set[int] = field(default_factory=set)


def look_through(folder: ShardFolder, removed: Numbers, seen: list[int] | None = None) -> Drawn:
    """Reads which documents stand in the rows of a set; no id of any text is read.

    Args:
        folder: The set.
        removed: Numbers of removed documents, sorted.
        seen: Counts the shards.
    """
    count = max((file.first_number + file.documents for file in folder.files), default=0)
    drawn, is_removed = Drawn(np.zeros(count, bool)), np.zeros(count, bool)
    is_removed[removed] = True
    held_out = folder.manifest["kind"] == "heldout"
    for entry in folder.manifest["shards"]:
        first, rows = 0, list[int]()
        for batch in read_batches(join(folder.root, entry["file"])):
            column = batch.column("doc_numbers")
            everything = np.asarray(column.flatten())
            are = everything != PADDING
            numbers = everything[are].astype(np.int64)
            if len(numbers) and (numbers.min() < 0 or numbers.max() >= count):
                raise OutputError(f"{entry['file']} in {folder.root} has documents that its list does not know")
            drawn.documents[numbers] = True
            owners = np.repeat(np.arange(len(column)), np.asarray(column.value_lengths()))[are]
            rows += (first + np.unique(owners[is_removed[numbers]])).tolist()
            if held_out:
                offsets = np.asarray(batch.column("doc_offsets").flatten())[are]
                for number, offset in zip(numbers.tolist(), offsets.tolist(), strict=True):
                    drawn.begun.setdefault(number, set()).add(offset)
            if masks_samples(folder.manifest):
                drawn.masked |= masked_documents(batch)
            first += len(column)
        if rows:
            drawn.rows[entry["file"]] = rows
        if seen is not None:
            seen[0] += 1
    return drawn


def masked_documents(batch: pa.RecordBatch) -> set[int]:
    """The documents of a record batch with ids for which the loss is off."""
    loss = loss_of(batch)
    rows = [] if loss is None else [row_of(batch, row) for row in np.flatnonzero(~loss.all(axis=1)).tolist()]
    segments = ((row.loss, segment) for row in rows for segment in row.documents)
    return {one.number for mask, one in segments if mask is not None and not mask[one.start : one.stop].all()}


def read_rows(folder: ShardFolder, file: str, rows: Sequence[int]) -> dict[int, Row]:
    """Some rows of a shard, by number."""
    found, first = {}, 0
    for batch in read_batches(join(folder.root, file)):
        inside = [row for row in rows if first <= row < first + batch.num_rows]
        found.update({row: row_of(batch, row - first) for row in inside})
        first += batch.num_rows
    return found


def spans_of(folder: ShardFolder, file: str, rows: Sequence[int], removed: frozenset[int]) -> list[Span]:
    """What removed documents have of a shard."""
    gaps = frozenset(read_account(Layout(folder.root), file.removesuffix(".arrow")).gaps)
    return find_spans(read_rows(folder, file, rows), removed, gaps, folder.manifest["seq_len"])


@dataclass(frozen=True)
class Edit:
    """What becomes of the rows of a shard.

    Attributes:
        rows: The rows that change, as they will be.
        out: Those that are taken out.
        filled: How many ids of each source were filled.
        again: How many of these with documents that were drawn before.
        takes: What pools gave, in order: of which source, how many ids.
    """

    rows: dict[int, Row]
    out: frozenset[int]
    filled: list[int]
    again: list[int]
    takes: list[tuple[int, int]]


def plan_edit(
    folder: ShardFolder, file: str, rows: Sequence[int], removed: frozenset[int], pools: Mapping[int, Pool]
) -> Edit:
    """Fills the spans of removed documents in a shard, one after the other; where a pool is empty their rows go.

    Where documents stay whole in rows, their places only fill the rows up from then on.
    """
    seq_len, changed = folder.manifest["seq_len"], read_rows(folder, file, rows)
    (filled, again), out = ([0] * len(folder.manifest["sources"]) for _ in range(2)), set[int]()
    takes = list[tuple[int, int]]()
    for span in spans_of(folder, file, rows, removed):
        if out.issuperset(span.rows):
            continue
        if "padding" in folder.manifest:  # documents stay whole, so none is cut to fill a place
            filling = padding(span, folder.manifest["eos"], changed[span.first_row].ids.dtype)
            for number in span.rows:
                changed[number] = fill(changed[number], number, span, [filling], seq_len)
            continue
        fillings: list[Filling] | None = pools[span.source].take(len(span))
        if fillings is None:
            out.update(span.rows)
            continue
        takes.append((span.source, len(span)))
        filled[span.source] += len(span)
        again[span.source] += sum(len(filling.ids) for filling in fillings if filling.again)
        for number in span.rows:
            changed[number] = fill(changed[number], number, span, fillings, seq_len)
    rows_left = {number: row for number, row in changed.items() if number not in out}
    return Edit(rows_left, frozenset(out), filled, again, takes)


def stage_edit(
    folder: ShardFolder, form: ShardForm, shard: int, edit: Edit, journal: Journal, below: str = ""
) -> ShardAccount:
    """Writes a shard with its changed rows, and without those taken out, beside its place.

    Args:
        folder: The set; its list of files is that of after the removal.
        form: Of its shards, as they were planned.
        shard: The number of the shard.
        edit: What becomes of its rows.
        journal: Of the shard.
        below: The set's folder below that of the journal, with its slash.

    Returns:
        The new account, which is in the journal.
    """
    file = folder.manifest["shards"][shard]["file"]
    before = read_account(Layout(folder.root), file.removesuffix(".arrow"))
    gaps = gaps_after(before.rows, before.gaps, edit.out)
    after = replace(before, rows=before.rows - len(edit.out), optout=_changes(before, gaps, edit))
    return stage_shard(folder, form, shard, edited_batches(folder, file, edit), after, journal, below)


def stage_shard(
    folder: ShardFolder,
    form: ShardForm,
    shard: int,
    batches: Iterable[pa.RecordBatch],
    account: ShardAccount,
    journal: Journal,
    below: str = "",
) -> ShardAccount:
    """Writes a shard anew beside its place, and counts it again.

    Args:
        folder: The set.
        form: Of its shards, as they were planned.
        shard: The number of the shard.
        batches: Its record batches, as they will be.
        account: Its account as far as it is known: its rows, and what lists of removals changed.
        journal: Of the shard.
        below: The set's folder below that of the journal, with its slash.

    Returns:
        The new account, which is in the journal.

    Raises:
        OutputError: The shard is damaged.
    """
    manifest, file = folder.manifest, folder.manifest["shards"][shard]["file"]
    count = ShardCount(manifest["seq_len"] + 1, gaps=np.array(account.gaps, np.int64))
    documents = np.zeros(len(manifest["sources"]), np.int64)
    with journal.file(f"{below}{file}") as handle:
        digest, writer = HashingWriter(handle), None
        for batch in batches:
            if writer is None:
                writer = pa.ipc.new_stream(pa.PythonFile(digest, "w"), batch.schema)
            if batch.num_rows:
                documents += _begun(batch, count, account.rows, len(documents))
                verify_batch(folder, f"{file}, row {count.rows}", batch, count, {})
                writer.write_batch(batch)
        if writer is not None:
            writer.close()
    if count.faults:
        raise OutputError(f"{folder.root}: {count.faults[0]}. python -m pipeline.verify says what else is wrong.")
    by_row = count.counts(len(manifest["sources"]))
    shares = [float(entry["share_asked"]) for entry in manifest["mixture"].values()]
    if account.padding is not None:
        ids = count.rows * manifest["seq_len"] + 1 + len(count.gaps)
        account = replace(account, padding=ids - int(by_row[-1].sum() if len(by_row) else 0))
    found = prefixes(by_row.astype(np.float64), shares, form, shard)
    account = replace(
        account,
        rows=count.rows,
        bytes=digest.size,
        sha256=digest.digest.hexdigest(),
        tokens=by_row[-1].tolist() if len(by_row) else [0] * len(shares),
        documents=documents.tolist(),
        prefix_tokens=found.tokens,
        prefix_error=found.error,
        masked=count.masked(len(shares)),
    )
    journal.json(f"{below}_stats/{file.removesuffix('.arrow')}.json", account.as_json())
    return account


def _changes(before: ShardAccount, gaps: list[int], edit: Edit) -> dict[str, Any]:
    """What lists of removals changed in a shard so far."""
    then, none = before.optout or {}, [0] * len(edit.filled)
    filled, again = (
        [old + new for old, new in zip(then.get(key, none), now, strict=True)]
        for key, now in (("filled", edit.filled), ("again", edit.again))
    )
    return {"rows_out": then.get("rows_out", 0) + len(edit.out), "filled": filled, "again": again, "gaps": gaps}


def gaps_after(rows: int, gaps: Sequence[int], out: frozenset[int]) -> list[int]:
    """The rows before which others are missing, once some rows were taken out, as they are counted then."""
    found, number, missing, before = [], 0, False, set(gaps)
    for row in range(rows) if out else ():
        if row in out:
            missing = True
            continue
        if missing or row in before:
            found.append(number)
        number, missing = number + 1, False
    return found if out else list(gaps)


def edited_batches(folder: ShardFolder, file: str, edit: Edit) -> Iterator[pa.RecordBatch]:
    """The record batches of a shard with its changed rows, and without those taken out."""
    first, touched = 0, sorted([*edit.rows, *edit.out])
    for batch in read_batches(join(folder.root, file)):
        inside = [row for row in touched if first <= row < first + batch.num_rows]
        yield _edited(batch, first, inside, edit) if inside else batch
        first += batch.num_rows


def _edited(batch: pa.RecordBatch, first: int, touched: Sequence[int], edit: Edit) -> pa.RecordBatch:
    """A record batch with some of its rows changed, some gone."""
    changed = [row for row in touched if row in edit.rows]
    order = np.arange(batch.num_rows)
    order[[row - first for row in changed]] = batch.num_rows + np.arange(len(changed))
    order = np.delete(order, [row - first for row in touched if row in edit.out])
    parts = [batch, *([row_batch([edit.rows[row] for row in changed], batch.schema)] if changed else [])]
    table = pa.Table.from_batches(parts).combine_chunks().take(pa.array(order, pa.int64())).combine_chunks()
    found: list[pa.RecordBatch] = table.to_batches()
    return found[0] if found else batch.slice(0, 0)


def _begun(batch: pa.RecordBatch, count: ShardCount, rows: int, sources: int) -> Numbers:
    """How many documents of each source begin in a batch; one that begins on an id that two rows share counts once."""
    ids = np.asarray(batch.column("input_ids").flatten()).reshape(-1, count.width)
    found = segments_of(batch, ids)
    if found is None:
        raise OutputError("the lists of documents of a shard do not match")
    after = count.rows + found.rows + 1  # the row that has the shared id, too
    again = (found.begins == count.width - 1) & (after < rows) & ~np.isin(after, count.gaps)
    begins = found.is_start & (found.offsets == 0) & ~again
    return np.bincount(found.sources[begins], minlength=sources)
