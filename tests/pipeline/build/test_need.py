"""As much raw data is taken as the mixture needs, first by the estimate, then by what came of the first files."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.build.need import Need, Yield, next_units, share_of
from pipeline.build.units import RawFile, Unit


def unit(number, size=100):
    return Unit(str(number), "a", (RawFile(f"http://h/{number}", size),))


UNITS = [unit(number) for number in range(1000)]
NEED = Need(tokens=1000.0, text_per_raw=0.5, bytes_per_token=4.0, file_bytes=100.0, margin=0.05)


def made(count, text_per_raw, tokens=None):
    return Yield(count * 100.0, count, count * 100 * text_per_raw, tokens)


def run(true_rate, need=NEED, units=UNITS):
    """Takes batches till there is enough, as a build does; gives the units taken, and the batches."""
    done = batches = 0
    while batch := next_units(units[done:], need, made(done, true_rate) if done else Yield(), pilot=True):
        done += len(batch)
        batches += 1
    return done, batches


def test_the_estimate_asks_for_the_budget_and_a_margin():
    assert len(next_units(UNITS, NEED, Yield())) == 84  # 1,000 tokens x 4 bytes x 1.05 at half a byte a raw byte


def test_a_first_batch_is_a_tenth_where_more_can_follow():
    assert len(next_units(UNITS, NEED, Yield(), pilot=True)) == 9


def test_a_source_that_gives_half_of_the_estimate_is_read_twice_as_far():
    assert run(0.5)[0] == 84
    done, batches = run(0.25)
    assert 160 <= done <= 180  # 16,000 raw bytes are needed
    assert batches <= 8


def test_a_source_that_gives_twice_the_estimate_is_read_half_as_far():
    assert 40 <= run(1.0)[0] <= 75


def test_first_files_that_give_nothing_do_not_fetch_all():
    assert len(next_units(UNITS[9:], NEED, made(9, 0.0), pilot=True)) < 200


def test_counted_tokens_correct_the_bytes_of_a_token():
    enough = made(84, 0.5, tokens=1050)
    assert next_units(UNITS[84:], NEED, enough) == []
    short = made(84, 0.5, tokens=700)  # tokens of six bytes: a third more text
    assert 35 <= len(next_units(UNITS[84:], NEED, short)) <= 45


def test_what_is_exhausted_ends():
    assert run(0.01, units=UNITS[:50])[0] == 50


def test_without_a_budget_all_is_taken():
    assert next_units(UNITS, None, Yield()) == UNITS


def test_as_many_units_as_are_asked_for_come_whatever_is_needed():
    small = Need(tokens=1.0, text_per_raw=0.5, bytes_per_token=4.0, file_bytes=100.0, margin=0.0)
    assert len(next_units(UNITS, small, Yield(), least=20)) == 20


def test_sizes_that_nobody_knows_are_those_of_the_files_that_came():
    unknown = [unit(number, -1) for number in range(1000)]
    assert len(next_units(unknown, NEED, Yield())) == 84
    assert len(next_units(unknown, NEED, Yield(400.0, 1, 200.0))) < 30  # files of 400 bytes


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_larger_budget_takes_all_that_a_smaller_one_does(first, second):
    small, large = sorted((first, second))
    few, many = (next_units(UNITS, Need(tokens, 0.5, 4.0, 100.0, 0.05), Yield()) for tokens in (small, large))
    assert many[: len(few)] == few


def test_a_share_of_all_units_is_reckoned_from_the_budget_and_corrected_by_what_came():
    assert share_of(UNITS, NEED, Yield()) == 0.084  # 84 units of 1,000
    half = share_of(UNITS, NEED, Yield(8400.0, 84, 2100.0))  # that gave half of what was estimated
    assert 0.15 < half < 0.18
    assert share_of(UNITS, NEED, Yield(20_000.0, 200, 5000.0)) == 0.2  # enough
    assert share_of(UNITS[:50], NEED, Yield()) == 1
    assert share_of(UNITS, NEED, Yield(), least=1.5 * 0.287) == 0.431
    assert share_of(UNITS, Need(1e-9, 0.5, 4.0, 100.0, 0.05), Yield()) == 1e-6


@given(st.floats(1e-3, 1e9), st.floats(1.0, 10.0))
def test_a_larger_budget_has_no_smaller_share_and_rounding_adds_little(tokens, factor):
    small, large = (share_of(UNITS, Need(t, 0.5, 4.0, 100.0, 0.0), Yield()) for t in (tokens, tokens * factor))
    exact = tokens * 8 / 100_000
    assert min(1.0, exact) * (1 - 1e-9) <= small <= max(1e-6, exact * 1.0101)
    assert small <= large
