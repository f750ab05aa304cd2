import bz2
import gzip
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.wikipedia.compressed import HELD_BYTES, Damage, XmlPiece, xml_pieces


def inflate(data: bytes, start: int = 0) -> tuple[bytes, list[Damage]]:
    pieces = list(xml_pieces(io.BytesIO(data), start))
    joined = b"".join(piece.data for piece in pieces if isinstance(piece, XmlPiece))
    return joined, [piece for piece in pieces if isinstance(piece, Damage)]


@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress])
@pytest.mark.parametrize("data", [b"<a/>", b"x" * 3_000_000, b"\0" * 100])
def test_the_kind_is_told_by_the_first_bytes(pack, data):
    assert inflate(pack(data)) == (data, [])


def test_nothing_at_all():
    assert inflate(b"") == (b"", [])
    assert inflate(bz2.compress(b"")) == (b"", [])


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=6))
def test_a_chain_of_streams_is_one(texts):
    assert inflate(b"".join(map(bz2.compress, texts))) == (b"".join(texts), [])
    assert inflate(b"".join(map(gzip.compress, texts))) == (b"".join(texts), [])


def test_offsets_are_those_of_the_streams_in_the_file():
    first, second = bz2.compress(b"one"), bz2.compress(b"two")
    pieces = list(xml_pieces(io.BytesIO(first + second), start=1000))
    assert pieces == [XmlPiece(b"one", 1000, False), XmlPiece(b"two", 1000 + len(first), False)]


def test_offsets_in_a_plain_file_are_its_own():
    pieces = list(xml_pieces(io.BytesIO(b"x" * 200_000), start=5))
    assert [(p.offset, p.plain) for p in pieces] == [(5, True), (5 + (64 << 10), True), (5 + (128 << 10), True),
                                                     (5 + (192 << 10), True)]  # fmt: skip


def test_a_truncated_stream_gives_what_is_whole_of_it():
    text = random.Random(1).randbytes(2_000_000)  # three blocks
    data = bz2.compress(text)
    joined, damage = inflate(data[: len(data) // 2])
    assert damage == [Damage("truncated_bz2", 0)]
    assert len(joined) > 800_000
    assert text.startswith(joined)


def test_a_damaged_stream_costs_only_itself():
    streams = [bz2.compress(bytes([48 + n]) * 50 + random.Random(n).randbytes(3000)) for n in range(4)]
    broken = bytearray(b"".join(streams))
    at = len(streams[0]) + len(streams[1]) // 2
    broken[at : at + 8] = b"\xff" * 8
    joined, damage = inflate(bytes(broken), start=100)
    assert joined == b"".join(map(bz2.decompress, [streams[0], streams[2], streams[3]]))
    assert damage == [Damage("corrupt_bz2", 100 + len(streams[0]))]


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_one_wrong_byte_anywhere_gives_no_wrong_text(at, flip):
    texts = [random.Random(n).randbytes(700) for n in range(3)]
    data = bytearray(b"".join(map(bz2.compress, texts)))
    data[at % len(data)] ^= flip
    joined, damage = inflate(bytes(data))
    sound = [text for text in texts if text in joined]
    if data[:3] == b"BZh":  # else it is taken for a plain file
        assert joined == b"".join(sound)
        assert len(sound) >= 2
        assert len(damage) == 3 - len(sound)


def test_a_damaged_block_of_one_large_stream_is_not_given():
    text = random.Random(2).randbytes(4_000_000)
    data = bytearray(bz2.compress(text))
    data[len(data) // 2] ^= 1
    joined, damage = inflate(bytes(data))
    assert damage == [Damage("corrupt_bz2", 0)]
    assert text.startswith(joined)
    assert len(joined) > 2_000_000 - 900_000 - HELD_BYTES - (1 << 20)


def test_garbage_behind_the_last_stream():
    data = bz2.compress(b"text")
    assert inflate(data + b"garbage" * 10) == (b"text", [Damage("corrupt_bz2", len(data))])


def test_a_truncated_gzip():
    data = gzip.compress(random.Random(3).randbytes(100_000))
    joined, damage = inflate(data[:50_000])
    assert damage == [Damage("truncated_gzip", 0)]
    assert len(joined) > 40_000


def test_a_bomb_comes_in_small_pieces():
    bomb = bz2.compress(b"\0" * 200_000_000)
    assert len(bomb) < 1000
    assert max(len(piece.data) for piece in xml_pieces(io.BytesIO(bomb))) <= 1 << 20
