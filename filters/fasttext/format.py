"""What a fastText model file holds, read without the library and checked before the library sees it.

The library trusts its input: a dictionary that is cut short makes it append bytes until the memory is gone, an entry
of the pruned index that points outside the matrix makes it read foreign memory. :func:`read_model` walks the
whole file once, checks every size and index against the file, and returns what ``filters.fasttext.classifier`` needs.

Source of the format: fastText 0.9.3, ``FastText::loadModel``, ``Args::load``, ``Dictionary::load``,
``QuantMatrix::load``, ``ProductQuantizer::load`` and ``DenseMatrix::load``.
"""

import mmap
import os
import re
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# fasttext.cc: FASTTEXT_FILEFORMAT_MAGIC_INT32 and FASTTEXT_VERSION.
MAGIC = 793712314
VERSION = 12
# Files of version 11 were trained without character n-grams, whatever their header says (FastText::loadModel).
VERSION_WITHOUT_NGRAMS = 11
# args.h: enum class model_name and loss_name.
SUPERVISED = 3
LOSSES = {1: "hs", 2: "ns", 3: "softmax", 4: "ova"}
# productquantizer.h: ksub_, the number of centroids of one sub-vector.
CENTROIDS = 256
# dictionary.cc, readWord: a word or label cannot hold what separates words.
WHITE_SPACE = re.compile(rb"[ \n\r\t\v\f]")
# A quantised matrix larger than this when dequantised is left to the library (bytes).
MAX_DEQUANTIZED = 1 << 30
# loss.cc, buildTree: the count of a node that does not exist yet. Larger counts would send the library out of its
# array.
MAX_COUNT = 10**15

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ModelFile:
    """A supervised fastText model as its file describes it.

    Attributes:
        path: Where it was read.
        dim: Length of a row of the input matrix.
        loss: ``hs``, ``ns``, ``softmax`` or ``ova``.
        word_ngrams: Longest word n-gram; 1 means single words.
        minn: Shortest character n-gram.
        maxn: Longest character n-gram; 0 means none.
        bucket: Number of hash buckets of the character n-grams.
        words: The vocabulary; word ``i`` has row ``i`` of the input matrix.
        labels: The labels with their prefix, as bytes, in the order of the output matrix.
        label_counts: How often each label occurred in training; hierarchical softmax builds its tree from them.
        pruned: For a pruned model (bucket, row after the last word) pairs of the n-grams that were kept; else None.
        input: The dequantised input matrix, float32 of shape (rows, dim); None when the file holds it dense (the
            library hands that one out without a copy) or when it would exceed ``MAX_DEQUANTIZED``.
        input_rows: Number of rows of the input matrix.
        quantized: The input matrix is stored quantised.
        output: The output matrix, float32 of shape (labels, dim); None where ``input`` is None for its size.
    """

    path: str
    dim: int
    loss: str
    word_ngrams: int
    minn: int
    maxn: int
    bucket: int
    words: list[bytes]
    labels: list[bytes]
    label_counts: npt.NDArray[np.int64]
    pruned: npt.NDArray[np.int32] | None
    input: FloatArray | None
    input_rows: int
    quantized: bool
    output: FloatArray | None


class _Cursor:
    """Reads little-endian values off a buffer and refuses to pass its end."""

    def __init__(self, path: str, data: mmap.mmap) -> None:
        self.path = path
        self.data = data
        self.position = 0

    def fail(self, what: str) -> ValueError:
        return ValueError(
            f"{self.path}: not a usable fastText model: {what} (byte {self.position} of {len(self.data)}). "
            "The file is damaged, cut short, or something else; fetch it again and compare its checksum."
        )

    def require(self, condition: bool, what: str) -> None:
        if not condition:
            raise self.fail(what)

    def skip(self, size: int, what: str) -> None:
        self.require(0 <= size <= len(self.data) - self.position, f"it ends inside {what}")
        self.position += size

    def values(self, layout: str, what: str) -> tuple[Any, ...]:
        begin = self.position
        self.skip(struct.calcsize("<" + layout), what)
        return struct.unpack_from("<" + layout, self.data, begin)

    def array(self, dtype: str, count: int, what: str) -> npt.NDArray[Any]:
        begin = self.position
        self.skip(np.dtype(dtype).itemsize * count, what)
        # A copy, so that the mapping of the file can be closed.
        return np.frombuffer(self.data, dtype, count, begin).copy()


def read_model(path: str) -> ModelFile:
    """Reads and checks a supervised fastText model (``.bin`` or ``.ftz``).

    Args:
        path: A local file.

    Returns:
        Its parameters, vocabulary, labels and, where quantised, its matrices.

    Raises:
        ValueError: The file is missing or unreadable, is no supervised fastText model, is cut short, or holds
            sizes or indices that contradict each other. The message names the file, the place and what to do.
    """
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size < 8:
                raise ValueError(f"{path}: too short for a fastText model; fetch it again.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _read(_Cursor(path, data))
    except OSError as error:
        raise ValueError(f"{path}: cannot read this fastText model: {error.strerror}. Check the path.") from error


def _read(cursor: _Cursor) -> ModelFile:
    magic, version = cursor.values("ii", "the signature")
    cursor.require(magic == MAGIC, "it does not start with fastText's signature")
    cursor.require(0 < version <= VERSION, f"it has format version {version}, known are 1 to {VERSION}")
    dim, _, _, _, _, word_ngrams, loss, model, bucket, minn, maxn, _, _ = cursor.values("12id", "the parameters")
    cursor.require(model == SUPERVISED, "it was not trained as a classifier (supervised)")
    cursor.require(loss in LOSSES, f"its loss has the unknown number {loss}")
    cursor.require(dim > 0, "its vectors have no dimension")
    if version == VERSION_WITHOUT_NGRAMS:
        maxn = 0
    words, labels, counts, pruned = _read_dictionary(cursor)
    ngrams = (maxn > 0 and pruned is None) or word_ngrams > 1 or bool(pruned is not None and len(pruned))
    cursor.require(bucket > 0 or not ngrams, "it uses n-grams but has no hash buckets")
    quantized = cursor.values("?", "the input matrix")[0]
    cursor.require(quantized or pruned is None, "a pruned dictionary needs a quantised matrix")
    input_rows, matrix = _read_matrix(cursor, quantized, dim, "the input matrix")
    _check_rows(cursor, len(words), input_rows, bucket if ngrams else 0, pruned)
    output_quantized = cursor.values("?", "the output matrix")[0] and quantized
    output_rows, output = _read_matrix(cursor, output_quantized, dim, "the output matrix", keep_dense=True)
    cursor.require(output_rows == len(labels), f"it has {len(labels)} labels but {output_rows} output rows")
    return ModelFile(
        path=cursor.path, dim=dim, loss=LOSSES[loss], word_ngrams=word_ngrams, minn=minn, maxn=maxn, bucket=bucket,
        words=words, labels=labels, label_counts=counts, pruned=pruned,
        input=matrix, input_rows=input_rows, quantized=quantized, output=output,
    )  # fmt: skip


def _read_dictionary(
    cursor: _Cursor,
) -> tuple[list[bytes], list[bytes], npt.NDArray[np.int64], npt.NDArray[np.int32] | None]:
    """Vocabulary, labels, label counts, and the pruned index (None when the model is not pruned)."""
    size, n_words, n_labels, _, pruned_size = cursor.values("iiiqq", "the dictionary")
    cursor.require(n_words >= 0 and n_labels > 0 and size == n_words + n_labels, "its dictionary sizes disagree")
    entries: list[bytes] = []
    counts: list[int] = []
    data, position = cursor.data, cursor.position
    unpack = struct.Struct("<qb").unpack_from
    for number in range(size):
        end = data.find(b"\0", position)
        cursor.require(0 <= end <= len(data) - 10, "it ends inside the dictionary")
        count, kind = unpack(data, end + 1)
        cursor.require(kind == (number >= n_words), "its dictionary does not list words first, then labels")
        entries.append(data[position:end])
        counts.append(count)
        position = end + 10
    cursor.position = position
    cursor.require(all(entries) and not WHITE_SPACE.search(b"\1".join(entries)), "it has words with white space")
    cursor.require(len(set(entries[n_words:])) == n_labels, "a label occurs twice")
    total = sum(counts[n_words:])
    cursor.require(min(counts[n_words:]) >= 0 and total < MAX_COUNT, "its label counts are out of range")
    pruned = None
    if pruned_size >= 0:
        pruned = cursor.array("<i4", 2 * pruned_size, "the pruned index").reshape(-1, 2)
    return entries[:n_words], entries[n_words:], np.array(counts[n_words:], np.int64), pruned


def _check_rows(cursor: _Cursor, n_words: int, rows: int, bucket: int, pruned: npt.NDArray[np.int32] | None) -> None:
    """Every row that a word or an n-gram can name must exist: the library reads it unchecked."""
    if pruned is None:
        cursor.require(rows >= n_words + bucket, "its input matrix has fewer rows than words and buckets")
        return
    cursor.require(rows >= n_words, "its input matrix has fewer rows than words")
    inside = (pruned[:, 1] >= 0) & (pruned[:, 1] < rows - n_words)
    cursor.require(bool(inside.all()), "its pruned index points outside the input matrix")


def _read_matrix(
    cursor: _Cursor, quantized: bool, dim: int, what: str, keep_dense: bool = False
) -> tuple[int, FloatArray | None]:
    """(rows, matrix); the matrix is None where it is dense and not asked for, or too large dequantised."""
    if quantized:
        return _read_quantized(cursor, dim, what)
    rows, columns = cursor.values("qq", what)
    cursor.require(rows >= 0 and columns == dim, f"{what} has the shape {rows} x {columns}")
    if not keep_dense:
        cursor.skip(4 * rows * columns, what)
        return rows, None
    return rows, cursor.array("<f4", rows * columns, what).reshape(rows, columns)


def _read_quantized(cursor: _Cursor, dim: int, what: str) -> tuple[int, FloatArray | None]:
    has_norms, rows, columns, code_size = cursor.values("?qqi", what)
    cursor.require(rows >= 0 and columns == dim, f"{what} has the shape {rows} x {columns}")
    codes = cursor.array("u1", code_size, what)
    parts, part, last, centroids = _read_quantizer(cursor, dim, what)
    cursor.require(code_size == rows * parts, f"{what} has {code_size} codes for {rows} rows of {parts}")
    norms: FloatArray = np.ones(rows, np.float32)
    if has_norms:
        norm_codes = cursor.array("u1", rows, what)
        norms = _read_quantizer(cursor, 1, what)[3][norm_codes]
    if 4 * rows * dim > MAX_DEQUANTIZED:
        return rows, None
    matrix = np.empty((rows, dim), np.float32)
    codes = codes.reshape(rows, parts)
    for number in range(parts):
        width = last if number == parts - 1 else part
        begin = number * part
        table = centroids[begin * CENTROIDS : begin * CENTROIDS + width * CENTROIDS].reshape(CENTROIDS, width)
        matrix[:, begin : begin + width] = table[codes[:, number]]
    return rows, matrix * norms[:, None]


def _read_quantizer(cursor: _Cursor, dim: int, what: str) -> tuple[int, int, int, FloatArray]:
    """(number of sub-vectors, their width, the width of the last, all centroids)."""
    quantizer_dim, parts, part, last = cursor.values("4i", what)
    fits = quantizer_dim == dim and parts > 0 and part > 0 and 0 < last <= part
    cursor.require(fits and (parts - 1) * part + last == dim, f"the quantiser of {what} does not fit {dim} columns")
    return parts, part, last, cursor.array("<f4", dim * CENTROIDS, f"the quantiser of {what}")
