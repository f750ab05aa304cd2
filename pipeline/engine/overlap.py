"""Documents that have one id: inputs that overlap, such as one file under two names.

Each worker writes the hashes of a shard's ids, 8 bytes each and sorted: of all records where the ids are those of the
raw data, else of what is kept. They stay beside the accounts, so that a run compares what it made with all that was
made before, whatever the scopes.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import xxhash

from pipeline.corpus.manifest import READERS_REMOTE, all_stats
from pipeline.corpus.shard import IDS, Layout, Scope
from pipeline.errors import InputError, name_a_few
from pipeline.storage.filesystem import (
    InputFile,
    file_sha256,
    file_sizes,
    is_remote,
    join,
    open_input,
    write_bytes,
)
from pipeline.text import encodable

IDS_AT_ONCE = 64_000_000  # half a gigabyte of hashes; of more, a sample of as many is compared
_WIDTH = 8
_Hashes = npt.NDArray[np.uint64]


def refuse_copies(layout: Layout, scopes: Sequence[Scope], done: Collection[str]) -> None:
    """Refuses an input that is another one under another name: a copy, of a file given here or of one that is done.

    Only files of equal size are read, for their checksums.

    Raises:
        InputError: It names both.
    """
    known: dict[int, list[tuple[str, str]]] = {}  # by size: path and checksum of what is done
    fresh = [f for scope in scopes for s in scope.shards if s.name not in done for f in s.inputs if _is_whole(f)]
    for stats in all_stats(layout, sorted(done)) if fresh else ():
        for entry in stats["inputs"]:
            known.setdefault(entry["bytes"], []).append((entry["path"], entry["sha256"] or ""))
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
    """A 64-bit hash of a document's id, as files hold it."""
    return xxhash.xxh3_64_intdigest(encodable(identifier).encode())


def write_ids(layout: Layout, shard: str, hashes: Sequence[int]) -> str:
    """Writes the hashes of a shard's ids, sorted; gives the SHA-256 of the file, in hex."""
    buffer = io.BytesIO()
    np.save(buffer, np.sort(np.array(hashes, np.uint64)))
    write_bytes(layout.ids(shard), buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def overlap_of(layout: Layout, done: Collection[str]) -> str:
    """Says how many ids occur more than once in a source, and which files hold them; empty where none does.

    Of more than ``IDS_AT_ONCE`` ids those are compared whose hashes are the smallest, about as many: files that overlap
    show there too.

    Args:
        layout: The source's folder.
        done: Its finished shards, all of which take part.
    """
    sizes = file_sizes(join(layout.root, IDS), ".npy")
    shards = sorted(name for name in done if f"{name}.npy" in sizes)
    share = min(1.0, IDS_AT_ONCE / max(1, sum(sizes[f"{shard}.npy"] for shard in shards) // _WIDTH))
    with ThreadPoolExecutor(READERS_REMOTE if is_remote(layout.root) else 1) as pool:
        found = list(pool.map(lambda shard: _smallest(layout.ids(shard), share), shards))
    joined = np.sort(np.concatenate([*found, np.empty(0, np.uint64)]))
    repeated = np.unique(joined[1:][joined[1:] == joined[:-1]])
    if not len(repeated):
        return ""
    holders = [shard for shard, ids in zip(shards, found, strict=True) if holds_any(ids, repeated)]
    files = [layout.read_stats(shard)["inputs"][0]["path"] for shard in holders]
    number = f"{'At least ' if share < 1 else ''}{len(repeated):,}"
    return (
        f"{number} {'id occurs' if len(repeated) == 1 else 'ids occur'} more than once: are inputs given twice, or do "
        f"they overlap? See {name_a_few(files, whole=True)}"
    )


def holds_any(ids: _Hashes, known: _Hashes) -> bool:
    """Whether one of some hashes is among known ones, which are sorted: ``np.isin`` would sort them for each file."""
    places = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return bool((known[places] == ids).any())


def _smallest(path: str, share: float) -> _Hashes:
    """The hashes of a file that lie in the first ``share`` of all 64-bit numbers: what the sorted file begins with."""
    with open_input(path) as handle:
        version = np.lib.format.read_magic(handle)
        assert version == (1, 0)
        (count,), _, _ = np.lib.format.read_array_header_1_0(handle)
        likely = count if share == 1 else min(count, int(count * share + 8 * (count * share) ** 0.5) + 8)
        ids = np.frombuffer(handle.read(likely * _WIDTH), np.uint64)
    return ids if share == 1 else ids[: np.searchsorted(ids, np.uint64(int(share * 2**64)))]
