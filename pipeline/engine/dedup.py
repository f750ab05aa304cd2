"""Exact dedup of units (lines, files, documents) by 64-bit hashes, without a text or a hash crossing a shuffle.

Three passes over a scope, each a function of files:

1. ``write_unit_hashes``, per shard: the distinct hashes, sorted and cut into partitions by their top bits, and for each
   unit the number of its hash. 4 bytes a unit and 8 bytes a distinct hash, or 16 for ``keep_smallest``, on disk.
2. ``find_duplicates``, per partition: reads its slice of every shard of the scope, finds the hashes that occur twice or
   more, and writes for each shard one bit a hash: dropped or not.
3. ``read_mask``, per shard: puts the bits together to one flag a unit.

Only the names of finished files pass through Beam, as the barrier between the passes: on the local runner a shuffled
collection stays in memory several times over, and a killed run would have to hash again. Here memory is bounded by
one shard in passes 1 and 3 (about 50 bytes a unit, 65 for ``keep_smallest``) and by one partition in pass 2 (about 55
bytes a distinct hash of each shard, or 100; measured on ten million), on any runner, and finished files are not made
again.

Policies, for a hash that occurs more than once in the scope:

- ``drop_all`` (CCNet): in two documents or more, all copies go; within one document the first stays.
- ``keep_first``: the copy that comes first in (shard, document, unit) order stays.
- ``keep_smallest``: the copy in the document of the smallest priority stays; ties go to the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.storage.filesystem import atomic_output, open_input
from pipeline.units import Hashes, Policy, Units

Flags = npt.NDArray[np.bool_]

HASHES_PER_PARTITION = 8_000_000

_HASH_SCHEMA = pa.schema([("hash", pa.uint64()), ("repeated", pa.bool_())])
_PRIORITY = pa.field("priority", pa.uint64())  # a third column for keep_smallest
_UNIT_SCHEMA = pa.schema([("number", pa.uint32()), ("candidate", pa.bool_())])
_DECISION_SCHEMA = pa.schema([("drop", pa.bool_())])


def partition_count(raw_bytes: int, unit_bytes: int) -> int:
    """How many partitions keep pass 2 to 8 million hashes each (results never depend on it).

    Args:
        raw_bytes: The scope's raw size.
        unit_bytes: The raw bytes in which one unit is expected, at the least.
    """
    return max(1, -(-raw_bytes // unit_bytes // HASHES_PER_PARTITION))


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
    order = np.argsort(hashes, kind="stable")  # equal hashes stay in reading order
    ordered = hashes[order]
    del hashes
    first = _is_first(ordered)
    number = _numbers(first)
    owner = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)[order]
    candidate, repeated, priority = _within_shard(first, number, owner, priorities, policy)
    _write(units_path, _UNIT_SCHEMA, [[_in_place_of(order, number), _in_place_of(order, candidate)]])
    distinct = ordered[first]
    columns = [distinct, repeated] if priority is None else [distinct, repeated, priority]
    spans = _spans(np.searchsorted(distinct, _boundaries(partitions)), distinct)
    schema = _HASH_SCHEMA if priority is None else _HASH_SCHEMA.append(_PRIORITY)
    _write(hashes_path, schema, [[column[a:b] for column in columns] for a, b in spans])
    return len(order)


def _is_first(ordered: npt.NDArray[Any]) -> Flags:
    """For each item of a sorted array, whether it differs from the one before."""
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first


def _numbers(first: Flags) -> npt.NDArray[np.uint32]:
    """Numbers the groups of a sorted array from 0 on, for each of its items."""
    return np.cumsum(first, dtype=np.uint32) - np.uint32(1)


def _in_place_of(order: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Undoes a sort: the values where they were before it."""
    result = np.empty_like(values)
    result[order] = values
    return result


def _within_shard(
    first: Flags,
    number: npt.NDArray[np.uint32],
    owner: npt.NDArray[np.uint32],
    priorities: Hashes,
    policy: Policy,
) -> tuple[Flags, Flags, Hashes | None]:
    """Which unit of each hash may stay, as far as one shard can tell.

    Args:
        first: For each unit, sorted by hash and then reading order, whether it is the first of its hash.
        number: The number of its hash.
        owner: The number of its document.
        priorities: The priority of each document.
        policy: The dedup policy.

    Returns:
        For each unit in that order, whether it may stay; for each hash, whether two documents hold it; for each hash,
        where the policy asks for it, the smallest priority of its documents.
    """
    other_owner = _is_first(owner) & ~first
    repeated = np.zeros(np.count_nonzero(first), bool)
    repeated[number[other_owner]] = True
    if policy == "drop_all":
        return first | other_owner, repeated, None
    if policy == "keep_first":
        return first, repeated, None
    candidate, smallest = _smallest_of_each(first, number, priorities[owner])
    return candidate, repeated, smallest


def _smallest_of_each(first: Flags, number: npt.NDArray[np.uint32], rank: Hashes) -> tuple[Flags, Hashes]:
    """For each item, whether it is the first of the smallest rank of its hash; and for each hash, that rank."""
    smallest = np.minimum.reduceat(rank, np.flatnonzero(first)) if len(rank) else rank
    best = np.flatnonzero(rank == smallest[number])
    chosen = np.zeros(len(first), bool)
    chosen[best[_is_first(number[best])]] = True
    return chosen, smallest


def find_duplicates(hash_paths: Sequence[str], decisions_path: str, partition: int, policy: Policy) -> None:
    """Pass 2: decides one partition of a scope.

    Args:
        hash_paths: The hash files of the scope's shards, in scope order.
        decisions_path: Where the decisions go: an Arrow IPC file with one record batch for each shard.
        partition: The partition's number.
        policy: The dedup policy.
    """
    slices = [_read_batch(path, partition) for path in hash_paths]
    ends = np.cumsum([len(s) for s in slices])[:-1]
    hashes = np.concatenate([_numpy(s, "hash") for s in slices])
    repeated = np.concatenate([_numpy(s, "repeated") for s in slices])
    priority = np.concatenate([_numpy(s, "priority") for s in slices]) if policy == "keep_smallest" else None
    del slices
    order = np.argsort(hashes, kind="stable")  # shards come in scope order, so ties stay in it
    first = _is_first(hashes[order])
    del hashes
    drop = ~first
    if policy == "drop_all":
        drop[:-1] |= ~first[1:]
        drop |= repeated[order]
    elif priority is not None:
        drop = ~_smallest_of_each(first, _numbers(first), priority[order])[0]
    _write(decisions_path, _DECISION_SCHEMA, [[part] for part in np.split(_in_place_of(order, drop), ends)])


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


def _write(path: str, schema: pa.Schema, batches: Sequence[Sequence[npt.NDArray[np.generic]]]) -> None:
    with atomic_output(path) as handle, pa.ipc.new_file(handle, schema) as writer:
        for columns in batches:
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _read_batch(path: str, number: int) -> pa.RecordBatch:
    with open_input(path) as handle, pa.ipc.open_file(handle) as reader:
        return reader.get_batch(number)


def _numpy(batch: pa.RecordBatch, column: str) -> npt.NDArray[Any]:
    return cast(npt.NDArray[Any], batch.column(column).to_numpy(zero_copy_only=False))
