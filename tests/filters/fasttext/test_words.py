"""n-grams against the dictionary code of fastText written out plainly; the table against a dictionary of Python."""

from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import fasttext_pybind
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.fasttext.format import read_model
from filters.fasttext.words import CHUNK_BYTES, PADDING, SubwordIndex, WordKeys, WordTable

REAL = Path(__file__).parents[3] / "samples" / "models" / "lid.176.ftz"
WORDS_IN_MODEL = 5
words_strategy = st.lists(
    st.text(
        st.sampled_from("abcdeéßяж中日😀<>_\u00a0\x01") | st.characters(exclude_categories=["Cs"]),
        min_size=1,
        max_size=20,
    )
    .map(lambda text: "".join(text.split()).replace("\0", ""))
    .filter(bool),
    max_size=20,
)


def index(minn: int, maxn: int, bucket: int, pruned=None) -> SubwordIndex:
    pruned = None if pruned is None else np.array(pruned, np.int32).reshape(-1, 2)
    return SubwordIndex(
        SimpleNamespace(minn=minn, maxn=maxn, bucket=bucket, words=[b""] * WORDS_IN_MODEL, pruned=pruned)
    )


def buffer(words: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = np.frombuffer(b" " + b" ".join(words) + b" " * PADDING, np.uint8)
    lengths = np.array([len(word) for word in words], np.int64)
    return data, np.cumsum(lengths + 1) - lengths, lengths


def plain_rows(word: str, minn: int, maxn: int, bucket: int, pruned=None) -> list[int]:
    """fastText's Dictionary::computeSubwords and Dictionary::pushHash, character by character."""
    text, rows = f"<{word}>", []
    for begin in range(len(text)):
        for size in range(1, maxn + 1):
            end = begin + size
            if end > len(text) or size < minn or (size == 1 and (begin == 0 or end == len(text))):
                continue
            value = 2166136261
            for byte in text[begin:end].encode():
                value = ((value ^ (byte if byte < 128 else byte + 0xFFFFFF00)) * 16777619) % 2**32
            number = value % bucket
            if pruned is None or number in pruned:
                rows.append(WORDS_IN_MODEL + (number if pruned is None else pruned[number]))
    return rows


@given(
    words_strategy, st.sampled_from([(1, 3), (2, 4), (3, 3), (0, 2), (3, 6)]), st.sampled_from([1, 7, 1000, 2_000_000])
)
@settings(max_examples=200, deadline=None)
def test_rows(words, sizes, bucket):
    rows, counts = index(*sizes, bucket).rows(*buffer([word.encode() for word in words]))
    expected = [plain_rows(word, *sizes, bucket) for word in words]
    assert counts.tolist() == [len(part) for part in expected]
    assert rows.tolist() == list(chain.from_iterable(expected))


@given(words_strategy)
@settings(max_examples=50, deadline=None)
def test_pruned_rows(words):
    pruned = {number: 99 - number for number in range(0, 100, 3)}
    rows, counts = index(2, 4, 100, list(pruned.items())).rows(*buffer([word.encode() for word in words]))
    expected = [plain_rows(word, 2, 4, 100, pruned) for word in words]
    assert counts.tolist() == [len(part) for part in expected]
    assert rows.tolist() == list(chain.from_iterable(expected))


def test_many_words_are_hashed_in_parts():
    words = [f"word{number}{'é' * (number % 3)}" for number in range(12000)]
    assert sum(map(len, words)) > 1.5 * CHUNK_BYTES
    rows, counts = index(2, 3, 500).rows(*buffer([word.encode() for word in words]))
    expected = [plain_rows(word, 2, 3, 500) for word in words]
    assert counts.tolist() == [len(part) for part in expected]
    assert rows.tolist() == list(chain.from_iterable(expected))


def test_one_word_longer_than_a_part():
    word = "ab" * CHUNK_BYTES
    rows, counts = index(2, 2, 100).rows(*buffer([b"x", word.encode(), b"y"]))
    assert counts.tolist() == [2, 2 * CHUNK_BYTES + 1, 2]
    assert len(rows) == counts.sum()


@pytest.mark.parametrize("sizes", [(0, 0), (3, 2)])
def test_no_ngrams(sizes):
    rows, counts = index(*sizes, 10).rows(*buffer([b"word", b"other"]))
    assert (rows.tolist(), counts.tolist()) == ([], [0, 0])
    rows, counts = index(2, 4, 10, []).rows(*buffer([b"word"]))
    assert (rows.tolist(), counts.tolist()) == ([], [0])


def test_rows_of_the_real_model():
    if not REAL.exists():
        pytest.skip("the language model is not there")
    library = fasttext_pybind.fasttext()
    library.loadModel(str(REAL))
    words = ["unbekanntes", "Кириллица", "日本語テキスト", "naïvely", "x", "😀", "<>", "antidisestablishmentarianism"]
    rows, counts = SubwordIndex(read_model(str(REAL))).rows(*buffer([word.encode() for word in words]))
    assert [library.getWordId(word) for word in words] == [-1] * len(words)
    assert rows.tolist() == list(chain.from_iterable(library.getSubwords(word, "strict")[1] for word in words))
    assert counts.sum() == len(rows) > 10


def keys_of(words: list[bytes]) -> WordKeys:
    return WordKeys(*buffer(words))


def test_keys():
    keys = keys_of([b"a", b"12345678", b"123456789", b"1234567890123456", b"12345678901234567", "é".encode()])
    assert keys.low.tolist() == [0x61, *[0x3837363534333231] * 4, 0xA9C3]
    assert keys.high.tolist() == [0, 0, 0x39, 0x3635343332313039, 0x3635343332313039, 0]
    assert keys.wide.tolist() == [1, 2, 3, 4]
    assert keys.long.tolist() == [4]
    part = keys.select(np.array([5, 3]))
    assert (part.low.tolist(), part.wide.tolist(), part.long.tolist()) == ([0xA9C3, 0x3837363534333231], [1], [])


@given(
    st.lists(
        st.binary(min_size=1, max_size=18).map(lambda word: word.translate(None, b"\0 ")).filter(bool), max_size=60
    )
)
@settings(max_examples=200, deadline=None)
def test_table_finds_what_was_inserted_and_nothing_else(words):
    table, known = WordTable(20), [word for word in dict.fromkeys(words[::2]) if len(word) <= 16][:20]
    assert table.insert(keys_of(known), np.arange(1, len(known) + 1, dtype=np.int32)).tolist() == []
    expected = {word: number for number, word in enumerate(known, start=1)}
    assert table.find(keys_of(words)).tolist() == [expected.get(word, 0) for word in words]
    table.clear()
    assert table.find(keys_of(words)).tolist() == [0] * len(words)


def test_a_word_given_twice_keeps_its_first_row():
    table = WordTable(10)
    assert table.insert(keys_of([b"a", b"b", b"a"]), np.array([1, 2, 3], np.int32)).tolist() == []
    assert table.find(keys_of([b"a", b"b", b"c"])).tolist() == [1, 2, 0]


def test_a_full_table_says_what_it_left_out_and_grows():
    words = [f"w{number}".encode() for number in range(200)]
    rows = np.arange(1, 201, dtype=np.int32)
    table = WordTable(16)
    left = table.insert(keys_of(words), rows).tolist()
    assert len(left) >= 200 - 64
    found = table.find(keys_of(words)).tolist()
    assert found == [0 if number in left else number + 1 for number in range(200)]
    assert table.nbytes == 64 * 24
    for _ in range(3):
        table.grow()
    assert table.nbytes == 512 * 24
    assert table.insert(keys_of(words), rows).tolist() == []
    assert table.find(keys_of(words)).tolist() == rows.tolist()
