"""Blocks and draws: whole documents, each once an epoch, in an order that the seed alone decides."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mix.blocks import BLOCK, block_length, cut_blocks, permutation, split_heldout
from pipeline.mix.draw import Stream

lengths = st.lists(st.integers(0, 40), min_size=1, max_size=60)


def offsets_of(values):
    return np.concatenate(([0], np.cumsum(values))).astype(np.int64)


def test_blocks_end_behind_the_document_that_passes_a_multiple():
    first, documents = cut_blocks(offsets_of([5, 5, 5, 30, 0, 2, 1]), 10)
    assert first.tolist() == [0, 2, 4]
    assert documents.tolist() == [2, 2, 3]


@given(lengths, st.integers(1, 50))
def test_every_document_with_ids_is_in_one_block(values, length):
    offsets = offsets_of(values)
    first, documents = cut_blocks(offsets, length)
    covered = [d for a, n in zip(first.tolist(), documents.tolist(), strict=True) for d in range(a, a + n)]
    assert sorted(set(covered)) == covered
    assert {d for d, size in enumerate(values) if size} <= set(covered)
    sizes = offsets[first + documents] - offsets[first]
    assert (sizes > 0).all()
    assert (sizes < length + max(values) + 1).all()


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
    return made


def ids(draws):
    """The ids of a draw, as (block, place in it)."""
    return [(int(d["first"]), at) for d in draws for at in range(int(d["skip"]), int(d["stop"]))]


sizes = st.lists(st.integers(1, 12), min_size=1, max_size=20)


@given(sizes, st.integers(0, 5), st.data())
def test_a_stream_is_the_same_however_it_is_cut(found, seed, data):
    total = sum(found) * 3
    whole = ids(Stream(0, "a", blocks(found), seed).draw(0, total))
    cuts = sorted({0, total, *data.draw(st.lists(st.integers(0, total), max_size=6))})
    stream = Stream(0, "a", blocks(found), seed)
    parts = [ids(stream.draw(a, b)) for a, b in pairwise(cuts)]
    assert [place for part in parts for place in part] == whole


@given(sizes, st.integers(0, 5))
def test_an_epoch_holds_everything_once(found, seed):
    stream, unique = Stream(0, "a", blocks(found), seed), sum(found)
    everything = {(block, at) for block, size in enumerate(found) for at in range(size)}
    for epoch in range(3):
        drawn = ids(stream.draw(epoch * unique, (epoch + 1) * unique))
        assert len(drawn) == unique
        assert set(drawn) == everything


def test_epochs_have_orders_of_their_own():
    stream = Stream(0, "a", blocks([2] * 30), 0)
    assert ids(stream.draw(0, 60)) != ids(stream.draw(60, 120))


@given(sizes, st.data())
def test_held_out_blocks_leave_the_others(found, data):
    wanted = data.draw(st.integers(0, sum(found)))
    training, held = split_heldout(blocks(found), wanted, 0, "a")
    assert sorted([*training["first"].tolist(), *held["first"].tolist()]) == list(range(len(found)))
    assert held["tokens"].sum() >= wanted
    assert (len(held) == 0) == (wanted == 0)
    if len(held):
        assert held["tokens"].sum() - held["tokens"].max() < wanted
