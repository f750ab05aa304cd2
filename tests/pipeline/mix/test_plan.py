"""Plans: epochs from shares, and what is refused."""

import pytest

from pipeline.errors import InputError, UserError
from pipeline.mix.plan import SourceCounts, heldout_quotas, make_plan, plan_rows, present
from pipeline.mix.recipe import MixRecipe, SourceShare
from tests.pipeline.mix.corpora import recipe


def counts(name, tokens, heldout=0):
    return SourceCounts(name, 1, tokens // 10, tokens, tokens * 4, heldout, heldout, 0, "f")


def test_epochs_are_share_times_budget_by_unique_tokens():
    made = recipe({"a": 75, "b": 25}, seq_len=100, shard_rows=1000)
    plan = make_plan(made, [counts("a", 50_000), counts("b", 100_000)], 100_000)
    assert plan.tokens == 100_000
    assert (plan.form.rows, plan.form.shards) == (1000, 1)
    assert [row["tokens_to_draw"] for row in plan_rows(plan)] == [75_002, 25_001]
    assert [round(row["epochs"], 3) for row in plan_rows(plan)] == [1.5, 0.25]
    assert [row["bytes_per_token"] for row in plan_rows(plan)] == [4.0, 4.0]


def test_auto_is_the_largest_budget_within_the_epoch_limits():
    made = recipe({"a": 75, "b": 25}, seq_len=10, shard_rows=1000, max_epochs=2.0)
    sources = [counts("a", 75_000), counts("b", 10_000)]
    plan = make_plan(made, sources, None)
    assert plan.sources[1].epochs <= 2.0
    assert plan.sources[1].epochs > 1.999
    with pytest.raises(UserError, match=f"would draw b 2.00 times; its limit is 2 .* {plan.tokens:,}"):
        make_plan(made, sources, plan.tokens + 10)


def test_a_source_s_own_limit():
    both = [counts("a", 10_000), counts("b", 10_000)]
    made = MixRecipe({"a": SourceShare(50), "b": SourceShare(50, max_epochs=0.5)}, seq_len=16)
    assert [source.epochs > 0.49 for source in make_plan(made, both, None).sources] == [True, True]
    with pytest.raises(UserError, match=r"would draw b 0\.80 times; its limit is 0\.5"):
        make_plan(made, both, 16_000)


def test_held_out_tokens_are_not_there_for_training():
    made = recipe({"a": 100}, max_epochs=1.0)
    assert make_plan(made, [counts("a", 10_000, heldout=5_000)], None).tokens < 5_000


def test_a_budget_is_cut_to_whole_rows():
    made = recipe({"a": 100})
    assert make_plan(made, [counts("a", 10_000)], 1000).tokens == 992


@pytest.mark.parametrize(("tokens", "budget"), [(10_000, 15), (5, None)])
def test_less_than_a_row_is_refused(tokens, budget):
    with pytest.raises(UserError, match="does not fill one row of 16 tokens"):
        make_plan(recipe({"a": 100}), [counts("a", tokens)], budget)


def test_missing_and_empty_sources():
    made = recipe({"a": 50, "b": 25, "c": 25})
    with pytest.raises(InputError, match=r"corpus/ lacks sources of the recipe: b \(no text\), c \(not there\)"):
        present(made, {"a": 10, "b": 0}, "corpus/")
    lenient = recipe({"a": 50, "b": 25, "c": 25}, missing="renormalise")
    assert present(lenient, {"a": 10, "b": 0}, "corpus/") == ["a"]
    with pytest.raises(InputError, match="lacks sources"):
        present(lenient, {}, "corpus/")


def test_renormalised_shares():
    lenient = recipe({"a": 50, "b": 25, "c": 25}, missing="renormalise")
    plan = make_plan(lenient, [counts("a", 10_000), counts("c", 10_000)], 3_000)
    assert [round(float(share), 6) for share in plan.shares] == [0.666667, 0.333333]
    assert plan.left_out == ("b",)


def test_too_much_held_out():
    made = recipe({"a": 50, "b": 50}, heldout_tokens=1000)
    assert sum(heldout_quotas(made, {"a": 5000, "b": 5000}, ["a", "b"])) >= 992 + 1 + 2
    with pytest.raises(UserError, match=r"takes 4.. tokens of b, which has 900: at most half"):
        heldout_quotas(made, {"a": 5000, "b": 900}, ["a", "b"])
