"""The order of the samples: a pure function of (seed, sample number), with no state and no index file.

Sample i of a run belongs to epoch i // rows. Each epoch reads every row once, in its own order, made of two
keyed permutations. The first deals out blocks of neighbouring rows (read together from disk); the second
shuffles the rows of many blocks, a window, among each other. The permutations are Feistel networks on the
smallest even number of bits, walked until they land inside the range (Black and Rogaway 2002), as in
levanter's BlockShuffle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.uint64]

# the fewest with which a Feistel network is a strong pseudo-random permutation (Luby and Rackoff 1988)
ROUNDS = 4
# The constants of splitmix64 (Steele, Lea and Flood 2014).
GOLDEN = 0x9E3779B97F4A7C15
MULTIPLY_1 = np.uint64(0xBF58476D1CE4E5B9)
MULTIPLY_2 = np.uint64(0x94D049BB133111EB)
MASK = (1 << 64) - 1
# What a key is for, so that no two permutations share one.
FOR_BLOCKS, FOR_WINDOW, FOR_TAIL = 1, 2, 3


def _mix(x: Indices) -> Indices:
    """splitmix64's finaliser: every output bit depends on every input bit."""
    x = (x ^ (x >> np.uint64(30))) * MULTIPLY_1
    x = (x ^ (x >> np.uint64(27))) * MULTIPLY_2
    return x ^ (x >> np.uint64(31))


def derive_key(*parts: int) -> int:
    """A 64-bit key from integers; any change of any part gives another key."""
    key = 0
    for part in parts:
        key = int(_mix(np.array([(key + GOLDEN + (part & MASK)) & MASK], dtype=np.uint64))[0])
    return key


def permute(indices: Indices, size: int, key: int) -> Indices:
    """Applies a keyed permutation of range(size).

    Args:
        indices: values below ``size``.
        size: of the range, at least 1.
        key: 64 bits; each key is another permutation.
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    low = np.uint64((1 << int(half)) - 1)
    keys = [np.uint64(derive_key(key, number)) for number in range(ROUNDS)]
    result = np.array(indices, dtype=np.uint64)
    walking = np.arange(len(result))
    while len(walking):  # at most four values in the network's range for each in ours, so this ends soon
        values = result[walking]
        left, right = values >> half, values & low
        for round_key in keys:
            left, right = right, left ^ (_mix(right ^ round_key) & low)
        values = (left << half) | right
        result[walking] = values
        walking = walking[values >= np.uint64(size)]
    return result


@dataclass(frozen=True)
class Order:
    """Which row each sample is.

    Attributes:
        rows: rows of the data set.
        seed: of the order.
        block: rows that stay neighbours on disk and in the window.
        window: samples shuffled among each other. ``block=1`` and a window of all rows is one full shuffle.
    """

    rows: int
    seed: int
    block: int
    window: int

    def row_numbers(self, start: int, stop: int) -> NDArray[np.int64]:
        """Rows of the samples start, ..., stop - 1 of the run, in any epoch."""
        parts = []
        while start < stop:
            epoch, first = divmod(start, self.rows)
            last = min(self.rows, first + stop - start)
            parts.append(self._in_epoch(epoch, first, last))
            start += last - first
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def window_number(self, sample: int) -> tuple[int, int]:
        """Epoch of a sample, and window within the epoch."""
        epoch, at = divmod(sample, self.rows)
        return epoch, at // self.window

    def window_rows(self, sample: int) -> NDArray[np.int64]:
        """All rows of the window that a sample lies in, sorted: what will be read next."""
        epoch, window = self.window_number(sample)
        first = window * self.window
        return np.sort(self._in_epoch(epoch, first, min(first + self.window, self.rows)))

    def _in_epoch(self, epoch: int, first: int, last: int) -> NDArray[np.int64]:
        """Rows of the positions first, ..., last - 1 of one epoch."""
        positions = np.arange(first, last, dtype=np.uint64)
        for window in range(first // self.window, (last - 1) // self.window + 1):
            base = window * self.window
            here = slice(max(base - first, 0), base + self.window - first)
            size = min(self.window, self.rows - base)
            key = derive_key(self.seed, epoch, FOR_WINDOW, window)
            positions[here] = permute(positions[here] - np.uint64(base), size, key) + np.uint64(base)
        return self._deal_blocks(epoch, positions.astype(np.int64))

    def _deal_blocks(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sends positions to rows, whole blocks at a time; the short last block goes to a place of its own."""
        full, tail = divmod(self.rows, self.block)
        before = derive_key(self.seed, epoch, FOR_TAIL) % (full + 1) * self.block
        in_tail = (positions >= before) & (positions < before + tail)
        shifted = np.where(positions >= before + tail, positions - tail, positions)
        block, offset = shifted // self.block, shifted % self.block
        rows = full * self.block + positions - before  # right for the tail only
        key = derive_key(self.seed, epoch, FOR_BLOCKS)
        rest = ~in_tail
        rows[rest] = permute(block[rest].astype(np.uint64), max(full, 1), key).astype(np.int64) * self.block
        rows[rest] += offset[rest]
        return rows
