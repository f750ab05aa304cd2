import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine.exchange.blocks import (
    BlockFile,
    DropBlock,
    HashBlock,
    pack_drops,
    pack_hashes,
    split,
    unpack_drops,
    unpack_hashes,
    write_blocks,
)
from pipeline.engine.exchange.grid import Grid
from pipeline.engine.exchange.steps import decide

rows = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.booleans(), st.integers(0, 2**64 - 1)), max_size=20)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**40), rows, st.booleans(), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3))
def test_what_is_packed_is_unpacked(number, drawn, ranked, lengths):
    hashes, repeated, priority = (list(column) for column in zip(*drawn, strict=True)) if drawn else ([], [], [])
    sizes, flags = np.array(lengths, np.uint32), np.array(repeated, bool)
    rank = np.array(priority, np.uint64) if ranked else None
    block = pack_hashes(HashBlock(number, sizes, np.array(hashes, np.uint64), flags, rank))
    found = unpack_hashes(block)
    assert (found.number, found.lengths.tolist(), found.hashes.tolist()) == (number, lengths, hashes)
    assert found.repeated.tolist() == repeated
    assert (found.priority is None) == (not ranked or not hashes)
    assert found.priority is None or found.priority.tolist() == priority
    drops = pack_drops(DropBlock(number, sizes, flags))
    assert [part.tolist() for part in unpack_drops(drops)[1:]] == [lengths, repeated]
    assert list(split(block + drops + block)) == [block, drops, block]


def test_a_file_of_blocks(tmp_path):
    path = str(tmp_path / "b.blocks")
    write_blocks(path, [b"one", b"", b"three"])
    with BlockFile(path) as file:
        assert (file.count, file.read(2), list(file.read_row(range(3)))) == (3, b"three", [b"one", b"", b"three"])
        assert list(file.read_row(range(1, 1))) == []
    write_blocks(path, [])
    with BlockFile(path) as file:
        assert file.count == 0


def test_a_block_that_is_missing_or_comes_twice_is_no_answer():
    """A shuffle that lost one would else keep what should go."""
    one = pack_hashes(HashBlock(0, np.array([1], np.uint32), np.array([5], np.uint64), np.array([False]), None))
    for blocks in ([one], [one, one]):
        with pytest.raises(AssertionError, match=r"2 blocks should meet, there are \[0"):
            decide(iter(blocks), Grid(2, 1), 0, "drop_all")
