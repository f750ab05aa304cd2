"""Lists the members of all bulk tars, and writes down which submissions are not read; by Beam."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.corpus.shard import WORK, Layout, Scope, Shard, shards_of
from pipeline.engine.here import run_each
from pipeline.engine.options import RunOptions
from pipeline.engine.step import WorkerStep
from pipeline.engine.tasks import Worker
from pipeline.formats.tar import Fault, tar_headers
from pipeline.source import Source
from pipeline.storage.filesystem import (
    InputFile,
    delete_files,
    join,
    list_names,
    open_input,
    read_bytes,
    write_bytes,
)
from sources.arxiv.identifiers import identify, is_member
from sources.arxiv.versions import NEWEST, SUPERSEDED, Inputs, Listed, choose_newest, superseded_path

_LISTS = "members"


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
    folders = [join(layout.work, name) for name in (_LISTS, SUPERSEDED)]
    delete_files(sorted(old & {join(f, f"{name}.json") for f in folders for name in list_names(f, ".json")}))
    bulk = [shard for scope in scopes for shard in scope.shards if inputs.is_bulk(shard)]
    if bulk:
        worker = Worker(source, layout, options.cache, tuple(options.flags))
        run_each(ListMembers(worker), bulk, "List the papers", options, layout.root)
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


class ListMembers(WorkerStep):
    """Shard -> shard name: writes the list of a bulk tar's members."""

    def process(self, shard: Shard) -> Iterator[str]:
        """Lists one bulk tar."""
        rows = [list(item) for file in shard.inputs for item in list_tar(file, self._worker.cache)]
        write_bytes(_list_path(self._worker.layout, shard), json.dumps(rows).encode())
        yield shard.name


def _listed(layout: Layout, inputs: Inputs, shard: Shard) -> Iterator[Listed]:
    if not inputs.is_bulk(shard):
        yield from inputs.eprints(shard)
        return
    for row in json.loads(read_bytes(_list_path(layout, shard))):
        yield Listed(*row)


def _list_path(layout: Layout, shard: Shard) -> str:
    return join(layout.root, WORK, _LISTS, f"{shard.name}.json")
