"""Exact dedup of units (lines, files, documents) by 64-bit hashes, without a text crossing a shuffle.

Three passes over a scope:

1. ``write_unit_hashes``, per shard: the distinct hashes, sorted and cut into bands by their top bits, and for each unit
   the number of its hash. 4 bytes a unit and 8 bytes a distinct hash, or 16 for ``keep_smallest``, on disk.
2. ``find_duplicates``, per partition: of the hashes of all shards of the scope in a range, finds those that occur twice
   or more, and which copies are dropped.
3. ``read_mask``, per shard: makes of a bit for each distinct hash a flag for each unit.

Between them blocks of hashes travel to their partitions, and bits back to their shards: see pipeline.engine.exchange.
Memory is bounded by one shard in passes 1 and 3 (about 50 bytes a unit, 65 for ``keep_smallest``) and by one partition
in pass 2 (about 55 bytes a distinct hash of each shard, or 100; measured on ten million), on any runner, and what is
hashed is not hashed again after a kill.

Policies, for a hash that occurs more than once in the scope:

- ``drop_all`` (CCNet): in two documents or more, all copies go; within one document the first stays.
- ``keep_first``: the copy that comes first in (shard, document, unit) order stays.
- ``keep_smallest``: the copy in the document of the smallest priority stays; ties go to the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.engine.exchange.blocks import Flags, HashBlock, pack_hashes, write_blocks
from pipeline.engine.exchange.grid import Grid
from pipeline.storage.filesystem import atomic_output, open_input
from pipeline.units import Hashes, Policy, Units

_RADIX_BITS = 16
_PIECE_BITS = 4  # what follows the radix sort goes by sixteenths, for the sake of memory

_UNIT_SCHEMA = pa.schema([("number", pa.uint32()), ("candidate", pa.bool_())])
_DROP_SCHEMA = pa.schema([("drop", pa.bool_())])


def write_unit_hashes(
    hashes_path: str, units_path: str, documents: Iterable[Units], policy: Policy, grid: Grid, position: int
) -> int:
    """Pass 1: writes a shard's distinct hashes and its units; the hash file comes last and marks the pass done.

    Args:
        hashes_path: Where the distinct hashes go: a file of blocks, one for each band.
        units_path: Where the units go: an Arrow IPC file.
        documents: The units of each document, in reading order.
        policy: The dedup policy.
        grid: How the scope is cut.
        position: The shard's place in the scope.

    Returns:
        The number of units.
    """
    listed = list(documents)
    counts = np.fromiter((len(d.hashes) for d in listed), np.int64, len(listed))
    priorities = np.fromiter((d.priority for d in listed), np.uint64, len(listed))
    hashes = np.concatenate([d.hashes for d in listed]) if listed else np.empty(0, np.uint64)
    del listed
    order = stable_order(hashes)  # equal hashes stay in reading order
    ordered = hashes[order]
    del hashes
    first = _is_first(ordered)
    number = _numbers(first)
    owner = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)[order]
    candidate, repeated, priority = _within_shard(first, number, owner, priorities, policy)
    _write(units_path, _UNIT_SCHEMA, [_in_place_of(order, number), _in_place_of(order, candidate)])
    distinct = ordered[first]
    cuts = [0, *np.searchsorted(distinct, grid.band_bounds()).tolist(), len(distinct)]
    parts = [slice(start, end) for start, end in pairwise(cuts)]
    write_blocks(hashes_path, (_block(position, part, distinct, repeated, priority) for part in parts))
    return len(order)


def _block(position: int, part: slice, distinct: Hashes, repeated: Flags, priority: Hashes | None) -> bytes:
    hashes = distinct[part]
    rank = None if priority is None else priority[part]
    return pack_hashes(HashBlock(position, np.array([len(hashes)], np.uint32), hashes, repeated[part], rank))


def stable_order(hashes: Hashes) -> npt.NDArray[np.int64]:
    """What ``np.argsort(hashes, kind="stable")`` gives, in the same time however many sorted runs lie in a row there.

    NumPy's stable sort of 64-bit numbers merges such runs, of which a partition has one for each shard of its scope.
    Its sort of 16-bit numbers is a radix sort, and what that leaves to do is short.
    """
    if len(hashes) < 1 << _RADIX_BITS:
        return np.argsort(hashes, kind="stable")
    rank = hashes - hashes.min()
    rank >>= np.uint64(max(0, int(rank.max()).bit_length() - _RADIX_BITS))
    rank = rank.astype(np.uint16)
    order = np.argsort(rank, kind="stable")
    ends = np.cumsum(np.bincount(rank >> np.uint16(_RADIX_BITS - _PIECE_BITS))).tolist()
    for start, end in pairwise([0, *ends]):
        piece = order[start:end]
        order[start:end] = piece[np.argsort(hashes[piece], kind="stable")]
    return order


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


def find_duplicates(hashes: Hashes, repeated: Flags, priority: Hashes | None, policy: Policy) -> Flags:
    """Pass 2: which copies of the hashes of one partition are dropped.

    Args:
        hashes: The distinct hashes of each shard, in scope order.
        repeated: For each, whether two documents of its shard hold it.
        priority: For each, the smallest priority of its documents; for ``keep_smallest``.
        policy: The dedup policy.

    Returns:
        A flag for each.
    """
    order = stable_order(hashes)  # shards come in scope order, so ties stay in it
    first = _is_first(hashes[order])
    drop = ~first
    if policy == "drop_all":
        drop[:-1] |= ~first[1:]
        drop |= repeated[order]
    elif policy == "keep_smallest":
        assert priority is not None
        drop = ~_smallest_of_each(first, _numbers(first), priority[order])[0]
    return _in_place_of(order, drop)


def write_drops(path: str, drop: Flags) -> None:
    """Writes what was decided of a shard's distinct hashes: an Arrow IPC file of one column, a bit each."""
    _write(path, _DROP_SCHEMA, [drop])


def read_mask(units_path: str, drops_path: str) -> Flags:
    """Pass 3: which units of a shard stay.

    Args:
        units_path: The shard's units.
        drops_path: What was decided of its distinct hashes.

    Returns:
        One flag a unit, in reading order.
    """
    drop = _numpy(_read(drops_path), "drop")
    units = _read(units_path)
    kept: Flags = _numpy(units, "candidate") & ~drop[_numpy(units, "number")]
    return kept


def _write(path: str, schema: pa.Schema, columns: Iterable[npt.NDArray[np.generic]]) -> None:
    with atomic_output(path) as handle, pa.ipc.new_file(handle, schema) as writer:
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        writer.write_batch(pa.record_batch(arrays, schema=schema))


def _read(path: str) -> pa.RecordBatch:
    with open_input(path) as handle, pa.ipc.open_file(handle) as reader:
        return reader.get_batch(0)


def _numpy(batch: pa.RecordBatch, column: str) -> npt.NDArray[Any]:
    return cast(npt.NDArray[Any], batch.column(column).to_numpy(zero_copy_only=False))
