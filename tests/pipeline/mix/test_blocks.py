"""Blocks and draws: whole documents, each once an epoch, in an order that the seed alone decides."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mix.blocks import BLOCK, block_length, cut_blocks, permutation
from pipeline.mix.draw import Stream

lengths = st.lists(st.integers(0, 40), min_size=1, max_size=60)


def offsets_of(values):
    return np.concatenate(([0], np.cumsum(values))).astype(np.int64)


NO_GAPS = np.empty((0, 2), np.int64)


def test_blocks_end_behind_the_document_that_passes_a_multiple():
    found = cut_blocks(offsets_of([5, 5, 5, 30, 0, 2, 1]), 10, 99, NO_GAPS)
    assert found[["first", "documents", "skip", "tokens"]].tolist() == [(0, 2, 0, 10), (2, 2, 0, 35), (5, 2, 0, 3)]


def test_blocks_leave_gaps():
    gaps = np.array([[5, 10], [20, 30], [45, 48]])
    found = cut_blocks(offsets_of([5, 5, 5, 30, 0, 2, 1]), 10, 99, gaps)
    expected = [(0, 1, 0, 5), (2, 2, 0, 10), (3, 1, 15, 15)]
    assert found[["first", "documents", "skip", "tokens"]].tolist() == expected


@given(lengths, st.integers(1, 50), st.integers(2, 50), st.data())
def test_every_id_is_in_one_block_or_one_gap(values, length, longest, data):
    offsets = offsets_of(values)
    cuts = sorted(data.draw(st.sets(st.integers(0, int(offsets[-1])), max_size=8)))
    gaps = np.array(list(zip(cuts[::2], cuts[1::2], strict=False)), np.int64).reshape(-1, 2)
    found = cut_blocks(offsets, length, longest, gaps)
    assert (found["tokens"] > 0).all()
    begins = offsets[found["first"]] + found["skip"].astype(np.int64)
    covered = np.zeros(int(offsets[-1]), int)
    for begin, size in [*zip(begins, found["tokens"].astype(int), strict=True), *((a, b - a) for a, b in gaps)]:
        covered[begin : begin + size] += 1
    assert (covered == 1).all()
    ends = offsets[found["first"] + found["documents"]]
    assert (begins + found["tokens"].astype(np.int64) <= ends).all()
    assert (found["tokens"] < length + max(values) + 1).all()


def test_small_sources_are_permuted_document_by_document():
    assert block_length(4096 * 10, 65_536) == 10
    assert block_length(100, 65_536) == 1
    assert block_length(10**9, 65_536) == 65_536
    assert block_length(10**13, 65_536) == -(-(10**13) // 2**22)


def test_a_permutation_is_its_key_s_alone():
    # pinned: another order would change the bytes of every shard
    assert permutation(10, 0, "books", "epoch", 0).tolist() == permutation(10, 0, "books", "epoch", 0).tolist()
    assert permutation(10, 0, "books", "epoch", 0).tolist() == PINNED
    assert permutation(10, 0, "books", "epoch", 1).tolist() != PINNED
    assert permutation(10, 1, "books", "epoch", 0).tolist() != PINNED


PINNED = [7, 9, 5, 3, 1, 4, 0, 2, 8, 6]


@given(st.integers(0, 500), st.integers())
def test_permutations_are_bijections(count, seed):
    assert sorted(permutation(count, seed).tolist()) == list(range(count))


def blocks(sizes):
    made = np.zeros(len(sizes), BLOCK)
    made["file"], made["first"], made["documents"], made["tokens"] = 0, np.arange(len(sizes)), 1, sizes
    made["skip"] = np.arange(len(sizes)) % 3
    return made


def ids(draws):
    """The ids of a draw, as (block, place in its document)."""
    return [(int(d["first"]), at) for d in draws for at in range(int(d["skip"]), int(d["stop"]))]


sizes = st.lists(st.integers(1, 12), min_size=1, max_size=20)


@given(sizes, st.integers(0, 5), st.data())
def test_a_stream_is_the_same_however_it_is_cut(found, seed, data):
    total = sum(found) * 3
    whole = ids(Stream(0, "a", blocks(found), seed, False).draw(0, total))
    cuts = sorted({0, total, *data.draw(st.lists(st.integers(0, total), max_size=6))})
    stream = Stream(0, "a", blocks(found), seed, False)
    parts = [ids(stream.draw(a, b)) for a, b in pairwise(cuts)]
    assert [place for part in parts for place in part] == whole


@given(sizes, st.integers(0, 5))
def test_an_epoch_holds_everything_once(found, seed):
    stream, unique = Stream(0, "a", blocks(found), seed, False), sum(found)
    everything = {(block, at) for block, size in enumerate(found) for at in range(block % 3, block % 3 + size)}
    for epoch in range(3):
        drawn = ids(stream.draw(epoch * unique, (epoch + 1) * unique))
        assert len(drawn) == unique
        assert set(drawn) == everything


def test_epochs_have_orders_of_their_own():
    stream = Stream(0, "a", blocks([2] * 30), 0, False)
    assert ids(stream.draw(0, 60)) != ids(stream.draw(60, 120))


def test_long_documents_are_cut_in_equal_parts():
    found = cut_blocks(offsets_of([5, 31, 5]), 10, 12, NO_GAPS)
    assert found[["first", "skip", "tokens"]].tolist() == [(0, 0, 5), (1, 0, 10), (1, 10, 10), (1, 20, 11), (2, 0, 5)]


@given(sizes, st.integers(0, 5), st.data())
def test_a_bos_of_a_part_is_one_of_its_ids(found, seed, data):
    """However a stream is cut, its draws have the ids that were asked for, with the bos of parts, to one or two."""
    made, total = blocks(found), 3 * sum(found)
    stream = Stream(0, "a", made, seed, True)
    cuts = sorted({0, total, *data.draw(st.lists(st.integers(0, total), max_size=6))})
    for a, b in pairwise(cuts):
        draws = stream.draw(a, b)
        drawn = int((draws["stop"] - draws["skip"]).sum()) + int((draws["skip"] > 0).sum())
        assert b - a - 1 <= drawn <= b - a + 1
