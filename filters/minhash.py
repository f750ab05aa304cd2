"""Near duplicates of long texts: shingles, MinHash signatures, candidates by LSH and by samples, exact overlap.

A shingle is a run of 13 words, as 64 bits. Two texts are compared by their sets of distinct shingles, in four steps:

1. ``ShingleHasher.shingles``: the set, exact but for collisions of 64-bit hashes.
2. A sketch: the MinHash signature (Broder 1997), and the shingles below a fixed share of the hash space (FracMinHash,
   Irber et al. 2022; the "mod p" sketch of Broder 1997).
3. Candidates. ``lsh_pairs`` finds sets of high Jaccard similarity, whatever their size (banding: Leskovec, Rajaraman,
   Ullman, "Mining of Massive Datasets", section 3.4). ``SampledPairs`` finds containment, which MinHash cannot, since a
   book in an omnibus of ten has a Jaccard similarity of 0.1 with it: what a small set samples, a set that contains it
   samples, too, so that they share nearly all of it, however large the other is.
4. ``overlap``: the exact figure, from both sets.

All of it is NumPy over packed hashes; nothing here makes an object for a word or a shingle.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Signatures = npt.NDArray[np.uint32]
Pairs = npt.NDArray[np.uint64]  # the smaller number in the upper 32 bits, the larger in the lower

SHINGLE_WORDS = 13  # the n-gram of GPT-3's overlap analysis (Brown et al. 2020, appendix C), and of many since
PERMUTATIONS = 128  # datasketch's default
SEED = 1  # likewise

# Bands and rows: at a similarity of 0.8 (a containment of 0.9 at equal sizes is 0.82), 1 - (1 - 0.8^4)^32 finds all but
# 5 in 10^8; texts that share nothing but phrases, below 0.05, become candidates in 2 of 10,000 cases.
BANDS = 32
ROWS = 4

SAMPLED_SHARE = 128  # one shingle in so many is sampled: 0.8 per 100 words, 6 kB for a novel
# A set of this many sampled shingles or more must share half of them to be a candidate: at a containment of 0.9 that
# fails to happen in less than 1 of 10^4 cases for 16, 1 of 10^12 for 64. A smaller set need share only one.
SURE_SAMPLES = 16
NEEDED_SHARE = 0.5
WINDOW = 32  # in a group of more books than this, each is paired with so many that are next to it in size

_CHUNK = 1 << 15  # characters hashed at a time: the arrays of a chunk stay in the processor's cache
_LONGEST_WORD = 1 << 20  # a longer run of letters is cut, so that one without end does not fill the memory
_COLUMNS = 1024  # shingles permuted at a time, for the same reasons
_CODES = 0x30000  # code points with a table entry; those above have no letters but rare ideographs
# Scripts that put no space between words: each character counts as a word.
_ALONE = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x30000))
_CHARACTER_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_WORD_BASE = 0xD6E8FEB86659FD93
_MASK = (1 << 64) - 1


def _fmix64(values: Hashes) -> Hashes:
    """The finalizer of MurmurHash3, a bijection in which every bit depends on every other one."""
    values = values ^ (values >> np.uint64(33))
    values = values * np.uint64(0xFF51AFD7ED558CCD)
    values ^= values >> np.uint64(33)
    values *= np.uint64(0xC4CEB9FE1A85EC53)
    values ^= values >> np.uint64(33)
    return values


def _fmix32(values: Signatures) -> Signatures:
    values = values ^ (values >> np.uint32(16))
    values = values * np.uint32(0x85EBCA6B)
    values ^= values >> np.uint32(13)
    values *= np.uint32(0xC2B2AE35)
    values ^= values >> np.uint32(16)
    return values


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
    values = _fmix64(folded)  # 0 stays 0
    alone = np.zeros(_CODES, bool)
    for first, last in _ALONE:
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


class ShingleHasher:
    """Turns a text into the set of its shingles.

    A word is what ``\\w+`` matches, and combining marks, in lower case and Unicode's composed form (NFC); all else only
    parts words, so that editions with other quotation marks, dashes or line ends agree. Of scripts that
    write no spaces (Han, Kana, Thai, Lao, Burmese, Khmer) each character is a word. A text of fewer words than a
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
            return _rolling(words, len(words))
        return _rolling(words, self._words)

    def word_hashes(self, text: str) -> Hashes:
        """The hashes of the words of a text, in reading order."""
        if text.isascii():
            codes = np.frombuffer(text.encode("ascii"), np.uint8)
        else:
            composed = unicodedata.normalize("NFC", text)
            codes = np.frombuffer(composed.encode("utf-32-le", "surrogatepass"), np.uint32)
        parts, at = [np.empty(0, np.uint64)], 0
        while at < len(codes):
            end, size = at, _CHUNK
            while end == at:
                end = self._chunk_end(codes, at, at + size)
                size *= 2
            parts.append(self._chunk_words(codes[at:end]))
            at = end
        return np.concatenate(parts)

    def _chunk_end(self, codes: npt.NDArray[np.unsignedinteger], at: int, end: int) -> int:
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

    def _chunk_words(self, codes: npt.NDArray[np.unsignedinteger]) -> Hashes:
        """A word's hash is the polynomial of its characters' values modulo 2^64, cut out of a running sum."""
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
        if codes.dtype != np.uint8 and codes.max() >= _ALONE[0][0]:
            starts, ends = _part_alone(inside, self._alone[indices])
        sums = np.empty(len(codes) + 1, np.uint64)
        sums[0] = 0
        np.cumsum(values * self._powers[: len(codes)], out=sums[1:])
        return _fmix64((sums[ends] - sums[starts]) * self._inverses[starts])


def _indices(codes: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[np.unsignedinteger]:
    return codes if codes.dtype == np.uint8 else np.minimum(codes, _CODES - 1)


def _part_alone(
    inside: npt.NDArray[np.bool_], alone: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Starts and ends of words where some characters are words by themselves."""
    before = np.concatenate(([False], inside[:-1] & ~alone[:-1]))
    after = np.concatenate((inside[1:] & ~alone[1:], [False]))
    return np.flatnonzero(inside & (alone | ~before)), np.flatnonzero(inside & (alone | ~after)) + 1


def _rolling(words: Hashes, size: int) -> Hashes:
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
    return _fmix64(result)


class MinHasher:
    """MinHash signatures with datasketch's permutations: its scheme ``affine32``, for the same seed the same ones.

    A shingle's 32-bit hash is the lower half of its 64 bits. The signature equals that of ``datasketch.MinHash`` with
    these hashes; the permutations are applied to a block of shingles at a time, so the matrix of all shingles by all
    permutations (400 MB for a novel in 64 bits) never exists.

    Args:
        permutations: Numbers in a signature.
        seed: Of the permutations.
    """

    def __init__(self, permutations: int = PERMUTATIONS, seed: int = SEED) -> None:
        random = np.random.RandomState(seed)
        factors = random.randint(0, 1 << 31, permutations, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
        self._factors = factors[:, None]
        self._terms = random.randint(0, 1 << 32, permutations, dtype=np.uint32)[:, None]
        self._buffer = np.empty((permutations, _COLUMNS), np.uint32)

    def signature(self, shingles: Hashes) -> Signatures:
        """The signature of a set of shingles; all ones for the empty set."""
        result = np.full(len(self._factors), 0xFFFFFFFF, np.uint32)
        hashes = _fmix32(shingles.astype(np.uint32))
        for at in range(0, len(hashes), _COLUMNS):
            block = hashes[at : at + _COLUMNS]
            buffer = self._buffer[:, : len(block)]
            np.multiply(self._factors, block, out=buffer)
            np.add(buffer, self._terms, out=buffer)
            np.minimum(result, buffer.min(axis=1), out=result)
        return result


def similarity(first: Signatures, second: Signatures) -> float:
    """The estimate of the Jaccard similarity of two sets from their signatures."""
    return float(np.mean(first == second))


def sampled(shingles: Hashes, share: int = SAMPLED_SHARE) -> Hashes:
    """The shingles below one ``share``-th of the hash space; of a sorted set the first ones."""
    return shingles[: int(np.searchsorted(shingles, np.uint64(_MASK // share), side="right"))]


def lsh_pairs(signatures: Signatures, bands: int = BANDS, rows: int = ROWS, window: int = WINDOW) -> Pairs:
    """Pairs of sets whose signatures agree in all rows of a band.

    Args:
        signatures: One a row; their order is that in which neighbours are paired in large groups.
        bands: Number of bands.
        rows: Rows of a band.
        window: See ``group_pairs``.

    Returns:
        The distinct pairs of row numbers, sorted. Memory beside them: 30 bytes a row.
    """
    found = [np.empty(0, np.uint64)]
    members = np.arange(len(signatures), dtype=np.uint32)
    for band in range(bands):
        part = np.ascontiguousarray(signatures[:, band * rows : (band + 1) * rows])
        keys = _rolling_rows(part)
        keys[(part == 0xFFFFFFFF).all(axis=1)] = 0  # of empty sets; each is alone
        order = np.argsort(keys, kind="stable")
        order = order[np.searchsorted(keys[order], np.uint64(1)) :]
        found.append(group_pairs(keys[order], members[order], window))
    return np.unique(np.concatenate(found))


def _rolling_rows(part: Signatures) -> Hashes:
    keys = np.zeros(len(part), np.uint64)
    for column in part.T:
        keys = _fmix64(keys * np.uint64(_WORD_BASE) + column.astype(np.uint64) + np.uint64(1))
    return keys


def group_pairs(keys: Hashes, members: npt.NDArray[np.uint32], window: int = WINDOW) -> Pairs:
    """Pairs of members with the same key.

    In a group of more than ``window + 1`` members each is paired with the ``window`` next to it alone: else a notice
    that 50,000 books print would give 10^9 pairs.

    Args:
        keys: The keys, sorted.
        members: Whose they are, ascending within a key.
        window: See above.
    """
    found = [np.empty(0, np.uint64)]
    same = np.arange(len(keys))
    for distance in range(1, window + 1):
        same = same[same + distance < len(keys)]
        same = same[keys[same] == keys[same + distance]]
        if not len(same):
            break
        found.append(pack(members[same], members[same + distance]))
    return np.concatenate(found)


def pack(first: npt.NDArray[np.uint32], second: npt.NDArray[np.uint32]) -> Pairs:
    """Pairs of numbers as one number each; a number paired with itself is left out."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    pairs = (low.astype(np.uint64) << np.uint64(32)) | high.astype(np.uint64)
    return np.asarray(pairs[low != high], np.uint64)


def pack_pairs(pairs: Sequence[tuple[int, int]]) -> Pairs:
    """The same for a list of pairs."""
    array = np.array(pairs, np.uint32).reshape(-1, 2)
    return pack(array[:, 0], array[:, 1])


def unpack(pairs: Pairs) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The smaller and the larger numbers of pairs."""
    return (pairs >> np.uint64(32)).astype(np.intp), (pairs & np.uint64(0xFFFFFFFF)).astype(np.intp)


class SampledPairs:
    """Finds pairs of which one contains most of the other, from their sampled shingles, one range of hashes at a time.

    Memory: 12 bytes a pair in which both share a sampled shingle and, after each range, still at least half of what
    the smaller one has sampled so far; and the range at hand.

    Args:
        count: Number of sets.
    """

    def __init__(self, count: int) -> None:
        self._seen = np.zeros(count, np.int64)
        self._pairs = np.empty(0, np.uint64)
        self._shared = np.empty(0, np.int64)

    def add(self, hashes: Hashes, members: npt.NDArray[np.uint32], window: int = WINDOW) -> None:
        """Adds all sampled shingles of a range of hashes; no hash may be in two ranges.

        Args:
            hashes: The shingles.
            members: For each, the number of the set that it is of.
            window: See ``group_pairs``.
        """
        self._seen += np.bincount(members, minlength=len(self._seen))
        order = np.lexsort((members, hashes))
        found = group_pairs(hashes[order], members[order], window)
        counts = np.ones(len(found), np.int64)
        self._pairs, self._shared = _add_up(
            np.concatenate([self._pairs, found]), np.concatenate([self._shared, counts])
        )
        first, second = unpack(self._pairs)
        smaller = np.minimum(self._seen[first], self._seen[second])
        stay = (smaller < SURE_SAMPLES) | (self._shared >= NEEDED_SHARE * smaller)
        self._pairs, self._shared = self._pairs[stay], self._shared[stay]

    def pairs(self) -> Pairs:
        """The candidates, sorted."""
        return self._pairs


def _add_up(pairs: Pairs, counts: npt.NDArray[np.int64]) -> tuple[Pairs, npt.NDArray[np.int64]]:
    if not len(pairs):
        return pairs, counts
    order = np.argsort(pairs, kind="stable")
    pairs, counts = pairs[order], counts[order]
    starts = np.flatnonzero(np.concatenate(([True], pairs[1:] != pairs[:-1])))
    return pairs[starts], np.add.reduceat(counts, starts)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much two sets of shingles have in common.

    Attributes:
        shared: Shingles in both.
        smaller: Shingles of the smaller set.
        larger: Shingles of the larger set.
    """

    shared: int
    smaller: int
    larger: int

    @property
    def containment(self) -> float:
        """The share of the smaller set that is in the other one; 0 where it is empty."""
        return self.shared / self.smaller if self.smaller else 0.0

    @property
    def jaccard(self) -> float:
        """The share of all shingles that is in both sets."""
        union = self.smaller + self.larger - self.shared
        return self.shared / union if union else 0.0

    def value(self, measure: Literal["containment", "jaccard"]) -> float:
        """One of the two figures."""
        return self.containment if measure == "containment" else self.jaccard


def overlap(first: Hashes, second: Hashes) -> Overlap:
    """Compares two sorted sets of distinct shingles."""
    both = np.concatenate([first, second])
    both.sort(kind="stable")  # which merges two runs that are in order, in one pass
    shared = int(np.count_nonzero(both[1:] == both[:-1]))
    return Overlap(shared, *sorted((len(first), len(second))))


def connected_components(count: int, pairs: Pairs) -> npt.NDArray[np.intp]:
    """For each of ``count`` numbers, the smallest number that pairs connect it with."""
    labels = np.arange(count)
    first, second = unpack(pairs)
    while True:
        before = labels.copy()
        lowest = np.minimum(labels[first], labels[second])
        for ends in (first, second):
            np.minimum.at(labels, labels[ends], lowest)
            np.minimum.at(labels, ends, lowest)
        labels = labels[labels]
        if np.array_equal(labels, before):
            return labels
