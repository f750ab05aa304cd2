"""Sums of rows against plain ones, their layout in blocks, and a memory that stays within its bounds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.fasttext.format import ModelFile
from filters.fasttext.logits import (
    BLOCK,
    EAGER_BATCHES,
    FIRST_INPUT,
    PADDING,
    SLACK,
    LogitEvaluator,
    _layout,
    _scan,
)
from filters.fasttext.words import SubwordIndex

WORDS = [b"</s>", b"one", b"two", b"a word of more than 16 bytes".replace(b" ", b"_"), "größer".encode()]
LABELS = [b"__label__a", b"__label__of_more_than_16_bytes"]
BUCKETS = 50


def model(maxn: int = 3, words: list[bytes] = WORDS) -> ModelFile:
    rows = len(words) + (BUCKETS if maxn else 0)
    return ModelFile(
        path="model", dim=3, loss="softmax", word_ngrams=1, minn=2 if maxn else 0, maxn=maxn, bucket=BUCKETS,
        words=words, labels=LABELS, label_counts=np.array([2, 1]), pruned=None, input=None, input_rows=rows,
        quantized=True, output=None,
    )  # fmt: skip


def matrices(file: ModelFile, logits: int) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(file.input_rows)
    return source.normal(size=(file.input_rows, 3)).astype(np.float32), source.normal(size=(logits, 3))


def plain_rows(file: ModelFile, document: bytes) -> list[int]:
    """The input rows that fastText's Dictionary::getLine gives for one document."""
    index, rows = SubwordIndex(file), []
    for word in document.split():
        known = word in file.words
        if word in LABELS or (word.startswith(b"__label__") and not known):
            continue
        rows += [file.words.index(word)] if known else []
        data, starts, lengths, _ = _scan([word])
        rows += index.rows(data, starts, lengths)[0].tolist()
    return [*rows, *([file.words.index(b"</s>")] if b"</s>" in file.words else [])]


def check(evaluator: LogitEvaluator, file: ModelFile, documents: list[bytes], logits: int) -> None:
    matrix, weights = matrices(file, logits)
    found = evaluator.logits(documents)
    assert found.values.shape == (logits, len(documents))
    for number, document in enumerate(documents):
        rows = plain_rows(file, document)
        assert found.rows[number] == len(rows)
        mean = matrix[rows].astype(np.float64).sum(axis=0) / max(len(rows), 1)
        difference = np.abs(found.values[:, number] - weights @ mean)
        assert (difference <= found.error[number] * np.linalg.norm(weights, axis=1) + 1e-12).all()
        # The bound covers a sum of float32 in the library's order.
        total = np.add.reduce(matrix[rows], axis=0) if rows else np.zeros(3)
        library = weights @ (total / np.float32(max(len(rows), 1)))
        difference = np.abs(found.values[:, number] - library)
        assert (difference <= found.error[number] * np.linalg.norm(weights, axis=1) + 1e-12).all()
        assert found.error[number] < 1e-3


pieces = st.sampled_from(
    [*WORDS[1:], *LABELS, b"x", b"one", b"\0", b" \t ", b"__label__", b"__label__9", "чай".encode(), b"ab" * 9]
)
documents_strategy = st.lists(st.lists(pieces, max_size=40).map(b" ".join), min_size=1, max_size=6)


@pytest.mark.parametrize("maxn", [0, 3])
@pytest.mark.parametrize("logits", [2, 5])
@pytest.mark.parametrize("cache_words", [0, 2, 50])
@pytest.mark.parametrize("use_compiled", [False, True])
@given(batches=st.lists(documents_strategy, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_logits(maxn, logits, cache_words, use_compiled, batches):
    """Two logits are fewer than the dimension, five are more; each batch is seen twice, so words become known."""
    file = model(maxn)
    evaluator = LogitEvaluator(file, *matrices(file, logits), cache_words, use_compiled=use_compiled)
    for documents in [*batches, *batches]:
        check(evaluator, file, [document.replace(b"\0", b" ") for document in documents], logits)


def test_no_end_of_line_in_the_vocabulary():
    file = model(words=WORDS[1:])
    evaluator = LogitEvaluator(file, *matrices(file, 2), 10)
    check(evaluator, file, [b"", b"one", b"__label__a", b"x"], 2)
    assert evaluator.logits([b"", b"__label__a"]).rows.tolist() == [0, 0]


@pytest.mark.parametrize("words", [BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK])
@pytest.mark.parametrize("use_compiled", [False, True])
def test_documents_around_the_size_of_a_block(words, use_compiled):
    file = model()
    evaluator = LogitEvaluator(file, *matrices(file, 5), 10, use_compiled=use_compiled)
    check(evaluator, file, [b"one " * words, b"", b"zz " * words, b"two", b"", b"x " * (words // 3)], 5)


@pytest.mark.parametrize("use_compiled", [False, True])
def test_all_documents_empty(use_compiled):
    file = model()
    evaluator = LogitEvaluator(file, *matrices(file, 5), 10, use_compiled=use_compiled)
    check(evaluator, file, [b"", b" ", b"\t\t"], 5)


@pytest.mark.parametrize("use_compiled", [False, True])
@given(batches=st.lists(documents_strategy, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_pruned_ngrams(use_compiled, batches):
    """Most buckets are pruned away, as in lid.176.ftz; no row follows the order of its bucket."""
    kept = np.arange(3, BUCKETS, 7, dtype=np.int32)
    file = replace(model(), pruned=np.stack([kept, np.arange(len(kept), dtype=np.int32)[::-1]], axis=1))
    evaluator = LogitEvaluator(file, *matrices(file, 5), 50, use_compiled=use_compiled)
    for documents in [*batches, *batches]:
        check(evaluator, file, [document.replace(b"\0", b" ") for document in documents], 5)


@pytest.mark.parametrize("use_compiled", [False, True])
def test_the_cache_is_bounded(use_compiled):
    """It is emptied when full; the vocabulary stays."""
    file = model()
    evaluator = LogitEvaluator(file, *matrices(file, 5), 30, use_compiled=use_compiled)
    size = evaluator._sums.shape
    assert size == (FIRST_INPUT + file.input_rows + len(WORDS) + 30, 3 + 2)
    table = evaluator._table.nbytes
    for number in range(EAGER_BATCHES):
        document = b" ".join(b"word%d" % other for other in range(4 * number, 4 * number + 20))
        check(evaluator, file, [document, b"one two"], 5)
        assert evaluator._used <= size[0]
    assert (evaluator._sums.shape, evaluator._table.nbytes) == (size, table)


def test_finite():
    file = model()
    matrix, weights = matrices(file, 5)
    assert LogitEvaluator(file, matrix, weights, 10).finite
    for damaged in (np.nan, np.inf, -np.inf):
        matrix[7, 1] = damaged
        assert not LogitEvaluator(file, matrix, weights, 10).finite
    matrix, weights = matrices(file, 5)
    weights[0, 0] = np.nan
    assert not LogitEvaluator(file, matrix, weights, 10).finite


def test_scan():
    data, starts, lengths, tokens = _scan([b"a bc", b"", b"\td\0\0ef\x0b", b" ", b"\x01"])
    assert bytes(data) == b" a bc   d  ef    \x01" + b" " * (PADDING + 1)
    assert starts.tolist() == [1, 3, 8, 11, 17]
    assert lengths.tolist() == [1, 2, 1, 2, 1]
    assert tokens.tolist() == [2, 0, 2, 0, 1]


def test_layout():
    """Three documents: a known word, one of two n-grams and one of none; nothing; a word of none alone."""
    items, first_block = _layout(
        np.array([7, 0, 0, 0], np.int32),
        np.array([1, 2, 3]),
        np.array([21, 22]),
        np.array([2, 0, 0]),
        np.array([3, 0, 1]),
    )
    assert first_block.tolist() == [0, 1, 2]
    assert len(items) == 3 * BLOCK
    assert items[:4].tolist() == [7, 21, 22, 0]
    assert not items[3:].any()


def test_slack_covers_terms_of_second_order():
    """(1 + u)**n - 1 for the most rows, and exp(x) - 1 against x for the largest error of a logit."""
    from filters.fasttext.classifier import MAX_LOGIT_ERROR
    from filters.fasttext.logits import MAX_ROWS, ROUNDING

    assert (1 + ROUNDING) ** MAX_ROWS - 1 < SLACK - 1
    assert np.expm1(MAX_LOGIT_ERROR) < SLACK * MAX_LOGIT_ERROR
