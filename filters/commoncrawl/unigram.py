"""SentencePiece's unigram models and KenLM's probing models together, by the compiled loops: from a text to its score.

The pieces of a text go from one model to the other as numbers, and never become strings.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import sentencepiece

from filters.commoncrawl.ngrams import ProbingModel
from filters.native.library import address, compiled

# The versions of the library whose pieces are found here, to the last one. Others may add scores up in another order.
VERSIONS = ("0.2.3",)
# sentencepiece_model.proto: ModelProto, SentencePiece, TrainerSpec and NormalizerSpec.
PIECES, TRAINER, NORMALIZER = 1, 2, 3
PIECE, SCORE, KIND = 1, 2, 3
MODEL_TYPE, SUFFIX, BYTE_FALLBACK = 3, 24, 35
CHARSMAP, DUMMY_PREFIX, REMOVE_EXTRA_SPACES, ESCAPE_SPACES = 2, 3, 4, 5
NORMAL, UNKNOWN, CONTROL, UNIGRAM = 1, 2, 3, 1
UNKNOWN_PENALTY = np.float32(10)  # unigram_model.cc, kUnkPenalty
SPACE = "▁".encode()
STEEPEST = -1000.0  # of unigram.c: with lower scores, or positive ones, no word is cached
ASCII_SPACES = b" \t\n\v\f\r"
# The trie is built by recursion, and its slots have numbers of 24 bits.
MAX_PIECE_BYTES = 256
MAX_SLOTS = 1 << 24
NODE = np.dtype([("base_label", "<u4"), ("piece", "<i4")])


class _Model(ctypes.Structure):
    """``unigram_model`` of unigram.c."""

    _fields_ = (
        ("trie", ctypes.c_void_p),
        ("nodes", ctypes.c_uint64),
        ("scores", ctypes.c_void_p),
        ("words", ctypes.c_void_p),
        ("unknown", ctypes.c_float),
        ("dummy_prefix", ctypes.c_uint32),
        ("extra_spaces", ctypes.c_uint32),
        ("charsmap", ctypes.c_void_p),
        ("charsmap_units", ctypes.c_uint64),
        ("rewritten", ctypes.c_void_p),
        ("rewritten_size", ctypes.c_uint64),
        ("plain", ctypes.c_uint64 * 2),
        ("cache", ctypes.c_void_p),
    )


class UnigramScorer:
    """Encodes texts with a unigram model and scores their pieces, as the two libraries do, to the last bit.

    Words whose pieces are the same wherever they stand are kept: see ``encode`` in unigram.c. What is kept changes the
    time, never a result.

    Memory: some megabytes; while it works about 30 bytes for a byte of text. Not thread-safe.
    """

    def __init__(self, library: ctypes.CDLL, model: _Model, ngrams: ProbingModel, arrays: tuple[object, ...]) -> None:
        self._model, self._ngrams, self._arrays = model, ngrams, arrays  # the model points into the arrays
        self._call = library.unigram_score
        self._call.restype = ctypes.c_int64
        self._call.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p]
        self._score = ctypes.c_float()

    @classmethod
    def build(cls, content: bytes, ngrams: ProbingModel) -> UnigramScorer | None:
        """Makes one of a SentencePiece model; None where the loops do not know its kind, or the library's version.

        Args:
            content: The model's file, which the library has loaded.
            ngrams: The n-gram model over its pieces.
        """
        library = compiled()
        if library is None or sentencepiece.__version__ not in VERSIONS:
            return None
        try:
            pieces, trainer, normalizer = _read(content)
        except (IndexError, struct.error, TypeError):
            return None
        known = [(name, number) for number, (name, _, kind) in enumerate(pieces) if kind == NORMAL]
        if (
            trainer.get(MODEL_TYPE, UNIGRAM) != UNIGRAM
            or trainer.get(BYTE_FALLBACK, 0)
            or trainer.get(SUFFIX, 0)
            or not normalizer.get(ESCAPE_SPACES, 1)
            or {kind for _, _, kind in pieces} - {NORMAL, UNKNOWN, CONTROL}
            or not known
            or not all(0 < len(name) <= MAX_PIECE_BYTES for name, _ in known)
            or len({name for name, _ in known}) < len(known)
            or any(byte in name for name, _ in known for byte in b"\0" + ASCII_SPACES)
            or not all(math.isfinite(score) for _, score, _ in pieces)
        ):
            return None
        return cls._of(library, known, pieces, normalizer, ngrams)

    @classmethod
    def _of(
        cls,
        library: ctypes.CDLL,
        known: list[tuple[bytes, int]],
        pieces: list[tuple[bytes, float, int]],
        normalizer: dict[int, int | bytes],
        ngrams: ProbingModel,
    ) -> UnigramScorer | None:
        scores = np.array([score for _, score, _ in pieces], np.float32)
        trie = _trie(library, known)
        charsmap, rewritten = _charsmap(normalizer.get(CHARSMAP, b""))
        if trie is None or rewritten is None:
            return None
        words = np.zeros(len(pieces), np.uint32)
        names, starts = _joined([name for name, _, _ in pieces])
        library.ngram_words.restype = None
        library.ngram_words(
            ctypes.c_void_p(ngrams.pointer),
            ctypes.c_char_p(names),
            ctypes.c_void_p(address(starts)),
            ctypes.c_int64(len(pieces)),
            ctypes.c_void_p(address(words)),
        )
        model = _Model(
            trie=address(trie),
            nodes=len(trie),
            scores=address(scores),
            words=address(words),
            unknown=float(scores[[number for _, number in known]].min() - UNKNOWN_PENALTY),
            dummy_prefix=bool(normalizer.get(DUMMY_PREFIX, 1)),
            extra_spaces=not normalizer.get(REMOVE_EXTRA_SPACES, 1),
            charsmap=address(charsmap) if len(charsmap) else None,
            charsmap_units=len(charsmap),
            rewritten=address(rewritten),
            rewritten_size=len(rewritten),
        )
        library.unigram_prepare.restype = ctypes.c_int64
        cache = np.zeros(library.unigram_prepare(ctypes.byref(model)), np.uint8)
        inside = any(name.rfind(SPACE) > 0 for name, _ in known)
        if not inside and scores.max() <= 0 and min(scores.min(), model.unknown) >= STEEPEST:
            model.cache = address(cache)
        return cls(library, model, ngrams, (trie, scores, words, charsmap, rewritten, cache))

    def score(self, text: bytes) -> tuple[float, int] | None:
        """The log10 probability of a text and the number of its pieces; None where the libraries must be asked.

        Args:
            text: Valid UTF-8.
        """
        result = ctypes.byref(self._score)
        pieces = self._call(ctypes.byref(self._model), self._ngrams.pointer, text, len(text), result)
        return None if pieces < 0 else (float(self._score.value), int(pieces))


def _read(content: bytes) -> tuple[list[tuple[bytes, float, int]], dict[int, int | bytes], dict[int, int | bytes]]:
    """The pieces (name, score, kind), and the settings of trainer and normalizer, of a model's file."""
    pieces: list[tuple[bytes, float, int]] = []
    trainer: dict[int, int | bytes] = {}
    normalizer: dict[int, int | bytes] = {}
    for number, value in _fields(content):
        if not isinstance(value, bytes):
            raise IndexError("it is no model")
        if number == PIECES:
            piece = dict(_fields(value))
            score = struct.unpack("<f", piece.get(SCORE, bytes(4)))[0]  # type: ignore[arg-type]
            pieces.append((bytes(piece.get(PIECE, b"")), score, int(piece.get(KIND, NORMAL))))
        elif number in (TRAINER, NORMALIZER):
            (trainer if number == TRAINER else normalizer).update(_fields(value))
    return pieces, trainer, normalizer


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: their numbers and values.

    Raises:
        IndexError: It ends too early, or is none.
    """
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = number()
        kind = tag & 7
        if kind == 0:
            yield tag >> 3, number()
            continue
        size = {1: 8, 5: 4}.get(kind) or (number() if kind == 2 else len(message) + 1)
        if at + size > len(message):
            raise IndexError("the message ends too early")
        yield tag >> 3, message[at : at + size]
        at += size


def _joined(names: list[bytes]) -> tuple[bytes, npt.NDArray[np.int64]]:
    """Names one behind the other, and where each begins, with the end of the last."""
    return b"".join([*names, b"\0"]), np.array(list(accumulate(map(len, names), initial=0)), np.int64)


def _trie(library: ctypes.CDLL, known: list[tuple[bytes, int]]) -> npt.NDArray[np.void] | None:
    ordered = sorted(known)
    names, starts = _joined([name for name, _ in ordered])
    numbers = np.array([number for _, number in ordered], np.int32)
    trie = np.empty(min(2 * len(names) + (1 << 16), MAX_SLOTS), NODE)
    library.unigram_build.restype = ctypes.c_int64
    used = library.unigram_build(
        ctypes.c_char_p(names),
        ctypes.c_void_p(address(starts)),
        ctypes.c_void_p(address(numbers)),
        ctypes.c_int64(len(ordered)),
        ctypes.c_void_p(address(trie)),
        ctypes.c_int64(len(trie)),
    )
    return trie[:used].copy() if used else None


def _charsmap(blob: int | bytes) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8] | None]:
    """The double array of a map of characters, and its results (normalizer.cc, DecodePrecompiledCharsMap).

    Where there is no map, both are empty; a damaged one has no results (None), nor has one with spaces but the space.
    """
    none = np.empty(0, np.uint32)
    if not isinstance(blob, bytes) or not blob:
        return none, np.zeros(1, np.uint8)
    size = int.from_bytes(blob[:4], "little")
    units, results = blob[4 : 4 + size], blob[4 + size :]
    if len(units) != size or size < 4 or size % 4 or any(byte in results for byte in ASCII_SPACES[1:]):
        return none, None
    return np.frombuffer(units, "<u4").copy(), np.frombuffer(results + b"\0", np.uint8).copy()
