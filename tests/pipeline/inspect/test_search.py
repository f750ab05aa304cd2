import json

import pytest

from pipeline.errors import OutputError
from pipeline.inspect.conditions import NoSuchField, parse_condition
from pipeline.inspect.search import Query, may_hold, reject_files, search
from pipeline.report.corpus import DataFile, find
from tests.pipeline.report.corpora import Made, make_source, scored
from tests.tables import results_of


def corpus_of(tmp_path, shards):
    make_source(tmp_path, shards)
    return find([str(tmp_path)]).sources[0]


def found(corpus, **query) -> list[str]:
    return [one.row["id"] for one in search(corpus, Query(**query))]


@pytest.fixture
def corpus(tmp_path):
    """Ten shards of thirty documents: perplexities 10, 20, ..., those above 300 dropped; one failed in one shard."""
    shards = {f"s{s}": [scored(f"text {s} {n}", 20.0 * n + 10) for n in range(30)] for s in range(10)}
    shards["s7"].append(Made("broken", "length", "error_ValueError"))
    return corpus_of(tmp_path, shards)


def test_kept_dropped_and_both(corpus):
    assert len(found(corpus, limit=0)) == 301
    assert len(found(corpus, dropped=False, limit=0)) == 150
    dropped = list(search(corpus, Query(kept=False, limit=0)))
    assert len(dropped) == 151
    assert {one.step for one in dropped} == {"perplexity", "length"}
    assert found(corpus, limit=0) == found(corpus, limit=0)


@pytest.mark.parametrize("limit", [1, 7, 20, 149])
def test_as_many_as_are_wanted_and_no_more(corpus, limit):
    ids = found(corpus, kept=False, step="perplexity", limit=limit)
    assert len(ids) == len(set(ids)) == limit


def test_what_is_shown_comes_from_all_over(corpus):
    assert len({i.split("/")[0] for i in found(corpus, kept=False, step="perplexity", limit=16)}) == 8


def test_where_few_files_match_all_of_their_rows_come(corpus):
    ids = found(corpus, conditions=(parse_condition("url~s3.example"),), dropped=False, limit=12)
    assert len(set(ids)) == 12
    assert {identifier.split("/")[0] for identifier in ids} == {"s3"}


def test_a_rare_reason_is_looked_for_where_the_stats_say_it_is(corpus):
    query = Query(kept=False, reason="error_ValueError", limit=0)
    assert [file.shard for file in reject_files(corpus, query)] == ["s7"]
    assert [one.row["text"] for one in search(corpus, query)] == ["broken"]
    assert len(reject_files(corpus, Query(kept=False, step="perplexity"))) == 10


def test_conditions_subset_and_pattern(corpus):
    ids = found(corpus, conditions=(parse_condition("perplexity>80"), parse_condition("perplexity<100")), limit=0)
    assert sorted(ids) == sorted(f"s{s}/4" for s in range(10))
    assert len(found(corpus, subset="head", dropped=False, limit=0)) == 50
    assert found(corpus, grep=r"^text 4 2\d$", dropped=False, limit=0) == []
    assert sorted(found(corpus, grep=r"^text 4 1[34]$", limit=0)) == ["s4/13", "s4/14"]
    assert found(corpus, conditions=(parse_condition("id=s9/29"),), limit=1) == ["s9/29"]


def test_a_row_comes_whole(corpus):
    (one,) = search(corpus, Query(conditions=(parse_condition("id=s2/20"),), limit=1))
    assert (one.step, one.reason) == ("perplexity", "bucket_tail")
    assert one.row["origin"] == {"file": "s2.txt", "offset": 200}
    assert one.row["meta"]["perplexity"] == 410.0
    assert one.path.endswith("_rejects/s2.parquet")


def test_many_row_groups_and_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.corpus.sink.ROW_GROUP_DOCUMENTS", 7)
    corpus = corpus_of(tmp_path, {"a": [scored(f"t{n}", 10.0) for n in range(300)]})
    wanted = (parse_condition("id=a/0"), parse_condition("id=a/6"), parse_condition("id=a/299"))
    assert [found(corpus, conditions=(one,), limit=0) for one in wanted] == [["a/0"], ["a/6"], ["a/299"]]
    assert len(found(corpus, limit=0)) == 300


def test_a_search_says_how_far_it_is(corpus):
    said: list[str] = []
    list(search(corpus, Query(kept=False, limit=0), said.append))
    assert said[-1] == "commoncrawl: 10 of 10 files searched"


def test_errors_name_the_field_or_the_file(corpus, tmp_path):
    with pytest.raises(NoSuchField, match="no field 'nothing'"):
        found(corpus, conditions=(parse_condition("nothing=1"),))
    (tmp_path / "commoncrawl" / "_rejects" / "s0.parquet").write_bytes(b"damaged")
    with pytest.raises(OutputError, match=r"s0\.parquet cannot be read.*pipeline\.verify"):
        found(corpus, kept=False, limit=0)
    (tmp_path / "commoncrawl" / "_rejects" / "s0.parquet").unlink()
    with pytest.raises(OutputError, match=r"s0\.parquet cannot be read"):
        found(corpus, kept=False, limit=0)


def test_an_empty_corpus(tmp_path):
    assert found(corpus_of(tmp_path, {"a": []})) == []
    assert json.loads((tmp_path / "commoncrawl" / "manifest.json").read_text())["outputs"] == []


test_files_that_an_id_points_at = results_of(
    lambda path, identifier: may_hold(DataFile(path, 1, 1, 1), identifier),
    {
        "en/enwiki-20260401-part1.parquet": {"enwiki-12-345": True},
        "de/dewiki-20260401.parquet": {"enwiki-12-345": False},
        "_rejects/enwiki-20260401-part1.parquet": {"enwiki-12-345": True},
        "cooking.stackexchange.com/x-00000.parquet": {"cooking.stackexchange.com/12": True},
        "gutenberg/gutenberg-00000.parquet": {"gutenberg/1342": True},
        "papers/arXiv_src_2103_002.parquet": {"arxiv/2103.00002": True},
        "papers/arXiv_src_2104_002.parquet": {"arxiv/2103.00002": False},
        "papers/arXiv_src_9902_001.parquet": {
            "arxiv/hep-th/9902001": True,
            "arxiv/math.GT/9902001": True,
        },
        "head/CC-MAIN-1.parquet": {"urn:uuid:cc1cd3e3-5b1e-501b-9e5d-c67e74ad3ce8": False},
    },
)


def test_files_that_an_id_points_at_are_looked_through_first(tmp_path):
    shards = {f"{wiki}wiki-{n}": [Made(f"{wiki} {n}")] for wiki in ("de", "en", "fr") for n in range(9)}
    for name, (made,) in shards.items():
        made.fields = {"id": f"{name.split('-')[0]}-{name[-1]}-1"}
    corpus = corpus_of(tmp_path, shards)
    for path in (tmp_path / "commoncrawl" / "head").glob("[df]*.parquet"):
        path.unlink()
    assert found(corpus, conditions=(parse_condition("id=enwiki-5-1"),), limit=1) == ["enwiki-5-1"]


def test_the_fields_of_all_sources_that_lack_one_are_named():
    first, second = NoSuchField("langage_score", ["url", "language_score"]), NoSuchField("langage_score", ["tags"])
    assert "did you mean language_score? There are: language_score, tags, url" in str(second.beside(first))
    assert second.beside(None) is second
