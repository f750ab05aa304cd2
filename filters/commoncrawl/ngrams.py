"""Scores of KenLM models in the probing format (what ``build_binary`` makes by default), by the compiled loops."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from pathlib import Path

import numpy as np

from filters.native.library import address, compiled

# lm/binary_format.cc: the magic bytes and the numbers that tell the machine's formats, then FixedWidthParameters.
MAGIC = b"mmap lm http://kheafield.com/code format version 5\n"
SANITY = struct.pack("<52s4x3f3IQ", MAGIC, 0.0, 1.0, -0.5, 1, 0xFFFFFFFF, 0, 1)
PARAMETERS = struct.Struct("<B3xfI?3xI")
PROBING = 0
MAX_ORDER = 8
# Fuller tables than build_binary's default (1.5 buckets an entry) are left to the library: see MAX_TRIES of ngrams.c.
LEAST_MULTIPLIER = 1.2
# lm/vocab.cc: the header of the table of words, and its version.
VOCABULARY = struct.Struct("<II")
WORD_BYTES, UNIGRAM_BYTES, MIDDLE_BYTES, LONGEST_BYTES = 12, 8, 16, 12


class _Model(ctypes.Structure):
    """``ngram_model`` of ngrams.c."""

    _fields_ = (
        ("words", ctypes.c_void_p),
        ("word_buckets", ctypes.c_uint64),
        ("word_count", ctypes.c_uint64),
        ("unigrams", ctypes.c_void_p),
        ("order", ctypes.c_uint64),
        ("tables", ctypes.c_void_p * MAX_ORDER),
        ("buckets", ctypes.c_uint64 * MAX_ORDER),
        ("begin", ctypes.c_uint32),
        ("end", ctypes.c_uint32),
    )


class ProbingModel:
    """A model in the probing format; its file is mapped into memory, so all processes of a host share one copy.

    Scores are the library's to the last bit: the same look-ups, and the same float32 additions in the same order. Bytes
    that are damaged give wrong scores, but nothing outside the file is read, and every search ends. Not thread-safe.
    """

    def __init__(self, library: ctypes.CDLL, data: mmap.mmap, model: _Model) -> None:
        self._data = data  # the model points into it
        self._model = model
        self._score = library.ngram_score_text
        self._score.restype = ctypes.c_float
        self._score.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p]
        self._words = np.empty(0, np.uint32)

    @classmethod
    def open(cls, path: Path) -> ProbingModel | None:
        """Opens a model; None where it is in another format or damaged, or where nothing was compiled.

        Raises:
            OSError: it cannot be read.
        """
        library = compiled()
        if library is None:
            return None
        with path.open("rb") as file:
            if file.read(len(SANITY)) != SANITY:
                return None
            # Reads the pages at once, where the system can: a cold model would be read in millions of random pieces.
            flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
            data = mmap.mmap(file.fileno(), os.fstat(file.fileno()).st_size, flags=flags, prot=mmap.PROT_READ)
        model = _layout(data)
        if model is None:
            return None
        word = library.ngram_word
        word.restype, word.argtypes = ctypes.c_uint32, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64]
        model.begin, model.end = (word(ctypes.byref(model), name, len(name)) for name in (b"<s>", b"</s>"))
        return cls(library, data, model)

    @property
    def pointer(self) -> int:
        """Where the structure lies that the compiled loops take."""
        return ctypes.addressof(self._model)

    def score(self, text: bytes) -> float:
        """The log10 probability of words between ``<s>`` and ``</s>``, as ``kenlm.Model.score`` gives it.

        Args:
            text: UTF-8, the words separated by ASCII white space.
        """
        if len(self._words) < len(text) // 2 + 2:
            self._words = np.empty(len(text) + 2, np.uint32)
        return float(self._score(ctypes.byref(self._model), text, len(text), address(self._words)))


def _layout(data: mmap.mmap) -> _Model | None:
    """Where the tables lie; None where the file is no model in this format, or shorter than it says."""
    at = len(SANITY)
    if len(data) < at + PARAMETERS.size + 8 * MAX_ORDER:
        return None
    order, multiplier, kind, _, version = PARAMETERS.unpack_from(data, at)
    if kind != PROBING or version != 0 or not 2 <= order <= MAX_ORDER or not LEAST_MULTIPLIER <= multiplier < np.inf:
        return None
    at += PARAMETERS.size
    counts = struct.unpack_from(f"<{order}Q", data, at)
    if max(counts) >= len(data):
        return None
    at = -(-(at + 8 * order) // 8) * 8
    if VOCABULARY.unpack_from(data, at)[0] != 0:
        return None
    model = _Model()
    base = np.frombuffer(data, np.uint8).ctypes.data
    at += VOCABULARY.size
    model.words, model.word_buckets, model.order = base + at, _buckets(counts[0], multiplier), order
    at += WORD_BYTES * model.word_buckets
    model.unigrams, model.word_count = base + at, counts[0] + 1
    at += UNIGRAM_BYTES * (counts[0] + 1)
    for number, count in enumerate(counts[1:]):
        model.tables[number], model.buckets[number] = base + at, _buckets(count, multiplier)
        at += (LONGEST_BYTES if number + 2 == order else MIDDLE_BYTES) * model.buckets[number]
    return model if at <= len(data) else None


def _buckets(entries: int, multiplier: float) -> int:
    """The buckets of a table, by KenLM's arithmetic in float32 (util/probing_hash_table.hh)."""
    return max(entries + 1, int(np.float32(multiplier) * np.float32(entries)))
