from pipeline.report.corpus import find
from pipeline.report.funnel import HAIR, characters_chart, funnel_chart, funnel_table
from tests.pipeline.report.corpora import Made, make_source, scored

SHARD = [
    *(scored("kept text", p) for p in (50, 60, 200)),
    *(scored("dropped", 900) for _ in range(2)),
    Made("no", "length", "too_short"),
    Made("bad", "length", "error_ValueError"),
]


def corpus_of(tmp_path, shard):
    make_source(tmp_path, {"a": shard})
    return find([str(tmp_path)]).sources[0]


def flows(chart) -> set[tuple[str, str, float]]:
    node, link = chart.figure["data"][0]["node"], chart.figure["data"][0]["link"]
    ends = zip(link["source"], link["target"], link["value"], strict=True)
    return {(node["label"][a], node["label"][b], value) for a, b, value in ends}


def test_what_flows_where(tmp_path):
    chart = funnel_chart(corpus_of(tmp_path, SHARD))
    assert flows(chart) == {
        ("read 7", "length 7", 7),
        ("length 7", "too_short 1", 1),
        ("length 7", "failed: error_ValueError 1", 1),
        ("length 7", "perplexity 5", 5),
        ("perplexity 5", "bucket_tail 2", 2),
        ("perplexity 5", "kept: head 2", 2),
        ("perplexity 5", "kept: middle 1", 1),
        ("kept: middle 1", "", HAIR),
    }
    assert chart.wide


def test_a_step_that_drops_nothing_is_passed_over(tmp_path):
    assert flows(funnel_chart(corpus_of(tmp_path, [scored("text", 50)]))) == {
        ("read 1", "kept: head 1", 1),
        ("kept: head 1", "", HAIR),
    }


def test_nothing_read_and_nothing_kept(tmp_path):
    assert flows(funnel_chart(corpus_of(tmp_path, []))) == {("read 0", "", HAIR)}
    (tmp_path / "other").mkdir()
    lost = corpus_of(tmp_path / "other", [Made("no", "length", "too_short")])
    assert ("length 1", "too_short 1", 1) in flows(funnel_chart(lost))


def test_many_reasons_flow_together(tmp_path):
    shard = [Made("no", "length", f"reason_{n:02d}") for n in range(12) for _ in range(n + 1)]
    found = {name for _, name, _ in flows(funnel_chart(corpus_of(tmp_path, shard)))}
    assert {"reason_11 12", "reason_05 6", "5 others 15"} <= found
    assert "reason_04 5" not in found
    assert len(funnel_table(corpus_of(tmp_path, shard)).rows) == 14


def test_the_table_has_every_end(tmp_path):
    assert funnel_table(corpus_of(tmp_path, SHARD)).rows == [
        ["read", "records", "7", "100.0%", "46"],
        ["length", "dropped: too_short", "1", "14.3%", "2"],
        ["length", "failed: error_ValueError", "1", "14.3%", "3"],
        ["perplexity", "dropped: bucket_tail", "2", "28.6%", "14"],
        ["kept", "head", "2", "28.6%", "18"],
        ["kept", "middle", "1", "14.3%", "9"],
        ["kept", "in all", "3", "42.9%", "27"],
    ]


def test_characters_step_by_step(tmp_path):
    assert characters_chart(corpus_of(tmp_path, SHARD)).table.rows == [
        ["read", "46", "0"],
        ["length", "41", "5"],
        ["perplexity", "27", "14"],
    ]
