import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.budget import Budget
from pipeline.report.corpus import find
from pipeline.report.distributions import (
    ELSEWHERE,
    HERE,
    KEPT,
    Bars,
    Histogram,
    Population,
    distribution,
    distributions,
    populations,
)
from pipeline.report.fields import Field
from pipeline.report.sample import take_sample
from tests.pipeline.report.corpora import RECIPE, Made, make_source, scored

EVERYTHING = Budget()
PERPLEXITY = Field(
    "meta.perplexity", "Perplexity", scale="log", cutoffs="perplexity.cutoffs.{language}", step="perplexity"
)


def population(step, **columns) -> Population:
    table = pa.table(columns)
    return Population(step, table, np.ones(table.num_rows))


def of_corpus(tmp_path, shards, budget=EVERYTHING):
    make_source(tmp_path, shards)
    (corpus,) = find([str(tmp_path)]).sources
    kept, rejects = (take_sample(corpus, files, (), budget) for files in (corpus.documents, corpus.rejects))
    return corpus, populations(corpus, kept, rejects)


def test_a_score_by_fate_with_its_cutoffs(tmp_path):
    shards = {"a": [scored("first", 50.0), scored("second", 200.0), scored("third", 400.0), Made("no", "length", "x")]}
    shards["a"][3].fields = {"meta": {"perplexity": 60.0}}
    _, samples = of_corpus(tmp_path, shards)
    drawn = distribution(PERPLEXITY, samples, RECIPE)
    assert isinstance(drawn, Histogram)
    assert drawn.cutoffs == (100.0, 300.0)
    assert {fate: float(counts.sum()) for fate, counts in drawn.counts.items()} == {KEPT: 2, HERE: 1, ELSEWHERE: 1}
    assert drawn.edges[0] == pytest.approx(50)
    assert drawn.edges[-1] == pytest.approx(400)
    assert not drawn.clipped


def test_a_sample_is_scaled_up_to_all_documents(tmp_path):
    shards = {f"s{n}": [scored(f"text {n} {d}", d * 40.0 + 10) for d in range(20)] for n in range(10)}
    corpus, samples = of_corpus(tmp_path, shards, Budget(files=3, documents=15))
    drawn = distribution(PERPLEXITY, samples, RECIPE)
    assert sum(s.rows.num_rows for s in samples) < 60
    assert drawn.counts[KEPT].sum() == pytest.approx(corpus.kept.documents)
    assert drawn.counts[HERE].sum() == pytest.approx(corpus.read.documents - corpus.kept.documents)


def test_records_that_never_became_documents_are_left_out(tmp_path):
    _, samples = of_corpus(tmp_path, {"a": [Made("good text"), Made("damaged: ...", "read", "error_x")]})
    assert [sample.step for sample in samples] == [None]


def test_shares_lists_and_zeros():
    share = Field("kept", "Share", of="whole", bounds=(0, 1))
    drawn = distribution(share, [population(None, kept=[1, 3, 5, None], whole=[4, 4, 0, 4])], {})
    assert drawn.values == 2
    assert np.flatnonzero(drawn.counts[KEPT]).tolist() == [10, 30]
    lists = distribution(Field("scores", "Scores"), [population(None, scores=[[1, 2], [], None, [2, 4]])], {})
    assert lists.values == 4
    assert lists.edges.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert lists.counts[KEPT].tolist() == [1, 2, 0, 1]
    logged = distribution(Field("n", "N", scale="log"), [population(None, n=[0, 0, 1, 100])], {})
    assert (logged.values, logged.unseen) == (2, 2.0)


@pytest.mark.parametrize("cut", [0.5, 2.0, 9000.0])
def test_a_cutoff_far_from_all_values_is_not_drawn(cut):
    field = Field("n", "N", scale="log", cutoffs="limit")
    assert distribution(field, [population(None, n=[100, 200])], {"limit": cut}).cutoffs == ()
    assert distribution(field, [population(None, n=[100, 200])], {"limit": 50}).cutoffs == (50.0,)


def test_infinities_are_no_values():
    drawn = distribution(Field("n", "N"), [population(None, n=[1.0, 2.5, float("inf"), float("nan")])], {})
    assert (drawn.values, drawn.counts[KEPT].sum()) == (2, 2)


def test_categories_the_most_frequent_first_and_the_rest_summed():
    values = ["b"] * 3 + ["a"] * 3 + [f"x{n:02d}" for n in range(30)] * 2 + ["", None] + ["a"]
    drawn = distribution(Field("n", "N"), [population(None, n=values), population("length", n=["a"] * 5)], {})
    assert isinstance(drawn, Bars)
    assert drawn.names[:2] == ["a", "b"]
    assert len(drawn.names) == 21
    assert drawn.names[-1] == "(others)"
    assert drawn.counts[KEPT][:2].tolist() == [4, 3]
    assert drawn.counts[ELSEWHERE][0] == 5
    assert drawn.counts[KEPT].sum() == 68


@pytest.mark.parametrize(
    "values",
    [["same"] * 5, [f"title {n}" for n in range(50)], [], [None, None], [7.0, 7.0]],
    ids=["one value", "names", "nothing", "no values", "one number"],
)
def test_what_would_say_nothing_is_not_drawn(values):
    column = pa.array(values, pa.string() if not values or values[0] is None else None)
    assert distribution(Field("n", "N"), [population(None, n=column)], {}) is None


def test_months_come_in_their_order_and_many_of_them_as_years():
    times = pa.array(["2021-12-31T23:59:59Z", "2021-02-01T00:00:00Z", "2021-02-03T00:00:00Z"]).cast(
        pa.timestamp("us", "UTC")
    )
    drawn = distribution(Field("t", "T", "month"), [population(None, t=times)], {})
    assert (drawn.names, drawn.counts[KEPT].tolist()) == (["2021-02", "2021-12"], [2, 1])
    long = pa.array([f"{1991 + n // 12}-{1 + n % 12:02d}-01T00:00:00Z" for n in range(300)]).cast(
        pa.timestamp("us", "UTC")
    )
    years = distribution(Field("t", "T", "month"), [population(None, t=long)], {})
    assert years.names[0] == "1991"
    assert years.counts[KEPT][0] == 12


def test_fields_that_no_table_names_are_drawn_by_their_type(tmp_path):
    shards = {"a": [Made(f"text {n}", fields={"meta": {"checked": n % 2 == 0, "title": f"T{n}"}}) for n in range(30)]}
    make_source(tmp_path, shards, "recipes-of-cakes")
    (corpus,) = find([str(tmp_path)]).sources
    kept, rejects = (take_sample(corpus, files) for files in (corpus.documents, corpus.rejects))
    titles = [drawn.field.title for drawn in distributions(corpus, populations(corpus, kept, rejects))]
    assert titles == ["Length", "Checked"]


@given(
    st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=60),
    st.sampled_from(["linear", "log"]),
    st.lists(st.floats(-10, 10), max_size=2),
)
def test_every_value_is_counted_once(values, scale, cuts):
    drawn = distribution(Field("n", "N", scale=scale, cutoffs="c"), [population(None, n=values)], {"c": sorted(cuts)})
    if drawn is None:
        return
    finite = [v for v in values if np.isfinite(v)]
    assert drawn.counts[KEPT].sum() + drawn.unseen == len(finite)
    assert np.all(np.diff(drawn.edges) > 0)


def test_each_language_has_its_own_plot_where_its_cutoffs_are_its_own(tmp_path):
    recipe = RECIPE | {
        "language": {"keep": ["en", "de", "fr"], "threshold": 0.5},
        "perplexity": {"cutoffs": {"en": [100.0, 300.0], "de": [40.0, 90.0], "fr": [1.0, 2.0], "it": [3.0, 4.0]}},
    }
    texts = [scored(f"a {n}", 50.0 + 100 * n) for n in range(4)]
    texts += [scored(f"b {n}", 30.0 + 30 * n, language="de") for n in range(3)]
    make_source(tmp_path, {"a": texts}, recipe=recipe)
    (corpus,) = find([str(tmp_path)]).sources
    samples = populations(corpus, *(take_sample(corpus, files) for files in (corpus.documents, corpus.rejects)))
    drawn = [d for d in distributions(corpus, samples) if d.field.column == "meta.perplexity"]
    assert [(d.field.title, d.cutoffs, d.values) for d in drawn] == [
        ("Perplexity, en", (100.0, 300.0), 4),
        ("Perplexity, de", (40.0, 90.0), 3),
    ]
