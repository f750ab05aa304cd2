"""Looks for runs of ids as Llama 2's appendix A.6 does: a few ids may differ, but none of the first ten.

A run begins with ten ids that are the same, and goes on along both texts till one ends or a fifth id differs; it ends
with an id that is the same. A token of a sample is contaminated, for a length L, where it stands in a run of more than
L ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.near_duplicates.shingles import rolling
from pipeline.decontaminate.grams import GramTable, Places, covered, spread, sums_by
from pipeline.decontaminate.samples import Samples
from pipeline.mix.token_files import Ids, Offsets
from tokenizer.encode import Encoder

SEED = 10  # ids of a run that are the same from the first on
MISMATCHES = 4
LENGTHS = (10, 20, 30, 40, 50)  # L: a run has more ids
CLEAN, DIRTY = 0.2, 0.8  # a sample is clean below the one, dirty from the other on
COMMON = 100  # places in the sets of ten ids that begin a run; of a phrase with more none begins
CHUNK = 1 << 15  # ids looked up at a time, and pairs of places compared
_ID_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class TokenRuns:
    """Runs in one token file.

    Attributes:
        documents: Of each its document [R].
        starts: Its first id in the ids of the sets [R].
        lengths: How many [R].
    """

    documents: Places
    starts: Places
    lengths: Places


class TokenIndex:
    """The ids of all samples.

    Attributes:
        sizes: Ids of each sample [S].
        ends: Where each ends in the ids of all [S].
    """

    def __init__(self, samples: Samples, encoder: Encoder) -> None:
        """Encodes the samples."""
        ids, offsets = encoder.encode_batch([sample.text for sample in samples.samples])
        self._ids = ids.astype(np.uint32)
        self.ends: Places = np.asarray(offsets[1:], np.int64)
        self.sizes = np.diff(self.ends, prepend=0)
        seeds = _seeds(self._ids)
        places = np.arange(len(seeds), dtype=np.int64)
        inside = places + SEED <= self._end_of(places)
        self._table = GramTable(seeds[inside], places[inside])
        counts = self._table.counts(np.arange(len(self._table)))
        self._begins = np.zeros(len(self._ids) + 1, bool)  # where ten ids stand that may begin a run
        self._begins[self._table.places] = np.repeat(counts <= COMMON, counts)

    @property
    def common(self) -> Places:
        """How many places of each sample have ten ids that are in too many places to begin a run [S]."""
        inside = np.zeros(len(self._ids), bool)
        inside[self._table.places] = True
        return sums_by(self.ends, inside & ~self._begins[:-1])

    @property
    def nbytes(self) -> int:
        """Memory of the tables."""
        return self._table.nbytes + self._ids.nbytes + self._begins.nbytes

    def _end_of(self, places: Places) -> Places:
        return self.ends[np.searchsorted(self.ends, places, side="right")]

    def scan(self, ids: Ids, offsets: Offsets) -> TokenRuns:
        """Finds runs of the samples in the documents of a token file.

        Args:
            ids: Of all documents.
            offsets: Where each begins, and the end [D + 1].
        """
        found = [self._scan_chunk(ids, offsets, at) for at in range(0, len(ids), CHUNK)]
        parts = [part for chunk in found for part in chunk]
        if not parts:
            none = np.empty(0, np.int64)
            return TokenRuns(none, none, none)
        documents, starts, _, lengths = (np.concatenate(column) for column in zip(*parts, strict=True))
        return longest(documents, starts, lengths)

    def marked(self, ids: Ids, samples: Places) -> npt.NDArray[np.bool_]:
        """Which ids of one document stand in runs of some samples of more than ``LENGTHS[0]`` ids [T].

        Those that differ inside a run are among them.
        """
        offsets, found = np.array([0, len(ids)], np.int64), np.zeros(len(ids), bool)
        for at in range(0, len(ids), CHUNK):
            for _, p, q, length in self._scan_chunk(ids, offsets, at):
                wanted = (length > LENGTHS[0]) & np.isin(np.searchsorted(self.ends, p, side="right"), samples)
                found |= covered(q[wanted], length[wanted], len(ids))
        return found

    def _scan_chunk(self, ids: Ids, offsets: Offsets, at: int) -> list[tuple[Places, Places, Places, Places]]:
        hits, numbers = self._table.find(_seeds(ids[at : at + CHUNK + SEED - 1]))
        few = self._table.counts(numbers) <= COMMON
        hits, numbers = hits[few] + at, numbers[few]
        documents = np.searchsorted(offsets, hits, side="right") - 1
        inside = hits + SEED <= offsets[documents + 1]
        hits, numbers, documents = hits[inside], numbers[inside], documents[inside]
        result = []
        for some in _slices(self._table.counts(numbers)):
            owners, index = spread(self._table.starts, numbers[some])
            q, p, d = hits[some][owners], self._table.places[index], documents[some][owners]
            result.append(self._runs(ids, offsets, p, q, d))
        return result

    def _runs(
        self, ids: Ids, offsets: Offsets, p: Places, q: Places, d: Places
    ) -> tuple[Places, Places, Places, Places]:
        """The runs that begin at pairs of places in sets and documents: document, first id in both, length."""
        ends = self._end_of(p)
        begins = ends - self.sizes[np.searchsorted(self.ends, p, side="right")]
        same = np.ones(len(p), bool)
        for k in range(SEED):  # two hashes may be alike by chance
            same &= self._ids[p + k] == ids[q + k]
        before = (p > begins) & (q > offsets[d]) & (self._ids[p - 1] == ids[q - 1])
        keep = same & ~(before & self._begins[p - 1])  # else the run that begins one before has all of it
        p, q, d, ends, begins = p[keep], q[keep], d[keep], ends[keep], begins[keep]
        back = self._extend_back(ids, p, q, np.minimum(p - begins, q - offsets[d]))
        length = self._extend(ids, p, q, np.minimum(ends - p, offsets[d + 1] - q))
        return d, p - back, q - back, length + back

    def _extend_back(self, ids: Ids, p: Places, q: Places, limit: Places) -> Places:
        """How many ids right before are the same."""
        result = np.zeros(len(p), np.int64)
        alive, k = np.arange(len(p)), 1
        while len(alive := alive[limit[alive] >= k]):
            alive = alive[self._ids[p[alive] - k] == ids[q[alive] - k]]
            result[alive] = k
            k += 1
        return result

    def _extend(self, ids: Ids, p: Places, q: Places, limit: Places) -> Places:
        """The lengths of runs: to the last id that is the same before too many differ."""
        length = np.full(len(p), SEED, np.int64)
        wrong = np.zeros(len(p), np.int64)
        alive, k = np.arange(len(p)), SEED
        while len(alive := alive[limit[alive] > k]):
            same = self._ids[p[alive] + k] == ids[q[alive] + k]
            length[alive[same]] = k + 1
            wrong[alive[~same]] += 1
            alive = alive[wrong[alive] <= MISMATCHES]
            k += 1
        return length

    def no_runs(self) -> Places:
        """For each place in the ids of the sets, how long a run begins there: none does yet."""
        return np.zeros(len(self._ids), np.int64)

    def hits(self, starts: Places, lengths: Places) -> tuple[Places, npt.NDArray[np.float64]]:
        """The samples of which one document has runs, and how much of each the longest has."""
        owners = np.searchsorted(self.ends, starts, side="right")
        samples, groups = np.unique(owners, return_inverse=True)
        most = np.zeros(len(samples), np.int64)
        np.maximum.at(most, groups, lengths)
        return samples.astype(np.int64), most / self.sizes[samples]

    def found(self, starts: Places, lengths: Places, over: int) -> Places:
        """How many ids of each sample stand in runs of more than some length [S].

        Args:
            starts: Of runs, in the ids of the sets.
            lengths: Of them.
            over: The length.
        """
        long = lengths > over
        return sums_by(self.ends, covered(starts[long], lengths[long], len(self._ids)))


def _slices(counts: Places) -> Iterator[slice]:
    """Cuts hits so that the pairs of each part are few."""
    ends, at = np.cumsum(counts), 0
    while at < len(counts):
        before = int(ends[at - 1]) if at else 0
        stop = max(at + 1, int(np.searchsorted(ends, before + CHUNK, side="right")))
        yield slice(at, stop)
        at = stop


def _seeds(ids: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """The hashes of all runs of ten ids."""
    return rolling((ids.astype(np.uint64) + np.uint64(1)) * _ID_FACTOR, SEED)


def longest(documents: Places, starts: Places, lengths: Places) -> TokenRuns:
    """Of runs of one document that begin in the same place of the sets, the longest."""
    order = np.lexsort((-lengths, starts, documents))
    documents, starts, lengths = documents[order], starts[order], lengths[order]
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(documents) != 0) | (np.diff(starts) != 0)
    return TokenRuns(documents[first], starts[first], lengths[first])
