"""Tables of n-grams of the evaluation sets: 64-bit hashes, sorted, with filters in front that few others pass.

Two filters, one by the upper and one by the lower bits of a hash, spare nearly all others the search. Memory: 24 bytes
for each distinct n-gram, 8 for each place of one, and 4 to 8 for the filters.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from filters.near_duplicates.shingles import Hashes

Places = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

FILTER_BITS = (16, 31)  # the least and the most that number the entries of a filter, a bit each
SPARSE = 16  # entries of a filter for each n-gram, at the least
_EIGHTH, _IN_BYTE = np.uint64(3), np.uint64(7)


class GramTable:
    """N-grams by their hashes.

    Attributes:
        hashes: Those of the distinct ones, sorted [G].
        first: Where each stands first [G].
        starts: Where the places of each begin in ``places`` [G + 1].
        places: All places, by n-gram, ascending.
    """

    def __init__(self, hashes: Hashes, places: Places) -> None:
        """Makes the table.

        Args:
            hashes: The hash at each place.
            places: The places, ascending.
        """
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        new = np.ones(len(ordered), bool)
        np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
        self.hashes, self.places = ordered[new], places[order]
        del order, ordered  # what is left needs room
        self.starts = np.append(np.flatnonzero(new), len(places))
        self.first = self.places[self.starts[:-1]]
        bits = max(FILTER_BITS[0], min(FILTER_BITS[1], int(SPARSE * len(self.hashes)).bit_length()))
        self._shift = np.uint64(64 - bits)
        self._mask = np.uint64((1 << bits) - 1)
        self._upper = _filter(self.hashes >> self._shift, bits)
        self._lower = _filter(np.sort(self.hashes & self._mask), bits)

    def __len__(self) -> int:
        """How many distinct n-grams there are."""
        return len(self.hashes)

    @property
    def nbytes(self) -> int:
        """Its memory."""
        return sum(
            array.nbytes for array in (self.hashes, self.places, self.starts, self.first, self._upper, self._lower)
        )

    def counts(self, numbers: Places) -> Places:
        """In how many places some n-grams stand."""
        counts: Places = self.starts[numbers + 1] - self.starts[numbers]
        return counts

    def find(self, hashes: Hashes) -> tuple[Places, Places]:
        """Which of some hashes are in the table.

        Returns:
            Their indices, and the numbers of their n-grams.
        """
        if not len(self):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        at = self._passing(hashes)
        numbers = np.minimum(np.searchsorted(self.hashes, hashes[at]), len(self) - 1)
        same = self.hashes[numbers] == hashes[at]
        return at[same], numbers[same]

    def _passing(self, hashes: Hashes) -> Places:
        """The indices of the hashes that both filters let pass."""
        at = np.flatnonzero(_passes(self._upper, hashes >> self._shift))
        return at[np.flatnonzero(_passes(self._lower, hashes[at] & self._mask))]


def _filter(entries: Hashes, bits: int) -> Bytes:
    """A filter with some of its entries set, which come sorted."""
    found = np.zeros(1 << (bits - 3), np.uint8)
    if len(entries):
        places, values = entries >> _EIGHTH, np.uint8(1) << (entries & _IN_BYTE).astype(np.uint8)
        first = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
        found[places[first]] = np.bitwise_or.reduceat(values, first)
    return found


def _passes(entries: Bytes, hashes: Hashes) -> Bytes:
    """Whether entries of a filter are set, as 0 and 1."""
    some = entries.take((hashes >> _EIGHTH).view(np.int64), mode="clip")  # none is outside: this spares the check
    return (some >> (hashes & _IN_BYTE).astype(np.uint8)) & np.uint8(1)


def spread(starts: Places, numbers: Places) -> tuple[Places, Places]:
    """Lists that lie one after the other, put together.

    Args:
        starts: Where each begins, and the end.
        numbers: Which are wanted.

    Returns:
        For each entry of these, which of ``numbers`` it is of, and its index.
    """
    counts = starts[numbers + 1] - starts[numbers]
    owners = np.repeat(np.arange(len(numbers)), counts)
    before = np.cumsum(counts) - counts
    return owners, np.arange(len(owners)) - before[owners] + starts[numbers][owners]


def covered(firsts: Places, lengths: Places, size: int) -> npt.NDArray[np.bool_]:
    """Which places of a stream some runs cover [size].

    Args:
        firsts: Where runs begin.
        lengths: Their lengths.
        size: Of the stream.
    """
    edges = np.zeros(size + 1, np.int64)
    np.add.at(edges, firsts, 1)
    np.add.at(edges, firsts + lengths, -1)
    return np.cumsum(edges[:-1]) > 0


def sums_by(ends: Places, values: npt.NDArray[np.bool_]) -> Places:
    """How many of the values of each sample are true.

    Args:
        ends: Where each sample ends in the stream.
        values: Of all places of the stream.
    """
    totals = np.concatenate(([0], np.cumsum(values)))
    return totals[ends] - totals[np.concatenate(([0], ends[:-1]))]
