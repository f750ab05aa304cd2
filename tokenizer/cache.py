"""A bounded cache from units of text to their ids, for whole arrays of units at a time.

Words follow Zipf's law, so nearly all units of a text have been seen before. A Python dictionary would spend its time
on making and hashing one string a unit; here a unit of up to 23 bytes is three 64-bit numbers (its bytes, and in the
last byte its length), so equal numbers are equal units, and NumPy finds all units of a text in an open hash table in a
few steps. Longer units, some in a thousand, go through a dictionary.

Memory is bounded: where the table, the ids or the dictionary are full, only units that were asked for again since they
came stay, and half a table of them at most. What is in the cache never changes any result.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer.ragged import ragged_take

KEY_BYTES = 23  # of the longest unit in the table: three words less the byte of its length
PADDING = 3 * 8  # readable bytes that a text needs after its last unit's first
LONG_ENTRY_BYTES = 160  # of a dictionary's entry beside the bytes of its key: slot, object headers, a number
LONGEST_CACHED = 1024  # bytes; longer units are encoded each time, they hardly come twice
MINIMUM_SLOTS = 1 << 12
COUNT_BITS, COUNT_MASK = np.uint64(32), np.uint64(0xFFFFFFFF)  # of a value: the pool's offset above the number of ids
# Masks [3, 24] by length: bytes of a unit in its first, second and third word.
_BYTES = np.arange(KEY_BYTES + 1)[None, :] - 8 * np.arange(3)[:, None]
MASKS = np.array([[(1 << 8 * min(max(int(n), 0), 8)) - 1 for n in row] for row in _BYTES], np.uint64)
LENGTHS = np.arange(KEY_BYTES + 1, dtype=np.uint64) << np.uint64(56)

Ids = NDArray[np.unsignedinteger[Any]]
Keys = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]
# Given bytes, the offsets of units in them [U], and their lengths [U]: gives all their ids, and numbers of ids [U].
EncodeUnits = Callable[[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]], tuple[Ids, NDArray[np.int64]]]


def unit_keys(text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> Keys:
    """The three words of each unit.

    Args:
        text: bytes [N + PADDING].
        starts: offsets [U] into the first N.
        lengths: bytes [U] of the units, 1 to 23.
    """
    words = np.ascontiguousarray(np.ndarray(len(text) - 7, "<u8", text, strides=(1,)))
    first, second, third = (words.take(starts + 8 * n) & MASKS[n].take(lengths) for n in range(3))
    third |= LENGTHS.take(lengths)
    return first, second, third


class UnitCache:
    """Ids of units; see the module.

    Attributes:
        most_units: How many units may be asked for at once.
        resets: How often it was full.
    """

    def __init__(self, cache_bytes: int, dtype: type[np.uint16] | type[np.uint32], encode: EncodeUnits) -> None:
        """Makes an empty cache.

        Args:
            cache_bytes: Bound of its memory, split between the table (half), ids, and long units (a quarter each).
            dtype: Of the ids.
            encode: Encodes units that are not there.
        """
        slots = MINIMUM_SLOTS
        while 2 * slots * 32 <= cache_bytes // 2:
            slots *= 2
        self._encode = encode
        # Odd multipliers of its own, so that no text can be made whose units all want one slot; ids do not depend on
        # them.
        self._mixers = np.frombuffer(os.urandom(24), np.uint64) | np.uint64(1)
        self._slots = slots
        self._shift = np.uint64(64 - (slots.bit_length() - 1))
        self._table = np.zeros((slots, 4), np.uint64)  # three words of the key, the value; all 0: free
        self._used = np.zeros(slots, np.bool_)
        self._units = 0
        self._pool = np.empty(1 << 12, dtype)
        self._pooled = 0
        self._pool_limit = max(cache_bytes // 4 // np.dtype(dtype).itemsize, 4 * slots)
        self._long: dict[bytes, int] = {}
        self._long_bytes = 0
        self._long_limit = cache_bytes // 4
        self.most_units = slots // 4  # beside half of the table, which is full at that
        self.resets = 0

    def ids(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[Ids, NDArray[np.int64]]:
        """Ids of units.

        Args:
            text: bytes [N + PADDING], of which the units make up a part.
            starts: offsets [U] into the first N.
            lengths: bytes [U] of the units, 1 or more.

        Returns:
            All ids, unit after unit, and the number of ids of each unit [U].
        """
        values = np.empty(len(starts), np.uint64)
        is_long = lengths > KEY_BYTES
        passing = 0
        if not is_long.any():
            values = self._short_values(text, starts, lengths)
        else:
            long, short = np.flatnonzero(is_long), np.flatnonzero(~is_long)
            if len(short):
                values[short] = self._short_values(text, starts[short], lengths[short])
            values[long], passing = self._long_values(text, starts[long], lengths[long])
        counts = (values & COUNT_MASK).astype(np.int64)
        ids = ragged_take(self._pool, (values >> COUNT_BITS).astype(np.int64), counts)
        self._pooled -= passing
        if self._is_full():
            self._evict()
        return ids, counts

    def _short_values(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.uint64]:
        keys = unit_keys(text, starts, lengths)
        slots, found, values = self._find(keys)
        self._used[slots] = True
        missing = np.flatnonzero(~found)
        if len(missing):
            missed = (keys[0][missing], keys[1][missing], keys[2][missing])
            new, which = _distinct(missed, self._hash(missed))
            new = missing[new]
            new_values = self._encoded(text, starts[new], lengths[new])
            self._insert(np.stack([*(word[new] for word in keys), new_values], axis=1), slots[new])
            values[missing] = new_values[which]
        return values

    def _find(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.uint64]]:
        """For each key its slot, else the free slot where the search for it ended; whether it is there; its value."""
        slots = self._home(keys)
        rows = self._table.take(slots, axis=0)
        found = (rows[:, 0] == keys[0]) & (rows[:, 1] == keys[1]) & (rows[:, 2] == keys[2])
        values = rows[:, 3].copy()
        pending = np.flatnonzero(~found & (rows[:, 2] != 0))
        while len(pending):
            slots[pending] = (slots[pending] + 1) & (self._slots - 1)
            rows = self._table.take(slots[pending], axis=0)
            same = np.logical_and.reduce([rows[:, n] == keys[n][pending] for n in range(3)])
            found[pending] = same
            values[pending] = rows[:, 3]
            pending = pending[~same & (rows[:, 2] != 0)]
        return slots, found, values

    def _home(self, keys: Keys) -> NDArray[np.int64]:
        return (self._hash(keys) >> self._shift).astype(np.int64)

    def _hash(self, keys: Keys) -> NDArray[np.uint64]:
        mixed: NDArray[np.uint64] = keys[0] * self._mixers[0]
        mixed ^= keys[1] * self._mixers[1]
        mixed ^= keys[2] * self._mixers[2]
        mixed ^= mixed >> np.uint64(32)
        mixed *= self._mixers[0]
        return mixed

    def _insert(self, rows: NDArray[np.uint64], slots: NDArray[np.int64]) -> None:
        """Puts rows [R, 4] into the first free slots from ``slots`` [R] on."""
        self._units += len(rows)
        while len(rows):
            order = np.argsort(slots, kind="stable")
            rows, slots = rows[order], slots[order]
            wins = self._table[slots, 2] == 0
            wins[1:] &= slots[1:] != slots[:-1]  # where two want one slot, the first takes it
            self._table[slots[wins]] = rows[wins]
            self._used[slots[wins]] = False
            rows, slots = rows[~wins], (slots[~wins] + 1) & (self._slots - 1)

    def _long_values(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint64], int]:
        """Values of long units, and how many ids at the end of the pool are not there to stay."""
        places = zip(starts.tolist(), (starts + lengths).tolist(), strict=True)
        units = [text[start:end].tobytes() for start, end in places]
        new = sorted({unit for unit in units if unit not in self._long}, key=len)
        if not new:
            return np.array([self._long[unit] for unit in units], np.uint64), 0
        sizes = np.array([len(unit) for unit in new])
        values = self._encoded(np.frombuffer(b"".join(new), np.uint8), np.cumsum(sizes) - sizes, sizes)
        known = dict(zip(new, values.tolist(), strict=True))
        found = np.array([self._long.get(unit) or known[unit] for unit in units], np.uint64)
        cached = int(np.searchsorted(sizes, LONGEST_CACHED, "right"))
        self._long.update((unit, known[unit]) for unit in new[:cached])
        self._long_bytes += int(sizes[:cached].sum()) + cached * LONG_ENTRY_BYTES
        return found, int((values[cached:] & COUNT_MASK).sum())

    def _encoded(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.uint64]:
        """Encodes units, puts their ids at the end of the pool, and gives the values [U] that tell where."""
        ids, counts = self._encode(text, starts, lengths)
        begin, self._pooled = self._pooled, self._pooled + len(ids)
        if self._pooled > len(self._pool):
            larger = np.empty(max(self._pooled, 2 * len(self._pool)), self._pool.dtype)
            larger[:begin] = self._pool[:begin]
            self._pool = larger
        self._pool[begin : self._pooled] = ids
        return _values(begin, counts)

    def _is_full(self) -> bool:
        return (
            self._units > self._slots // 2
            or self._long_bytes > self._long_limit
            or self._pooled > self._pool_limit
            or len(self._pool) > 2 * self._pool_limit
        )

    def _evict(self) -> None:
        """Keeps half of a full table at most, units that were asked for again, and no long units."""
        kept = np.flatnonzero(self._used & (self._table[:, 2] != 0))[: self._slots // 4]
        rows = self._table[kept]
        counts = (rows[:, 3] & COUNT_MASK).astype(np.int64)
        pool = ragged_take(self._pool, (rows[:, 3] >> COUNT_BITS).astype(np.int64), counts)
        if len(pool) > self._pool_limit // 2:
            rows, pool, counts = rows[:0], pool[:0], counts[:0]
        self._long.clear()
        self._long_bytes = 0
        self._table[:] = 0
        self._used[:] = False
        self._pool = np.empty(max(1 << 12, len(pool)), self._pool.dtype)
        self._pool[: len(pool)] = pool
        self._pooled, self._units = len(pool), 0
        rows[:, 3] = _values(0, counts)
        self._insert(rows, self._home((rows[:, 0], rows[:, 1], rows[:, 2])))
        self.resets += 1


def _values(begin: int, counts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """What the table keeps of units whose ids lie one after the other in the pool: offset and count in one number."""
    return ((begin + np.cumsum(counts) - counts).astype(np.uint64) << COUNT_BITS) | counts.astype(np.uint64)


def _distinct(keys: Keys, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of different keys, and for each key [K] which of them is equal.

    Keys of one hash may lie between two equal ones, which then count as different: that costs a little, and no more.
    """
    order = np.argsort(hashes, kind="stable")
    ordered = [word[order] for word in keys]
    first = np.ones(len(order), np.bool_)
    first[1:] = np.logical_or.reduce([word[1:] != word[:-1] for word in ordered])
    which = np.empty(len(order), np.int64)
    which[order] = np.cumsum(first) - 1
    return order[first], which
