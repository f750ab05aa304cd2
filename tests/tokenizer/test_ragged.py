import numpy as np

from tokenizer.ragged import ragged_indices, ragged_take


def test_slices_follow_one_another():
    source = np.array([10, 11, 12, 13, 14, 15], np.uint16)
    assert ragged_take(source, np.array([4, 0, 2]), np.array([2, 3, 1])).tolist() == [14, 15, 10, 11, 12, 12]
    assert ragged_indices(np.array([4, 0, 2]), np.array([2, 0, 1])).tolist() == [4, 5, 2]


def test_nothing_gives_nothing():
    nothing = np.empty(0, np.int64)
    assert ragged_take(np.arange(3), nothing, nothing).tolist() == []
