from apache_beam import Pipeline

from pipeline.corpus.shard import Layout, Scope, Shard
from pipeline.engine.graph import build
from pipeline.engine.tasks import Worker, pack_tasks, tasks_of, unpack_tasks
from pipeline.source import rounds_of
from pipeline.storage.filesystem import InputFile
from tests.pipeline.line_source import LineSource

CRAWL = "s3://commoncrawl/crawl-data/CC-MAIN-2019-30/segments/1563195523840.34/wet/CC-MAIN-20190715175205-{:05d}.warc.wet.gz"


def test_the_tasks_of_a_crawl_make_a_graph_of_few_megabytes(tmp_path):
    """Ten is what Dataflow takes; a task a time, they make 60 for a crawl."""
    shards = tuple(
        Shard(f"CC-MAIN-{n:05d}", (InputFile(CRAWL.format(n), 10**8 + n * n),), "all") for n in range(20_000)
    )
    source = LineSource()
    tasks = tasks_of(Scope("all", shards), {"CC-MAIN-00003"}, "c", rounds_of(source))
    packed = pack_tasks(tasks)
    assert [task for piece in packed for task in unpack_tasks(piece)] == tasks
    pipeline = Pipeline()
    build(pipeline, Worker(source, Layout(str(tmp_path)), None, ()), tasks, "shuffle")
    assert len(pipeline.to_runner_api().SerializeToString()) < 1_000_000
