"""Which Parquet files of a shard may be there that no stats file lists.

A shard's promise is written before its files are, and before its stats file goes; it is removed once a stats file lists
what is there. So what a killed run left, or what a shard had before it was made again, is known by its name, and goes
when what replaces it is there: nothing is taken for a run's own by the look of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from typing import Any

from pipeline.corpus.shard import WORK, Layout
from pipeline.errors import OutputError, name_a_few
from pipeline.storage.filesystem import delete_files, exists, is_remote, join, list_names, read_bytes, write_bytes

PROMISED = "promised"


def _folder(layout: Layout) -> str:
    return join(layout.root, WORK, PROMISED)


def _path(layout: Layout, shard: str) -> str:
    return join(_folder(layout), f"{shard}.json")


def promised(layout: Layout, shard: str) -> set[str]:
    """The files, below the source's folder, that a shard may have beside those of its stats."""
    return _read(layout, shard) or set()


def _read(layout: Layout, shard: str) -> set[str] | None:
    """The promise of a shard; None where there is none, or a file that is none."""
    path = _path(layout, shard)
    try:
        found = json.loads(read_bytes(path)) if exists(path) else {}
        return set(found["files"]) if found["shard"] == shard else None
    except (ValueError, TypeError, KeyError):
        return None


def promise(layout: Layout, shard: str, files: Iterable[str]) -> None:
    """Adds files to what a shard may have."""
    before = promised(layout, shard)
    if not before >= (after := before | set(files)):
        write_bytes(_path(layout, shard), json.dumps({"shard": shard, "files": sorted(after)}).encode())


def promise_new(layout: Layout, shard: str, files: Set[str]) -> None:
    """Adds files that are about to be written.

    Raises:
        OutputError: There is one already that no run of the source wrote.
    """
    before = promised(layout, shard)
    taken = [name for name in sorted(files - before) if exists(join(layout.root, *name.split("/")))]
    if taken:
        raise OutputError(
            f"{layout.root} holds {name_a_few(taken, whole=True)}, which no run wrote, and this one would write over. "
            "Move it away, and run the same command again."
        )
    promise(layout, shard, files)


def fulfil(layout: Layout, shard: str, files: Set[str]) -> None:
    """Removes what a shard may have beside its files, which are there with their stats."""
    others = sorted(promised(layout, shard) - files)
    delete_files([*(join(layout.root, *name.split("/")) for name in others), _path(layout, shard)])


def settle(layout: Layout, planned: Set[str], done: Set[str], orphans: Set[str] = frozenset()) -> None:
    """Fulfils the promises of shards that no worker will come to.

    Args:
        layout: The source's folder.
        planned: The shards that this run makes, or has made.
        done: Those whose stats are there.
        orphans: Shards that have no stats any more and are not planned. On a local disk, where no other run is at work,
            all such shards are meant.
    """
    for shard in sorted(all_promised(layout)):
        if shard in done:
            fulfil(layout, shard, files_of(layout.read_stats(shard)))
        elif shard not in planned and (shard in orphans or not is_remote(layout.root)):
            fulfil(layout, shard, set())


def all_promised(layout: Layout) -> set[str]:
    """The shards that have a promise."""
    return {name for name in list_names(_folder(layout), ".json") if _read(layout, name) is not None}


def files_of(stats: Mapping[str, Any]) -> set[str]:
    """The Parquet files that a stats file lists."""
    return {file["path"] for file in (*stats["outputs"], *([stats["rejects"]] if stats["rejects"] else []))}
