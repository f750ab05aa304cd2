"""Ids of texts by the compiled loop (``filters/native/bpe.c``), for models whose texts can be cut into units.

The loop knows of a model which two symbols together are a piece, and how good that piece is. Models that are odd in any
way are not for it, nor is one for which it gives other ids than the library for a text of pieces and other characters.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import os
import random
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.native.library import address, compiled
from tokenizer.cuts import Cuts
from tokenizer.model import BYTE, NORMAL, SPACE, ModelFile

LONGEST_PIECE = 64  # characters; to find the parts of long ones takes long, and trainers make some of 16 at the most
MOST_PIECES = 1 << 24
CODE_POINTS = 0x110000
SURROGATES = range(0xD800, 0xE000)
INLINE_IDS = 3  # of bpe.c: how much more room the ids of a text need
FEWEST_ROWS = 1 << 12
BUFFER = 1 << 17  # ids
TRIAL_PIECES, TRIAL_CHARACTERS, TRIAL_RUN = 1000, 100, 200

# pair and row of bpe.c
PAIR = np.dtype([("left", "<u4"), ("right", "<u4"), ("merged", "<u4"), ("rank", "<u4")])
ROW = np.dtype([("key", "<u8", 3), ("value", "<u8")])

Ids = NDArray[np.unsignedinteger[Any]]


class _Encoder(ctypes.Structure):
    """``bpe_encoder`` of bpe.c."""

    _fields_ = (
        ("before", ctypes.c_char_p),
        ("after", ctypes.c_char_p),
        ("symbols", ctypes.c_void_p),
        ("byte_ids", ctypes.c_void_p),
        ("pairs", ctypes.c_void_p),
        ("pair_bits", ctypes.c_uint64),
        ("pieces", ctypes.c_uint64),
        ("mixers", ctypes.c_uint64 * 3),
        ("rows", ctypes.c_void_p),
        ("row_bits", ctypes.c_uint64),
        ("units", ctypes.c_uint64),
        ("pool", ctypes.c_void_p),
        ("pooled", ctypes.c_uint64),
        ("pool_size", ctypes.c_uint64),
        ("resets", ctypes.c_uint64),
    )


class CompiledEncoder:
    """Encodes texts; the ids of units of up to 23 bytes are cached. A lock lets in one thread at a time.

    Memory: ``cache_bytes`` at most for the cache (but 0.2 MB at the least), and some 4 MB. Meanwhile a text takes 4
    bytes an id, and a unit of more than 32 characters 32 bytes a character.
    """

    def __init__(self, library: ctypes.CDLL, model: ModelFile, cuts: Cuts, cache_bytes: int) -> None:
        """Makes one for a model that is not odd."""
        # Multipliers of its own, so that no text can be made whose units all want one row; ids do not depend on them.
        mixers = np.frombuffer(os.urandom(24), np.uint64) | np.uint64(1)
        numbers = _symbols(model)
        pairs, pair_bits = _pairs(library, model, numbers, mixers)
        symbols = np.zeros(CODE_POINTS, np.uint32)  # a page of zeros takes no memory
        for text, number in numbers.items():
            if len(text) == 1:
                symbols[ord(text)] = number
        row_bits = _bits(FEWEST_ROWS)
        while (2 * ROW.itemsize << row_bits) <= cache_bytes // 2:
            row_bits += 1
        rows = np.zeros(1 << row_bits, ROW)
        pool = np.empty(max(FEWEST_ROWS, cache_bytes // 4 // 4), np.uint32)
        byte_ids = np.array(_byte_ids(model), np.uint32)
        self._loop = _Encoder(
            before=cuts.before,
            after=cuts.after,
            symbols=address(symbols),
            byte_ids=address(byte_ids),
            pairs=address(pairs),
            pair_bits=pair_bits,
            pieces=len(model.pieces),
            mixers=(ctypes.c_uint64 * 3)(*mixers.tolist()),
            rows=address(rows),
            row_bits=row_bits,
            pool=address(pool),
            pool_size=len(pool),
        )
        self._reference = ctypes.byref(self._loop)
        self._arrays = (symbols, byte_ids, pairs, rows, pool)  # the loop points into them
        self._buffer = np.empty(BUFFER, np.uint32)
        self._lock = threading.Lock()
        self._call = library.bpe_encode
        self._call.restype = ctypes.c_int64
        self._call.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p]

    @classmethod
    def build(cls, processor: Any, model: ModelFile, cuts: Cuts, cache_bytes: int) -> CompiledEncoder | None:
        """Makes one; None where nothing was compiled, or the loop is not for this model.

        Args:
            processor: The model, loaded by the library.
            model: The same model; its units are independent.
            cuts: Of the model.
            cache_bytes: Bound of the cache.
        """
        library = compiled()
        if library is None or _is_odd(model):
            return None
        encoder = cls(library, model, cuts, cache_bytes)
        text = _trial(model)
        ids, _ = encoder.encode([b" " * model.add_dummy_prefix + text.encode()], np.uint32)
        return encoder if ids.tolist() == processor.encode(text) else None

    @property
    def resets(self) -> int:
        """How often the cache was full."""
        return int(self._loop.resets)

    def encode(self, texts: Iterable[bytes], dtype: type[np.uint16] | type[np.uint32]) -> tuple[Ids, NDArray[np.int64]]:
        """Ids of texts, one after the other, and how many each has [D].

        Args:
            texts: D texts of valid UTF-8, with plain spaces for ``SPACE``, and the one that the model puts first.
            dtype: Of the ids.

        Raises:
            MemoryError: There is too little for a unit of many megabytes.
        """
        parts: list[Ids] = []
        counts: list[int] = []
        filled, size = 0, self._buffer.itemsize
        with self._lock:
            buffer = address(self._buffer)
            for text in texts:
                room = len(text) + INLINE_IDS
                if room > BUFFER - filled:
                    parts.append(self._buffer[:filled].astype(dtype))
                    filled = 0
                if room > BUFFER:
                    own = np.empty(room, np.uint32)
                    counts.append(self._encode(text, address(own)))
                    parts.append(own[: counts[-1]].astype(dtype))
                else:
                    counts.append(self._encode(text, buffer + filled * size))
                    filled += counts[-1]
            parts.append(self._buffer[:filled].astype(dtype))
        return parts[0] if len(parts) == 1 else np.concatenate(parts), np.array(counts, np.int64)

    def _encode(self, text: bytes, ids: int) -> int:
        count = int(self._call(self._reference, text, len(text), ids))
        if count < 0:
            raise MemoryError(f"there is too little memory to encode a text of {len(text):,} bytes")
        return count


def _of_kind(model: ModelFile, is_normal: bool) -> list[str]:
    return [piece for piece, kind in zip(model.pieces, model.kinds, strict=True) if (kind == NORMAL) == is_normal]


def _is_odd(model: ModelFile) -> bool:
    """Whether pieces or scores are others than a trainer makes.

    Version 0.2.3 of the library takes the score 0 as better than -0, others call it a tie; and it does not use a piece
    that is a zero byte.
    """
    normal = _of_kind(model, True)
    zeros = {
        math.copysign(1, score)
        for score, kind in zip(model.scores, model.kinds, strict=True)
        if score == 0 and kind == NORMAL
    }
    return (
        not all(0 < len(piece) <= LONGEST_PIECE and " " not in piece and "\0" not in piece for piece in normal)
        or len(model.pieces) > MOST_PIECES
        or len(set(model.pieces)) < len(model.pieces)
        or SPACE not in normal
        or any(len(piece) == 1 for piece in _of_kind(model, False))
        or not all(map(math.isfinite, model.scores))
        or len(zeros) > 1
        or None in _byte_ids(model)
    )


def _byte_ids(model: ModelFile) -> list[int | None]:
    """The id of each byte, None where it has none."""
    known = {model.pieces[number]: number for number, kind in enumerate(model.kinds) if kind == BYTE}
    return [known.get(f"<0x{byte:02X}>") for byte in range(256)]


def _symbols(model: ModelFile) -> dict[str, int]:
    """Number of each symbol: a normal piece's id and one, and more for characters that are in pieces alone."""
    numbers = {
        piece.replace(SPACE, " "): number + 1
        for number, (piece, kind) in enumerate(zip(model.pieces, model.kinds, strict=True))
        if kind == NORMAL
    }
    others = sorted(set().union(*numbers) - numbers.keys())
    return numbers | dict(zip(others, itertools.count(len(model.pieces) + 1)))


def _pairs(
    library: ctypes.CDLL, model: ModelFile, numbers: dict[str, int], mixers: NDArray[np.uint64]
) -> tuple[NDArray[np.void], int]:
    """The table of all pairs of symbols that make a piece, and the bits of its size."""
    texts = [text.encode() for text in numbers]
    starts = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    symbols = np.array(list(numbers.values()), np.uint32)
    _, ranks = np.unique(-np.array(model.scores, np.float32), return_inverse=True)
    # Of a character that is no piece none is asked for.
    ranks = np.append(ranks, np.zeros(len(numbers), np.int64))[symbols - 1].astype(np.uint32)
    found = np.empty(int(starts[-1]), PAIR)
    library.bpe_pairs.restype = ctypes.c_int64
    count = library.bpe_pairs(
        b"".join(texts),
        *(ctypes.c_void_p(address(array)) for array in (starts, symbols, ranks)),
        ctypes.c_int64(len(texts)),
        ctypes.c_uint64(int(mixers[0])),
        ctypes.c_void_p(address(found)),
    )
    if count < 0:
        raise MemoryError("there is too little memory for the pairs of a tokenizer model")
    bits = _bits(2 * count)
    table = np.empty(1 << bits, PAIR)
    library.bpe_table.restype = None
    library.bpe_table(
        ctypes.c_void_p(address(found)),
        ctypes.c_int64(count),
        ctypes.c_void_p(address(mixers)),
        ctypes.c_uint64(bits),
        ctypes.c_void_p(address(table)),
    )
    return table, bits


def _bits(size: int) -> int:
    """Of the smallest power of two that is not below a size, and not 1."""
    return max(1, (size - 1).bit_length())


def _trial(model: ModelFile) -> str:
    """Pieces, other characters and runs, in any order."""
    source = random.Random(0)
    parts = [piece.replace(SPACE, " ") for piece in source.choices(_of_kind(model, True), k=TRIAL_PIECES)]
    for points in (range(0x3000), range(CODE_POINTS)):
        parts += [chr(point) for point in source.sample(points, TRIAL_CHARACTERS) if point not in SURROGATES]
    parts += [part * TRIAL_RUN for part in (" ", "a", "=", "0", "ab", "\n", "中")]
    source.shuffle(parts)
    return "".join(parts)
