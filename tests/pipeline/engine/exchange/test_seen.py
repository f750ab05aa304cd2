import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine.exchange.grid import Grid
from pipeline.engine.exchange.seen import Seen, collect, read_range

LAST = 2**64 - 1
NUMBERS = st.one_of(st.integers(0, LAST), st.integers(0, 40).map(lambda n: (n << 64) // 41), st.integers(0, 3))
SETS = st.lists(NUMBERS, max_size=40).map(lambda values: np.unique(np.array(values, np.uint64)))


def settled(tmp, hashes, partitions, earlier=()):
    """What a scope with these hashes finds known, by its partitions; and the file that it leaves."""
    grid, folder = Grid(1, partitions), str(tmp / "parts")
    cuts = np.searchsorted(hashes, grid.bounds(range(partitions)))
    parts = np.split(hashes, cuts)
    flags = [Seen(tuple(earlier), folder).settle(part, grid, number) for number, part in enumerate(parts)]
    path = str(tmp / f"{partitions}-{len(list(tmp.iterdir()))}.blocks")
    collect(folder, partitions, path)
    return np.concatenate(flags), path


@settings(max_examples=60)
@given(SETS, SETS, SETS, st.integers(1, 9), st.integers(1, 9), NUMBERS, NUMBERS)
def test_any_range_is_found_whatever_the_grids(tmp_path_factory, first, second, third, one, other, low, high):
    tmp = tmp_path_factory.mktemp("seen")
    _, earlier = settled(tmp, first, one)
    known, later = settled(tmp, second, other, [earlier])
    assert second[known].tolist() == np.intersect1d(first, second).tolist()
    assert read_range(later, 0, 2**64).tolist() == np.setdiff1d(second, first).tolist()
    known, _ = settled(tmp, third, one + 1, [earlier, later])
    assert third[known].tolist() == np.intersect1d(third, np.union1d(first, second)).tolist()
    low, high = sorted((low, high))
    found = read_range(earlier, low, high + 1).tolist()
    assert found == [value for value in first.tolist() if low <= value <= high]
