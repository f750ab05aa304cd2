"""Records of a scope that have one id: inputs that overlap, such as one file under two names.

A source whose ids are those of its raw records has each worker write the hashes of a shard's ids, 8 bytes each; when
the scope is done they are compared, a slice of the hashes at a time, so that memory is bounded whatever the scope.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from pipeline.corpus.shard import Layout, Scope
from pipeline.errors import InputError, name_a_few
from pipeline.storage.filesystem import InputFile, exists, file_sha256, is_remote, read_bytes, write_bytes

IDS_AT_ONCE = 64_000_000  # half a gigabyte of hashes
_Hashes = npt.NDArray[np.uint64]


def refuse_copies(layout: Layout, scopes: Sequence[Scope], done: Collection[str]) -> None:
    """Refuses an input that is another one under another name: a copy, of a file given here or of one that is done.

    Only files of equal size are read, for their checksums.

    Raises:
        InputError: It names both.
    """
    known: dict[int, list[tuple[str, str]]] = {}  # by size: path and checksum of what is done
    for name in sorted(done):
        for entry in layout.read_stats(name)["inputs"]:
            known.setdefault(entry["bytes"], []).append((entry["path"], entry["sha256"] or ""))
    fresh = [f for scope in scopes for s in scope.shards if s.name not in done for f in s.inputs if _is_whole(f)]
    sizes = Counter(file.size for file in fresh)
    for file in fresh:
        if sizes[file.size] < 2 and file.size not in known:
            continue
        sum_ = file_sha256(file.path)
        for path, other in known.setdefault(file.size, []):
            if other == sum_ and path != file.path:
                raise InputError(
                    f"{file.path} has the same bytes as {path}: its records would be in the corpus twice, or be taken "
                    "for copies of each other. Give it once."
                )
        known[file.size].append((file.path, sum_))


def _is_whole(file: InputFile) -> bool:
    return file.size > 0 and not file.is_part and not is_remote(file.path)


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
        f"{len(repeated):,} record {'id occurs' if len(repeated) == 1 else 'ids occur'} more than once in "
        f"{scope.name}: are inputs given twice, or do they overlap? See {name_a_few(files, whole=True)}"
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
