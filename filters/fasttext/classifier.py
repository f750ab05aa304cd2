"""Exact evaluation of fastText classifiers in a fraction of the library's time, for batches of texts.

Most words of a page have been seen before, and a document's vector is a sum over its words: so the sums of known words
are looked up instead of hashing all their character n-grams again, and all steps run over a whole batch in NumPy.
Sums in another order differ in their last bits. Therefore every logit comes with a proven bound of that difference
(``filters.fasttext.logits``), and wherever the label, or the probability at the precision that the caller asked for,
could differ within the bound, the sum is repeated in the library's own order, to the last bit, which leaves a bound
some hundred times smaller; and where that is not enough, the library itself is asked. Results are the library's,
whatever the batch, the order of the texts, or the state of the cache.
"""

import math
import os
import re
import threading
from collections.abc import Iterator, Sequence
from functools import partial

import fasttext_pybind
import numpy as np
import numpy.typing as npt

from filters.fasttext.format import ModelFile, read_model
from filters.fasttext.logits import END_OF_LINE, MAX_BYTES, MAX_ROWS, ROUNDING, SLACK, LogitEvaluator, Logits
from filters.fasttext.output import LOG_FLOOR, output_of

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# Words kept beside the vocabulary; more of them make the table outgrow the processor's cache, and every look-up slower.
CACHE_WORDS = 1 << 17
# Bytes of text evaluated together.
BATCH_BYTES = 320 << 10
# Below this a batch is too small to pay for some hundred NumPy calls, which together take half a millisecond.
MIN_BATCH_BYTES = 1 << 14
# Models beyond these are left to the library: bytes of the matrix of sums, hash buckets of a pruned model, and
# characters of an n-gram.
MAX_MATRIX_BYTES = 1 << 32
MAX_BUCKETS = 1 << 26
MAX_NGRAM = 16
# The bounds are of first order; SLACK covers the rest while no logit is off by more than this (exp(x) - 1 < 1.08 x),
MAX_LOGIT_ERROR = 0.15
# and no log-probability.
MAX_ERROR = 0.25
# Below this the bound of a log-probability grows no more: at the lowest, a step adds 4 u / LOG_FLOOR.
MIN_LOG_PROBABILITY = -12.0
# So a label below MIN_LOG_PROBABILITY, errors included, stays far below one that has at least this.
MIN_BEST = -6.0
TRIAL_WORDS = 200
# The bytes of a character that UTF-8 does not know; fastText keeps them together, ``fasttext_words`` has no room.
LONG_CHARACTER = re.compile(rb"[\x80-\xbf]{4}")


class LinearTextClassifier:
    """A supervised fastText model (``.bin`` or ``.ftz``).

    A text is one line. As in fastText, words are separated by the ASCII characters space, tab, carriage return,
    vertical tab, form feed and NUL alone; a word with the prefix ``__label__`` does not count; the word ``</s>`` ends
    the text. A lone surrogate, which UTF-8 cannot express, is read as "?".

    The fast way is taken for hierarchical softmax and softmax over words and, in quantised models, over their
    character n-grams. Everything else goes to the library: dense models with character n-grams (for which it is twice
    as fast as for pruned ones, and not to be beaten on unknown words), models with word n-grams or another loss, texts
    of more than 256 KB, and batches of less than 16 KB.

    Memory beside the library's own copy of the model: see :class:`filters.fasttext.logits.LogitEvaluator` (37 MB for
    lid.176.ftz), and about 100 bytes per byte of a batch of at most 512 KB. Safe for use from several threads, which
    take turns.

    Args:
        path: A local model file.
        cache_words: How many words beside the vocabulary to keep in memory.
        decimals: Probabilities are returned with this many decimals. The more, the more often the library is asked.
        round_down: Cut further decimals off instead of rounding to the nearest: then ``probability >= threshold``
            decides as the library's own probability does, for any threshold of at most ``decimals`` decimals.

    Raises:
        ValueError: The file is missing, cut short, damaged, or no supervised fastText model.

    Attributes:
        labels: The labels with their prefix, in the model's order.
        fast: Whether the model can be evaluated without the library.
        documents: Number of texts so far.
        library_documents: How many of them the library was asked about.
    """

    def __init__(
        self, path: str, *, cache_words: int = CACHE_WORDS, decimals: int = 2, round_down: bool = False
    ) -> None:
        path = os.fspath(path)
        model = read_model(path)
        self._library = fasttext_pybind.fasttext()
        self._library.loadModel(path)
        self.labels = tuple(label.decode("utf-8", "surrogateescape") for label in model.labels)
        self._number = {label: number for number, label in enumerate(self.labels)}
        self._decimals, self._round_down = decimals, round_down
        self._lock = threading.Lock()
        self.documents = 0
        self.library_documents = 0
        self.fast = _is_fast(model)
        if not self.fast or model.output is None:
            return
        matrix = model.input if model.input is not None else np.asarray(self._library.getInputMatrix())
        self._output = output_of(model, model.output.astype(np.float64))
        self._evaluator = LogitEvaluator(model, matrix, self._output.weights, cache_words)
        if not self._evaluator.finite:
            raise ValueError(f"{path}: the model's matrices hold numbers that are none; train or fetch it again.")
        self._evaluator.check_exact(_trials(model), partial(self._library_mean, model.dim))

    def predict(self, texts: Sequence[str | bytes]) -> tuple[IntArray, Array]:
        """The most probable label of each text.

        Args:
            texts: One line each, as it is or as UTF-8.

        Returns:
            (index into ``labels``, its probability with ``decimals`` decimals), each of shape (texts,). Where fastText
            predicts nothing, for a text without any known word or n-gram, the index is -1 and the probability 0. As in
            fastText, probabilities may exceed 1 by some 1e-5 before they are rounded.

        Raises:
            ValueError: A text holds a newline.
        """
        return self._evaluate(texts, None)

    def probability_of(self, texts: Sequence[str], label: str) -> Array:
        """The probability of one label for each text.

        Args:
            texts: One line each.
            label: One of ``labels``.

        Returns:
            Probabilities with ``decimals`` decimals, shape (texts,); 0 where fastText predicts nothing.

        Raises:
            ValueError: A text holds a newline, or the model has no such label.
        """
        if label not in self._number:
            raise ValueError(f"the model has no label {label!r}; it has {', '.join(self.labels[:20])}")
        return self._evaluate(texts, self._number[label])[1]

    def _evaluate(self, texts: Sequence[str | bytes], label: int | None) -> tuple[IntArray, Array]:
        labels, probabilities = np.full(len(texts), -1, np.int64), np.zeros(len(texts))
        with self._lock:
            for numbers, documents in _batches(texts):
                certain = np.zeros(len(numbers), np.bool_)
                if self.fast and sum(map(len, documents)) >= MIN_BATCH_BYTES and len(documents[0]) <= MAX_BYTES:
                    labels[numbers], probabilities[numbers], certain = self._evaluate_batch(documents, label)
                for number in np.flatnonzero(~certain).tolist():
                    at = numbers[number]
                    labels[at], probabilities[at] = self._ask_library(documents[number], label)
                self.documents += len(numbers)
                self.library_documents += int(np.count_nonzero(~certain))
        return labels, probabilities

    def _ask_library(self, document: bytes, label: int | None) -> tuple[int, float]:
        every = -1
        found = self._library.predict(document + b"\n", 1 if label is None else every, 0.0, "surrogateescape")
        if label is not None:
            found = [pair for pair in found if pair[1] == self.labels[label]]
        # With all labels asked for, fastText still leaves out those less probable than 1e-5.
        if not found:
            return -1, 0.0
        probability, name = found[0]
        if self._round_down:
            return self._number[name], math.floor(probability * 10**self._decimals) / 10**self._decimals
        return self._number[name], round(probability, self._decimals)

    def _library_mean(self, width: int, text: bytes) -> npt.NDArray[np.float32]:
        vector = fasttext_pybind.Vector(width)
        self._library.getSentenceVector(vector, text.decode() + "\n")
        return np.array(vector, np.float32)

    def _evaluate_batch(self, documents: Sequence[bytes], label: int | None) -> tuple[IntArray, Array, BoolArray]:
        """(label, probability, whether both are certain) of each document; doubtful ones are looked at again."""
        chosen, probability, certain = self._judge(documents, self._evaluator.logits(documents), label)
        doubtful = np.flatnonzero(~certain)
        again = [documents[number] for number in doubtful.tolist()]
        if again and (exact := self._evaluator.exact(again)):
            chosen[doubtful], probability[doubtful], certain[doubtful] = self._judge(again, exact, label)
        return chosen, probability, certain

    def _judge(
        self, documents: Sequence[bytes], logits: Logits, label: int | None
    ) -> tuple[IntArray, Array, BoolArray]:
        """(label, probability, whether both are certain) of each document, by its logits."""
        every = self._output.log_probabilities(logits.values)
        column = np.arange(len(documents))
        chosen = every.argmax(axis=0) if label is None else np.full(len(documents), label)
        best = every[chosen, column]
        reach, steps = self._output.reach.max(), self._output.steps.max()
        error = _error(self._output.reach[chosen], self._output.steps[chosen], best, logits)
        certain = (error < MAX_ERROR) & (reach * logits.error < MAX_LOGIT_ERROR)
        certain &= (logits.rows > 0) & (logits.rows <= MAX_ROWS)
        certain &= np.array([END_OF_LINE not in document for document in documents])
        if label is None:
            every[chosen, column] = -np.inf
            # A less probable label has a lower upper bound, as the bound is that of the worst path.
            second = every.max(axis=0)
            # The library drops a branch that falls behind, yet each further node may add LOG_FLOOR to it.
            margin = error + _error(reach, steps, second, logits) + 2 * LOG_FLOOR * steps
            certain &= (best - second > margin) & (best > MIN_BEST)
        probability, same = self._round(np.exp(best), error)
        return chosen, probability, certain & same

    def _round(self, probability: Array, error: Array) -> tuple[Array, BoolArray]:
        """(rounded probability, whether every value within the bound of its logarithm rounds to it)."""
        scale = 10.0**self._decimals
        shift = 0.0 if self._round_down else 0.5
        # The library rounds the logarithm and its exponential to float32.
        width = probability * np.expm1(np.minimum(error, 1.0) + 16 * ROUNDING) + ROUNDING
        low = np.floor((probability - width) * scale + shift)
        high = np.floor((probability + width) * scale + shift)
        return high / scale, low == high


def _error(reach: Array, steps: Array, log_probability: Array, logits: Logits) -> Array:
    """Bound of what the library's log-probability of a label may differ by, shape (documents,).

    A node of a tree, or the softmax, turns a logit's error d into at most (1 - p) d of the log-probability, and the sum
    of (1 - p) along a path is at most -log of the product, but for LOG_FLOOR at each step. Four roundings per step,
    relative to a probability of at least p, add 4 u / p.

    Args:
        reach: See ``filters.fasttext.output.Output``; per document, or one number.
        steps: Likewise.
        log_probability: Of the label, shape (documents,).
        logits: Of the documents.
    """
    slope = reach * (2 * LOG_FLOOR * steps - log_probability)
    noise = steps * 4 * ROUNDING * np.exp(-np.maximum(log_probability, MIN_LOG_PROBABILITY))
    bound: Array = SLACK * (slope * logits.error + noise)
    return bound


def _trials(model: ModelFile) -> list[bytes]:
    """Texts in which there are words of the model's, unknown words of all lengths, long ones, and several alphabets."""
    chosen = model.words[:: max(1, len(model.words) // TRIAL_WORDS)]
    words = [word.decode("utf-8", "replace") for word in chosen if word != END_OF_LINE]
    made = [(word * 4)[:: 1 + number % 3] for number, word in enumerate(words)]
    odd = "añ b\u0434я 漢字かな 😀 x" + "y" * 40 + " " + "".join(map(chr, range(0xC0, 0x250)))
    texts = [" ".join(words).encode(), " ".join(made).encode(), odd.encode()]
    return [text for text in texts if b"\n" not in text and END_OF_LINE not in text]


def _is_fast(model: ModelFile) -> bool:
    """Whether ``LogitEvaluator`` and the output layers reproduce the model."""
    if model.loss not in ("hs", "softmax") or model.word_ngrams > 1 or len(model.labels) < 2:
        return False
    if model.output is None or (model.quantized and model.input is None):
        return False
    if model.maxn > 0 and not model.quantized:
        # Each byte of an unknown word costs three rows of a large matrix; the library adds dense rows faster.
        return False
    if model.maxn > MAX_NGRAM or (model.pruned is not None and model.bucket > MAX_BUCKETS):
        return False
    size = 4 * (model.input_rows + len(model.words)) * (min(len(model.labels), model.dim) + 2)
    return size <= MAX_MATRIX_BYTES and not LONG_CHARACTER.search(b"\0".join(model.words))


def _batches(texts: Sequence[str | bytes]) -> Iterator[tuple[list[int], list[bytes]]]:
    """Numbers and bytes of consecutive texts, of BATCH_BYTES together; a longer text comes alone."""
    numbers: list[int] = []
    documents: list[bytes] = []
    size = 0
    for number, text in enumerate(texts):
        document = text.encode("utf-8", "replace") if isinstance(text, str) else text
        if b"\n" in document:
            raise ValueError(f"text {number} holds a newline; a fastText classifier reads one line")
        if documents and size + len(document) > BATCH_BYTES:
            yield numbers, documents
            numbers, documents, size = [], [], 0
        numbers.append(number)
        documents.append(document)
        size += len(document)
    if documents:
        yield numbers, documents
