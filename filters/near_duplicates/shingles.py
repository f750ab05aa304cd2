"""Shingles of long texts: runs of words as 64-bit hashes, computed by NumPy over packed arrays.

Nothing here makes an object for a word or a shingle.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.unsignedinteger]
Unsigned = TypeVar("Unsigned", npt.NDArray[np.uint32], npt.NDArray[np.uint64])

SHINGLE_WORDS = 13  # the n-gram of GPT-3's overlap analysis (Brown et al. 2020, appendix C), and of many since
# A hyphen between letters, with the line end behind it if there is one: editions break lines elsewhere, and write
# to-morrow for tomorrow.
_HYPHEN = re.compile(r"-(?<=[^\W\d_].)(?:[ \t]*\r?\n[ \t]*)?(?=[^\W\d_])")
OTHER_HYPHENS = "\u00ac\u00ad\u2010\u2011"

_CHUNK = 1 << 15  # characters hashed at a time: the arrays of a chunk stay in the processor's cache
_LONGEST_WORD = 1 << 20  # a longer run of letters is cut, so that one without end does not fill the memory
_CODES = 0x30000  # code points with a table entry; those above have no letters but rare ideographs
# Scripts that put no space between words: each character counts as a word.
ALONE = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x30000))
_CHARACTER_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_WORD_BASE = 0xD6E8FEB86659FD93


def finalize(values: Unsigned, shifts: tuple[int, int, int], factors: tuple[int, int]) -> Unsigned:
    """The finalizer of MurmurHash3, a bijection in which every bit depends on every other one."""
    number = values.dtype.type
    values = values ^ (values >> number(shifts[0]))
    values = values * number(factors[0])
    values ^= values >> number(shifts[1])
    values *= number(factors[1])
    values ^= values >> number(shifts[2])
    return values


def fmix64(values: Hashes) -> Hashes:
    """The finalizer of 64 bits."""
    return finalize(values, (33, 33, 33), (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53))


def _powers(base: int, count: int) -> Hashes:
    result = np.full(count, base, np.uint64)
    result[0] = 1
    return np.multiply.accumulate(result)


def _character_tables() -> tuple[Hashes, npt.NDArray[np.bool_]]:
    """For each code point a random value, 0 for what is no part of a word, the same for a letter's two cases; and
    whether it is a word by itself."""
    folded = np.arange(_CODES, dtype=np.uint64)
    for code in range(_CODES):
        character = chr(code)
        if character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M":
            folded[code] = ord(character.lower()[0])
        else:
            folded[code] = 0
    values = fmix64(folded)  # 0 stays 0
    alone = np.zeros(_CODES, bool)
    for first, last in ALONE:
        alone[first : last + 1] = True
    return values, alone & (values != 0)


def sorted_set(hashes: Hashes) -> Hashes:
    """The distinct hashes, sorted, as ``numpy.unique`` gives them, but 14 times as fast where they are random.

    A radix sort by the upper 16 bits leaves them nearly in order, which the stable sort (Timsort) then makes use of.
    """
    ordered = hashes[np.argsort((hashes >> np.uint64(48)).astype(np.uint16), kind="stable")]
    ordered.sort(kind="stable")
    keep = np.empty(len(ordered), bool)
    keep[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=keep[1:])
    return ordered[keep]


class Words(NamedTuple):
    """The words of a text: their hashes, and where each begins and ends [W]."""

    hashes: Hashes
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


def tidy(text: str) -> str:
    """A text in Unicode's composed form (NFC), without the hyphens between letters and the line ends behind these."""
    for hyphen in OTHER_HYPHENS:
        text = text.replace(hyphen, "-")
    text = _HYPHEN.sub("", text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def code_points(text: str) -> Codes:
    """The code points of a text."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


class ShingleHasher:
    """Turns a text into the set of its shingles.

    A word is what ``\\w+`` matches, and combining marks, in lower case and Unicode's composed form (NFC); all else only
    parts words, so that editions with other quotation marks, dashes or line ends agree. Hyphens between letters go,
    with the line end behind them, so that a word that is parted at a line's end is the word. Of scripts that write no
    spaces (Han, Kana, Thai, Lao, Burmese, Khmer) each character is a word. A text of fewer words than a
    shingle has is one shingle.

    Args:
        words: Words of a shingle.
    """

    def __init__(self, words: int = SHINGLE_WORDS) -> None:
        self._words = words
        self._values, self._alone = _character_tables()
        self._powers = _powers(_CHARACTER_BASE, _CHUNK)
        self._inverses = _powers(pow(_CHARACTER_BASE, -1, 1 << 64), _CHUNK)

    def shingles(self, text: str) -> Hashes:
        """The distinct shingles of a text as 64-bit hashes, sorted; memory: about 60 bytes a word."""
        return sorted_set(self.all_shingles(text))

    def all_shingles(self, text: str) -> Hashes:
        """The shingles of a text in reading order, with repetitions."""
        words = self.word_hashes(text)
        if 0 < len(words) < self._words:
            return rolling(words, len(words))
        return rolling(words, self._words)

    def word_hashes(self, text: str) -> Hashes:
        """The hashes of the words of a text, in reading order."""
        return self.words_in(code_points(tidy(text))).hashes

    def words_in(self, codes: Codes) -> Words:
        """The words of a text, in reading order.

        Args:
            codes: Of a text that is tidy.
        """
        parts, at = [], 0
        while at < len(codes):
            end, size = at, _CHUNK
            while end == at:
                end = self._chunk_end(codes, at, at + size)
                size *= 2
            hashes, starts, ends = self._chunk_words(codes[at:end])
            parts.append((hashes, starts + at, ends + at))
            at = end
        if not parts:
            return Words(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64))
        return Words(*map(np.concatenate, zip(*parts, strict=True)))

    def _chunk_end(self, codes: Codes, at: int, end: int) -> int:
        """Where a chunk ends: behind the last character that ends a word; ``at`` where there is none."""
        if end >= len(codes):
            return len(codes)
        if end - at >= _LONGEST_WORD:
            return end
        tail = min(end - at, 1024)
        for size in {tail, end - at}:
            closed = np.flatnonzero(self._values[_indices(codes[end - size : end])] == 0)
            if len(closed):
                return end - size + int(closed[-1]) + 1
        return at

    def _chunk_words(self, codes: Codes) -> tuple[Hashes, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Hashes, starts and ends of words.

        A word's hash is the polynomial of its characters' values modulo 2^64, cut out of a running sum.
        """
        if len(codes) > len(self._powers):
            self._powers = _powers(_CHARACTER_BASE, len(codes))
            self._inverses = _powers(pow(_CHARACTER_BASE, -1, 1 << 64), len(codes))
        indices = _indices(codes)
        values = self._values[indices]
        inside = values != 0
        edges = np.empty(len(codes) + 1, bool)
        edges[0], edges[-1] = inside[0], inside[-1]
        np.not_equal(inside[1:], inside[:-1], out=edges[1:-1])
        bounds = np.flatnonzero(edges)
        starts, ends = bounds[0::2], bounds[1::2]
        if codes.dtype != np.uint8 and codes.max() >= ALONE[0][0]:
            starts, ends = _part_alone(inside, self._alone[indices])
        sums = np.empty(len(codes) + 1, np.uint64)
        sums[0] = 0
        np.cumsum(values * self._powers[: len(codes)], out=sums[1:])
        return fmix64((sums[ends] - sums[starts]) * self._inverses[starts]), starts, ends


def _indices(codes: Codes) -> Codes:
    return codes if codes.dtype == np.uint8 else np.minimum(codes, _CODES - 1)


def _part_alone(
    inside: npt.NDArray[np.bool_], alone: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Starts and ends of words where some characters are words by themselves."""
    before = np.concatenate(([False], inside[:-1] & ~alone[:-1]))
    after = np.concatenate((inside[1:] & ~alone[1:], [False]))
    return np.flatnonzero(inside & (alone | ~before)), np.flatnonzero(inside & (alone | ~after)) + 1


def rolling(words: Hashes, size: int) -> Hashes:
    """The hashes of all runs of ``size`` words: polynomials modulo 2^64, put together from runs of 1, 2, 4, 8 words."""
    count = len(words) - size + 1
    if count <= 0 or size == 0:
        return np.empty(0, np.uint64)
    result, done = np.zeros(count, np.uint64), 0
    block, width = words, 1
    while done < size:
        if size & width:
            result += block[done : done + count] * np.uint64(pow(_WORD_BASE, done, 1 << 64))
            done += width
        if done < size:
            block = block[:-width] + block[width:] * np.uint64(pow(_WORD_BASE, width, 1 << 64))
            width *= 2
    return fmix64(result)
