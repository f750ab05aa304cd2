"""Tables of hashes find what is in them, and nothing else, whatever their filters let pass."""

import numpy as np
import pytest

from pipeline.decontaminate.grams import GramTable


@pytest.mark.parametrize("count", [0, 1, 7, 5_000, 40_000])
def test_what_is_in_a_table_is_found_with_its_places(count):
    rng = np.random.default_rng(count)
    hashes = rng.integers(0, 1 << 64, count, np.uint64, endpoint=False)
    hashes[1::2] = hashes[: count // 2]  # each stands in two places
    table = GramTable(hashes, np.arange(count))
    near = hashes[:10] ^ np.uint64(1 << 40)  # pass the filter by the lower bits, not that by the upper ones
    asked = np.concatenate([rng.integers(0, 1 << 64, 3_000, np.uint64), hashes[:500], near, near ^ np.uint64(1)])
    at, numbers = table.find(asked)
    assert at.tolist() == np.flatnonzero(np.isin(asked, hashes)).tolist()
    assert np.array_equal(table.hashes[numbers], asked[at])
    for number in numbers[:50].tolist():
        places = table.places[table.starts[number] : table.starts[number + 1]]
        assert places.tolist() == np.flatnonzero(hashes == table.hashes[number]).tolist()
        assert table.first[number] == places[0]
