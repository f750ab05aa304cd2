"""Runs of normalised words: what is normal, what is found, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.leaks import LEAKS, sample, sentence, whole
from filters.near_duplicates.shingles import ShingleHasher
from pipeline.decontaminate.samples import Sample, Samples
from pipeline.decontaminate.words import COMMON, TextWords, WordIndex

HASHER = ShingleHasher()


def words_of(text: str) -> list[str]:
    words = TextWords(HASHER, [text])
    return words.words(0, len(words))


def index_of(*texts: str, n: int = 13) -> WordIndex:
    return WordIndex(Samples((), tuple(Sample(0, k, text) for k, text in enumerate(texts, 1))), n)


def shares(index: WordIndex, *texts: str) -> list[float]:
    """How much of each sample is found in some texts."""
    tally = index.tally()
    tally.add(np.array([[r.start, r.grams, r.size] for r in index.scan(texts, index.unmet())], np.int64).reshape(-1, 3))
    return (tally.found() / index.sizes).tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat's 2 mats, and (then) some.", "the cat s 2 mats and then some"),
        ("wrapped\nat\u2003any\u00a0space\u2028here\tand\r\nthere", "wrapped at any space here and there"),
        ("> quoted\n>> twice\n&gt; and escaped &amp;amp; &#97;gain", "quoted twice and escaped again"),
        ("STRASSE Straße \ufb01ne \uff21\uff22 e\u0301", "strasse strasse fine ab é"),
        ("to-morrow self-\ncontained \u201cquotes\u201d \u2014 dash", "tomorrow selfcontained quotes dash"),
        ("zero\u200dwidth\u2060joined\ufeff", "zerowidthjoined"),
        ("中文 ok", "中 文 ok"),
        ("\0 a\0b", "a b"),
        ("...", ""),
        ("a &#" + "9" * 5000 + "; b", "a b"),
    ],
)
def test_the_normal_form(text, words):
    assert words_of(text) == words.split()


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_words_of_a_batch_are_those_of_each_text(texts):
    batch, ends = TextWords(HASHER, texts), [0]
    for text, end in zip(texts, batch.ends.tolist(), strict=True):
        alone = words_of(text)
        assert batch.words(ends[-1], end - ends[-1]) == alone
        ends.append(end)
    assert len(batch) == ends[-1]


@pytest.mark.parametrize("kind", LEAKS)
def test_leaks_of_every_kind_are_found(kind):
    rng = np.random.default_rng(7)
    samples = [sample(rng, 120) for _ in range(8)]
    index = index_of(*map(whole, samples))
    pages = [f"{sentence(rng, 80)} {LEAKS[kind](one)}\n{sentence(rng, 80)}" for one in samples[:4]]
    found = shares(index, sentence(rng, 500), *pages)
    least = {"question without its answers": 0.7, "answers shuffled": 0.6, "numbers changed": 0.01}.get(kind, 1)
    assert all(share >= least for share in found[:4])
    assert found[4:] == [0] * 4


def test_a_run_of_n_words_is_found_and_one_of_fewer_is_not():
    rng = np.random.default_rng(1)
    words = [f"w{rng.integers(1 << 40)}" for _ in range(40)]
    index = index_of(" ".join(words))
    assert shares(index, "before " + " ".join(words[5:18]) + " after") == [13 / 40]
    assert shares(index, "before " + " ".join(words[5:17]) + " after") == [0]
    assert shares(index, " ".join(words[5:11]), " ".join(words[11:18])) == [0]  # no run goes on in the next text
    assert shares(index_of(" ".join(words), n=8), " ".join(words[5:13])) == [8 / 40]


def test_short_samples_are_compared_whole_and_the_shortest_are_met_once():
    index = index_of("which planet is the largest", "only four words here", "yes")
    assert index.is_short.tolist() == [True, False, False]
    assert index.is_tiny.tolist() == [False, True, True]
    text = "Q: Which planet is the LARGEST? Only four words here. Yes. Yes!"
    assert shares(index, text) == [1, 1, 1]
    assert shares(index, "which planet is the smallest", "which planet is", "the largest", "only four") == [0, 0, 0]
    unmet = index.unmet()
    assert [run.size for run in index.scan([text, text], unmet)] == [1, 4, 5, 5]
    assert [run.size for run in index.scan([text], unmet)] == [5]


def test_what_samples_share_is_found_in_all_of_them_and_a_phrase_of_very_many_marks_no_document():
    rng = np.random.default_rng(2)
    passage, phrase = sentence(rng, 40), sentence(rng, 20)
    texts = [f"{passage} question {k}" for k in range(3)] + [f"{phrase} {sentence(rng, 30)}" for _ in range(COMMON + 1)]
    index = index_of(*texts)
    assert [share > 0.9 for share in shares(index, passage)[:3]] == [True] * 3
    runs = np.array([[r.start, r.grams, r.size] for r in index.scan([passage + " " + phrase], index.unmet())], np.int64)
    hits = index.hits(runs)
    assert hits.samples.tolist() == [0, 1, 2]
    assert min(hits.shares) > 0.9
    assert all(share > 0.3 for share in shares(index, phrase)[3:])


def test_hashes_that_are_alike_by_chance_are_no_hit():
    """A table of another text, as if all hashes were alike: the comparison to the letter tells them apart."""
    rng = np.random.default_rng(3)
    text, other = sentence(rng, 13), sentence(rng, 13)
    index = index_of(text)
    scanned = index_of(other)
    index._tables = scanned._tables
    assert index.scan([other], index.unmet()) == []
    assert len(scanned.scan([other], scanned.unmet())) == 1
