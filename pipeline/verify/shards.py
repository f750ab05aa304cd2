"""Verifies a folder of token shards (``python -m pipeline.verify`` calls it where it meets one).

Checked: the files are those that the manifest and state.json list, with their checksums; rows overlap as they must;
every id is in the vocabulary, and every document begins with bos where the manifest says so; documents are of the
source that they are listed under; tokens, recounted for each source, are those of the manifest and of the stats, and
reach the shares; none of the held-out documents is in training; and the texts of a sample of rows, decoded, stand in
the corpus.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus.manifest import CONFIGURATION, READERS_REMOTE
from pipeline.corpus.shard import Layout, read_json
from pipeline.errors import OutputError, UserError
from pipeline.mix.blocks import permutation
from pipeline.mix.folder import HELDOUT, ShardAccount, read_account
from pipeline.mix.graph import load_encoder
from pipeline.mix.rows import Row, Segment, ShardFolder, open_folder, read_batches, read_document, read_row
from pipeline.mix.tracing import find_ids
from pipeline.recipe import difference, fingerprint
from pipeline.source import HashingReader
from pipeline.storage.filesystem import exists, is_remote, join, list_names, open_input
from tokenizer.encode import Encoder

THREADS = 4
ROWS_SAMPLED = 32
FAULTS_SHOWN = 5
SHARE_TOLERANCE = 0.001  # of the budget
SHORTEST_PIECE = 4  # ids; fewer are found in any text

Numbers = npt.NDArray[np.int64]


@dataclass
class ShardCount:
    """What one shard holds: rows, ids by source, and what is wrong with it."""

    rows: int
    tokens: Numbers
    faults: list[str]


@dataclass(frozen=True)
class End:
    """The last id of a record batch, and its source."""

    id: int
    source: int


def verify_shards(root: str, *, checksums: bool = True, corpus: str | None = None) -> tuple[int, list[str]]:
    """Verifies a folder of shards, and the held-out set in it.

    Args:
        root: The folder.
        checksums: Whether every file is hashed.
        corpus: Where the corpus lies now, if not where it did.

    Returns:
        The number of rows, and a sentence for each fault.
    """
    try:
        folder = open_folder(root, corpus)
        faults = list(_verify_frame(folder))
        heldout = join(root, HELDOUT)
        held = np.empty(0, np.uint64)
        if exists(join(heldout, "manifest.json")):
            _, more = verify_shards(heldout, checksums=checksums, corpus=corpus)
            faults += [f"{HELDOUT}: {fault}" for fault in more]
            held = _document_numbers(open_folder(heldout, corpus)) if not more else held
        with ThreadPoolExecutor(READERS_REMOTE if is_remote(root) else THREADS) as pool:
            entries = folder.manifest["shards"]
            counts = list(pool.map(lambda entry: _verify_shard(folder, entry, checksums, held), entries))
        faults += [fault for count in counts for fault in count.faults]
        if not faults:
            faults += [*_verify_sums(folder, counts), *_verify_sample(folder)]
        return sum(count.rows for count in counts), faults
    except UserError as error:
        return 0, [str(error)]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return 0, [f"{root}: its manifest is damaged: {error!r}"]


def _verify_frame(folder: ShardFolder) -> Iterator[str]:
    """The lists of files must agree, and the configuration be that of the shards."""
    manifest, layout = folder.manifest, Layout(folder.root)
    listed = [entry["file"] for entry in manifest["shards"]]
    state = read_json(join(folder.root, "state.json"))
    if [entry["filename"] for entry in state["_data_files"]] != listed:
        yield f"{join(folder.root, 'state.json')} does not list the files of the manifest"
    for name in sorted(list_names(folder.root, ".arrow") - {file.removesuffix(".arrow") for file in listed}):
        yield f"{join(folder.root, name)}.arrow is not in the manifest"
    path = join(folder.root, CONFIGURATION)
    if manifest["kind"] == "train":
        for line in difference(manifest["configuration"], read_json(path) if exists(path) else {})[:FAULTS_SHOWN]:
            yield f"{path} is not the manifest's configuration: {line}"
    if manifest["fingerprint"] != fingerprint([manifest["configuration"], [e["sha256"] for e in manifest["shards"]]]):
        yield f"{layout.manifest}: its fingerprint is not that of its shards and configuration"


def _verify_shard(
    folder: ShardFolder, entry: Mapping[str, Any], checksums: bool, heldout: npt.NDArray[np.uint64]
) -> ShardCount:
    """Checks one shard row by row, and counts it."""
    path, sources = join(folder.root, entry["file"]), len(folder.manifest["sources"])
    count = ShardCount(0, np.zeros(sources, np.int64), [])
    try:
        if checksums:
            with open_input(path) as handle:
                found = HashingReader(handle).finish()["sha256"]
            if found != entry["sha256"]:
                count.faults.append(f"{path} has changed: its sha256 is {found}, the manifest says {entry['sha256']}")
                return count
        end = None
        for batch in read_batches(path):
            end = _verify_batch(folder, f"{path}, row {count.rows}", batch, end, count)
            if np.isin(np.asarray(batch.column("doc_numbers").values), heldout).any():
                count.faults.append(f"{path} has documents that are held out")
        if end:
            count.tokens[end.source] += 1
        account = read_account(Layout(folder.root), entry["file"].removesuffix(".arrow"))
        count.faults += _verify_account(path, entry, account, count)
    except (OutputError, OSError) as error:
        count.faults.append(str(error))
    except (pa.ArrowException, KeyError, ValueError, IndexError) as error:
        count.faults.append(f"{path}, behind row {count.rows}, is damaged: {error}")
    return count


def _verify_batch(
    folder: ShardFolder, where: str, batch: pa.RecordBatch, before: End | None, count: ShardCount
) -> End | None:
    """Checks a record batch and adds it to the count; gives its end, with which the next must begin."""
    batch.validate(full=True)
    manifest, width = folder.manifest, folder.manifest["seq_len"] + 1
    ids = np.asarray(batch.column("input_ids").values).reshape(-1, width)
    starts, owner = _owned(batch.column("doc_starts"), len(ids))
    sources, segment_owner = _owned(batch.column("doc_sources"), len(ids))
    numbers = np.asarray(batch.column("doc_numbers").values)
    runs_on = np.ones(len(ids), bool)
    runs_on[owner[starts == 0]] = False
    if len(numbers) != len(sources) or not np.array_equal(_counts(owner, ids) + runs_on, _counts(segment_owner, ids)):
        count.faults.append(f"{where} and following: the lists of documents do not match")
        return None
    linked = np.append(ids[0, 0] if before is None else before.id, ids[:-1, -1])
    faults = {
        "an id is not in the vocabulary": (ids >= manifest["vocab_size"]).any(),
        "a row does not begin with the last id of the row before": (ids[:, 0] != linked).any(),
        "a document begins without bos": manifest["inserts_bos"] and (ids[owner, starts] != manifest["bos"]).any(),
        "a document is listed under another source": (_sources_of(folder, numbers) != sources).any(),
    }
    count.faults += [f"{where} and following: {fault}" for fault, found in faults.items() if found]
    begins = np.zeros(len(sources), np.int64)
    first = np.append(0, np.cumsum(_counts(segment_owner, ids))[:-1])
    is_start = np.ones(len(sources), bool)
    is_start[first[runs_on]] = False
    begins[is_start] = starts
    stops = np.append(begins[1:], width - 1)  # a row's last id is counted as the first of the next
    stops[first[1:] - 1] = width - 1
    count.tokens += np.bincount(sources, stops - begins, len(count.tokens)).astype(np.int64)
    count.rows += len(ids)
    return End(int(ids[-1, -1]), int(sources[-1]))


def _owned(lists: pa.ListArray, rows: int) -> tuple[npt.NDArray[Any], Numbers]:
    """All values of a column of lists, and the row of each."""
    values = np.asarray(lists.flatten())
    return values.astype(np.int64), np.repeat(np.arange(rows), np.asarray(lists.value_lengths()))


def _counts(owner: Numbers, ids: npt.NDArray[Any]) -> Numbers:
    """How many values each row has."""
    return np.bincount(owner, minlength=len(ids))


def _sources_of(folder: ShardFolder, numbers: npt.NDArray[np.uint64]) -> Numbers:
    """The source of each document by its number; -1 for one that there is not."""
    firsts = np.array([file.first_number for file in folder.files], np.uint64)
    ends = firsts + np.array([file.documents for file in folder.files], np.uint64)
    sources = np.array([file.source for file in folder.files], np.int64)
    place = np.searchsorted(firsts, numbers, side="right") - 1
    found: Numbers = np.where(numbers < ends[place], sources[place], -1)
    return found


def _verify_account(path: str, entry: Mapping[str, Any], account: ShardAccount, count: ShardCount) -> Iterator[str]:
    counted = (count.rows, count.tokens.tolist())
    for name, claimed in (("manifest", (entry["rows"], entry["tokens"])), ("stats", (account.rows, account.tokens))):
        if claimed != counted:
            yield f"{path} holds {counted[0]} rows with {counted[1]} ids by source, the {name} says {claimed}"
    if (entry["sha256"], entry["bytes"]) != (account.sha256, account.bytes):
        yield f"{path}: manifest and stats differ"


def _verify_sums(folder: ShardFolder, counts: Sequence[ShardCount]) -> Iterator[str]:
    """The manifest's totals must be the sums of the shards, and the shares what was asked."""
    manifest = folder.manifest
    rows = sum(count.rows for count in counts)
    if rows != manifest["rows"]:
        yield f"{folder.root} holds {rows} rows, its manifest says {manifest['rows']}"
    tokens = sum((count.tokens for count in counts), np.zeros(len(manifest["sources"]), np.int64))
    slack = SHARE_TOLERANCE + 2 * len(manifest["sources"]) * len(counts) / int(tokens.sum())  # rounded, and the tails
    for name, found in zip(manifest["sources"], tokens.tolist(), strict=True):
        entry = manifest["mixture"][name]
        if found != entry["tokens"]:
            yield f"{folder.root} holds {found} ids of {name}, its manifest says {entry['tokens']}"
        reached = found / int(tokens.sum())
        if abs(reached - entry["share_asked"]) > slack:
            yield f"{folder.root}: {name} has a share of {reached:.3%}, asked were {entry['share_asked']:.3%}"


def _verify_sample(folder: ShardFolder) -> Iterator[str]:
    """Decodes the documents of some rows, and looks for them in the corpus."""
    rows = folder.manifest["rows"]
    encoder = load_encoder(folder.tokenizer)
    if encoder.sha256 != folder.manifest["tokenizer_sha256"]:
        yield f"{folder.tokenizer} is not the tokenizer of the shards: its sha256 is {encoder.sha256}"
        return
    for number in sorted(permutation(rows, rows, "verify")[:ROWS_SAMPLED].tolist()):
        name, inside = folder.place(number)
        row = read_row(join(folder.root, name), inside)
        for segment in row.segments:
            if not _is_in_corpus(folder, encoder, row, segment):
                where = f"{join(folder.root, name)}, row {inside}"
                yield f"{where}: ids {segment.start} to {segment.stop - 1} are not in document {segment.number}"


def _is_in_corpus(folder: ShardFolder, encoder: Encoder, row: Row, segment: Segment) -> bool:
    """Whether a piece of a document stands in it: its text, or, where the tokenizer changes texts, its ids."""
    special = (folder.manifest["bos"], folder.manifest["eos"])
    piece = row.ids[segment.start : segment.stop]
    piece = piece[~np.isin(piece, [number for number in special if number is not None])]
    if len(piece) < SHORTEST_PIECE:
        return True
    text = read_document(folder, segment.number, ["text"])[2]["text"]
    decoded = encoder.decode(piece).strip("\ufffd")  # a character that the row cuts in two
    return decoded in text or find_ids(encoder.encode(text), piece) >= 0


def _document_numbers(folder: ShardFolder) -> npt.NDArray[np.uint64]:
    """The distinct documents of a set, sorted."""
    paths = [join(folder.root, entry["file"]) for entry in folder.manifest["shards"]]
    parts = [np.unique(np.asarray(b.column("doc_numbers").values)) for path in paths for b in read_batches(path)]
    return np.unique(np.concatenate(parts))
