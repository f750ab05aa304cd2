"""Has the loss off, in token shards, for the ids of documents that are evaluation samples.

Which ids these are, the texts and the token files say: of a document that holds too much of a sample, all ids that
stand for any of the words of its n-grams, and all runs of its ids. They are then no targets in any row that has them;
they are read all the same. A shard is written anew only where that changes it; no id of it changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.manifest import read_manifest
from pipeline.corpus.shard import MANIFEST, Layout
from pipeline.decontaminate.data import Data, DataFile
from pipeline.decontaminate.places import marked_ids, runs_of, spans_of, word_places
from pipeline.decontaminate.report import against_of
from pipeline.decontaminate.scan import Indexes, Question
from pipeline.decontaminate.summary import FoundDocument
from pipeline.engine.state import held
from pipeline.errors import InputError
from pipeline.mix.conversations import columns_of_document, document_spans
from pipeline.mix.encode import load_encoder
from pipeline.mix.folder import read_account, set_fingerprint, shard_entries
from pipeline.mix.masks import fingerprints_before, mask_record
from pipeline.mix.rows import Row, ShardFolder, loss_of, read_batches
from pipeline.mix.shards import LOSS_MASK, mask_field
from pipeline.mix.token_files import TokenReader
from pipeline.optout.journal import Journal, finish_pending
from pipeline.optout.manifests import below_root
from pipeline.optout.sets import look_through, read_rows, stage_shard
from pipeline.optout.spans import mask_column
from pipeline.removals.records import is_pending
from pipeline.storage.filesystem import is_remote, join, open_input
from pipeline.verify.shards import planned_form
from tokenizer.encode import Encoder

END = "_masks"  # the journal of a set's manifest
Marked = npt.NDArray[np.bool_]
Spans = Mapping[int, Sequence[tuple[int, int]]]  # by document: ids of it, from one to another


@dataclass(frozen=True)
class Masked:
    """What was done to a set of token shards.

    Attributes:
        shards: How many were written anew.
        before: Ids of each source for which the loss was off before.
        after: Ids of each source for which it is off now.
    """

    shards: int
    before: dict[str, int]
    after: dict[str, int]


def find_masks(
    data: Data, indexes: Indexes, found: Sequence[FoundDocument], seen: list[int] | None = None
) -> dict[int, list[tuple[int, int]]]:
    """The ids of documents, by their number, for which the loss is to be off; an id is counted in its document's own.

    Args:
        data: Token shards and what they were made of.
        indexes: The samples.
        found: What was found; of documents with too much of no sample nothing is masked.
        seen: Counts the documents.

    Raises:
        UserError: The corpus or its token files are not there any more, or damaged.
    """
    assert data.shards is not None
    encoder = load_encoder(data.shards.tokenizer)
    listed: dict[str, list[FoundDocument]] = {}
    for document in found:
        if document.over:
            listed.setdefault(document.path, []).append(document)
    spans = {}
    for file in data.files:
        for number, marked in _masks_of(data, indexes, encoder, file, listed.get(file.path, ())):
            spans[number] = runs_of(marked)
            if seen is not None:
                seen[0] += 1
    return spans


def _masks_of(
    data: Data, indexes: Indexes, encoder: Encoder, file: DataFile, listed: Sequence[FoundDocument]
) -> Iterator[tuple[int, Marked]]:
    """Of some documents of a file their numbers, and which of their ids are masked."""
    if not listed:
        return
    assert file.numbered is not None
    if file.tokens is None or data.store is None:
        raise InputError(f"{file.path} has no token file, by which alone its ids are known: python -m pipeline.mix")
    numbers = file.numbered.numbers()
    place = join(data.corpus, *file.path.split("/"))
    texts = dict(_documents(place, [document.row for document in listed], columns_of_document(data.store.template)))
    with TokenReader(data.store, file.path, file.tokens.documents, file.tokens.tokens) as reader:
        for document in listed:
            marks = reader.marks(document.row, 1)
            ids = np.empty(int(marks["offset"][1] - marks["offset"][0]), reader.kind)
            reader.ids(int(marks["offset"][0]), ids)
            reader.check(marks, ids, 0)
            samples = np.array(document.over, np.int64)
            yield int(numbers[document.row]), _marked(data, indexes, encoder, texts[document.row], ids, samples)


def _marked(
    data: Data,
    indexes: Indexes,
    encoder: Encoder,
    document: Mapping[str, Any],
    ids: npt.NDArray[Any],
    samples: npt.NDArray[np.int64],
) -> Marked:
    """Which ids of a document, bos and eos among them, are of some samples; ids of a template are of none."""
    assert data.store is not None
    marked, text = np.zeros(len(ids), np.bool_), document["text"] or ""
    if indexes.words is not None:
        words = indexes.words.marked(text, samples)
        if words.any():
            spans = spans_of(words, word_places(indexes.words.hasher, text))
            own, bounds = document_spans(encoder, data.store.coding, data.store.template, document)
            marked = marked_ids(own, bounds, ids, spans, data.store.coding)
    if indexes.tokens is not None:
        marked |= indexes.tokens.marked(ids, samples)
    return marked


def _documents(place: str, rows: Sequence[int], columns: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Columns of some rows of a Parquet file, ascending; memory is that of a row group."""
    try:
        with open_input(place) as handle:
            parquet, first, wanted = pq.ParquetFile(handle), 0, np.array(sorted(rows), np.int64)
            for group in range(parquet.num_row_groups):
                count = parquet.metadata.row_group(group).num_rows
                inside = wanted[(wanted >= first) & (wanted < first + count)]
                if len(inside):
                    some = parquet.read_row_group(group, columns).take(inside - first)
                    yield from zip(inside.tolist(), some.to_pylist(), strict=True)
                first += count
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{place} cannot be read: {error}") from error


def mask_shards(folder: ShardFolder, spans: Spans, question: Question, indexes: Indexes, threshold: float) -> Masked:
    """Has the loss off for ids of documents in a set of token shards; where it is off already it stays so.

    Killed at any point, the same call ends it.

    Args:
        folder: The set.
        spans: The ids.
        question: What was looked for.
        indexes: The samples.
        threshold: The share of a sample that is too much.

    Raises:
        UserError: A shard is damaged, or somebody else is at work there.
    """
    root = _above(folder.root) if folder.manifest["kind"] == "heldout" else folder.root
    with held(Layout(root)):
        finish_pending(root)
        if is_pending(root):
            raise InputError(
                f"removals from {root} were begun and not ended: run the same python -m pipeline.optout first"
            )
        drawn, shards = look_through(folder, np.array(sorted(spans), np.int64)), 0
        for shard, entry in enumerate(folder.manifest["shards"]):
            shards += _mask_shard(root, folder, shard, spans, drawn.rows.get(entry["file"], ()))
        against = _against(question, indexes, threshold)
        return _finish(root, folder, against, shards)


def _above(root: str) -> str:
    """The folder of all sets, of that of the held-out one."""
    return root.rpartition("/")[0] if is_remote(root) else os.path.dirname(os.path.abspath(root))


def _mask_shard(root: str, folder: ShardFolder, shard: int, spans: Spans, rows: Sequence[int]) -> bool:
    """Writes a shard anew where its mask changes; tells whether it did."""
    file, below = folder.manifest["shards"][shard]["file"], below_root(root, folder)
    changed = {}
    for number, row in read_rows(folder, file, rows).items():
        before = np.ones(len(row.ids), np.bool_) if row.loss is None else row.loss
        after = before & ~masked_in(folder, row, spans)
        if not np.array_equal(before, after):
            changed[number] = after
    if not changed:
        return False
    journal = Journal(root, f"{below.replace('/', '-')}{file}")
    account = read_account(Layout(folder.root), file.removesuffix(".arrow"))
    stage_shard(folder, planned_form(folder), shard, _masked(folder, file, changed), account, journal, below)
    journal.commit()
    return True


def masked_in(folder: ShardFolder, row: Row, spans: Spans) -> Marked:
    """Which ids of a row are among some ids of documents."""
    found = np.zeros(len(row.ids), np.bool_)
    for segment in row.segments:
        begin = segment.start + folder.got_bos(segment)
        for first, stop in spans.get(segment.number, ()):
            low, high = (begin + place - segment.offset for place in (first, stop))
            found[max(begin, low) : max(begin, min(segment.stop, high))] = True
    return found


def _masked(folder: ShardFolder, file: str, changed: Mapping[int, Marked]) -> Iterator[pa.RecordBatch]:
    """The record batches of a shard with a loss mask, that of some rows changed."""
    first, width = 0, folder.manifest["seq_len"] + 1
    for batch in read_batches(join(folder.root, file)):
        loss = loss_of(batch)
        loss = np.ones((batch.num_rows, width), np.bool_) if loss is None else loss.copy()
        for row, value in changed.items():
            if first <= row < first + batch.num_rows:
                loss[row - first] = value
        names = [name for name in batch.schema.names if name != LOSS_MASK]
        schema = pa.schema([*map(batch.schema.field, names), mask_field(width - 1)], batch.schema.metadata)
        columns = [*map(batch.column, names), mask_column(list(loss), width)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        first += batch.num_rows


def _against(question: Question, indexes: Indexes, threshold: float) -> list[dict[str, Any]]:
    """Which sets were looked for, and how, as the manifest has it."""
    methods = [name for name, used in (("words", question.words), ("tokens", question.tokens)) if used]
    how = {"methods": methods, "ngram": question.n, "threshold": threshold}
    return [{key: entry[key] for key in ("set", "sha256", "fields")} | how for entry in against_of(indexes)]


def _finish(root: str, folder: ShardFolder, against: Sequence[Mapping[str, Any]], shards: int) -> Masked:
    """Writes the set's manifest, where it is not that of its shards and their mask."""
    manifest, before = dict(folder.manifest), folder.manifest.get(LOSS_MASK) or {}
    accounts = [read_account(Layout(folder.root), entry["file"].removesuffix(".arrow")) for entry in manifest["shards"]]
    manifest |= {"shards": shard_entries(accounts), "fingerprint": set_fingerprint(manifest["configuration"], accounts)}
    then = before.get("against", [])
    record = mask_record(
        manifest,
        [account.masked for account in accounts],
        [*then, *(entry for entry in against if entry not in then)],
        before.get("earlier", [])
        if manifest["fingerprint"] == folder.manifest["fingerprint"]
        else fingerprints_before(folder.manifest, now=manifest["fingerprint"]),
    )
    manifest |= {} if record is None else {LOSS_MASK: record}
    if manifest != read_manifest(Layout(folder.root)):
        end = Journal(root, END)
        end.json(f"{below_root(root, folder)}{MANIFEST}", manifest)
        end.commit()
    nothing = dict.fromkeys(manifest["sources"], 0)
    return Masked(shards, before.get("tokens", nothing), record["tokens"] if record else nothing)
