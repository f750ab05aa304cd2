"""One document for each paper: of several versions among the inputs the newest is read, decided before the rest.

1. The headers of every bulk tar are listed, without the bytes between them (Beam).
2. In each scope the papers are found that occur more than once, from the lists alone, in this process.

A higher version is newer; a submission whose name has no version was the newest when its file was made, so it is newer
than those that have one. Among equals the later time in the tar's header wins, then the first in the inputs' order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import xxhash

from pipeline.corpus.shard import WORK, Layout, Scope, Shard, shards_of
from pipeline.engine.runners import RunOptions, run_beam
from pipeline.engine.tasks import Worker
from pipeline.formats.tar import Fault, tar_headers
from pipeline.source import Source
from pipeline.storage.filesystem import (
    InputFile,
    delete_files,
    exists,
    join,
    list_names,
    open_input,
    read_bytes,
    write_bytes,
)
from sources.arxiv.identifiers import identify, is_member

NEWEST = 1 << 20  # stands for a version that the name does not give
_LISTS = "members"
_SUPERSEDED = "superseded"


class Listed(NamedTuple):
    """A submission among the inputs: its paper, version, time, and place."""

    paper: str
    version: int
    time: int
    path: str
    offset: int


def list_tar(file: InputFile, cache: Path | None) -> Iterator[Listed]:
    """Lists the submissions in a bulk tar; nothing of one that cannot be read, which fails later, and is told then."""
    try:
        with open_input(file.path, cache) as stream:
            for item in tar_headers(stream, is_member):
                if not isinstance(item, Fault):
                    found = identify(item.name, file.path)
                    yield Listed(found.paper, found.version or NEWEST, item.time, file.path, item.offset)
    except OSError:
        return


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


class ListMembers(beam.DoFn):
    """Shard -> shard name: writes the list of a bulk tar's members."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def setup(self) -> None:
        """Connects the file systems."""
        self._worker.connect()

    def process(self, shard: Shard) -> Iterator[str]:
        """Lists one bulk tar."""
        rows = [list(item) for file in shard.inputs for item in list_tar(file, self._worker.cache)]
        write_bytes(_list_path(self._worker.layout, shard), json.dumps(rows).encode())
        yield shard.name


def _list_path(layout: Layout, shard: Shard) -> str:
    return join(layout.root, WORK, _LISTS, f"{shard.name}.json")


def _build(pipeline: beam.Pipeline, dofn: ListMembers, shards: Sequence[Shard]) -> None:
    shards_ = pipeline | "Bulk tars" >> beam.Create(list(shards)) | "Spread" >> beam.Reshuffle()
    _ = shards_ | "List the papers" >> beam.ParDo(dofn)


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


def prepare_versions(
    source: Source, inputs: Inputs, options: RunOptions, layout: Layout, scopes: Sequence[Scope]
) -> int:
    """Decides which submissions of the missing scopes are read; for ``run_source(prepare=...)``.

    Memory: the papers of one month, about 300 bytes each: 8 MB.

    Returns:
        The number of submissions that are superseded by a newer version among the inputs.
    """
    shards = shards_of(scopes)
    old = {_list_path(layout, shard) for shard in shards}
    old |= {superseded_path(layout.root, file.path) for shard in shards for file in shard.inputs}
    folders = [join(layout.work, name) for name in (_LISTS, _SUPERSEDED)]
    delete_files(sorted(old & {join(f, f"{name}.json") for f in folders for name in list_names(f, ".json")}))
    bulk = [shard for scope in scopes for shard in scope.shards if inputs.is_bulk(shard)]
    if bulk:
        worker = Worker(source, layout, options.cache, tuple(options.flags))
        run_beam(partial(_build, dofn=ListMembers(worker), shards=bulk), options, layout.root)
    count = 0
    for scope in scopes:
        listed = (item for shard in scope.shards for item in _listed(layout, inputs, shard))
        goes: dict[str, dict[str, list[Any]]] = {}
        for older, newer in choose_newest(listed):
            goes.setdefault(older.path, {})[str(older.offset)] = [newer.paper, newer.path, newer.offset]
            count += 1
        for path, offsets in goes.items():
            write_bytes(superseded_path(layout.root, path), json.dumps(offsets).encode())
    return count


def _listed(layout: Layout, inputs: Inputs, shard: Shard) -> Iterator[Listed]:
    if not inputs.is_bulk(shard):
        yield from inputs.eprints(shard)
        return
    for row in json.loads(read_bytes(_list_path(layout, shard))):
        yield Listed(*row)


def superseded_path(root: str, path: str) -> str:
    """Where it is written which submissions of an input file are not read."""
    name = xxhash.xxh3_64_hexdigest(path.encode("utf-8", "surrogatepass"))
    return join(root, WORK, _SUPERSEDED, f"{name}.json")


def read_superseded(root: str, path: str) -> dict[int, str]:
    """The submissions of an input file that are not read: their offsets, and what is read instead."""
    place = superseded_path(root, path)
    if not exists(place):
        return {}
    found = json.loads(read_bytes(place)).items()
    return {int(offset): f"{file.rpartition('/')[2]}@{at}" for offset, (_, file, at) in found}
