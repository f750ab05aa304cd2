"""One document for each paper: of several versions among the inputs the newest is read, decided before the rest.

1. The headers of every bulk tar are listed, without the bytes between them (Beam).
2. In each scope the papers are found that occur more than once, from the lists alone, in this process.

A higher version is newer; a submission whose name has no version was the newest when its file was made, so it is newer
than those that have one. Among equals the later time in the tar's header wins, then the first in the inputs' order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import xxhash

from pipeline.corpus.shard import WORK, Shard
from pipeline.storage.filesystem import exists, join, read_bytes
from sources.arxiv.identifiers import identify

NEWEST = 1 << 20  # stands for a version that the name does not give
SUPERSEDED = "superseded"


class Listed(NamedTuple):
    """A submission among the inputs: its paper, version, time, and place."""

    paper: str
    version: int
    time: int
    path: str
    offset: int


def choose_newest(listed: Iterable[Listed]) -> list[tuple[Listed, Listed]]:
    """Finds the submissions that are older versions, or copies, of another one.

    Args:
        listed: The submissions in the order of the inputs.

    Returns:
        Each one that goes, with the one that stays; in the order of the inputs.
    """
    best: dict[str, Listed] = {}
    older: list[Listed] = []
    for item in listed:
        there = best.get(item.paper)
        if there is None or (item.version, item.time) > (there.version, there.time):
            best[item.paper] = item
        if there is not None:
            older.append(there if best[item.paper] is item else item)
    return sorted(((item, best[item.paper]) for item in older), key=lambda pair: (pair[0].path, pair[0].offset))


@dataclass(frozen=True)
class Inputs:
    """What the plan knows of the inputs: the bulk tars, and the folders that are papers."""

    tars: frozenset[str]
    folders: dict[str, tuple[str, ...]]

    def is_bulk(self, shard: Shard) -> bool:
        """Whether a shard is a bulk tar."""
        return shard.inputs[0].path in self.tars

    def eprints(self, shard: Shard) -> Iterator[Listed]:
        """The submissions of a shard of e-prints, which their names tell."""
        for file in shard.inputs:
            folder = self.folders.get(file.path)
            if folder is None or folder:
                found = identify(folder[0] if folder else file.path)
                yield Listed(found.paper, found.version or NEWEST, 0, file.path, 0)


def superseded_path(root: str, path: str) -> str:
    """Where it is written which submissions of an input file are not read."""
    name = xxhash.xxh3_64_hexdigest(path.encode("utf-8", "surrogatepass"))
    return join(root, WORK, SUPERSEDED, f"{name}.json")


def read_superseded(root: str, path: str) -> dict[int, str]:
    """The submissions of an input file that are not read: their offsets, and what is read instead."""
    place = superseded_path(root, path)
    if not exists(place):
        return {}
    found = json.loads(read_bytes(place)).items()
    return {int(offset): f"{file.rpartition('/')[2]}@{at}" for offset, (_, file, at) in found}
