import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.cache import KEY_BYTES, LONGEST_CACHED, PADDING, UnitCache


class Bytes:
    """Stands for a model whose ids are the bytes of a unit, and 300 after each; counts what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, text, starts, lengths):
        units = [text[start : start + length].tobytes() for start, length in zip(starts, lengths, strict=True)]
        self.asked += units
        ids = [[*unit, 300] for unit in units]
        return np.array([n for each in ids for n in each], np.uint16), np.array([len(each) for each in ids])


def ask(cache: UnitCache, units: list[bytes]) -> list[list[int]]:
    text = np.frombuffer(b"".join(units) + bytes(PADDING), np.uint8)
    lengths = np.array([len(unit) for unit in units], np.int64)
    ids, counts = cache.ids(text, np.cumsum(lengths) - lengths, lengths)
    return [part.tolist() for part in np.split(ids, np.cumsum(counts)[:-1])]


def expected(units: list[bytes]) -> list[list[int]]:
    return [[*unit, 300] for unit in units]


def test_a_unit_is_encoded_once():
    encode = Bytes()
    cache = UnitCache(1 << 20, np.uint16, encode)
    units = [b"one", b"two", b"one", b"x" * 23, b"y" * 24, b"y" * 24]
    assert ask(cache, units) == expected(units)
    assert sorted(encode.asked) == [b"one", b"two", b"x" * 23, b"y" * 24]
    assert ask(cache, units[::-1]) == expected(units[::-1])
    assert len(encode.asked) == 4


def test_units_that_differ_in_length_or_zeros_only():
    encode = Bytes()
    cache = UnitCache(1 << 20, np.uint16, encode)
    units = [b"\0" * n for n in range(1, 30)] + [b"a" + b"\0" * n for n in range(29)]
    assert ask(cache, units) == expected(units)
    assert ask(cache, units) == expected(units)
    assert len(encode.asked) == len(units)


def test_very_long_units_are_not_kept():
    encode = Bytes()
    cache = UnitCache(1 << 20, np.uint16, encode)
    units = [b"z" * (LONGEST_CACHED + 1), b"b", b"y" * LONGEST_CACHED, b"z" * (LONGEST_CACHED + 1)]
    assert ask(cache, units) == expected(units)
    assert ask(cache, units) == expected(units)
    assert encode.asked.count(b"z" * (LONGEST_CACHED + 1)) == 2
    assert encode.asked.count(b"y" * LONGEST_CACHED) == 1


def test_a_full_cache_keeps_what_was_asked_for_again():
    encode = Bytes()
    cache = UnitCache(0, np.uint16, encode)  # the smallest: 4,096 slots
    hot = [b"hot%d" % n for n in range(50)]
    for number in range(40):
        units = hot + [b"%d-%d" % (number, n) for n in range(200)]
        assert ask(cache, units) == expected(units)
    assert cache.resets == 4  # each time half of the slots were taken: by 50 and ten times 200
    assert all(encode.asked.count(unit) == 1 for unit in hot)


def test_memory_is_bounded_for_long_units():
    cache = UnitCache(1 << 16, np.uint16, Bytes())
    for number in range(400):
        units = [b"%d-" % number + b"x" * 100, b"%d+" % number + b"y" * 900]
        assert ask(cache, units) == expected(units)
    assert cache.resets >= 400 * 1000 // (1 << 14)


@given(st.lists(st.lists(st.binary(min_size=1, max_size=2 * KEY_BYTES), min_size=1, max_size=300), max_size=8))
def test_ids_are_those_of_the_units(batches):
    cache = UnitCache(0, np.uint16, Bytes())
    for units in batches:
        assert ask(cache, units) == expected(units)
