"""Cuts the ids of documents that went out of token files: what is left is what encoding the new Parquet file gives.

It follows from what the corpus records of its changes, for any tokenizer, and wherever the token files are kept.
Memory: the ids of one token file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.corpus.shard import read_json
from pipeline.corpus.sink import HashingWriter
from pipeline.errors import OutputError
from pipeline.mix.corpus import SUFFIX
from pipeline.mix.token_files import MARK, RunHasher, TokenReader, TokenStats, TokenStore
from pipeline.optout.journal import Journal
from pipeline.removals.records import Change, changed_files, later_changes, read_changes
from pipeline.removals.scan import FileMatches
from pipeline.source import HashingReader
from pipeline.storage.filesystem import exists, join, list_tree, open_input
from pipeline.storage.listing import match

PARTS = 4  # of a token file's name: the coding, the source, the subset, the shard


@dataclass(frozen=True)
class Stale:
    """A token file of a Parquet file from which documents went.

    Attributes:
        store: Where it lies.
        stats: What its stats say.
        changes: What went since it was made, in order.
    """

    store: TokenStore
    stats: TokenStats
    changes: Sequence[Change]


def changes_of(corpus: str, path: str, sha256: str) -> list[Change]:
    """What became of a Parquet file of a corpus since it had a checksum.

    Args:
        corpus: The corpus folder.
        path: The file, below it.
        sha256: The checksum.
    """
    *folder, subset, name = path.split("/")
    root = join(corpus, *folder)
    return later_changes(read_changes(root, name.removesuffix(SUFFIX)), f"{subset}/{name}", sha256)


def stale_files(root: str, corpus: str) -> Iterator[Stale]:
    """The token files below a folder that are of Parquet files as they were before documents went.

    Args:
        root: The folder, such as ``corpus/_tokens``.
        corpus: The corpus.
    """
    changed: dict[str, set[str]] = {}
    for name in list_tree(root, ".json"):
        parts = name.removesuffix(".json").split("/")
        if len(parts) < PARTS:
            continue
        source, shard = join(corpus, *parts[1:-2]), parts[-1]
        if source not in changed:
            changed[source] = set(changed_files(source))
        stats = _stats(join(root, *name.split("/"))) if shard in changed[source] else None
        if stats is None or stats.error or stats.format != stats.coding.format:  # the next mixture makes it again
            continue
        if changes := changes_of(corpus, stats.path, stats.sha256):
            yield Stale(TokenStore(corpus, root, stats.coding), stats, changes)


def _stats(path: str) -> TokenStats | None:
    try:
        values = read_json(path)
        return TokenStats.from_json(values)
    except (TypeError, KeyError, AttributeError, OutputError):
        return None


def cut(stale: Stale, journal: Journal) -> None:
    """Writes a token file without the documents that went, beside its place, and enters it into a journal.

    One that is damaged is removed, for the next mixture to make it again.
    """
    store, stats = stale.store, stale.stats
    tokens, beside = store.names(stats.path)
    if stale.changes[-1].after is None or not _is_whole(stale):
        journal.delete(beside)
        journal.delete(tokens)
        return
    with TokenReader(store, stats.path, stats.documents, stats.tokens) as reader:
        marks, ids = reader.all_marks(), np.empty(stats.tokens, store.coding.numpy)
        reader.ids(0, ids)
        loss = reader.loss(0, stats.tokens)
    keep = kept_rows(stats.documents, stale.changes)
    lengths = np.diff(marks["offset"])
    left_ids = np.repeat(keep, lengths)
    ids = ids[left_ids]
    loss = None if loss is None else loss[left_ids]
    left = np.zeros(int(keep.sum()) + 1, MARK)
    left["hash"][:-1] = marks["hash"][:-1][keep]
    left["offset"][1:] = np.cumsum(lengths[keep])
    runs, data = RunHasher(store.coding.numpy.itemsize), ids.tobytes()
    runs.add(data, loss)
    with journal.file(tokens) as handle:
        writer = HashingWriter(handle)
        for part in (data, left.tobytes(), runs.finish().tobytes(), runs.bits()):
            writer.write(part)
    place = join(store.corpus, *stats.path.split("/"))
    after = replace(
        stats,
        bytes=_size(place),
        sha256=stale.changes[-1].after,
        documents=len(left) - 1,
        empty=int(np.count_nonzero(left["hash"][:-1] == 0)),
        tokens=len(ids),
        text_bytes=stats.text_bytes - sum(change.text_bytes for change in stale.changes),
        tokens_sha256=writer.digest.hexdigest(),
    )
    journal.json(beside, after.as_json())


def kept_rows(documents: int, changes: Sequence[Change]) -> npt.NDArray[np.bool_]:
    """Which rows of a file are left after some changes [documents]; the rows of each are counted as it found them."""
    left = np.arange(documents)
    for change in changes:
        left = np.delete(left, change.rows)
    keep = np.zeros(documents, bool)
    keep[left] = True
    return keep


def _is_whole(stale: Stale) -> bool:
    place = stale.store.tokens(stale.stats.path)
    if not exists(place):
        return False
    with open_input(place) as handle:
        return bool(HashingReader(handle).finish()["sha256"] == stale.stats.tokens_sha256)


def _size(place: str) -> int:
    return match([place])[0].size


def count(store: TokenStore, root: str, found: FileMatches) -> int:
    """How many ids the listed rows of a Parquet file have; 0 where it has no token file.

    Args:
        store: The token files.
        root: The folder of its source.
        found: The rows.
    """
    below = os.path.relpath(os.path.realpath(root), os.path.realpath(store.corpus)).replace(os.sep, "/")
    path = f"{below}/{found.path}"
    stats = store.read_stats(path)
    if stats is None or stats.error or not exists(store.tokens(path)) or stats.documents <= found.rows[-1]:
        return 0
    with TokenReader(store, path, stats.documents, stats.tokens) as reader:
        sizes = np.diff(reader.all_marks()["offset"])
    return int(sizes[found.rows].sum())
