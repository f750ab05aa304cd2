"""Exact dedup of units (lines, files, documents) by 64-bit hashes, without a text or a hash crossing a shuffle.

Three passes over a scope, each a function of files:

1. ``write_unit_hashes``, per shard: the distinct hashes, sorted and cut into partitions by their top bits, and for each
   unit the number of its hash. 5 bytes a unit and 9 to 17 bytes a distinct hash, on disk.
2. ``find_duplicates``, per partition: reads its slice of every shard of the scope, finds the hashes that occur twice or
   more, and writes for each shard one bit a hash: dropped or not.
3. ``read_mask``, per shard: puts the bits together to one flag a unit.

Only the names of finished files pass through Beam, as the barrier between the passes: on the local runner a shuffled
collection stays in memory several times over, and a killed run would have to hash again. Here memory is bounded by
one shard in passes 1 and 3 (about 60 bytes a unit) and by one partition in pass 2 (about 40 bytes a distinct hash), on
any runner, and finished files are not made again.

Policies, for a hash that occurs more than once in the scope:

- ``drop_all`` (CCNet): in two documents or more, all copies go; within one document the first stays.
- ``keep_first``: the copy that comes first in (shard, document, unit) order stays.
- ``keep_smallest``: the copy in the document of the smallest priority stays; ties go to the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.filesystem import atomic_output, open_input

Policy = Literal["drop_all", "keep_first", "keep_smallest"]
Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

HASHES_PER_PARTITION = 8_000_000
RAW_BYTES_PER_HASH = 24  # gzipped WET text holds a distinct line in 40 to 60 bytes: an estimate on the safe side

_HASH_SCHEMA = pa.schema([("hash", pa.uint64()), ("repeated", pa.bool_()), ("priority", pa.uint64())])
_UNIT_SCHEMA = pa.schema([("number", pa.uint32()), ("candidate", pa.bool_())])
_DECISION_SCHEMA = pa.schema([("drop", pa.bool_())])


class Units(NamedTuple):
    """The units of one document: their hashes in order, and the document's priority (``keep_smallest`` only)."""

    hashes: Hashes
    priority: int = 0


def partition_count(raw_bytes: int) -> int:
    """How many partitions keep pass 2 near 320 MB, from a scope's raw size (results never depend on it)."""
    return max(1, -(-raw_bytes // RAW_BYTES_PER_HASH // HASHES_PER_PARTITION))


def write_unit_hashes(
    hashes_path: str, units_path: str, documents: Iterable[Units], policy: Policy, partitions: int
) -> int:
    """Pass 1: writes a shard's distinct hashes and its units; the hash file comes last and marks the pass done.

    Args:
        hashes_path: Where the distinct hashes go: an Arrow IPC file with one record batch for each partition.
        units_path: Where the units go: an Arrow IPC file.
        documents: The units of each document, in reading order.
        policy: The dedup policy.
        partitions: Number of partitions of the scope.

    Returns:
        The number of units.
    """
    listed = list(documents)
    counts = np.fromiter((len(d.hashes) for d in listed), np.int64, len(listed))
    priorities = np.fromiter((d.priority for d in listed), np.uint64, len(listed))
    hashes = np.concatenate([d.hashes for d in listed]) if listed else np.empty(0, np.uint64)
    del listed
    owner = np.repeat(np.arange(len(counts)), counts)
    distinct, number = np.unique(hashes, return_inverse=True)
    candidate, repeated, priority = _within_shard(number, owner, priorities, len(distinct), policy)
    _write(units_path, _UNIT_SCHEMA, [[number.astype(np.uint32), candidate]])
    cuts = np.searchsorted(distinct, _boundaries(partitions))
    columns = (distinct, repeated, priority if policy == "keep_smallest" else None)
    _write(
        hashes_path,
        _HASH_SCHEMA,
        [[None if c is None else c[a:b] for c in columns] for a, b in _spans(cuts, distinct)],
    )
    return len(hashes)


def _within_shard(
    number: npt.NDArray[np.int64],
    owner: npt.NDArray[np.int64],
    priorities: Hashes,
    distinct: int,
    policy: Policy,
) -> tuple[Flags, Flags, Hashes]:
    """Which unit of each hash may stay, as far as one shard can tell.

    Returns:
        For each unit, whether it may stay; for each hash, whether two documents hold it; for each hash, the smallest
        priority of its documents.
    """
    candidate = np.zeros(len(number), bool)
    pairs, first_of_pair = np.unique(owner * max(distinct, 1) + number, return_index=True)
    documents_with = (
        np.bincount(pairs % max(distinct, 1), minlength=distinct) if len(pairs) else np.zeros(distinct, int)
    )
    priority = np.zeros(distinct, np.uint64)
    if policy == "drop_all":
        candidate[first_of_pair] = True
    else:
        rank = priorities[owner] if policy == "keep_smallest" else np.zeros(len(number), np.uint64)
        order = np.lexsort((np.arange(len(number)), rank, number))
        leads = order[np.flatnonzero(np.diff(number[order], prepend=-1))]
        candidate[leads] = True
        priority = rank[leads]
    return candidate, documents_with > 1, priority


def find_duplicates(hash_paths: Sequence[str], decisions_path: str, partition: int, policy: Policy) -> None:
    """Pass 2: decides one partition of a scope.

    Args:
        hash_paths: The hash files of the scope's shards, in scope order.
        decisions_path: Where the decisions go: an Arrow IPC file with one record batch for each shard.
        partition: The partition's number.
        policy: The dedup policy.
    """
    slices = [_read_batch(path, partition) for path in hash_paths]
    hashes = np.concatenate([_numpy(s, "hash") for s in slices])
    order = np.argsort(hashes, kind="stable")  # shards come in scope order, so ties stay in it
    ordered = hashes[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))
    sizes = np.diff(np.append(starts, len(ordered)))
    drop = np.zeros(len(hashes), bool)
    if policy == "drop_all":
        repeated = np.concatenate([_numpy(s, "repeated") for s in slices])
        drop[order] = np.repeat(sizes > 1, sizes) | repeated[order]
    elif len(hashes):
        if policy == "keep_smallest":
            priority = np.concatenate([_numpy(s, "priority") for s in slices])
            order = order[np.lexsort((np.arange(len(order)), priority[order], ordered))]
        drop[:] = True
        drop[order[starts]] = False
    ends = np.cumsum([len(s) for s in slices])[:-1]
    _write(decisions_path, _DECISION_SCHEMA, [[part] for part in np.split(drop, ends)])


def read_mask(units_path: str, decision_paths: Sequence[str], position: int) -> Flags:
    """Pass 3: which units of a shard stay.

    Args:
        units_path: The shard's units.
        decision_paths: The scope's decisions, in the order of partitions.
        position: The shard's place in the scope.

    Returns:
        One flag a unit, in reading order.
    """
    drop = np.concatenate([_numpy(_read_batch(path, position), "drop") for path in decision_paths])
    units = _read_batch(units_path, 0)
    kept: Flags = _numpy(units, "candidate") & ~drop[_numpy(units, "number")]
    return kept


def _boundaries(partitions: int) -> Hashes:
    """Lower bounds of the partitions 1, 2, ...: equal ranges of the 64-bit hashes."""
    return np.array([(p << 64) // partitions for p in range(1, partitions)], np.uint64)


def _spans(cuts: npt.NDArray[np.int64], distinct: Hashes) -> list[tuple[int, int]]:
    bounds = [0, *cuts.tolist(), len(distinct)]
    return list(pairwise(bounds))


def _write(path: str, schema: pa.Schema, batches: Sequence[Sequence[npt.NDArray[np.generic] | None]]) -> None:
    with atomic_output(path) as handle, pa.ipc.new_file(handle, schema) as writer:
        for columns in batches:
            rows = len(columns[0]) if columns[0] is not None else 0
            arrays = [
                pa.nulls(rows, field.type) if c is None else pa.array(c, field.type)
                for c, field in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _read_batch(path: str, number: int) -> pa.RecordBatch:
    with open_input(path) as handle, pa.ipc.open_file(handle) as reader:
        return reader.get_batch(number)


def _numpy(batch: pa.RecordBatch, column: str) -> npt.NDArray[Any]:
    return cast(npt.NDArray[Any], batch.column(column).to_numpy(zero_copy_only=False))
