"""Records of a scope that have one id: inputs that overlap, such as one file under two names.

A source whose ids are those of its raw records has each worker write the hashes of a shard's ids, 8 bytes each; when
the scope is done they are compared, a slice of the hashes at a time, so that memory is bounded whatever the scope.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from pipeline.corpus.shard import Layout, Scope
from pipeline.errors import name_a_few
from pipeline.storage.filesystem import exists, read_bytes, write_bytes

IDS_AT_ONCE = 64_000_000  # half a gigabyte of hashes
_Hashes = npt.NDArray[np.uint64]


def hash_id(identifier: str) -> int:
    """A 64-bit hash of a document's id."""
    return xxhash.xxh3_64_intdigest(identifier.encode())


def write_ids(layout: Layout, work: str, shard: str, hashes: Sequence[int]) -> None:
    """Writes the hashes of a shard's ids, sorted, into its scope's work folder."""
    buffer = io.BytesIO()
    np.save(buffer, np.sort(np.array(hashes, np.uint64)))
    write_bytes(layout.ids(work, shard), buffer.getvalue())


def overlap_of(layout: Layout, work: str, scope: Scope) -> str:
    """Says how many records of a scope have the id of another one, and which files hold such; empty where none has.

    Args:
        layout: The source's folder.
        work: The scope's work folder.
        scope: The scope; shards whose ids are not in the work folder, done by an earlier run, take no part.
    """
    shards = [shard for shard in scope.shards if exists(layout.ids(work, shard.name))]
    found = [np.load(io.BytesIO(read_bytes(layout.ids(work, shard.name)))) for shard in shards]
    repeated = _repeated(found, -(-sum(map(len, found)) // IDS_AT_ONCE))
    if not len(repeated):
        return ""
    files = [s.inputs[0].path for s, ids in zip(shards, found, strict=True) if np.isin(repeated, ids).any()]
    return (
        f"{len(repeated):,} record ids of {scope.name} occur more than once there: are inputs given twice, or do they "
        f"overlap? See {name_a_few(files)}"
    )


def _repeated(found: Sequence[_Hashes], slices: int) -> _Hashes:
    """The hashes that occur twice or more in sorted arrays, looked for in equal slices of all 64-bit numbers."""
    edges = [number * (2**64 // max(slices, 1)) for number in range(max(slices, 1))]
    result = []
    for low, high in zip(edges, [*edges[1:], None], strict=True):
        parts = [ids[np.searchsorted(ids, np.uint64(low)) : _end(ids, high)] for ids in found]
        joined = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
        result.append(np.unique(joined[1:][joined[1:] == joined[:-1]]))
    return np.concatenate(result)


def _end(ids: _Hashes, high: int | None) -> int:
    return len(ids) if high is None else int(np.searchsorted(ids, np.uint64(high)))
