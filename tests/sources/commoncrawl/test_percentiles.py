from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.commoncrawl.perplexity import cutoffs_of
from sources.commoncrawl.percentiles import count_perplexities, cutoff_notes, settle_cutoffs, settled_cutoffs
from sources.commoncrawl.recipe import PerplexityRecipe
from sources.commoncrawl.survey import COLUMNS

RECIPE = PerplexityRecipe(cutoffs="percentiles", percentile_pages=5, few_pages_cutoffs={"en": (240.0, 290.0)})


def shard(*rows: tuple[str, float | None]) -> pa.Table:
    languages, perplexities = zip(*rows, strict=True) if rows else ((), ())
    return pa.table([languages, [0.9] * len(rows), perplexities], schema=COLUMNS)


def pages(language: str, *perplexities: float) -> dict[str, Counter[float]]:
    return {language: Counter(perplexities)}


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=60), st.integers(1, 99), st.integers(0, 50))
def test_percentiles_of_counts_are_numpys(tenths, head, more):
    values = Counter(tenth / 10 for tenth in tenths)
    percentiles = (float(head), float(min(99, head + more)))
    expected = np.percentile([tenth / 10 for tenth in tenths], percentiles)
    assert cutoffs_of(list(values), list(values.values()), percentiles) == pytest.approx(tuple(expected), abs=0.051)


def test_the_scope_is_all_its_shards_in_any_order_and_pages_without_a_perplexity_do_not_count():
    shards = [shard(("en", 10.0), ("de", None), ("en", 20.0)), shard(), shard(("en", 10.0), ("fr", 5.5))]
    found = {"en": Counter({10.0: 2, 20.0: 1}), "fr": Counter({5.5: 1})}
    assert count_perplexities(shards) == count_perplexities(shards[::-1]) == found


def test_enough_pages_give_percentiles():
    settled = settle_cutoffs(pages("en", 100, 200, 300, 400, 500), RECIPE)
    assert settled == {"cutoffs": {"en": {"pages": 5, "from": "percentiles", "cutoffs": [220.0, 340.0]}}}
    assert settled_cutoffs(settled) == {"en": (220.0, 340.0)}


def test_too_large_for_a_float_counts_as_a_million():
    counts = count_perplexities([shard(*[("en", value) for value in (1.0, 2.0, float("inf"), float("inf"), 4e9)])])
    assert counts == {"en": Counter({1e6: 3, 1.0: 1, 2.0: 1})}
    assert settle_cutoffs(counts, RECIPE)["cutoffs"]["en"]["cutoffs"] == [200001.6, 1e6]


def test_few_pages_take_the_recipes_cutoffs_or_none():
    settled = settle_cutoffs({**pages("en", 100, 200, 300, 400), **pages("de", 100)}, RECIPE)
    assert settled == {
        "cutoffs": {
            "de": {"pages": 1, "from": "none", "cutoffs": None},
            "en": {"pages": 4, "from": "few_pages_cutoffs", "cutoffs": [240.0, 290.0]},
        }
    }
    assert settled_cutoffs(settled) == {"en": (240.0, 290.0)}


def test_a_scope_without_pages():
    assert settle_cutoffs(count_perplexities([shard()]), RECIPE) == {"cutoffs": {}}


def test_what_is_said_of_many_scopes():
    surveys = {
        "a": settle_cutoffs(pages("en", 100, 200, 300, 400, 500), RECIPE),
        "b": settle_cutoffs(pages("en", 200, 300, 400, 500, 600, 700), RECIPE),
        "c": settle_cutoffs({**pages("en", 1), **pages("de", 1)}, RECIPE),
        "d": {"cutoffs": {}},
    }
    assert cutoff_notes(surveys, RECIPE) == [
        "Perplexity cut-offs for de: none, since 1 page is fewer than perplexity.percentile_pages (5 a scope) and "
        "perplexity.few_pages_cutoffs has no de; they have bucket all.",
        "Perplexity cut-offs for en: head below 240.0, middle below 290.0, from perplexity.few_pages_cutoffs, since 1 "
        "page is fewer than perplexity.percentile_pages (5 a scope).",
        "Perplexity cut-offs for en: head below 220.0 to 350.0, middle below 340.0 to 500.0, percentiles 30 and 60 of "
        "11 pages of 2 scopes.",
    ]
    assert cutoff_notes({}, RECIPE) == []
