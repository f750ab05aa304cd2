"""The logits of many documents under a fastText classifier, with a proven bound of what the library computes.

fastText averages the input rows of all words and character n-grams of a document, one float32 addition after the
other, and multiplies the mean with the output matrix. Here a word's rows are added up once and kept, the sums of
a whole batch are gathered and added by matrix products, and each document gets a bound of the difference.

The bound. Let x_1 ... x_n be the rows in the library's order, S_k the sum of the first k, u = 2**-24 (the unit
roundoff of float32), A the sum of all |x_i| (Euclidean norms).

- Each of the library's additions is off by at most u times the new partial sum, componentwise, hence in norm. Its
  sum is thus off by at most u * (|S_1| + ... + |S_n|), to first order. Words are taken in blocks: for k inside a
  block of m rows from partial sum B to partial sum E, whose rows have norms of sum a, |S_k| <= (|B| + |E| + a) / 2 by
  the triangle inequality from both ends; so a block adds at most m * (|B| + |E| + a) / 2. Where words are kept as
  logits only, the sums of norms up to B and E stand in for |B| and |E|.
- Everything else is bounded by multiples of u * A: one for rounding dequantised rows, one for the library's product
  with the norm of a quantised row, two for its division, three for keeping rows, words' rows and words' sums in
  float32, BLOCK for adding up a block in float32, dim + 3 for its product with a row of the output matrix (there
  times the norm of that row).
- Terms of second order are less than (1 + u)**n - 1 of these, 0.065 for n = MAX_ROWS; the factor SLACK covers them
  and the rounding of the norms themselves.

Source of the arithmetic: fastText 0.9.3, ``DenseMatrix``, ``QuantMatrix`` and ``Vector``. Fused multiply-adds, which
its build enables where the processor has them, only lower the error.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.fasttext.format import ModelFile
from filters.fasttext.sums import word_sums
from filters.fasttext.words import (
    MAX_KEY_BYTES,
    PADDING,
    SPACE,
    ByteArray,
    IntArray,
    RowArray,
    SubwordIndex,
    WordKeys,
    WordTable,
)

Array = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.float32]

# Unit roundoff of float32.
ROUNDING = 2.0**-24
# See the module's text.
SLACK = 1.1
# Rows per block of the sums and of the bound: smaller blocks sharpen the bound, larger ones cost less time.
BLOCK = 64
# For documents of more rows the bound is none (see there); one of more bytes would mostly have more.
MAX_ROWS = 1 << 20
MAX_BYTES = 1 << 18
# dictionary.cc, readWord: what separates words, beside the newline. No other white space does.
TO_SPACES = bytes(SPACE if byte in b" \r\t\v\f\0" else byte for byte in range(256))
# dictionary.cc, EOS: stands for the end of the line. args.cc: the default prefix of labels; it is not stored in
# a model, so a loaded model always has the default.
END_OF_LINE = b"</s>"
LABEL_PREFIX = b"__label__"
LABEL_LOW = np.uint64(int.from_bytes(LABEL_PREFIX[:8], "little"))
# Rows of the matrix of sums: 0 means "not found", 1 is the sum of no rows, the input matrix follows.
MISSING, NOTHING, FIRST_INPUT = 0, 1, 2
# Values gathered at a time (float32): bounds memory, and keeps the gathered rows in the processor's cache.
CHUNK_VALUES = 1 << 20
# Words whose n-grams are looked up at a time while a model is loaded.
CHUNK_WORDS = 1 << 14
# New words are looked for in the first so many batches, and then in every fourth: a frequent word is soon met in one of
# these, and looking for new ones takes as long as hashing those of half a batch.
EAGER_BATCHES, LATER = 64, 4
# Entries of the list of words seen once.
SEEN_BITS = 17


class Logits(NamedTuple):
    """What the output layer needs, per document.

    Attributes:
        values: Shape (logits, documents).
        error: How far the mean of the library's rows, and with it each logit divided by the norm of its weights, may
            be from the exact one, shape (documents,), where there are at most ``MAX_ROWS`` rows.
        rows: Number of input rows, shape (documents,); without any, fastText predicts nothing.
    """

    values: Array
    error: Array
    rows: Array


class LogitEvaluator:
    """Computes :class:`Logits` for batches of documents.

    Words of at most 16 bytes that were seen twice are kept with their sum until ``cache_words`` are reached; then
    all but the vocabulary is forgotten. What is kept changes the time, never a result beyond its bound.

    Memory: four bytes times (rows of the input matrix + vocabulary + ``cache_words``) times (width + 2), where width
    is the smaller of the model's dimension and its number of logits; 24 bytes times two to four times (vocabulary
    + ``cache_words``); four bytes per bucket of a pruned model; 1 MB. For lid.176.ftz and 131,072 words: 37 MB.

    Args:
        model: A model whose ``word_ngrams`` is 1.
        matrix: Its input matrix, shape (``model.input_rows``, dim).
        weights: One row per logit, shape (logits, dim).
        cache_words: How many words beside the vocabulary to keep; a model without n-grams needs and keeps none.
        use_compiled: Whether to use the compiled loops, where there are any.
    """

    def __init__(
        self, model: ModelFile, matrix: FloatArray, weights: Array, cache_words: int, *, use_compiled: bool = True
    ) -> None:
        self._subwords = SubwordIndex(model)
        self._weights = weights
        self._projected = len(weights) <= model.dim
        self._width = min(len(weights), model.dim)
        self._other_error = BLOCK + model.dim + 10
        self._exact_error = model.dim + 10
        self._words = len(model.words)
        self._is_exact = False
        words = len(model.words) if self._subwords.sizes else 0
        cache_words = cache_words if self._subwords.sizes else 0
        self._first_word = FIRST_INPUT + (model.input_rows if words else 0)
        self._first_cached = FIRST_INPUT + model.input_rows + words
        self._sums = np.zeros((self._first_cached + cache_words, self._width + 2), np.float32)
        self._ones = np.ones((1, BLOCK), np.float32)
        self._batches = 0
        self._seen = np.zeros(1 << SEEN_BITS, np.uint64)
        with np.errstate(over="ignore", invalid="ignore"):
            self._add_input(matrix)
            self._add_vocabulary(model, cache_words)
        arrays = self._sums, FIRST_INPUT, self._seen, self._subwords, self._long
        self._compiled = word_sums(*arrays) if use_compiled else None

    @property
    def finite(self) -> bool:
        """Whether the model's matrices hold numbers only."""
        return bool(np.isfinite(self._sums).all() and np.isfinite(self._weights).all())

    def _add_input(self, matrix: FloatArray) -> None:
        """Rows of the input matrix, each followed by the number 1 (one row) and by its norm."""
        for begin in range(0, len(matrix), CHUNK_WORDS):
            # What is no number, or too large, ``finite`` reports.
            part = matrix[begin : begin + CHUNK_WORDS].astype(np.float64)
            rows = self._sums[FIRST_INPUT + begin :][: len(part)]
            rows[:, : self._width] = part @ self._weights.T if self._projected else part
            rows[:, self._width] = 1
            rows[:, self._width + 1] = np.sqrt(np.einsum("ij,ij->i", part, part))

    def _add_vocabulary(self, model: ModelFile, cache_words: int) -> None:
        words = [*model.words, *model.labels]
        data, starts, lengths, _ = _scan(words)
        if self._subwords.sizes:
            for begin in range(0, len(model.words), CHUNK_WORDS):
                part = np.arange(begin, min(begin + CHUNK_WORDS, len(model.words)))
                sums = self._sums[FIRST_INPUT + part] + self._add_up(
                    *self._subwords.rows(data, starts[part], lengths[part])
                )
                self._sums[self._first_word + part] = sums
        rows = np.full(len(words), NOTHING, np.int32)
        rows[: len(model.words)] = np.arange(self._first_word, self._first_word + len(model.words))
        keys = WordKeys(data, starts, lengths)
        short = np.flatnonzero(lengths <= MAX_KEY_BYTES)
        self._vocabulary = keys.select(short), rows[short]
        self._long = {words[number]: int(rows[number]) for number in keys.long.tolist()}
        self._long_low = np.unique(keys.low[keys.long])
        self._end_of_line = np.zeros(self._width + 2)
        self._last = model.words.index(END_OF_LINE) if END_OF_LINE in model.words else -1
        if self._last >= 0:
            self._end_of_line += self._sums[FIRST_INPUT + self._last]
        self._table = WordTable(len(words) + cache_words)
        self._forget()

    def _forget(self) -> None:
        """Empties the table but for the vocabulary, which it must hold whole; it grows until it does."""
        self._used = self._first_cached
        self._table.clear()
        while len(self._table.insert(*self._vocabulary)):
            self._table.grow()

    def _add_up(self, rows: IntArray, counts: IntArray) -> Array:
        """Sums of consecutive input rows, ``counts`` at a time, shape (counts, width + 2)."""
        sums = np.zeros((len(counts), self._width + 2))
        some = np.flatnonzero(counts)
        if len(some):
            first = (np.cumsum(counts) - counts)[some]
            vectors = self._sums.take(rows + FIRST_INPUT, axis=0).astype(np.float64)
            sums[some] = np.add.reduceat(vectors, first, axis=0)
        return sums

    def logits(self, documents: Sequence[bytes]) -> Logits:
        """The logits of a batch.

        Args:
            documents: UTF-8 without newline and without the word ``</s>``, each of at most ``MAX_BYTES``. All arrays
                together take about 100 times the batch's size.

        Returns:
            Logits and their bounds, one column per document.
        """
        if self._compiled is None:
            return self._logits(*self._add_blocks(documents))
        sums, first_block, self._used = self._compiled.add_up(documents, self._table, self._used, BLOCK)
        if self._used == len(self._sums) > self._first_cached:
            self._forget()
        return self._logits(sums, first_block)

    def check_exact(self, texts: Sequence[bytes], library: Callable[[bytes], FloatArray]) -> None:
        """Has ``exact`` be used if it gives the library's own vectors, to the last bit.

        Args:
            texts: Some texts to try, as ``logits`` takes them.
            library: Gives the library's mean of a text's rows.
        """
        if self._compiled is not None and not self._projected:
            self._is_exact = all(np.array_equal(self._mean(text)[0], library(text)) for text in texts)

    def _mean(self, document: bytes) -> tuple[FloatArray, int]:
        assert self._compiled is not None
        total, rows = self._compiled.in_order(document, self._table, self._first_word, self._words, self._last)
        return total * np.float32(1.0 / max(rows, 1)), rows  # Vector::mul

    def exact(self, documents: Sequence[bytes]) -> Logits | None:
        """The logits of documents by the library's own additions: slower than ``logits``, with smaller bounds.

        Args:
            documents: As in ``logits``.

        Returns:
            Logits and their bounds, one column per document; None where that way is not to be had.
        """
        if not self._is_exact:
            return None
        found = [self._mean(document) for document in documents]
        mean = np.array([mean for mean, _ in found], np.float64).T
        error = SLACK * ROUNDING * self._exact_error * np.linalg.norm(mean, axis=0)
        return Logits(self._weights @ mean, error, np.array([rows for _, rows in found], np.float64))

    def _add_blocks(self, documents: Sequence[bytes]) -> tuple[Array, IntArray]:
        """The sums of ``BLOCK`` rows of the matrix of sums at a time, and the number of each document's first sum."""
        data, starts, lengths, tokens = _scan(documents)
        keys = WordKeys(data, starts, lengths)
        rows, missing = self._find(keys, data, starts, lengths)
        found, counts = self._subwords.rows(data, starts[missing], lengths[missing])
        items, first_block = _layout(rows, missing, found + FIRST_INPUT, counts, tokens)
        sums = np.empty((len(items) // BLOCK, self._width + 2))
        step = max(1, CHUNK_VALUES // (BLOCK * (self._width + 2)))
        for begin in range(0, len(sums), step):
            part = self._sums.take(items[begin * BLOCK : (begin + step) * BLOCK], axis=0)
            blocks = np.matmul(self._ones, part.reshape(-1, BLOCK, self._width + 2))
            sums[begin : begin + step] = blocks[:, 0]
        self._batches += 1
        is_time = self._batches <= EAGER_BATCHES or self._batches % LATER == 0
        if is_time and self._first_cached < len(self._sums):
            self._remember(keys, missing, lengths, found, counts)
        return sums, first_block

    def _find(self, keys: WordKeys, data: ByteArray, starts: IntArray, lengths: IntArray) -> tuple[RowArray, IntArray]:
        """Row of each word's sum, and the numbers of the words without one that may have n-grams."""
        rows = self._table.find(keys)
        if self._long:
            low = keys.low[keys.long]
            likely = self._long_low.take(np.searchsorted(self._long_low, low), mode="clip") == low
            for number in keys.long[likely].tolist():
                begin = int(starts[number])
                rows[number] = self._long.get(data[begin : begin + int(lengths[number])].tobytes(), MISSING)
        if not self._subwords.sizes:
            return rows, np.empty(0, np.int64)
        missing = np.flatnonzero(rows == MISSING)
        # A word with the prefix of labels is no word, known or not.
        label = (keys.low[missing] == LABEL_LOW) & (lengths[missing] >= len(LABEL_PREFIX))
        if label.any():
            label &= data[starts[missing] + 8] == LABEL_PREFIX[8]
        return rows, missing[~label]

    def _remember(self, keys: WordKeys, missing: IntArray, lengths: IntArray, rows: IntArray, counts: IntArray) -> None:
        """Keeps the sums of words that were missing for the second time; each has ``counts`` of ``rows``."""
        short = np.flatnonzero(lengths[missing] <= MAX_KEY_BYTES)
        mixed = keys.mixed[missing[short]]
        place = (mixed >> np.uint64(64 - SEEN_BITS)).view(np.int64)
        again = np.flatnonzero(self._seen[place] == mixed)
        self._seen[place] = mixed
        # One word per place: so no word comes twice.
        chosen = short[again[np.unique(place[again], return_index=True)[1]]]
        if self._used + len(chosen) > len(self._sums):
            self._forget()
            chosen = chosen[: len(self._sums) - self._used]
        size = counts[chosen]
        at = np.repeat((np.cumsum(counts) - counts)[chosen] - (np.cumsum(size) - size), size)
        target = np.arange(self._used, self._used + len(chosen), dtype=np.int32)
        self._sums[target] = self._add_up(rows.take(at + np.arange(len(at))), size)
        self._table.insert(keys.select(missing[chosen]), target)
        self._used += len(chosen)

    def _logits(self, sums: Array, first_block: IntArray) -> Logits:
        """From the sums of blocks, and each document's first block, to logits and bounds."""
        width = self._width
        total = np.add.reduceat(sums, first_block, axis=0) + self._end_of_line
        rows, norms = np.maximum(total[:, width], 1), total[:, width + 1]
        end = np.cumsum(sums, axis=0)
        end -= np.repeat((end - sums)[first_block], np.diff(first_block, append=len(sums)), axis=0)
        begin = end - sums
        if self._projected:
            size = begin[:, width + 1] + end[:, width + 1]
        else:
            size = np.linalg.norm(begin[:, :width], axis=1) + np.linalg.norm(end[:, :width], axis=1)
        path = np.add.reduceat(sums[:, width] * (size + sums[:, width + 1]) / 2, first_block)
        # The end of the line comes last: one more row, one more partial sum, of at most the sum of all norms.
        error = SLACK * ROUNDING * (path + (1 + self._other_error) * norms) / rows
        mean = total[:, :width].T / rows
        return Logits(mean if self._projected else self._weights @ mean, error, total[:, width])


def _scan(documents: Sequence[bytes]) -> tuple[ByteArray, IntArray, IntArray, IntArray]:
    """Joins documents and finds their words.

    Returns:
        (bytes of all documents with a space before and spaces behind each, start of each word, its length,
        number of words of each document).
    """
    joined = b" ".join([b"", *documents, b" " * PADDING])
    data = np.frombuffer(joined, np.uint8)
    if (data < SPACE).any():
        data = np.frombuffer(joined.translate(TO_SPACES), np.uint8)
    spaces = np.flatnonzero(data == SPACE)
    lengths = np.diff(spaces) - 1
    words = np.flatnonzero(lengths)
    starts, lengths = spaces[words] + 1, lengths[words]
    ends = np.cumsum(np.fromiter(map(len, documents), np.int64, len(documents)) + 1)
    return data, starts, lengths, np.diff(np.searchsorted(starts, ends + 1), prepend=0)


def _layout(
    rows: RowArray, missing: IntArray, found: IntArray, counts: IntArray, tokens: IntArray
) -> tuple[IntArray, IntArray]:
    """Lays the rows of all documents out in blocks of ``BLOCK``, each document on blocks of its own.

    Args:
        rows: The row of each word's sum, 0 for none.
        missing: Numbers of the words that are given by the rows of their n-grams instead.
        found: These rows, word by word.
        counts: How many there are for each word of ``missing``.
        tokens: Number of words of each document.

    Returns:
        (row per place, 0 where a place is free; each document's first block).
    """
    sizes = np.ones(len(rows), np.int64)
    sizes[missing] = counts
    ends = np.concatenate(([0], np.cumsum(sizes)))
    edges = ends[np.concatenate(([0], np.cumsum(tokens)))]
    blocks = np.maximum(-(-np.diff(edges) // BLOCK), 1)
    first_block = np.cumsum(blocks) - blocks
    place = ends[:-1] + np.repeat(first_block * BLOCK - edges[:-1], tokens)
    # One more place, for a word without n-grams behind the last.
    items = np.zeros(int(blocks.sum()) * BLOCK + 1, np.int64)
    # A word without n-grams shares its place with the next word, whose row is written later and stays.
    items[place] = rows
    spread = np.repeat(place[missing] - (np.cumsum(counts) - counts), counts)
    items[spread + np.arange(len(spread))] = found
    return items[:-1], first_block
