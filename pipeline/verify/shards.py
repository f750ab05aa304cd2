"""Verifies a folder of token shards (``python -m pipeline.verify`` calls it where it meets one).

Checked: the files are those that the manifest and state.json list, with their checksums; rows overlap as they must,
and documents go on from row to row; every id is in the vocabulary, and every document begins with bos where the
manifest says so; documents are of the source that they are listed under; tokens, recounted for each source after each
row, are those of the manifest and of the stats, and reach the shares; a loss mask is as long as the rows, rows agree in
it on the id that they share, and it is off for as many ids as manifest and stats say; nothing that is held out is in
training, and no copy of it; the corpus and the token files are those of which the shards were made; and a sample of
rows has, id for id, what the tokenizer makes of the corpus, and of conversations the loss that their template says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus.manifest import CONFIGURATION, READERS_REMOTE, read_manifest
from pipeline.corpus.shard import Layout, read_json
from pipeline.errors import OutputError, UserError
from pipeline.mix.balance import balance, prefixes
from pipeline.mix.blocks import permutation
from pipeline.mix.conversations import columns_of_document
from pipeline.mix.encode import encode_document, load_encoder
from pipeline.mix.folder import (
    HELDOUT,
    KEPT_OUT,
    ShardAccount,
    padding_record,
    read_account,
    read_kept_out,
    sha256_of,
)
from pipeline.mix.gather import PADDING
from pipeline.mix.masks import mask_kept
from pipeline.mix.quotas import ShardForm
from pipeline.mix.rows import (
    Row,
    Segment,
    ShardFolder,
    open_folder,
    read_batches,
    read_document,
    read_row,
    store_of,
)
from pipeline.mix.shards import LOSS_MASK
from pipeline.mix.token_files import TokenStore
from pipeline.recipe import difference, fingerprint
from pipeline.source import HashingReader
from pipeline.storage.filesystem import exists, is_remote, join, list_names, open_input
from pipeline.verify.rows import Hashes, Numbers, ShardCount, verify_batch
from pipeline.verify.token_files import verify_inputs
from tokenizer.encode import Encoder

THREADS = 4
ROWS_SAMPLED, SHARDS_SAMPLED = 32, 128
FAULTS_SHOWN = 5
SHARE_TOLERANCE = 0.001  # of the budget
MEASURED_ALIKE = 1e-9
CURE = (
    "To mend it: remove the shards that are named, and run the same python -m pipeline.mix again, on the same corpus. "
    "It makes shards again that are missing or cut. Where the manifest or what lies beside it is named, remove the "
    "whole folder before."
)

CURE_AFTER_REMOVALS = (
    "To mend it: documents were taken out of these shards since they were made (optout in manifest.json), so the "
    "command that made them cannot mend them. Where only shares are named, use them as they are, or make shards anew: "
    "python -m pipeline.mix, to another --output."
)

AND_MASK = " What is made anew has no loss mask: run the same python -m pipeline.decontaminate --mask again then."

Spans = Mapping[int, list[tuple[int, int]]]


def rows_out(root: str) -> str:
    """What to say of rows that were taken out of sound shards, and what that did to shares; nothing where none were.

    Args:
        root: The folder.
    """
    said = []
    for folder in (root, join(root, HELDOUT)):
        if not exists(Layout(folder).manifest):
            continue
        manifest = read_json(Layout(folder).manifest)
        if gone := (manifest.get("optout") or {}).get("rows_out", 0):
            asked = {name: entry["share_asked"] for name, entry in manifest["mixture"].items()}
            total = max(1, sum(entry["tokens"] for entry in manifest["mixture"].values()))
            off = max(abs(entry["tokens"] / total - asked[name]) for name, entry in manifest["mixture"].items())
            where = "" if folder == root else "held out: "
            said.append(f"; {where}{gone:,} rows were taken out for removals, and shares are off by up to {off:.2%}")
    return "".join(said)


def verify_shards(root: str, *, checksums: bool = True, corpus: str | None = None) -> tuple[int, list[str]]:
    """Verifies a folder of shards, and the held-out set in it.

    Args:
        root: The folder.
        checksums: Whether every file is hashed, those of the corpus among them.
        corpus: Where the corpus lies now, if not where it did.

    Returns:
        The number of rows, and a sentence for each fault.
    """
    try:
        folder = open_folder(root, corpus)
        faults = list(_verify_frame(folder))
        held, kept_out, more = _heldout(folder, checksums, corpus)
        faults += more
        counts = _count_shards(folder, checksums, kept_out)
        faults += [fault for count in counts for fault in count.faults]
        copies = sum(int(np.isin(count.hashes(), held).sum()) for count in counts)
        if copies:
            faults.append(f"{root} has {copies:,} documents that are copies of held-out ones")
        if not any(count.faults for count in counts):
            sums = list(_verify_sums(folder, counts))
            faults += sums or _verify_sample(folder)
        if checksums and folder.manifest["kind"] == "train":
            faults += verify_inputs(folder)
        return sum(count.rows for count in counts), faults
    except UserError as error:
        return 0, [str(error)]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return 0, [f"{root}: its manifest is damaged: {error!r}"]


def cure(root: str) -> str:
    """What to do about a folder of shards with faults."""
    try:
        manifest = read_manifest(Layout(root)) or {}
    except OutputError:
        manifest = {}
    cure_ = CURE_AFTER_REMOVALS if "optout" in manifest else CURE
    return cure_ + AND_MASK if (manifest.get(LOSS_MASK) or {}).get("against") else cure_


def _heldout(folder: ShardFolder, checksums: bool, corpus: str | None) -> tuple[Hashes, Spans, list[str]]:
    """Of the held-out set the hashes of its documents, what must not be in training, and what is wrong with it."""
    root = join(folder.root, HELDOUT)
    if folder.manifest["kind"] != "train" or not folder.manifest["configuration"]["recipe"]["heldout_tokens"]:
        return np.empty(0, np.uint64), {}, []
    _, faults = verify_shards(root, checksums=checksums, corpus=corpus)
    if faults:
        return np.empty(0, np.uint64), {}, [f"{HELDOUT}: {fault}" for fault in faults]
    table, spans = read_kept_out(join(root, KEPT_OUT)), defaultdict(list)
    for number, start, stop in zip(*(table[key].to_pylist() for key in ("number", "start", "stop")), strict=True):
        spans[number].append((start, stop))
    held = open_folder(root, corpus)
    faults = list(_verify_kept_out(held, spans))
    if held.manifest["configuration"] != folder.manifest["configuration"]:
        faults.append(f"{root} was held out by another configuration than that of the shards")
    hashes = [count.hashes() for count in _count_shards(held, False, {})]
    return np.unique(np.concatenate(hashes)), spans, faults


def _verify_kept_out(held: ShardFolder, spans: Spans) -> Iterator[str]:
    """All that stands in the held-out set must be listed as kept out."""
    for entry in held.manifest["shards"]:
        for batch in read_batches(join(held.root, entry["file"])):
            numbers = set(np.unique(np.asarray(batch.column("doc_numbers").values)).tolist()) - {int(PADDING)}
            if not numbers <= spans.keys():
                yield f"{join(held.root, KEPT_OUT)} does not list all documents of {entry['file']}"
                return


def _verify_frame(folder: ShardFolder) -> Iterator[str]:
    """The lists of files must agree, and the configuration be that of the shards."""
    manifest, layout = folder.manifest, Layout(folder.root)
    listed = [entry["file"] for entry in manifest["shards"]]
    state = join(folder.root, "state.json")
    if exists(state) and read_json(state).get("_data_files") != [{"filename": file} for file in listed]:
        yield f"{state} does not list the files of the manifest"
    for name in sorted(list_names(folder.root, ".arrow") - {file.removesuffix(".arrow") for file in listed}):
        yield f"{join(folder.root, name)}.arrow is not in the manifest"
    for name, expected in manifest.get("files", {}).items():  # a version before wrote none
        path = join(folder.root, name)
        if not exists(path):
            yield f"{path} is missing: the command that made the shards writes it again"
        elif sha256_of(path) != expected:
            yield f"{path} has changed since it was written: the command that made the shards writes it again"
    path = join(folder.root, CONFIGURATION)
    if manifest["kind"] == "train":
        for line in difference(manifest["configuration"], read_json(path) if exists(path) else {})[:FAULTS_SHOWN]:
            yield f"{path} is not the manifest's configuration: {line}"
    if manifest["fingerprint"] != fingerprint([manifest["configuration"], [e["sha256"] for e in manifest["shards"]]]):
        yield f"{layout.manifest}: its fingerprint is not that of its shards and configuration"


def _count_shards(folder: ShardFolder, checksums: bool, kept_out: Spans) -> list[ShardCount]:
    entries = folder.manifest["shards"]

    def verified(entry: Mapping[str, Any]) -> ShardCount:
        return _verify_shard(folder, entry, checksums, kept_out)

    with ThreadPoolExecutor(READERS_REMOTE if is_remote(folder.root) else THREADS) as pool:
        return list(pool.map(verified, entries))


def planned_form(folder: ShardFolder) -> ShardForm:
    """The form of the shards as they were planned: rows that were taken out since count as if they were there."""
    manifest = folder.manifest
    rows = manifest["rows"] + manifest.get("optout", {}).get("rows_out", 0)
    return ShardForm(rows, manifest["seq_len"], manifest["configuration"]["recipe"]["shard_rows"])


def _verify_shard(folder: ShardFolder, entry: Mapping[str, Any], checksums: bool, kept_out: Spans) -> ShardCount:
    """Checks one shard row by row, and counts it."""
    path = join(folder.root, entry["file"])
    count = ShardCount(folder.manifest["seq_len"] + 1)
    try:
        if not exists(path):
            count.faults.append(f"{path} is missing")
            return count
        if checksums:
            with open_input(path) as handle:
                found = HashingReader(handle).finish()["sha256"]
            if found != entry["sha256"]:
                count.faults.append(f"{path} has changed: its sha256 is {found}, the manifest says {entry['sha256']}")
                return count
        account = read_account(Layout(folder.root), entry["file"].removesuffix(".arrow"))
        count.gaps = np.array(account.gaps, np.int64)
        for batch in read_batches(path):
            verify_batch(folder, f"{path}, row {count.rows}", batch, count, kept_out)
        if not count.faults:
            count.faults += _verify_account(folder, path, entry, account, count)
    except (OutputError, OSError) as error:
        count.faults.append(str(error))
    except (pa.ArrowException, KeyError, ValueError, IndexError) as error:
        count.faults.append(f"{path}, behind row {count.rows}, is damaged: {error}")
    return count


def _tokens(folder: ShardFolder, count: ShardCount) -> Numbers:
    counts = count.counts(len(folder.manifest["sources"]))
    return counts[-1] if len(counts) else np.zeros(len(folder.manifest["sources"]), np.int64)


def _verify_account(
    folder: ShardFolder, path: str, entry: Mapping[str, Any], account: ShardAccount, count: ShardCount
) -> Iterator[str]:
    counted = (count.rows, _tokens(folder, count).tolist())
    for name, claimed in (("manifest", (entry["rows"], entry["tokens"])), ("stats", (account.rows, account.tokens))):
        if claimed != counted:
            yield f"{path} holds {counted[0]} rows with {counted[1]} ids by source, the {name} says {claimed}"
    padding = count.rows * folder.manifest["seq_len"] + 1 + len(count.gaps) - sum(counted[1])
    if account.padding is not None and padding != account.padding:
        yield f"{path}: {padding} ids fill rows up, the stats say {account.padding}"
    masked = count.masked(len(folder.manifest["sources"]))
    if masked != account.masked:
        yield f"{path}: the loss is off for {masked} ids by source, the stats say {account.masked}"
    if (entry["sha256"], entry["bytes"]) != (account.sha256, account.bytes):
        yield f"{path}: manifest and stats differ"


def _verify_sums(folder: ShardFolder, counts: Sequence[ShardCount]) -> Iterator[str]:
    """The manifest's totals must be the sums of the shards, and the shares what was asked."""
    manifest = folder.manifest
    rows = sum(count.rows for count in counts)
    if rows != manifest["rows"]:
        yield f"{folder.root} holds {rows} rows, its manifest says {manifest['rows']}"
    tokens = sum((_tokens(folder, count) for count in counts), np.zeros(len(manifest["sources"]), np.int64))
    slack = SHARE_TOLERANCE + 2 * len(manifest["sources"]) * len(counts) / int(tokens.sum())  # rounded, and the tails
    # Rows that were taken out for want of anything to fill them with are told, and may be missing from any share.
    gone = (manifest.get("optout") or {}).get("rows_out", 0)
    slack += gone / max(rows + gone, 1)
    if "padding" in manifest:  # documents stay whole: of each source a document more or less
        slack += 2 * manifest["seq_len"] * len(manifest["sources"]) / int(tokens.sum())
        slack += manifest["padding_share"] * ("optout" in manifest)  # what went from whole rows is not filled
    for name, found in zip(manifest["sources"], tokens.tolist(), strict=True):
        entry = manifest["mixture"][name]
        if found != entry["tokens"]:
            yield f"{folder.root} holds {found} ids of {name}, its manifest says {entry['tokens']}"
        reached = found / int(tokens.sum())
        if abs(reached - entry["share_asked"]) > slack:
            yield f"{folder.root}: {name} has a share of {reached:.3%}, asked were {entry['share_asked']:.3%}"
    yield from _verify_balance(folder, counts)
    accounts = [read_account(Layout(folder.root), e["file"].removesuffix(".arrow")) for e in manifest["shards"]]
    for key, value in padding_record(accounts, manifest["seq_len"]).items():
        if value != manifest.get(key):
            yield f"{folder.root}: {key} is {value}, its manifest says {manifest.get(key)}"
    expected = mask_kept(manifest, [count.masked(len(manifest["sources"])) for count in counts])
    found_tokens, said = (value.get(LOSS_MASK, {}).get("tokens") for value in (expected, manifest))
    if found_tokens != said:
        yield f"{folder.root}: the loss is off for {found_tokens} ids by source, its manifest says {said}"


def _verify_balance(folder: ShardFolder, counts: Sequence[ShardCount]) -> Iterator[str]:
    """How far the shares are off after each row must be what the stats and the manifest say."""
    manifest, layout, form = folder.manifest, Layout(folder.root), planned_form(folder)
    shares = [Fraction(entry["share_asked"]) for entry in manifest["mixture"].values()]
    measured = []
    for shard, (entry, count) in enumerate(zip(manifest["shards"], counts, strict=True)):
        account = read_account(layout, entry["file"].removesuffix(".arrow"))
        by_row = count.counts(len(shares)).astype(np.float64)
        found = prefixes(by_row, [float(share) for share in shares], form, shard)
        measured.append(found)
        if abs(found.tokens - account.prefix_tokens) > 1 or abs(found.error - account.prefix_error) > MEASURED_ALIKE:
            said = f"its stats say {account.prefix_tokens} tokens and {account.prefix_error:.3%}"
            yield f"{entry['file']}: shares are off by {found.tokens} tokens and {found.error:.3%} after a row, {said}"
    tokens = [_tokens(folder, count).tolist() for count in counts]
    for key, value in balance(form, shares, tokens, measured).items():
        if abs(value - manifest[key]) > (1 if key == "prefix_tokens" else MEASURED_ALIKE):
            yield f"{layout.manifest}: {key} is {value}, it says {manifest[key]}"


def _verify_sample(folder: ShardFolder) -> Iterator[str]:
    """Encodes the documents of some rows, and compares id by id; ends at the first that cannot be read."""
    try:
        yield from _compare_sample(folder)
    except UserError as error:
        yield str(error)


def _compare_sample(folder: ShardFolder) -> Iterator[str]:
    rows, store = folder.manifest["rows"], store_of(folder)
    encoder = load_encoder(folder.tokenizer)
    if encoder.sha256 != folder.manifest["tokenizer_sha256"]:
        yield f"{folder.tokenizer} is not the tokenizer of the shards: its sha256 is {encoder.sha256}"
        return
    for number in sorted({*permutation(rows, rows, "verify")[:ROWS_SAMPLED].tolist(), *_one_of_each(folder)}):
        name, inside = folder.place(number)
        row = read_row(join(folder.root, name), inside)
        for segment in row.documents:
            where = f"{join(folder.root, name)}, row {inside}: ids {segment.start} to {segment.stop - 1}"
            ids, loss = _expected(folder, store, encoder, segment)
            if not np.array_equal(ids, row.ids[segment.start : segment.stop]):
                yield f"{where} are not in document {segment.number}"
            elif loss is not None and not _is_masked_so(folder, row, segment, loss):
                yield f"{where} have another loss mask than document {segment.number}"


def _one_of_each(folder: ShardFolder) -> Iterator[int]:
    """A row of each shard, of as many shards as are sampled."""
    first = 0
    for entry in folder.manifest["shards"][:SHARDS_SAMPLED]:
        yield first + int(permutation(entry["rows"], entry["file"], "verify")[0])
        first += entry["rows"]


def _expected(
    folder: ShardFolder, store: TokenStore, encoder: Encoder, segment: Segment
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
    """The ids that a piece of a document must have, and which of them have loss; None without a template."""
    document = read_document(folder, segment.number, columns_of_document(store.template))[2]
    ids, loss = encode_document(store, encoder, document)
    got = int(folder.got_bos(segment))
    part = slice(segment.offset, segment.offset + segment.stop - segment.start - got)
    expected = np.concatenate((np.array([folder.manifest["bos"]] * got, ids.dtype), ids[part]))
    return expected, None if loss is None else np.concatenate((np.zeros(got, np.bool_), loss[part]))


def _is_masked_so(folder: ShardFolder, row: Row, segment: Segment, loss: npt.NDArray[np.bool_]) -> bool:
    """Whether the loss of a piece is that of its document, but for what is off for evaluation samples."""
    if row.loss is None:
        return False
    found = row.loss[segment.start : segment.stop]
    if folder.manifest[LOSS_MASK]["against"]:
        return not (found & ~loss).any()
    return np.array_equal(found, loss)
