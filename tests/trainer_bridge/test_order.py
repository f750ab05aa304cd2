"""The order of samples: every row once an epoch, the same forever, near its neighbours on disk."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer_bridge.order import Order, derive_key, permute


@given(size=st.integers(1, 3000), key=st.integers(0, 2**64 - 1))
@settings(max_examples=60, deadline=None)
def test_permute_is_a_bijection(size, key):
    assert sorted(permute(np.arange(size, dtype=np.uint64), size, key).tolist()) == list(range(size))


def test_permute_works_beyond_32_bits():
    size = 2**33 + 12345
    values = permute(np.arange(size - 2000, size, dtype=np.uint64), size, 7)
    assert len(set(values.tolist())) == 2000
    assert values.max() < size
    assert values.min() < size // 8 < size - size // 8 < values.max()  # spread over the range


def test_the_order_never_changes_between_versions():
    assert permute(np.arange(10, dtype=np.uint64), 10, 42).tolist() == [2, 3, 9, 1, 8, 0, 7, 6, 5, 4]
    assert Order(20, seed=1, block=4, window=8).row_numbers(18, 26).tolist() == [2, 3, 5, 2, 3, 4, 0, 1]
    assert derive_key(1, 2, 3) == 7702586659592502839


@given(rows=st.integers(1, 700), seed=st.integers(0, 2**63), block=st.integers(1, 80), window=st.integers(1, 900))
@settings(max_examples=60, deadline=None)
def test_an_epoch_reads_every_row_once(rows, seed, block, window):
    order = Order(rows, seed, block, window)
    for epoch in (0, 1, 7):
        assert sorted(order.row_numbers(epoch * rows, (epoch + 1) * rows)) == list(range(rows))


@given(start=st.integers(0, 900), length=st.integers(0, 900))
@settings(max_examples=40, deadline=None)
def test_any_stretch_equals_that_part_of_the_whole(start, length):
    order = Order(301, 5, 8, 64)
    whole = order.row_numbers(0, 2000)
    assert order.row_numbers(start, start + length).tolist() == whole[start : start + length].tolist()


def test_each_epoch_and_each_seed_has_its_own_order():
    orders = [
        Order(500, seed, 4, 128).row_numbers(epoch * 500, epoch * 500 + 500) for seed in (1, 2) for epoch in (0, 1)
    ]
    for i, one in enumerate(orders):
        for other in orders[:i]:
            assert (one == other).mean() < 0.02


def test_a_window_reads_whole_blocks_of_neighbours():
    order = Order(rows=10_000, seed=3, block=50, window=1000)
    rows = order.window_rows(4321)
    assert rows.tolist() == sorted(order.row_numbers(4000, 5000).tolist())
    blocks, counts = np.unique(rows // 50, return_counts=True)
    assert (len(blocks), set(counts.tolist())) == (20, {50})
    assert not (np.diff(order.row_numbers(4000, 5000)) == 1).mean() > 0.05  # shuffled inside the window


def test_the_short_last_block_is_not_always_last():
    places = {Order(1003, seed, 10, 2000).row_numbers(0, 1003).tolist().index(1002) for seed in range(8)}
    assert len(places) == 8
    unshuffled = [Order(1003, seed, 10, 1).row_numbers(0, 1003).tolist().index(1002) // 10 for seed in range(6)]
    assert max(unshuffled) - min(unshuffled) > 40


def test_first_and_last_rows_fall_everywhere():
    starts = [Order(4096, seed, 64, 1024).row_numbers(0, 1)[0] for seed in range(400)]
    counts, _ = np.histogram(starts, bins=8, range=(0, 4096))
    assert counts.sum() == 400
    assert counts.min() > 25  # 50 expected in each


def test_empty_stretch():
    assert Order(5, 1, 2, 2).row_numbers(3, 3).tolist() == []


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_tiny_data(rows):
    assert sorted(Order(rows, 9, 64, 65536).row_numbers(rows, 2 * rows)) == list(range(rows))
