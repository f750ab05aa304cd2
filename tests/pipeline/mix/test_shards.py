"""Shards: what is drawn is what stands in the rows, in balance, and packed as the trainer reads it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mix.balance import tokens_by_source
from pipeline.mix.gather import Gathered, Pieces, Scratch
from pipeline.mix.shards import Packed, interleave, pack, row_columns, write_rows
from tests.trainer_bridge.tiny import Doc, write_shards

BOS = 1


def made_of(lists, sources=None, continued=()):
    """A buffer and its pieces; numbers count from 100."""
    lengths = np.array([len(ids) for ids in lists], np.int64)
    offsets = np.zeros(len(lists), np.int64)
    offsets[list(continued)] = 50
    buffer = np.concatenate([np.array(ids, np.uint16) for ids in lists])
    owners = np.array(sources or [0] * len(lists), np.uint8)
    numbers = np.arange(100, 100 + len(lists), dtype=np.uint64)
    return buffer, Pieces(owners, numbers, np.cumsum(lengths) - lengths, lengths, offsets)


def packed_of(lists, sources=None):
    """A stream of documents in the order given."""
    buffer, pieces = made_of(lists, sources)
    return Packed(buffer, pieces, pieces.starts, len(buffer), BOS)


def test_sources_are_interleaved_by_how_far_they_have_come():
    sources = np.array([0, 0, 0, 0, 1, 1], np.uint8)
    lengths = np.array([10, 10, 10, 10, 10, 10])
    order = interleave(sources, lengths, [np.arange(4), np.arange(4, 6)])
    assert sources[order].tolist() == [0, 1, 0, 0, 1, 0]


@given(st.data())
def test_the_balance_is_within_a_document_of_each_source(data):
    counts = data.draw(st.lists(st.integers(1, 15), min_size=1, max_size=4))
    sources = np.repeat(np.arange(len(counts)), counts).astype(np.uint8)
    lengths = np.array(data.draw(st.lists(st.integers(1, 50), min_size=len(sources), max_size=len(sources))))
    shuffled = [np.flatnonzero(sources == source) for source in range(len(counts))]
    order = interleave(sources, lengths, shuffled)
    assert sorted(order.tolist()) == list(range(len(sources)))
    done, total = np.zeros(len(counts)), lengths.sum()
    longest = max(lengths)
    for piece in order.tolist():
        done[sources[piece]] += lengths[piece]
        for source in range(len(counts)):
            share = lengths[sources == source].sum() / total
            assert abs(done[source] - share * done.sum()) <= longest * len(counts) / 2 + 1e-6


@given(st.integers(0, 3), st.data())
def test_packing_keeps_every_document_whole(seed, data):
    lists = [[BOS, *([n + 2] * n), 2] for n in data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=20))]
    sources = data.draw(st.lists(st.integers(0, 2), min_size=len(lists), max_size=len(lists)))
    buffer, pieces = made_of(lists, sources)
    packed = pack(Gathered(buffer, pieces, None), len(buffer), BOS, (seed,))
    assert sorted(packed.pieces.numbers.tolist()) == list(range(100, 100 + len(lists)))
    for start, number, source in zip(
        packed.starts, packed.pieces.numbers.tolist(), packed.pieces.sources.tolist(), strict=True
    ):
        ids = lists[number - 100]
        assert packed.ids(start, start + len(ids)).tolist() == ids
        assert sources[number - 100] == source


def test_a_document_that_goes_on_gets_a_bos():
    buffer, pieces = made_of([[7, 8, 2], [BOS, 9, 2]], continued=[0])
    packed = pack(Gathered(buffer, pieces, None), 7, BOS, (0,))
    spans = zip(packed.starts, packed.lengths, packed.pieces.numbers.tolist(), strict=True)
    found = {number: packed.ids(start, start + length).tolist() for start, length, number in spans}
    assert found == {100: [BOS, 7, 8, 2], 101: [BOS, 9, 2]}
    assert sorted(packed.lengths.tolist()) == [3, 4]
    without = pack(Gathered(buffer, pieces, None), 6, None, (0,))
    assert sorted(without.ids(0, 6).tolist()) == sorted(buffer.tolist())


def test_what_is_too_much_falls_off_the_end():
    buffer, pieces = made_of([[BOS, 5, 6, 2], [BOS, 7, 8, 2]])
    packed = pack(Gathered(buffer, pieces, None), 5, BOS, (0,))
    assert len(packed.ids(0, packed.length)) == packed.length == 5
    assert packed.lengths.tolist() == [4, 1]
    assert tokens_by_source(packed, 2) == ([5, 0], [2, 0])
    with pytest.raises(AssertionError, match="a shard of 9 ids has drawn 8"):
        pack(Gathered(buffer, pieces, None), 9, BOS, (0,))


@given(st.data())
def test_any_part_of_the_stream_is_that_part_of_the_whole(data):
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=12))
    lists = [list(range(10 * n, 10 * n + size)) for n, size in enumerate(sizes, 1)]
    continued = data.draw(st.sets(st.integers(0, len(lists) - 1)))
    bos = data.draw(st.sampled_from([None, BOS]))
    buffer, pieces = made_of(lists, continued=continued)
    length = data.draw(st.integers(1, len(buffer)))
    packed = pack(Gathered(buffer, pieces, None), length, bos, (0,))
    whole = []
    for number in packed.pieces.numbers.tolist():
        whole += [BOS] * (bos is not None and number - 100 in continued) + lists[number - 100]
    first = data.draw(st.integers(0, length - 1))
    last = data.draw(st.integers(first + 1, length))
    assert packed.ids(first, last).tolist() == packed.ids(first, last, Scratch()).tolist() == whole[first:last]


def test_scratch_is_used_again():
    scratch = Scratch()
    first = scratch.ids(10, np.dtype("<u2"))
    first[:] = 7
    assert scratch.ids(4, np.dtype("<u2")).tolist() == [7] * 4
    assert np.shares_memory(first, scratch.ids(5, np.dtype("<u4")))
    assert len(scratch.ids(11, np.dtype("<u2"))) == 11


def test_the_shuffle_is_its_key_s_alone():
    lists = [[BOS, n, 2] for n in range(10, 40)]
    buffer, pieces = made_of(lists)
    orders = [
        pack(Gathered(buffer, pieces, None), 90, BOS, key).pieces.numbers.tolist() for key in ((0, 1), (0, 1), (0, 2))
    ]
    assert orders[0] == orders[1] != orders[2]


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(1, 20), st.data())
def test_rows_are_those_of_the_trainer_s_own_fixture(tmp_path_factory, lengths, seq_len, data):
    """The trainer's tests write shards in a plain loop; the columns must be equal."""
    lists = [[BOS, *range(3, 3 + n)] for n in lengths]
    rows = (sum(map(len, lists)) - 1) // seq_len
    if not rows:
        return
    sources = data.draw(st.lists(st.integers(0, 1), min_size=len(lists), max_size=len(lists)))
    packed = packed_of(lists, sources)
    docs = [Doc(ids, source, 100 + n) for n, (ids, source) in enumerate(zip(lists, sources, strict=True))]
    folder = write_shards(tmp_path_factory.mktemp("plain"), docs, seq_len, shards=1)
    expected = pa.ipc.open_stream((folder / "data-00000-of-00001.arrow").read_bytes()).read_all().combine_chunks()
    columns = row_columns(packed, seq_len, 0, rows, Scratch(), Scratch())
    assert [column.to_pylist() for column in columns[:-1]] == [column.to_pylist() for column in expected.columns]
    middle = row_columns(packed, seq_len, rows // 2, rows, Scratch(), Scratch())
    assert [c.to_pylist() for c in middle[:-1]] == [c.slice(rows // 2).to_pylist() for c in expected.columns]
    for ids, starts, offsets in zip(*(columns[n].to_pylist() for n in (0, 1, 4)), strict=True):
        first = [ids[0] - 2] if len(offsets) > len(starts) else []  # the fixture's ids count from 3 behind a bos
        assert offsets == [*first, *[0] * len(starts)]


def test_a_file_is_an_uncompressed_stream_with_its_checksum(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.mix.shards.BATCH_ROWS", 2)
    packed = packed_of([[BOS, 5, 6, 2], [BOS, 7, 8, 9, 2], [BOS, 3, 2, 4]])
    size, sha256 = write_rows(str(tmp_path / "a.arrow"), packed, 4, {"seed": "0"})
    data = (tmp_path / "a.arrow").read_bytes()
    reader = pa.ipc.open_stream(data)
    assert [batch.num_rows for batch in reader] == [2, 1]
    assert reader.schema.metadata == {b"seed": b"0"}
    assert data.endswith(b"\xff\xff\xff\xff\x00\x00\x00\x00")
    assert size == len(data)
    assert len(sha256) == 64
