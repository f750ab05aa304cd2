"""The passes of a survey: measure the documents of each shard, then settle each scope.

Both are functions of files, made once and kept until their scope is done: a killed run goes on with what is there. What
crosses the shuffle between them is the names of shards.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.corpus.document import Document
from pipeline.corpus.manifest import read_ahead
from pipeline.corpus.shard import Layout, Shard, read_json, write_json
from pipeline.engine.passage import Decided, Passage
from pipeline.engine.process import write_timing
from pipeline.source import Source
from pipeline.steps import Step
from pipeline.storage.filesystem import atomic_output, exists, open_input
from pipeline.survey import Row, Settled, Survey

NUMBER = pa.field("number", pa.uint32())
INPUTS = b"inputs"
ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Surveyed:
    """What a survey found for a shard.

    Attributes:
        settled: What the rows of its scope give.
        measured: The rows of its documents, by number.
        inputs: Path, size and checksum of each raw file when it was measured.
    """

    settled: Settled
    measured: dict[int, Row]
    inputs: list[dict[str, Any]]


def measure_shard(
    source: Source,
    survey: Survey,
    layout: Layout,
    shard: Shard,
    work: str,
    steps: Sequence[Step],
    cache: Path | None,
    decided: Sequence[Decided],
    reading: str | None = None,
) -> None:
    """Measures the documents of a shard; nothing happens where that was done.

    Args:
        source: The source.
        survey: What it measures.
        layout: Its folder.
        shard: The shard.
        work: The name of the scope's work folder.
        steps: The steps that measure, with their models loaded.
        cache: The cache folder for fetched files.
        decided: What the rounds of dedup decided.
        reading: Where what has passed the steps before is kept for the next pass; None to keep nothing.
    """
    path = layout.measured(work, shard.name)
    if exists(path):
        return
    started = time.perf_counter()
    passage = Passage(source, shard, cache, decided, reading)
    rows: list[Row] = []
    for item in passage.run(steps, keep=True):
        document = item if isinstance(item, Document) else item.document
        row = survey.row(document)
        if row is not None:
            rows.append((document.number, *row))
    rows.sort(key=lambda row: row[0])
    _write(path, pa.schema([NUMBER, *survey.columns], {INPUTS: json.dumps(passage.inputs).encode()}), rows)
    write_timing(layout, f"{shard.name}.survey", started, passage.seconds)


def settle_scope(survey: Survey, layout: Layout, work: str, shards: Sequence[str]) -> None:
    """Settles a scope whose shards are measured; nothing happens where that was done.

    Args:
        survey: What was measured.
        layout: The source's folder.
        work: The name of the scope's work folder.
        shards: The names of its shards.
    """
    path = layout.settled(work)
    if not exists(path):
        measured = read_ahead(layout, lambda name: _read(layout.measured(work, name)), shards)
        write_json(path, dict(survey.settle(measured)))


def read_surveyed(layout: Layout, shard: Shard, work: str) -> Surveyed:
    """Reads what a survey found for a shard of a settled scope."""
    table = _read(layout.measured(work, shard.name))
    columns = [table.column(name).to_pylist() for name in table.column_names]
    measured = {number: tuple(row) for number, *row in zip(*columns, strict=True)}
    return Surveyed(read_json(layout.settled(work)), measured, json.loads(table.schema.metadata[INPUTS]))


def _write(path: str, schema: pa.Schema, rows: Sequence[Row]) -> None:
    with atomic_output(path) as handle, pa.ipc.new_file(handle, schema) as writer:
        for batch in _batches(schema, rows):
            writer.write_batch(batch)


def _batches(schema: pa.Schema, rows: Sequence[Row]) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        columns = list(zip(*rows[start : start + ROWS_AT_ONCE], strict=True))
        yield pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)


def _read(path: str) -> pa.Table:
    with open_input(path) as handle, pa.ipc.open_file(handle) as reader:
        return reader.read_all()
