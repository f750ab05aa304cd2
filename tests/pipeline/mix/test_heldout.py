"""What is held out: chosen by what a document says, not where it lies; copies are kept apart, large ones cut."""

import json
from collections import defaultdict

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InputError, UserError
from pipeline.mix.heldout import parts_of, spans_apart
from pipeline.mix.recipe import MixRecipe, SourceShare
from pipeline.mix.token_files import MARK
from tests.pipeline.mix.corpora import mix, pieces, prose, recipe, write_corpus, write_model, write_parquet

SHARES = {"a": 60, "b": 40}


def texts_in(root, folder):
    """The texts of all documents of which a set has a part."""
    files = pq.read_table(root / folder / "documents.parquet").to_pylist()
    wanted = {piece.number for piece in pieces(root / folder)}
    found = set()
    for file in files:
        texts = pq.read_table(root / "corpus" / file["path"])["text"].to_pylist()
        first = file["first_number"]
        found |= {text for n, text in enumerate(texts, first) if n in wanted}
    return found


def made(root, output="shards", **keys):
    result = mix(root, recipe(SHARES, **{"heldout_tokens": 600, **keys}), output=output)
    return result, texts_in(root, f"{output}/heldout"), texts_in(root, output)


@pytest.fixture
def root(tmp_path):
    write_model(tmp_path)
    return tmp_path


def test_copies_within_and_across_sources_are_kept_apart_and_counted(root):
    texts = prose(60, 1, longest=20)
    write_corpus(root / "corpus", {"a": [[*texts, *texts[:30]]], "b": [[*texts[20:], *prose(60, 2, longest=20)]]})
    result, held, trained = made(root)
    assert held
    assert not held & trained
    counts = [source.counts for source in result.plan.sources]
    assert sum(count.copies for count in counts) > 0
    assert all(count.kept_out == count.tokens - count.unique for count in counts)
    found = json.loads((root / "shards/plan.json").read_text())["sources"]
    assert [entry["copied_tokens"] for entry in found] == [count.copies for count in counts]


def test_a_source_that_is_nothing_but_copies_is_refused(root):
    write_corpus(root / "corpus", {"a": [["the same text again and again"] * 60], "b": [prose(60, 2)]})
    with pytest.raises(UserError, match=r"tokens of a were to be held out; its different documents have [0-9]+"):
        made(root)
    texts = prose(3, 1, longest=9)
    write_corpus(root / "corpus", {"a": [texts * 40]})
    with pytest.raises(UserError, match=r"a has nothing left for training|of a were to be held out"):
        made(root, heldout_tokens=64)


def test_what_is_held_out_stays_as_files_are_added_moved_and_renamed(root):
    write_corpus(root / "corpus", {"a": [prose(300, 1, longest=20)], "b": [prose(300, 2, longest=20)]})
    _, held, trained = made(root)
    for name, seed in (("a/all/another", 8), ("b/all/part-00", 9)):
        write_parquet(root / "corpus", f"{name}.parquet", prose(5, seed, longest=20))
    (root / "corpus/a/all/part-0.parquet").rename(root / "corpus/a/all/z.parquet")
    _, after, _ = made(root, "after")
    assert len(held & after) >= len(held) - 2
    assert not after & trained
    assert made(root, "seeded", seed=1)[1] & held != held


def test_files_added_never_hold_out_what_was_trained_on(root):
    write_corpus(root / "corpus", {"a": [prose(80, 1, longest=20)], "b": [prose(80, 2, longest=20)]})
    _, _, trained = made(root)
    for n in range(3):
        write_parquet(root / "corpus", f"a/all/more-{n}.parquet", prose(40, 10 + n, longest=20))
        _, held, _ = made(root, f"after-{n}")
        assert not held & trained


def test_large_documents_are_held_out_in_parts(root):
    books = [" ".join(prose(60, seed)) for seed in range(6)]  # of some 5,000 ids each
    write_corpus(root / "corpus", {"a": [books], "b": [prose(200, 9)]})
    result, _, _ = made(root, heldout_tokens=1600)
    for source in result.plan.sources:
        assert source.counts.kept_out < 2.2 * 1600 * float(source.share)
    assert result.plan.sources[0].counts.heldout >= 960


def test_one_file_under_two_sources_is_refused(root):
    write_corpus(root / "corpus", {"a": [prose(60, 1)]})
    both = {"all": SourceShare(60, folder="a"), "part": SourceShare(40, folder="a", subsets=("all",))}
    with pytest.raises(InputError, match=r"the sources all and part of the recipe both read .*part-0\.parquet"):
        mix(root, MixRecipe(both, seq_len=16))
    (root / "corpus/b").symlink_to("a")
    with pytest.raises(InputError, match="the sources a and b of the recipe both read"):
        made(root)


hashes = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 40)), min_size=1, max_size=30)


def marks_of(documents):
    marks = np.zeros(len(documents) + 1, MARK)
    marks["hash"][:-1] = [hash_ for hash_, _ in documents]
    marks["offset"][1:] = np.cumsum([size for _, size in documents])
    return marks


@given(hashes, st.integers(1, 50), st.integers(0, 3))
def test_parts_are_all_of_a_document_and_of_a_size(documents, length, seed):
    parts = parts_of(marks_of(documents), length, seed)
    sizes = (parts["stop"] - parts["start"]).astype(int)
    assert ((sizes > 0) & (sizes <= length)).all()
    assert np.bincount(parts["document"], sizes, len(documents)).tolist() == [size for _, size in documents]
    by_part = defaultdict(set)
    for part in parts:
        by_part[int(part["hash"]), int(part["start"]) if sizes[0] else 0].add(int(part["order"]))
    whole = [int(order) for order, start in zip(parts["order"], parts["start"], strict=True) if start == 0]
    assert len(set(whole)) == len({int(hash_) for hash_, _ in documents})


@given(hashes, hashes, st.integers(1, 50))
def test_what_is_kept_apart_is_so_in_every_file(documents, others, length):
    apart = np.sort(parts_of(marks_of(documents), length, 0)[::2], order=["hash", "start", "stop"])
    marks = marks_of(others)
    owners, spans = spans_apart(marks, apart)
    assert (spans[1:, 0] >= spans[:-1, 1]).all()
    found = {
        (int(owner), at - int(marks["offset"][owner]))
        for owner, (begin, end) in zip(owners, spans, strict=True)
        for at in range(begin, end)
    }
    expected = {
        (n, at)
        for n, (hash_, size) in enumerate(others)
        for part in apart[apart["hash"] == hash_]
        for at in range(int(part["start"]), min(size, int(part["stop"])))
    }
    assert found == expected
