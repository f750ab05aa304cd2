"""The arithmetic of a plan, with numbers that can be checked in the head."""

import pytest

from pipeline.plan.estimate import Need, estimate, with_own_yields
from pipeline.plan.rates import Rates, SourceRate, StageRate
from pipeline.plan.recipe import PaperFigures, PlanRecipe, SourceFacts

HOUR = 3600


def facts(**changes: float) -> SourceFacts:
    values = {
        "unit_megabytes": 100,
        "units": 1000,
        "read_per_raw": 0.5,
        "text_per_raw": 0.1,
        "bytes_per_token": 4.0,
        **changes,
    }
    return SourceFacts(PaperFigures(2.0, 50), "tar", **values)  # type: ignore[arg-type]


RECIPE = PlanRecipe({"a": facts(), "b": facts(text_per_raw=2.0)}, workers=10, core_hour_dollars=0.5)
RATES = Rates(
    "a machine",
    {
        "a": SourceRate(
            raw_bytes=10**9,
            read_bytes=5 * 10**8,
            kept_characters=2 * 10**8,
            parquet_bytes=1,
            worker_seconds=100,
            peak_bytes=7,
        ),
        "b": SourceRate(
            raw_bytes=10**9, read_bytes=5 * 10**8, kept_characters=0, parquet_bytes=1, worker_seconds=10, peak_bytes=8
        ),
    },
    encode=StageRate(amount=8 * 10**6, worker_seconds=1, peak_bytes=1),
    write=StageRate(amount=10**8, worker_seconds=1, peak_bytes=1),
)


def test_a_source_is_traced_back_from_tokens_to_raw_data() -> None:
    need = estimate(1e9, {"a": 0.75, "b": 0.25}, RECIPE, RATES).needs[0]
    assert need == Need(
        source="a",
        share=0.75,
        epochs=2.0,
        tokens=7.5e8,
        unique_tokens=3.75e8,
        text_bytes=1.5e9,
        raw_bytes=1.5e10,
        units=150,
        is_short=False,
        core_hours=1.5e10 / 1e7 / HOUR,
        peak_bytes=7,
    )


def test_the_whole_adds_up() -> None:
    plan = estimate(1e9, {"a": 0.75, "b": 0.25}, RECIPE, RATES)
    text = 1.5e9 + 0.5e9
    read_hours = 1.5e10 / 1e7 / HOUR + 0.25e9 / 1e8 / HOUR
    assert plan.encode_hours == pytest.approx(text / 8e6 / HOUR)
    assert plan.write_hours == pytest.approx(1e9 / 1e8 / HOUR)
    assert plan.core_hours == pytest.approx(read_hours + text / 8e6 / HOUR + 10 / HOUR)
    assert plan.core_hours is not None
    assert plan.wall_hours == pytest.approx(plan.core_hours / 10)
    assert plan.dollars == pytest.approx(plan.core_hours * 0.5)
    assert (plan.parquet_bytes, plan.token_file_bytes, plan.shard_bytes) == (text * 0.4, 1e9, 2e9)


def test_a_missing_rate_leaves_the_sums_open_and_the_rest_stands() -> None:
    plan = estimate(1e9, {"a": 1.0}, RECIPE, Rates())
    assert (plan.core_hours, plan.wall_hours, plan.dollars) == (None, None, None)
    assert plan.needs[0].core_hours is None
    assert plan.needs[0].units == 200


def test_where_the_raw_data_do_not_suffice_the_epochs_rise() -> None:
    enough = estimate(5e9, {"a": 1.0}, RECIPE, RATES).needs[0]
    assert (enough.is_short, enough.epochs, enough.units) == (False, 2.0, 1000)
    short = estimate(1e10, {"a": 1.0}, RECIPE, RATES).needs[0]
    assert (short.is_short, short.epochs, short.units) == (True, 4.0, 1000)
    assert (short.tokens, short.unique_tokens) == (1e10, 2.5e9)


def test_own_runs_replace_the_yield_where_they_kept_something() -> None:
    changed = with_own_yields(RECIPE, RATES.sources)
    assert (changed["a"].read_per_raw, changed["a"].text_per_raw) == (0.5, 0.2)
    assert changed["b"] == RECIPE.sources["b"]
