"""Verifies the rows of token shards: that they hang together, what is in them, and how many ids of each source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.mix.blocks import TokenFile
from pipeline.mix.gather import PADDING
from pipeline.mix.rows import ShardFolder, loss_of
from pipeline.mix.token_files import hash_ids

Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Losses = npt.NDArray[np.bool_]


@dataclass
class ShardCount:
    """What one shard holds.

    Attributes:
        width: Ids of a row.
        rows: Its rows.
        by_row: For each batch, ids of each source in each row; a row's last id counts as the first of the next.
        whole: Hashes of documents that stand in one row as a whole.
        faults: What is wrong with it.
        gaps: The rows before which rows were taken out.
        end: The last id of all, and of what it is.
        off: For each batch with a loss mask, ids of each source for which the loss is off, counted likewise.

    Ids that are of no document, and fill a row up, are counted with none.
    """

    width: int
    rows: int = 0
    by_row: list[Numbers] = field(default_factory=list)
    whole: list[Hashes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    gaps: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    end: End | None = None
    off: list[Numbers] = field(default_factory=list)

    def counts(self, sources: int) -> Numbers:
        """Ids of each source up to the end of each row [rows, sources]; the shard's last id at its end."""
        counts = np.concatenate([np.zeros((0, sources), np.int64), *self.by_row]).cumsum(axis=0)
        if self.end is not None and self.end.is_document:
            counts[-1, self.end.source] += 1
        return counts

    def masked(self, sources: int) -> list[int] | None:
        """Ids of each source for which the loss is off; None where there is no loss mask."""
        if not self.off:
            return None
        counts = np.sum(self.off, axis=0)
        if self.end is not None and self.end.is_document and not self.end.loss:
            counts[self.end.source] += 1
        found: list[int] = counts.tolist()
        return found

    def hashes(self) -> Hashes:
        """The hashes of all documents that stand in one row as a whole."""
        return np.concatenate([np.empty(0, np.uint64), *self.whole])


@dataclass(frozen=True)
class End:
    """The last id of a record batch: its source, its document, which id of the document would follow, and its loss."""

    id: int
    source: int
    number: int
    offset: int
    loss: bool = True

    @property
    def is_document(self) -> bool:
        """Whether it is of a document; else it fills a row up."""
        return self.number != int(PADDING)


@dataclass(frozen=True)
class Segments:
    """The documents in the rows of a batch, or parts of them, one row after the other.

    Attributes:
        rows: The row of each [S].
        begins: Where in the row it begins.
        stops: Where it ends; a row's last id is left to the next.
        is_start: Whether it begins here; else it runs on from the row before.
        sources: Its source.
        numbers: Its document.
        offsets: Which id of its document its first one is, a bos that it got left out.
    """

    rows: Numbers
    begins: Numbers
    stops: Numbers
    is_start: npt.NDArray[np.bool_]
    sources: Numbers
    numbers: Hashes
    offsets: Numbers

    @property
    def are_documents(self) -> npt.NDArray[np.bool_]:
        """Whether each is of a document; else it fills a row up."""
        are: npt.NDArray[np.bool_] = self.numbers != PADDING
        return are

    def got_bos(self, inserts: bool) -> Numbers:
        """1 where a part of a document got a bos of its own."""
        return (self.is_start & (self.offsets > 0) & inserts).astype(np.int64)


def verify_batch(
    folder: ShardFolder,
    where: str,
    batch: pa.RecordBatch,
    count: ShardCount,
    kept_out: Mapping[int, list[tuple[int, int]]],
) -> None:
    """Checks a record batch, and adds it to the count.

    Args:
        folder: The shards.
        where: The batch's place, for messages.
        batch: The batch.
        count: Of the shard so far.
        kept_out: By number, the ids of documents that must not be in it.
    """
    batch.validate(full=True)
    ids = np.asarray(batch.column("input_ids").values).reshape(-1, count.width)
    found = segments_of(batch, ids)
    if found is None:
        count.faults.append(f"{where} and following: the lists of documents do not match")
        return
    manifest, starts = folder.manifest, found.is_start & found.are_documents
    loss = loss_of(batch)
    before, count.end = count.end, _end(folder, found, ids, loss)
    linked = np.append(ids[0, 0] if before is None else before.id, ids[:-1, -1])
    gaps = count.gaps[(count.gaps >= count.rows) & (count.gaps < count.rows + len(ids))] - count.rows
    linked[gaps] = ids[gaps, 0]
    faults = {
        "an id is not in the vocabulary": (ids >= manifest["vocab_size"]).any(),
        "a row does not begin with the last id of the row before": (ids[:, 0] != linked).any(),
        "a document begins without bos": manifest["inserts_bos"]
        and (ids[found.rows[starts], found.begins[starts]] != manifest["bos"]).any(),
        "a document is listed under another source": _of_another_source(folder.files, found),
        "rows are filled up where documents are cut at their ends": "padding" not in manifest
        and not found.are_documents.all(),
        "what fills a row up has a loss, or other ids than eos": _fills_wrongly(manifest, found, ids, loss),
        "a document does not go on where the row before left it": not _goes_on(folder, found, before, gaps),
        "a row has a loss for its first id that the row before has not": not _masks_agree(loss, before, gaps),
        "only some record batches have a loss mask": count.rows and bool(count.off) != (loss is not None),
    }
    count.faults += [f"{where} and following: {fault}" for fault, wrong in faults.items() if wrong]
    if kept_out and _holds(folder, found, kept_out):
        count.faults.append(f"{where} and following: text that is held out")
    by_row = _by_row(found, len(ids), len(manifest["sources"]))
    if before is not None and before.is_document and len(gaps) and gaps[0] == 0:
        count.by_row[-1][-1, before.source] += 1  # a last id that no row goes on from counts where it stands
    ends = _last_of_rows(found, gaps[gaps > 0] - 1)
    ends = ends[found.are_documents[ends]]
    np.add.at(by_row, (found.rows[ends], found.sources[ends]), 1)
    count.by_row.append(by_row)
    if loss is not None:
        off = _off_by_source(found, loss, len(manifest["sources"]))
        if before is not None and before.is_document and len(gaps) and gaps[0] == 0:
            off[before.source] += not before.loss
        np.add.at(off, found.sources[ends], ~loss[found.rows[ends], -1])
        count.off.append(off)
    count.whole.append(_whole(folder, found, ids, loss if folder.manifest.get("template") else None))
    count.rows += len(ids)


def segments_of(batch: pa.RecordBatch, ids: npt.NDArray[Any]) -> Segments | None:
    """The documents of a batch; None where its lists contradict each other."""
    starts, owner = _owned(batch.column("doc_starts"))
    sources, rows = _owned(batch.column("doc_sources"))
    numbers, offsets = (np.asarray(batch.column(name).flatten()) for name in ("doc_numbers", "doc_offsets"))
    counts = np.bincount(rows, minlength=len(ids))
    runs_on = np.ones(len(ids), bool)
    runs_on[owner[starts == 0]] = False
    listed = np.bincount(owner, minlength=len(ids)) + runs_on
    if not len(numbers) == len(offsets) == len(sources) or not np.array_equal(listed, counts) or not counts.all():
        return None
    first = np.cumsum(counts) - counts
    is_start = np.ones(len(sources), bool)
    is_start[first[runs_on]] = False
    begins = np.zeros(len(sources), np.int64)
    begins[is_start] = starts
    last = ids.shape[1] - 1  # a row's last id is counted as the first of the next
    stops = np.append(begins[1:], last)
    stops[first[1:] - 1] = last
    return Segments(rows, begins, stops, is_start, sources, numbers, offsets.astype(np.int64))


def _owned(lists: pa.ListArray) -> tuple[Numbers, Numbers]:
    """All values of a column of lists, and the row of each."""
    values = np.asarray(lists.flatten())
    return values.astype(np.int64), np.repeat(np.arange(len(lists)), np.asarray(lists.value_lengths()))


def _sources_of(files: list[TokenFile], numbers: Hashes) -> Numbers:
    """The source of each document by its number; -1 for one that there is not."""
    firsts = np.array([file.first_number for file in files], np.uint64)
    ends = firsts + np.array([file.documents for file in files], np.uint64)
    sources = np.array([file.source for file in files], np.int64)
    place = np.searchsorted(firsts, numbers, side="right") - 1
    found: Numbers = np.where(numbers < ends[place], sources[place], -1)
    return found


def _of_another_source(files: list[TokenFile], found: Segments) -> bool:
    """Whether a document is listed under another source than its own."""
    are = found.are_documents
    return bool((_sources_of(files, found.numbers[are]) != found.sources[are]).any())


def _fills_wrongly(manifest: Mapping[str, Any], found: Segments, ids: npt.NDArray[Any], loss: Losses | None) -> bool:
    """Whether ids that fill rows up are others than eos, or have loss."""
    are = found.are_documents
    if are.all():
        return False
    if loss is None:
        return True
    filling = np.repeat(~are, found.stops - found.begins).reshape(len(ids), -1)
    return bool((ids[:, :-1][filling] != manifest["eos"]).any() or loss[:, :-1][filling].any())


def _end(folder: ShardFolder, found: Segments, ids: npt.NDArray[Any], loss: Losses | None) -> End:
    reached = found.offsets + found.stops - found.begins - found.got_bos(folder.manifest["inserts_bos"])
    reach = int(max(reached[-1], found.offsets[-1]))
    on = loss is None or bool(loss[-1, -1])
    return End(int(ids[-1, -1]), int(found.sources[-1]), int(found.numbers[-1]), reach, on)


def _last_of_rows(found: Segments, rows: Numbers) -> Numbers:
    """The last document in each of some rows."""
    last: Numbers = np.searchsorted(found.rows, rows, side="right") - 1
    return last


def _goes_on(folder: ShardFolder, found: Segments, before: End | None, gaps: Numbers) -> bool:
    """Whether each row that runs on from the one before is of its document, and of the id that comes next there.

    A row before which others were taken out may run on from one of those.
    """
    reached = found.offsets + found.stops - found.begins - found.got_bos(folder.manifest["inserts_bos"])
    reached = np.maximum(reached, found.offsets)  # of a part whose bos is a row's last id
    running = np.flatnonzero(~found.is_start & ~np.isin(found.rows, gaps))
    if len(running) and running[0] == 0:
        if before is None or (before.number, before.offset) != (found.numbers[0], found.offsets[0]):
            return False
        running = running[1:]
    same = found.numbers[running] == found.numbers[running - 1]
    return bool((same & (found.offsets[running] == reached[running - 1])).all())


def _masks_agree(loss: Losses | None, before: End | None, gaps: Numbers) -> bool:
    """Whether rows that share an id have the same loss for it."""
    if loss is None:
        return True
    linked = np.append(loss[0, 0] if before is None else before.loss, loss[:-1, -1])
    linked[gaps] = loss[gaps, 0]
    return bool((loss[:, 0] == linked).all())


def _off_by_source(found: Segments, loss: Losses, sources: int) -> Numbers:
    """Ids of each source for which the loss is off; a row's last id is left to the next."""
    of_id = np.repeat(found.sources, found.stops - found.begins).reshape(len(loss), -1)
    of_document = np.repeat(found.are_documents, found.stops - found.begins).reshape(len(loss), -1)
    return np.bincount(of_id[~loss[:, :-1] & of_document], minlength=sources).astype(np.int64)


def _holds(folder: ShardFolder, found: Segments, kept_out: Mapping[int, list[tuple[int, int]]]) -> bool:
    """Whether ids of documents are there that must not be."""
    candidates = np.flatnonzero(np.isin(found.numbers, np.fromiter(kept_out, np.uint64, len(kept_out))))
    bos = found.got_bos(folder.manifest["inserts_bos"])
    for segment in candidates.tolist():
        first = int(found.offsets[segment])
        last = first + int(found.stops[segment] - found.begins[segment] - bos[segment])
        if any(start < last and first < stop for start, stop in kept_out[int(found.numbers[segment])]):
            return True
    return False


def _by_row(found: Segments, rows: int, sources: int) -> Numbers:
    place, sizes = found.rows * sources + found.sources, (found.stops - found.begins) * found.are_documents
    return np.bincount(place, sizes, rows * sources).astype(np.int64).reshape(rows, sources)


def _whole(folder: ShardFolder, found: Segments, ids: npt.NDArray[Any], loss: Losses | None) -> Hashes:
    """Hashes of the documents that stand in one row from their beginning to the eos; of none where there is no eos.

    What ends with eos at the end of a row is no document yet: a conversation has an eos behind each answer.
    """
    manifest = folder.manifest
    if not manifest["inserts_eos"]:
        return np.empty(0, np.uint64)
    ends = ids[found.rows, np.maximum(found.stops - 1, 0)] == manifest["eos"]
    are = found.are_documents & (found.offsets == 0)
    is_followed = np.append(found.rows[1:] == found.rows[:-1], False)
    whole = np.flatnonzero(found.is_start & are & ends & is_followed & (found.stops > found.begins))
    places = (
        found.rows[whole] * ids.shape[1] + found.begins[whole],
        found.rows[whole] * ids.shape[1] + found.stops[whole],
    )
    flat, mask = ids.ravel(), None if loss is None else loss.ravel()
    hashes = [
        hash_ids(flat[a:b], np.array([0, b - a]), None if mask is None else mask[a:b])[0]
        for a, b in zip(*(p.tolist() for p in places), strict=True)
    ]
    return np.array(hashes, np.uint64)
