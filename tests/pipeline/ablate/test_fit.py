"""The trend of differences over compute, against lines that are known."""

import json
import math

import pytest

from pipeline.ablate.fit import TARGET_TOKENS, TARGET_WEIGHTS, Point, _beyond, fit, fits_of, sentences
from pipeline.errors import InputError
from tests.tables import refusals


def test_points_on_a_line_are_carried_on_along_it():
    found = fit([Point(10.0**n, 0.5 - 0.1 * n, 0.01) for n in (2, 3, 5)], 1e9, 0.95)
    assert (found.slope, found.value) == (pytest.approx(-0.1), pytest.approx(-0.4))
    assert found.misfit == pytest.approx(1.0)


def test_the_interval_is_that_of_the_two_errors():
    """At x = 4 the line through x = 1 and x = 2 is 3 y2 - 2 y1."""
    found = fit([Point(1e1, 0.3, 0.02), Point(1e2, 0.2, 0.01)], 1e4, 0.95)
    assert found.value == pytest.approx(3 * 0.2 - 2 * 0.3, abs=1e-12)
    reach = 1.959964 * math.hypot(3 * 0.01, 2 * 0.02)
    assert (found.low, found.high) == (pytest.approx(-reach, abs=1e-6), pytest.approx(reach, abs=1e-6))
    assert found.misfit is None


def test_a_point_far_off_counts_little_where_its_error_is_large():
    found = fit([Point(1e1, 0.1, 0.001), Point(1e2, 9.0, 1e6), Point(1e3, 0.3, 0.001)], 1e5, 0.95)
    assert found.value == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(("value", "freedom"), [(3.841, 1), (5.991, 2), (7.815, 3), (9.488, 4)])
def test_the_chance_of_a_misfit_is_chi_squares(value, freedom):
    assert _beyond(value, freedom) == pytest.approx(0.05, abs=2e-5)


def experiment(folder, name, parameters=1000, error=0.01, baseline="sample", source="web", overrides=("c4=null",)):
    """The results of an experiment, as far as the fit reads them."""
    arms = {"baseline": {"overrides": []}}
    arms["a"] = {"overrides": list(overrides), "difference": {"all": {"value": 0.1, "error": error}}}
    result = {"baseline": baseline, "parameters": parameters, "tokens": 100, "confidence": 0.95, "arms": arms}
    result["weights"] = {source: 1.0}
    (folder / name).mkdir()
    (folder / name / "results.json").write_text(json.dumps(result))
    return str(folder / name)


def test_experiments_are_read_and_what_is_told_is_said_to_be_an_extrapolation(tmp_path):
    folders = [experiment(tmp_path, str(size), size) for size in (1000, 10_000)]
    found = fits_of(folders)
    assert [point.compute for point in found["a"].points] == [6e5, 6e6]
    assert found["a"].value == pytest.approx(0.1)
    (told,) = sentences(found)
    assert f"extrapolation over a factor of {6 * TARGET_WEIGHTS * TARGET_TOKENS / 6e6:,.0f} in compute" in told


CASES = {
    "one": [{}],
    "alike": [{}, {}],
    "other baselines": [{}, {"baseline": "llama1", "parameters": 5}],
    "other sources": [{}, {"parameters": 5, "source": "books"}],
    "other arms": [{}, {"parameters": 5, "overrides": ("books=null",)}],
    "no errors": [{}, {"parameters": 5, "error": None}],
}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _fits_of_case(case):
    from pathlib import Path

    return fits_of([experiment(Path(), f"{case} {n}", **more) for n, more in enumerate(CASES[case])])


test_experiments_that_cannot_be_fitted = refusals(
    _fits_of_case,
    InputError,
    {
        "one": "--fit needs 2 experiments or more",
        "alike": "have the same compute",
        "other baselines": "have different baselines: llama1, sample",
        "other sources": "judged on other sources, or other shares of them: web 100.0%; books 100.0%",
        "other arms": "have no arm in common",
        "no errors": "nothing is known of the errors",
    },
)
