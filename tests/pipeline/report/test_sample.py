from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.budget import Budget
from pipeline.report.corpus import find
from pipeline.report.sample import chosen_rows, take_sample
from tests.pipeline.report.corpora import Made, make_source, scored


def corpus_of(tmp_path, shards):
    make_source(tmp_path, shards)
    return find([str(tmp_path)]).sources[0]


def many(shards: int, documents: int) -> dict[str, list[Made]]:
    return {
        f"s{s:03d}": [scored(f"text {s} {d} " + "ä" * d, 10.0 + d) for d in range(documents)] for s in range(shards)
    }


def test_a_small_corpus_is_read_whole(tmp_path):
    corpus = corpus_of(tmp_path, many(3, 5))
    sample = take_sample(corpus, corpus.documents)
    assert (sample.size, sample.population, sample.files) == (15, 15, (3, 3))
    rows = sample.rows.sort_by("id").to_pylist()
    assert rows[1]["characters"] == len("text 0 1 ä")
    assert rows[1]["bytes"] == len("text 0 1 ä".encode())
    assert rows[4]["meta.perplexity"] == 14.0
    assert "text" not in rows[0]
    assert "meta.answer_scores" not in rows[0]


def test_lists_are_read_where_they_are_wanted(tmp_path):
    shards = {"a": [Made("x", fields={"meta": {"answer_scores": [3, -1]}}), Made("y")]}
    corpus = corpus_of(tmp_path, shards)
    sample = take_sample(corpus, corpus.documents, ["answer_scores"])
    assert sample.rows["meta.answer_scores"].to_pylist() == [[3, -1], None]


@pytest.mark.parametrize(
    ("budget", "files", "least", "most"),
    [
        (Budget(files=4), 4, 80, 80),
        (Budget(documents=60), 20, 60, 80),
        (Budget(characters=400), 20, 15, 60),
    ],
)
def test_no_more_is_read_than_the_budget_says(tmp_path, budget, files, least, most):
    corpus = corpus_of(tmp_path, many(20, 20))
    sample = take_sample(corpus, corpus.documents, (), budget)
    assert sample.files == (files, 20)
    assert least <= sample.size <= most
    assert sample.population == 400


def test_the_sample_is_the_same_in_every_run_and_spread(tmp_path):
    corpus = corpus_of(tmp_path, many(20, 20))
    budget = Budget(files=5, documents=40)
    first, second = (take_sample(corpus, corpus.documents, (), budget) for _ in range(2))
    assert first.rows.equals(second.rows)
    assert first.excerpts == second.excerpts
    assert {i.split("/")[0] for i in first.rows["id"].to_pylist()} != {f"s{n:03d}" for n in range(5)}


def test_excerpts_are_kept_for_each_reason(tmp_path):
    shards = {
        "a": [Made(f"short {n}", "length", "too_short") for n in range(9)]
        + [Made("failed", "length", "error_ValueError"), Made("x" * 3000, "perplexity", "bucket_tail")]
    }
    corpus = corpus_of(tmp_path, shards)
    excerpts = take_sample(corpus, corpus.rejects, (), Budget(excerpts=4)).excerpts
    counts = {key: len(found) for key, found in excerpts.items()}
    assert counts == {("length", "error_ValueError"): 1, ("length", "too_short"): 4, ("perplexity", "bucket_tail"): 1}
    (long,) = excerpts["perplexity", "bucket_tail"]
    assert (long.text, long.characters) == ("x" * 2000, 3000)
    assert take_sample(corpus, corpus.rejects, (), Budget(excerpts=0)).excerpts == {}


def test_files_that_cannot_be_read_are_named_and_passed_over(tmp_path):
    corpus = corpus_of(tmp_path, many(3, 5))
    (tmp_path / "commoncrawl" / "head" / "s000.parquet").unlink()
    (tmp_path / "commoncrawl" / "head" / "s001.parquet").write_bytes(b"PAR1 no more")
    sample = take_sample(corpus, corpus.documents)
    assert (sample.size, sample.files) == (5, (1, 3))
    assert [fault.split(":")[0] for fault in sample.unreadable] == ["head/s000.parquet", "head/s001.parquet"]


def test_nothing_to_read(tmp_path):
    corpus = corpus_of(tmp_path, many(1, 1))
    sample = take_sample(replace(corpus, rejects=()), ())
    assert (sample.rows, sample.size, sample.files) == (None, 0, (0, 0))


def test_rows_come_from_all_over_a_file(tmp_path):
    corpus = corpus_of(tmp_path, {"a": [scored(f"text {d}", 10.0) for d in range(1000)]})
    sample = take_sample(corpus, corpus.documents, (), Budget(documents=10))
    numbers = sorted(int(name.split("/")[1]) for name in sample.rows["id"].to_pylist())
    assert [number // 100 for number in numbers] == list(range(10))


def test_reasons_that_the_rows_lack_are_looked_for(tmp_path):
    rejects = [Made(f"short {n}", "length", "too_short") for n in range(500)]
    rejects[333] = Made("it failed", "length", "error_ValueError")
    rejects[444:450] = [scored(f"tail {n}", 400.0) for n in range(6)]
    corpus = corpus_of(tmp_path, {"a": rejects})
    sample = take_sample(corpus, corpus.rejects, (), Budget(documents=10, excerpts=2))
    counts = {key: len(texts) for key, texts in sample.excerpts.items()}
    assert counts == {("length", "error_ValueError"): 1, ("length", "too_short"): 2, ("perplexity", "bucket_tail"): 2}
    assert 10 <= sample.size <= 13


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8).filter(sum), st.floats(1e-3, 1.0), st.text(max_size=20))
def test_as_many_rows_are_chosen_as_the_share_asks_for(sizes, share, name):
    chosen = chosen_rows(sizes, share, name)
    rows = [(group, row) for group, found in chosen.items() for row in found.tolist()]
    assert sum(sizes) * share <= len(rows) < sum(sizes) * share + 1
    assert len(set(rows)) == len(rows)
    assert all(0 <= row < sizes[group] for group, row in rows)
    assert all(found.tolist() == sorted(found.tolist()) for found in chosen.values())


def test_every_row_is_chosen_about_as_often_as_any_other():
    times = [0] * 10
    for n in range(4000):
        for group, rows in chosen_rows([7, 1, 2], 0.1, f"file {n}").items():
            times[{0: 0, 1: 7, 2: 8}[group] + int(rows[0])] += 1
    assert sum(times) == 4000
    assert all(330 < count < 470 for count in times)
