"""The compiled loops against KenLM itself, on models that these tests write in KenLM's probing format."""

import struct
from pathlib import Path

import kenlm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.commoncrawl.ngrams import SANITY, ProbingModel
from filters.native.library import compiled

pytestmark = pytest.mark.skipif(compiled() is None, reason="nothing was compiled: there was no compiler")

MASK = (1 << 64) - 1
WORDS = [b"<s>", b"</s>", "▁hello".encode(), "▁world".encode(), b"a", b"a-word-of-16-byt", b"a-word-of-17-byte"]
NO_LONGER = -0.0  # the back-off of an n-gram that begins no longer one
weights = st.tuples(
    st.floats(-9, 9, width=32), st.sampled_from([NO_LONGER, 0.0]) | st.floats(-3, 0.5, width=32)
)  # where the probability is positive, longer n-grams may end with this one


def murmur(word: bytes) -> int:
    m, h = 0xC6A4A7935BD1E995, len(word) * 0xC6A4A7935BD1E995 & MASK
    for at in range(0, len(word) - 7, 8):
        k = int.from_bytes(word[at : at + 8], "little") * m & MASK
        h = (h ^ ((k ^ (k >> 47)) * m & MASK)) * m & MASK
    if rest := word[len(word) // 8 * 8 :]:
        h = (h ^ int.from_bytes(rest, "little")) * m & MASK
    h = (h ^ (h >> 47)) * m & MASK
    return h ^ (h >> 47)


def ngram_hash(numbers: tuple[int, ...]) -> int:
    """The last word first, as KenLM has it."""
    h = numbers[-1]
    for number in reversed(numbers[:-1]):
        h = (h * 8978948897894561157 & MASK) ^ ((1 + number) * 17894857484156487943 & MASK)
    return h


def table(entries: dict[int, bytes], count: int, size: int) -> bytes:
    buckets = max(count + 1, int(np.float32(1.5) * np.float32(count)))
    slots = [bytes(size)] * buckets
    for key, value in entries.items():
        at = key % buckets
        while any(slots[at][:8]):
            at = (at + 1) % buckets
        slots[at] = key.to_bytes(8, "little") + value
    return b"".join(slots)


def write_probing_model(path: Path, words: list[bytes], unigrams: list[tuple[float, float]], grams: list[dict]) -> Path:
    """Writes a model: weights of <unk> and the words, and for each order from 2 on {numbers of words: weights}."""
    order = len(grams) + 1
    counts = [len(unigrams), *map(len, grams)]
    head = SANITY + struct.pack("<B3xfI?3xI", order, 1.5, 0, False, 0) + struct.pack(f"<{order}Q", *counts)
    head += bytes(-len(head) % 8)
    table_of_words = {murmur(word): struct.pack("<I", number) for number, word in enumerate(words, 1)}
    parts = [head, struct.pack("<II", 0, len(unigrams)), table(table_of_words, counts[0], 12)]
    parts += [struct.pack("<2f", *pair) for pair in [*unigrams, (0.0, 0.0)]]
    for length, found in enumerate(grams, 2):
        pack = (lambda w: struct.pack("<f", w[0])) if length == order else (lambda w: struct.pack("<2f", *w))
        entries = {ngram_hash(numbers): pack(w) for numbers, w in found.items()}
        parts.append(table(entries, len(found), 12 if length == order else 16))
    path.write_bytes(b"".join(parts))
    return path


@st.composite
def models(draw):
    order = draw(st.integers(2, 6))
    unigrams = [draw(weights) for _ in range(len(WORDS) + 1)]
    word = st.integers(0, len(WORDS))
    grams = [
        draw(st.dictionaries(st.tuples(*[word] * length), weights, min_size=1, max_size=40))
        for length in range(2, order + 1)
    ]
    # Each n-gram's endings, so that long ones are reached.
    for length in range(order, 2, -1):
        for words in grams[length - 2]:
            grams[length - 3].setdefault(words[1:], draw(weights))
    return unigrams, grams


texts = st.lists(
    st.sampled_from([*WORDS, b"<unk>", b"other", b" ", b"\t\n\x0b\x0c\r", b"\xc2\xa0", b"\x1c"]), max_size=60
).map(b" ".join)


@given(model=models(), text=texts)
@settings(max_examples=150, deadline=None)
def test_scores_are_kenlm_s(tmp_path_factory, model, text):
    path = write_probing_model(tmp_path_factory.mktemp("lm") / "probing.bin", WORDS, *model)
    found = ProbingModel.open(path)
    assert found is not None
    expected = kenlm.Model(str(path)).score(text, bos=True, eos=True)
    assert struct.pack("<f", found.score(text)) == struct.pack("<f", expected)


def some_model(path: Path) -> Path:
    grams = [{(1, 3): (0.5, 0.0), (3, 4): (0.5, -0.25)}, {(1, 3, 4): (-0.25, 0.0)}]
    return write_probing_model(path, WORDS, [(1.0, 0.0)] * (len(WORDS) + 1), grams)


def test_long_texts(tmp_path):
    path = some_model(tmp_path / "probing.bin")
    text = b" ".join(WORDS * 5000)
    found = ProbingModel.open(path)
    for length in (10, len(text), 100):
        assert found.score(text[:length]) == kenlm.Model(str(path)).score(text[:length], bos=True, eos=True)


def test_other_formats_and_damage(tmp_path):
    whole = some_model(tmp_path / "whole").read_bytes()
    others = {
        "arpa": b"\\data\\\n",
        "short": whole[:-1],
        "head": whole[:120],
        "trie": whole[:96] + b"\x02" + whole[97:],
        "order": whole[:88] + b"\x09" + whole[89:],
        "multiplier": whole[:92] + struct.pack("<f", 1.1) + whole[96:],
        "no_number": whole[:92] + struct.pack("<f", np.nan) + whole[96:],
        "counts": whole[:108] + b"\xff" * 8 + whole[116:],
    }
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
        assert ProbingModel.open(tmp_path / name) is None, name


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_damage_inside_the_tables_ends(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("lm")
    whole = bytearray(some_model(folder / "whole").read_bytes())
    start = data.draw(st.integers(140, len(whole) - 1))
    whole[start:] = data.draw(st.sampled_from([b"\xff", b"\xa5", b"\1"])) * (len(whole) - start)
    (folder / "damaged").write_bytes(whole)
    found = ProbingModel.open(folder / "damaged")
    if found is not None:
        found.score(b" ".join(WORDS[2:]))
