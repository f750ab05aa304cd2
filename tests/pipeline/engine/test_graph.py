from dataclasses import replace

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as Pipeline
from apache_beam.testing.util import assert_that, equal_to

from pipeline.corpus.shard import UNKNOWN_BYTES, Layout, Scope, Shard
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.graph import build
from pipeline.engine.tasks import Worker, tasks_of, work_folder
from pipeline.source import Round, rounds_of
from pipeline.storage.filesystem import InputFile
from tests.pipeline.line_source import LineRecipe, LineSource
from tests.pipeline.runs import plan, rows, write_input

LINES = rounds_of(LineSource())


def scope_of(*sizes: int) -> Scope:
    return Scope("s", tuple(Shard(f"s{i}", (InputFile(f"f{i}", size),), "s") for i, size in enumerate(sizes)))


def test_the_tasks_of_a_scope():
    scope = scope_of(1, 2, 3)
    tasks = tasks_of(scope, {"s1", "other"}, "configuration", LINES)
    assert [(t.shard.name, t.position, t.write) for t in tasks] == [("s0", 0, True), ("s1", 1, False), ("s2", 2, True)]
    assert {t.work for t in tasks} == {work_folder(scope.fingerprint)}
    assert {t.grids for t in tasks} == {(Grid(3, 1),)}
    stats = {"scope": {"name": "s", "fingerprint": scope.fingerprint}, "configuration": "configuration"}
    assert all(t.stats == stats for t in tasks)


def test_the_partitions_follow_from_the_size_also_where_it_is_not_known():
    known = tasks_of(scope_of(*[UNKNOWN_BYTES] * 8), (), "c", LINES)[0].grids
    assert known == tasks_of(scope_of(*[-1] * 8), (), "c", LINES)[0].grids == (Grid(8, 12),)


def test_each_round_has_the_partitions_that_its_units_need():
    large = Round([], replace(LINES[0].dedup, unit_bytes=512))
    assert tasks_of(scope_of(10**10), (), "c", [large, *LINES])[0].grids == (Grid(1, 3), Grid(1, 53))
    assert tasks_of(scope_of(10**10), (), "c", [])[0].grids == ()


@pytest.fixture
def raw(tmp_path):
    return write_input(tmp_path / "raw")


def labels(pipeline: beam.Pipeline) -> list[str]:
    found = []

    class Visitor(beam.pipeline.PipelineVisitor):
        def visit_transform(self, node):
            found.append(node.full_label)

    pipeline.visit(Visitor())
    return found


def test_a_graph_reads_like_a_method_section_and_gives_the_shards_it_wrote(raw, tmp_path):
    worker = Worker(LineSource(), Layout(str(tmp_path / "out")), None, ())
    tasks = [task for scope in plan([raw], LineRecipe()) for task in tasks_of(scope, {"c"}, "configuration", LINES)]
    with Pipeline() as pipeline:
        names = build(pipeline, worker, tasks)
        assert_that(names, equal_to([task.shard.name for task in tasks if task.write]))
        steps = labels(pipeline)
    expected = [
        "Deduplicate/Hash each line",
        "Deduplicate/Find repeated lines",
        "Deduplicate/Hand out to the shards",
        "Filter and write/Filter (length, dedup, words) and write",
    ]
    assert [label for label in steps if label in expected] == expected
    assert worker.layout.done() == {task.shard.name for task in tasks} - {"c"}
    # c is done, so it is not written; its lines still count for its scope.
    assert [row["text"] for row in rows(tmp_path / "out", "short")] == ["", "the second of a", "only b", "caf\ufffd"]


def test_without_dedup_only_what_is_missing_is_touched(raw, tmp_path):
    worker = Worker(LineSource(LineRecipe(dedup="off")), Layout(str(tmp_path / "out")), None, ())
    tasks = [task for scope in plan([raw], LineRecipe()) for task in tasks_of(scope, {"a", "b"}, "configuration", [])]
    with Pipeline() as pipeline:
        names = build(pipeline, worker, tasks)
        assert_that(names, equal_to([task.shard.name for task in tasks if task.shard.name not in "ab"]))
        assert not any("Deduplicate" in label for label in labels(pipeline))
    assert not [path for path in (tmp_path / "out" / "_work").rglob("*") if path.is_file()]


class BareSource(LineSource):
    def steps_before_dedup(self):
        return []

    def steps_after_dedup(self):
        return []


def test_a_source_without_steps_only_writes(raw, tmp_path):
    pipeline = Pipeline()
    build(pipeline, Worker(BareSource(LineRecipe(dedup="off")), Layout(str(tmp_path / "out")), None, ()), [])
    assert "Filter and write/Write" in labels(pipeline)


def test_a_graph_without_tasks_ends(tmp_path):
    with Pipeline() as pipeline:
        assert_that(build(pipeline, Worker(LineSource(), Layout(str(tmp_path)), None, ()), []), equal_to([]))
