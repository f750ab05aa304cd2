"""Slices are nested, seeded, and fair to the strata."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.build.units import RawFile, Unit, from_lines, in_order, strata_of, to_lines
from pipeline.errors import InputError


def unit(name, stratum="a", size=1, **more):
    return Unit(name, stratum, (RawFile(f"http://h/{name}", size),), **more)


listed = st.lists(
    st.builds(unit, st.text("abc", min_size=1, max_size=4), st.sampled_from("xyz"), st.integers(-1, 1000)),
    max_size=30,
    unique_by=lambda entry: (entry.stratum, entry.name),
)


@given(listed, st.integers(0, 3), st.randoms())
def test_the_order_is_of_what_is_there_not_of_how_it_was_listed(units, seed, random):
    shuffled = random.sample(units, len(units))
    assert in_order(units, seed) == in_order(shuffled, seed)
    assert sorted(in_order(units, seed), key=str) == sorted(units, key=str)


def test_a_seed_draws_its_own_slices():
    units = [unit(str(number)) for number in range(50)]
    assert in_order(units, 0) != in_order(units, 1)


def test_each_beginning_has_of_each_stratum_its_share_of_the_bytes():
    units = [
        unit(f"{stratum}{number}", stratum, size) for stratum, size in (("s", 10), ("l", 90)) for number in range(100)
    ]
    ordered = in_order(units, 0)
    for count in (20, 60, 120):
        taken = ordered[:count]
        share = sum(u.size(0) for u in taken if u.stratum == "l") / sum(u.size(0) for u in taken)
        assert abs(share - 0.9) < 0.05


def test_a_unit_of_each_stratum_can_come_first():
    units = [unit(f"{stratum}{number}", stratum) for stratum in "abc" for number in range(1 if stratum == "a" else 40)]
    assert strata_of(in_order(units, 0, each_stratum=True)[:3]) == ["a", "b", "c"]


@given(listed)
def test_lines_give_the_units_again(units):
    assert from_lines(to_lines(units), "x") == units


@pytest.mark.parametrize(
    "text", ["{", "{}", "[]", '{"name": "a", "stratum": "b", "files": [{"path": 1}], "alone": false}']
)
def test_lines_that_are_none_are_refused_by_name(text):
    with pytest.raises(InputError, match=r"units\.jsonl is no list of raw data"):
        from_lines(text, "units.jsonl")
