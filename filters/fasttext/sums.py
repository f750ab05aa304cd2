"""Sums of fastText's rows over the words of texts, by the compiled loops: see ``filters.fasttext.logits``."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.fasttext.words import MAX_KEY_BYTES, PROBES, SubwordIndex, WordTable
from filters.native.library import address, compiled

IntArray = npt.NDArray[np.int64]
MAX_WIDTH, MAX_BLOCK = 1024, 64  # of words.c


class _Model(ctypes.Structure):
    """``word_model`` of words.c."""

    _fields_ = (
        ("slots", ctypes.c_void_p),
        ("bits", ctypes.c_int64),
        ("probes", ctypes.c_int64),
        ("sums", ctypes.c_void_p),
        ("width", ctypes.c_int64),
        ("first_input", ctypes.c_int64),
        ("used", ctypes.c_int64),
        ("capacity", ctypes.c_int64),
        ("seen", ctypes.c_void_p),
        ("seen_bits", ctypes.c_int64),
        ("long_low", ctypes.c_void_p),
        ("long_start", ctypes.c_void_p),
        ("long_row", ctypes.c_void_p),
        ("long_bytes", ctypes.c_void_p),
        ("long_count", ctypes.c_int64),
        ("least", ctypes.c_int64),
        ("most", ctypes.c_int64),
        ("bucket", ctypes.c_uint32),
        ("first_ngram", ctypes.c_int64),
        ("kept", ctypes.c_void_p),
        ("kept_before", ctypes.c_void_p),
        ("row_of_kept", ctypes.c_void_p),
    )


class WordSums:
    """Adds up the rows of words, ``block`` words at a time, over arrays that belong to a ``LogitEvaluator``.

    Args:
        library: The compiled loops.
        sums: The matrix of sums, shape (rows, width), float32.
        first_input: The row of it at which the input matrix begins.
        seen: Hashes of words seen once, shape (a power of two,), uint64.
        subwords: The character n-grams.
        long_words: Rows of the vocabulary's words of more than 16 bytes.
    """

    def __init__(
        self,
        library: ctypes.CDLL,
        sums: npt.NDArray[np.float32],
        first_input: int,
        seen: npt.NDArray[np.uint64],
        subwords: SubwordIndex,
        long_words: Mapping[bytes, int],
    ) -> None:
        self._call = library.word_sums
        self._call.restype = ctypes.c_int64
        self._in_order = library.rows_in_order
        self._in_order.restype = ctypes.c_int64
        ordered = sorted(long_words, key=lambda word: int.from_bytes(word[:8], "little"))
        long_low = np.array([int.from_bytes(word[:8], "little") for word in ordered], np.uint64)
        long_start = np.cumsum([0, *map(len, ordered)], dtype=np.int64)
        long_row = np.array([long_words[word] for word in ordered], np.int32)
        long_bytes = np.frombuffer(b"".join([*ordered, b"\0"]), np.uint8)
        # The model points into these.
        self._arrays: tuple[npt.NDArray[Any], ...] = (sums, seen, long_low, long_start, long_row, long_bytes)
        self._width = sums.shape[1]
        self._model = _Model(
            probes=PROBES,
            sums=address(sums),
            width=self._width,
            first_input=first_input,
            capacity=len(sums),
            seen=address(seen),
            seen_bits=len(seen).bit_length() - 1,
            long_low=address(long_low),
            long_start=address(long_start),
            long_row=address(long_row),
            long_bytes=address(long_bytes),
            long_count=len(ordered),
            least=subwords.sizes.start,
            most=subwords.sizes.stop - 1 if subwords.sizes else 0,
            bucket=int(subwords.bucket),
            first_ngram=int(subwords.first_row),
        )
        if subwords.is_kept is not None and subwords.row_of_bucket is not None:
            # Nearly all n-grams are pruned away: these fit the processor's cache, a row for each bucket does not.
            kept = np.zeros(-(-len(subwords.is_kept) // 64) * 64, np.bool_)
            kept[: len(subwords.is_kept)] = subwords.is_kept
            counts = np.count_nonzero(kept.reshape(-1, 64), axis=1)
            pruned = (
                np.packbits(kept, bitorder="little"),
                (np.cumsum(counts) - counts).astype(np.int32),
                subwords.row_of_bucket[subwords.is_kept],
            )
            self._arrays += pruned
            self._model.kept, self._model.kept_before, self._model.row_of_kept = map(address, pruned)

    def add_up(
        self, documents: Sequence[bytes], table: WordTable, used: int, block: int
    ) -> tuple[npt.NDArray[np.float64], IntArray, int]:
        """The sums of documents.

        Args:
            documents: UTF-8 without newline and without the word ``</s>``.
            table: The rows of words of at most 16 bytes; words that come a second time are put into it.
            used: How many rows of the matrix are in use.
            block: How many words make up a sum.

        Returns:
            (sums, shape (sums, width); the number of each document's first sum; how many rows are in use now).
        """
        assert block <= MAX_BLOCK
        slots, bits = table.slots
        model = self._model
        model.slots, model.bits = address(slots), bits
        model.used = used
        ends = np.cumsum(np.fromiter(map(len, documents), np.int64, len(documents)))
        room = len(documents) + sum((len(document) + 1) // 2 // block + 1 for document in documents)
        out = np.empty((room, self._width))
        first = np.empty(len(documents), np.int64)
        text = b"".join(documents)
        count = self._call(
            ctypes.byref(model),
            ctypes.c_char_p(text),
            ctypes.c_void_p(address(ends)),
            ctypes.c_int64(len(documents)),
            ctypes.c_int64(block),
            ctypes.c_void_p(address(out)),
            ctypes.c_void_p(address(first)),
        )
        return out[:count], first, int(model.used)

    def in_order(
        self, document: bytes, table: WordTable, first_word: int, words: int, last: int
    ) -> tuple[npt.NDArray[np.float32], int]:
        """The sum of a document's rows by the library's own additions, one after the other in float32.

        Args:
            document: As in ``add_up``.
            table: Likewise; nothing is put into it.
            first_word: The row of the matrix at which the sums of the vocabulary's words begin.
            words: Their number.
            last: The input row of the end of the line, which comes last; -1 for none.

        Returns:
            (the sum, shape (width - 2,); the number of rows).
        """
        slots, bits = table.slots
        self._model.slots, self._model.bits = address(slots), bits
        sum_ = np.empty(self._width - 2, np.float32)
        rows = self._in_order(
            ctypes.byref(self._model),
            ctypes.c_char_p(document + bytes(16)),
            ctypes.c_int64(len(document)),
            ctypes.c_int64(first_word),
            ctypes.c_int64(words),
            ctypes.c_int64(last),
            ctypes.c_void_p(address(sum_)),
        )
        return sum_, int(rows)


def word_sums(
    sums: npt.NDArray[np.float32],
    first_input: int,
    seen: npt.NDArray[np.uint64],
    subwords: SubwordIndex,
    long_words: Mapping[bytes, int],
) -> WordSums | None:
    """:class:`WordSums` of these arrays; None where nothing was compiled, or rows are too wide for it."""
    library = compiled()
    if library is None or sums.shape[1] > MAX_WIDTH:
        return None
    assert MAX_KEY_BYTES == 16
    return WordSums(library, sums, first_input, seen, subwords, long_words)
