"""Both exchanges as graphs: the same bytes, with groups and without, for each policy and for two rounds."""

import os
import re
from dataclasses import replace
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as Pipeline

from pipeline.corpus.document import Document
from pipeline.corpus.shard import Layout
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.exchange.seen import collect, part
from pipeline.engine.graph import build
from pipeline.engine.tasks import ShardTask, Worker, tasks_of
from pipeline.source import rounds_of
from pipeline.storage.filesystem import write_bytes
from pipeline.units import Hashes
from tests.pipeline.engine.test_rounds import TEXTS, TitledSource
from tests.pipeline.line_source import LineDedup, LineRecipe, LineSource
from tests.pipeline.runs import plan, rows, write_input

MORE = {"e.txt": b"only a\nin c and d\n\nonly e", "f.txt": b"here is bad stuff\n\nonly b", "g.txt": b"only g\nonly e"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    folder = write_input(tmp_path_factory.mktemp("raw"))
    for name, data in MORE.items():
        (folder / name).write_bytes(data)
    return folder


def cut(tasks: list[ShardTask], *grids: tuple[int, int]) -> list[ShardTask]:
    """The tasks with other grids: partitions, and shards in a group."""
    return [
        replace(t, grids=tuple(Grid(g.shards, *grid) for g, grid in zip(t.grids, grids, strict=True))) for t in tasks
    ]


def made(source: LineSource, tasks: list[ShardTask], output: Path, exchange: str) -> dict[str, bytes]:
    """What the graph writes, with the shards' drops."""
    with Pipeline() as pipeline:
        build(pipeline, Worker(source, Layout(str(output)), None, ()), tasks, exchange)
    kinds = ("_timing", os.path.join("_work", "promised"))
    paths = (p for p in output.rglob("*") if p.is_file() and (p.suffix in {".parquet", ".json"} or "drops" in p.parts))
    found = {str(path.relative_to(output)): path.read_bytes() for path in paths}
    return {name: data for name, data in found.items() if not name.startswith(kinds)}


def left(output: Path) -> Hashes:
    """What scopes left for those that join them, sorted."""
    return np.sort(np.concatenate([np.frombuffer(p.read_bytes(), "<u8") for p in output.glob("_work/*/seen/*")]))


def tasks_for(source: LineSource, raw: Path, *done: str) -> list[ShardTask]:
    return [task for scope in plan([raw], source.recipe) for task in tasks_of(scope, done, "c", rounds_of(source))]


@pytest.mark.parametrize("policy", ["drop_all", "keep_first", "keep_smallest"])
def test_both_exchanges_give_the_same_bytes_with_groups_and_without(raw, tmp_path, policy):
    source = LineSource(LineRecipe(dedup=policy, scope_files=5))
    tasks = tasks_for(source, raw, "c")
    assert [task.grids[0] for task in tasks] == [Grid(5, 1)] * 5 + [Grid(3, 1)] * 3
    grouped = cut(tasks, (7, 2))
    expected = made(source, tasks, tmp_path / "files", "files")
    assert sum("drops" in name for name in expected) == 8
    assert made(source, grouped[:5] + tasks[5:], tmp_path / "shuffle", "shuffle") == expected
    if policy == "keep_smallest":
        assert made(source, grouped, tmp_path / "grouped", "files") == expected


def test_both_exchanges_decide_alike_against_what_earlier_scopes_have(raw, tmp_path):
    source = LineSource(LineRecipe(dedup="keep_first", scope_files=5))
    tasks = [replace(task, after=("known",)) for task in tasks_for(source, raw)]
    known = [LineDedup("keep_first").hashes(Document("", line, "", "", 0)).hashes for line in ("only a", "only g")]
    for name in ("files", "shuffle"):
        write_bytes(part(str(tmp_path / "parts"), 0), np.sort(np.concatenate(known)).tobytes())
        collect(str(tmp_path / "parts"), 1, Layout(str(tmp_path / name)).seen("known"))
    expected = made(source, tasks, tmp_path / "files", "files")
    assert made(source, cut(tasks, (7, 2)), tmp_path / "shuffle", "shuffle") == expected
    kept = [row["text"] for folder in ("short", "long") for row in rows(tmp_path / "files", folder)]
    assert "only b" in kept
    assert not {"only a", "only g"} & {line for text in kept for line in text.split("\n")}
    files, shuffled = (left(tmp_path / name) for name in ("files", "shuffle"))
    assert np.array_equal(files, shuffled)
    assert len(files)
    assert not np.isin(files, np.concatenate(known)).any()


def test_two_rounds(tmp_path):
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text)
    source = TitledSource(LineRecipe(scope="all"))
    tasks = tasks_for(source, tmp_path / "*.txt")
    expected = made(source, tasks, tmp_path / "files", "files")
    assert sum("drops" in name for name in expected) == 6
    assert made(source, cut(tasks, (3, 1), (5, 2)), tmp_path / "shuffle", "shuffle") == expected


def test_no_element_is_a_line_and_none_is_text(raw, tmp_path):
    """What crosses a shuffle are tasks, and bytes under keys of names and numbers."""
    tasks = cut(tasks_for(LineSource(), raw), (3, 2))
    pipeline = beam.Pipeline()
    build(pipeline, Worker(LineSource(), Layout(str(tmp_path)), None, ()), tasks, "shuffle")
    shuffled = {}

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, node):
            if isinstance(node.transform, beam.GroupByKey) and "Reshuffle" not in node.full_label:
                shuffled[node.full_label] = re.sub(r"<class '(\w+)'>", r"\1", str(node.inputs[0].element_type))

    pipeline.visit(Visitor())
    scope = "Tuple[str, int, int, int]"
    (bits,) = [shuffled.pop(label) for label in list(shuffled) if "Wait for the partitions" in label]
    assert "bytes" in bits
    assert "Any" not in bits
    assert shuffled == {
        "Deduplicate/By groups to the partitions": f"Tuple[Tuple[{scope}, int, int], bytes]",
        "Deduplicate/Wait for the scope": f"Tuple[Tuple[{scope}, int], bytes]",
        "Deduplicate/By groups to the shards": f"Tuple[Tuple[{scope}, int, int], bytes]",
    }
