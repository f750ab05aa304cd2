"""Quotas: exact in every run of first shards."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipeline.mix.quotas import ShardForm, apportion, cumulative_quotas, largest_form


@st.composite
def shares(draw):
    weights = draw(st.lists(st.integers(1, 10_000), min_size=1, max_size=9))
    return [Fraction(weight, sum(weights)) for weight in weights]


forms = st.builds(ShardForm, st.integers(1, 60), st.integers(1, 50), st.integers(1, 12))


def test_the_form_of_shards():
    form = ShardForm(rows=20, seq_len=16, shard_rows=8)
    assert form.shards == 3
    assert [form.rows_of(shard) for shard in range(3)] == [8, 8, 4]
    assert [form.ids_of(shard) for shard in range(3)] == [129, 129, 65]
    assert form.ids == 323
    assert form.drawn(2) == 323 + 2 * 3


def test_largest_remainder():
    thirds = [Fraction(1, 3)] * 3
    assert apportion(10, thirds, [0, 0, 0]) == [4, 3, 3]
    assert apportion(11, thirds, [4, 3, 3]) == [4, 4, 3]
    assert apportion(12, thirds, [4, 4, 3]) == [4, 4, 4]


@given(forms, shares())
def test_quotas_are_exact_at_every_shard(form, parts):
    drawn, before = 0, [0] * len(parts)
    for shard, quotas in enumerate(cumulative_quotas(form, parts)):
        drawn += form.ids_of(shard) + len(parts)
        assert sum(quotas) == drawn
        assert all(now >= then for now, then in zip(quotas, before, strict=True))
        assert all(abs(quota - part * drawn) < 2 for quota, part in zip(quotas, parts, strict=True))
        before = quotas
    assert drawn == form.drawn(len(parts))


@given(st.integers(1, 30), st.integers(1, 9), shares(), st.data())
def test_the_largest_form_is_the_largest(seq_len, shard_rows, parts, data):
    limits = data.draw(st.lists(st.integers(1, 3000), min_size=len(parts), max_size=len(parts)))
    form = largest_form(seq_len, shard_rows, parts, limits)

    def fits(rows):
        drawn = ShardForm(rows, seq_len, shard_rows).drawn(len(parts))
        return all(drawn * part + 1 <= limit for part, limit in zip(parts, limits, strict=True))

    assert form.rows == 0 or fits(form.rows)
    assert not fits(form.rows + 1)
    if form.rows:
        *_, quotas = cumulative_quotas(form, parts)
        assert all(quota <= limit for quota, limit in zip(quotas, limits, strict=True))
