"""Near duplicates of long texts: shingles, MinHash signatures, candidates by LSH and by samples, exact overlap.

A shingle is a run of some words, as 64 bits. Two texts are compared by their sets of distinct shingles, in four steps:

1. ``filters.near_duplicates.shingles``: the set, exact but for collisions of 64-bit hashes.
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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from filters.near_duplicates.shingles import Hashes, finalize, fmix64

Signatures = npt.NDArray[np.uint32]
Pairs = npt.NDArray[np.uint64]  # the smaller number in the upper 32 bits, the larger in the lower

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

_COLUMNS = 1024  # shingles permuted at a time: what fits the processor's cache
_BAND_BASE = 0xD6E8FEB86659FD93  # odd
_MASK = (1 << 64) - 1


def _fmix32(values: Signatures) -> Signatures:
    return finalize(values, (16, 13, 16), (0x85EBCA6B, 0xC2B2AE35))


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
        keys = fmix64(keys * np.uint64(_BAND_BASE) + column.astype(np.uint64) + np.uint64(1))
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
