"""Shingles, signatures, candidates and overlaps: against their plainest forms, and against datasketch."""

import itertools
import random
import re
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.books.gutenberg import strip_boilerplate
from filters.books.gutenberg_header import decode
from filters.near_duplicates.minhash import (
    MinHasher,
    Overlap,
    SampledPairs,
    connected_components,
    group_pairs,
    lsh_pairs,
    overlap,
    pack,
    sampled,
    similarity,
    unpack,
)
from filters.near_duplicates.shingles import ShingleHasher, sorted_set

REAL = Path(__file__).parents[3].parent / "shared" / "real" / "books"
HASHER = ShingleHasher()
WORDS = st.sampled_from(
    ["lamp", "Évening", "o'clock", "it’s", "—", "_was_", "12", "straße", "ДОМ", "x" * 40, "\n", "中文", "🙂"]
)


def plain_words(text: str) -> list[str]:
    return re.findall(r"[\u2e80-\u9fff]|[^\W\u2e80-\u9fff]+", text.lower())


def plain_shingles(text: str, size: int = 13) -> list[tuple[str, ...]]:
    words = plain_words(text)
    size = min(size, len(words))
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)] if words else []


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, max_size=80), st.integers(1, 20))
def test_shingles_are_those_of_the_plainest_form(words, size):
    text = " ".join(words)
    hashes = ShingleHasher(size).all_shingles(text).tolist() if size != 13 else HASHER.all_shingles(text).tolist()
    plain = plain_shingles(text, size)
    assert len(hashes) == len(plain)
    assert len(set(hashes)) == len(set(plain)) == len(set(zip(plain, hashes, strict=True)))


def test_words_know_no_case_quotation_marks_or_line_ends():
    one = HASHER.word_hashes("“Don’t go,” said Ann—and\nCAFÉ closed.")
    other = HASHER.word_hashes("'don't go' said Ann -- and  cafe\u0301 closed")
    assert one.tolist() == other.tolist()
    assert len(one) == 8
    assert len(HASHER.word_hashes("中文 字")) == 3
    assert len(HASHER.word_hashes("")) == len(HASHER.word_hashes(" ... ")) == 0


def test_where_a_word_lies_in_a_long_text_does_not_matter():
    """Texts are hashed in chunks; no word is cut, and equal words have equal hashes."""
    words = [f"word{n % 1000}" for n in range(40_000)]
    for text in (" ".join(words), "é " + " ".join(words)):
        hashes = HASHER.word_hashes(text)[-40_000:]
        assert len(hashes) == 40_000
        assert (hashes.reshape(40, 1000) == hashes[:1000]).all()
        assert len(set(hashes.tolist())) == 1000


def test_a_word_without_end_is_cut_and_does_not_stop_anything():
    assert 1 <= len(HASHER.word_hashes("a" * 5_000_000)) <= 5
    assert len(HASHER.word_hashes("a" * 300_000 + " b")) == 2


def test_the_signature_is_that_of_datasketch():
    shingles = HASHER.shingles(" ".join(f"word{n}" for n in range(3000)))
    theirs = MinHash(num_perm=128, hashfunc=lambda value: value, scheme="affine32")
    theirs.update_batch(int(h) & 0xFFFFFFFF for h in shingles)
    assert MinHasher().signature(shingles).tolist() == theirs.hashvalues.tolist()
    assert (MinHasher().signature(shingles[:0]) == 0xFFFFFFFF).all()


@pytest.mark.parametrize("common", [0, 300, 700, 950])
def test_estimates_agree_with_datasketch_and_with_the_truth(common):
    draw = np.random.default_rng(common)
    shared = draw.integers(0, 2**64, common, np.uint64)
    sets = [np.unique(np.concatenate([shared, draw.integers(0, 2**64, 1000 - common, np.uint64)])) for _ in range(2)]
    true = overlap(*sets).jaccard
    ours = similarity(*(MinHasher(512).signature(s) for s in sets))
    theirs = [MinHash(num_perm=512, hashfunc=lambda value: value, scheme="affine32") for _ in sets]
    for minhash, one in zip(theirs, sets, strict=True):
        minhash.update_batch(int(h) & 0xFFFFFFFF for h in one)
    assert ours == theirs[0].jaccard(theirs[1])
    assert abs(ours - true) < 0.08


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=60))
def test_a_sorted_set_is_that_of_numpy(hashes):
    array = np.array(hashes, np.uint64)
    assert sorted_set(array).tolist() == np.unique(array).tolist()


SETS = st.sets(st.integers(0, 60), max_size=40)


@given(SETS, SETS)
def test_overlap_is_that_of_sets(first, second):
    found = overlap(*(np.array(sorted(s), np.uint64) for s in (first, second)))
    assert found.shared == len(first & second)
    assert found.jaccard == (len(first & second) / len(first | second) if first | second else 0)
    smaller = min(len(first), len(second))
    assert found.containment == (len(first & second) / smaller if smaller else 0)


def test_the_two_measures():
    assert Overlap(9, 10, 100).value("containment") == 0.9
    assert Overlap(9, 10, 100).value("jaccard") == pytest.approx(9 / 101)


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_components_are_those_of_a_search(edges):
    neighbours = {n: {n} for n in range(20)}
    for a, b in edges:
        neighbours[a].add(b)
        neighbours[b].add(a)
    expected = []
    for node in range(20):
        reached, ahead = {node}, [node]
        while ahead:
            for other in neighbours[ahead.pop()] - reached:
                reached.add(other)
                ahead.append(other)
        expected.append(min(reached))
    pairs = pack(*(np.array([e[side] for e in edges], np.uint32) for side in (0, 1)))
    assert connected_components(20, pairs).tolist() == expected


@given(st.lists(st.integers(1, 6), max_size=40), st.integers(1, 50))
def test_pairs_of_a_group(keys, window):
    keys = np.array(sorted(keys), np.uint64)
    pairs = set(
        zip(
            *(side.tolist() for side in unpack(group_pairs(keys, np.arange(len(keys), dtype=np.uint32), window))),
            strict=True,
        )
    )
    expected = {
        (a, b) for a, b in itertools.combinations(range(len(keys)), 2) if keys[a] == keys[b] and b - a <= window
    }
    assert pairs == expected


def editions(rate: float, length: int, draw: random.Random) -> tuple[str, str]:
    """A text, and a copy of it in which words were changed at a rate."""
    words = [f"w{draw.randrange(5000)}" for _ in range(length)]
    changed = [f"x{draw.randrange(10**9)}" if draw.random() < rate else word for word in words]
    return " ".join(words), " ".join(changed)


def candidates(texts: list[str], ranges: int = 3) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Candidates by bands, and by samples taken up in several ranges of hashes."""
    sets = [HASHER.shingles(text) for text in texts]
    hasher = MinHasher()
    by_bands = lsh_pairs(np.stack([hasher.signature(s) for s in sets]))
    samples = [sampled(s) for s in sets]
    hashes = np.concatenate(samples)
    members = np.repeat(np.arange(len(sets), dtype=np.uint32), [len(s) for s in samples])
    finder = SampledPairs(len(sets))
    for part in range(ranges):
        inside = (hashes // np.uint64(2**64 // 128 // ranges + 1)) == part
        finder.add(hashes[inside], members[inside])
    return tuple(set(zip(*(side.tolist() for side in unpack(p)), strict=True)) for p in (by_bands, finder.pairs()))


def test_every_pair_of_editions_above_the_threshold_is_a_candidate_at_any_length():
    """A word changed spoils up to 13 shingles, so a rate of 0.7 % leaves a containment of about 0.91."""
    draw = random.Random(7)
    texts = [
        text for length in (60, 200, 1000, 5000, 20_000) for _ in range(12) for text in editions(0.007, length, draw)
    ]
    sets = [HASHER.shingles(text) for text in texts]
    true = {(n, n + 1) for n in range(0, len(texts), 2) if overlap(sets[n], sets[n + 1]).containment > 0.9}
    by_bands, by_samples = candidates(texts)
    assert len(true) >= 30
    assert true <= by_bands | by_samples
    long = {pair for pair in true if len(sets[pair[0]]) > 4000}
    assert long <= by_samples
    assert {pair for pair in by_bands | by_samples if pair[0] // 2 != pair[1] // 2} == set()


def test_a_book_inside_an_omnibus_is_a_candidate_by_its_samples_alone():
    draw = random.Random(8)
    books = [editions(0.006, 4000, draw) for _ in range(30)]
    omnibus = " ".join(changed for _, changed in books)
    by_bands, by_samples = candidates([*(text for text, _ in books), omnibus])
    assert by_samples == {(n, 30) for n in range(30)}
    assert by_bands == set()  # the Jaccard similarity is 0.03


def test_half_a_book_in_common_is_no_candidate_by_samples():
    draw = random.Random(9)
    halves = [editions(0, 20_000, draw)[0] for _ in range(3)]
    shared = editions(0, 6_000, draw)[0]
    _, by_samples = candidates([f"{shared} {half}" for half in halves])
    assert by_samples == set()


def test_a_notice_that_all_books_print_gives_no_quadratic_number_of_pairs():
    count = 5000
    keys = np.zeros(count, np.uint64)
    assert len(group_pairs(keys, np.arange(count, dtype=np.uint32), 32)) < 32 * count


@pytest.mark.skipif(not REAL.exists(), reason="the real samples are not here")
def test_real_books_have_exactly_the_known_duplicates():
    names = sorted(path.name for path in REAL.glob("*.txt"))
    texts = [strip_boilerplate(decode((REAL / name).read_bytes()).text).body for name in names]
    sets = [HASHER.shingles(text) for text in texts]
    by_bands, by_samples = candidates(texts)
    known = {("pg-frankenstein.txt", "pg84.txt"): 0.948, ("1342-0.txt", "pg1342.txt"): 1.0}
    assert {(names[a], names[b]) for a, b in by_bands | by_samples} == set(known)
    for (a, one), (b, other) in itertools.combinations(enumerate(names), 2):
        found = overlap(sets[a], sets[b])
        expected = known.get((one, other))
        if expected is None:
            assert found.containment < 0.01
        else:
            assert round(found.jaccard, 3) == expected


@pytest.mark.parametrize(
    "other",
    [
        "The light-\nhouse keeper went to the har-\n  bour to-day",
        "The lighthouse keeper went to the harbour today",
        "The light\u00adhouse keeper went to the har\u2010\r\nbour to-\nday",
        "The light-house keeper -- went -- to the harbour to\u2011day",
    ],
)
def test_hyphens_within_words_and_at_line_ends_make_no_difference(other):
    assert (
        HASHER.word_hashes(other).tolist()
        == HASHER.word_hashes("the lighthouse keeper went to the harbour today").tolist()
    )


def test_hyphens_that_part_words_still_do():
    assert len(HASHER.word_hashes("one--two 3-4 five -six seven- eight")) == 8
