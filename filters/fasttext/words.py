"""From words to rows of a fastText input matrix, for many words at once.

Two pieces serve ``filters.fasttext.logits``: :class:`SubwordIndex` finds the rows of the character n-grams of a batch
of words as fastText would, and :class:`WordTable` remembers for short words which row of its caller's matrix holds
their sum. Both work on byte positions in one buffer and never make a Python object per word: on English web text
that takes a third of the time of ``bytes.split`` and a dictionary lookup per word.
"""

from copy import copy
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from filters.fasttext.format import ModelFile

BoolArray = npt.NDArray[np.bool_]
ByteArray = npt.NDArray[np.uint8]
HashArray = npt.NDArray[np.uint32]
IntArray = npt.NDArray[np.int64]
KeyArray = npt.NDArray[np.uint64]
RowArray = npt.NDArray[np.int32]

# dictionary.cc, Dictionary::hash: 32-bit FNV-1a, each byte sign-extended before it is mixed in. Each word is hashed
# between "<" and ">" (BOW and EOW).
FNV_OFFSET = 2166136261
FNV_PRIME = np.uint32(16777619)
HASH_OF_BEGIN = np.uint32(((FNV_OFFSET ^ ord("<")) * 16777619) % 2**32)
END = ord(">")
SPACE = ord(" ")
# Words of at most this many bytes fit into the two 64-bit halves of a key.
MAX_KEY_BYTES = 16
# Bytes that a buffer must hold behind its last word, because keys are read eight bytes at a time.
PADDING = 2 * MAX_KEY_BYTES
# A word lies at most this many slots behind its own slot. Only a handful of a million words lies farther than eight.
PROBES = 32
MAX_BITS = 28
# Share of the characters that need a further byte from which on that byte is mixed in for all of them under a mask.
DENSE = 1 / 8
# Bytes of words whose n-grams are hashed together: all arrays then stay in the processor's second-level cache, and
# are small enough for the allocator to hand the same memory out again instead of returning it to the system.
CHUNK_BYTES = 1 << 16
# Odd 64-bit constants for multiplicative hashing: 2**64 divided by the golden ratio, and a constant of SplitMix64.
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
MULTIPLIER_HIGH = np.uint64(0xBF58476D1CE4E5B9)
# KEEP[n] keeps the first n bytes of a little-endian 64-bit word.
KEEP = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)


class SubwordIndex:
    """The character n-grams of a model: from the bytes of words to rows of the input matrix.

    Source: fastText 0.9.3, ``Dictionary::computeSubwords`` and ``Dictionary::pushHash``.

    Memory: five bytes per hash bucket for a pruned model, nothing otherwise; while at work about 60 bytes per byte.

    Attributes:
        sizes: The lengths of n-grams that the model keeps, in characters; empty when it uses words alone.
        bucket: The number of hash buckets.
        first_row: The row of the first n-gram.
        row_of_bucket: For a pruned model the row of each bucket, counted from ``first_row``, shape (bucket,).
        is_kept: For a pruned model whether it keeps each bucket, likewise.
    """

    def __init__(self, model: ModelFile) -> None:
        self.sizes = range(max(model.minn, 1), model.maxn + 1)
        self.bucket = np.uint32(max(model.bucket, 1))
        self.first_row = np.int64(len(model.words))
        self.row_of_bucket: RowArray | None = None
        self.is_kept: BoolArray | None = None
        if model.pruned is None:
            return
        if not len(model.pruned):
            self.sizes = range(0)
        self.row_of_bucket = np.zeros(int(self.bucket), np.int32)
        # Nearly all n-grams are pruned away: a second, small table that tells which fits the processor's cache.
        self.is_kept = np.zeros(int(self.bucket), np.bool_)
        reachable = (model.pruned[:, 0] >= 0) & (model.pruned[:, 0] < model.bucket)
        kept, rows = model.pruned[reachable].T
        self.row_of_bucket[kept] = rows
        self.is_kept[kept] = True

    def rows(self, data: ByteArray, starts: IntArray, lengths: IntArray) -> tuple[IntArray, IntArray]:
        """Rows of all n-grams of the given words, in the order in which fastText adds them.

        Args:
            data: A buffer in which every byte before and after a word is a space.
            starts: Where each word begins, shape (words,). No word is empty.
            lengths: Its number of bytes, shape (words,).

        Returns:
            (row of the input matrix per n-gram that the model keeps, number of such n-grams per word).
        """
        rows: list[IntArray] = [np.empty(0, np.int64)]
        counts = np.zeros(len(starts), np.int64)
        if self.sizes:
            ends = np.cumsum(lengths + 1)
            cuts = np.searchsorted(ends, np.arange(CHUNK_BYTES, ends[-1] if len(ends) else 0, CHUNK_BYTES))
            for begin, end in pairwise([0, *np.unique(cuts).tolist(), len(starts)]):
                found, counts[begin:end] = self._rows(data, starts[begin:end], lengths[begin:end])
                rows.append(found)
        return np.concatenate(rows), counts

    def _rows(self, data: ByteArray, starts: IntArray, lengths: IntArray) -> tuple[IntArray, IntArray]:
        """:meth:`rows` for words of about ``CHUNK_BYTES`` together."""
        if not len(starts):
            return np.empty(0, np.int64), np.zeros(0, np.int64)
        characters = _Characters(_compact(data, starts, lengths))
        buckets, kept = self._buckets_by_position(characters)
        found = np.flatnonzero(kept)
        rows: IntArray = buckets.reshape(-1).take(found).astype(np.int64)
        if self.row_of_bucket is not None:
            rows = self.row_of_bucket.take(rows).astype(np.int64)
        word = np.cumsum(characters.space, dtype=np.int32) - 1
        counts = np.bincount(word.take(found // len(self.sizes)), minlength=len(starts))
        return rows + self.first_row, counts

    def _buckets_by_position(self, characters: "_Characters") -> tuple[HashArray, BoolArray]:
        """(bucket, whether the model keeps it) of the n-gram of each size that starts at each character."""
        count = len(characters.first)
        buckets = np.zeros((count, len(self.sizes)), np.uint32)
        kept = np.zeros((count, len(self.sizes)), np.bool_)
        hashes: HashArray = np.empty(0, np.uint32)
        # Whether an n-gram has no space between its first and its last character.
        inside: BoolArray = np.ones(count, np.bool_)
        for size in range(1, min(self.sizes.stop, count + 1)):
            hashes = characters.mix(hashes, size - 1)
            inside = inside[: len(hashes)]
            if size > 2:
                inside = inside & ~characters.space[size - 2 : -1]
            if size in self.sizes:
                # Dividing by a scalar is vectorised in NumPy, the remainder is not.
                bucket = hashes - hashes // self.bucket * self.bucket
                # "<" and ">" alone are no n-grams.
                wanted = ~characters.space if size == 1 else inside
                if self.is_kept is not None:
                    wanted = wanted & self.is_kept.take(bucket, mode="wrap")
                buckets[: len(hashes), size - self.sizes.start] = bucket
                kept[: len(hashes), size - self.sizes.start] = wanted
        return buckets, kept


def _compact(data: ByteArray, starts: IntArray, lengths: IntArray) -> ByteArray:
    """The given words with one space before each and one at the end."""
    sizes = lengths + 1
    ends = np.cumsum(sizes)
    source = np.repeat(starts - 1 - (ends - sizes), sizes)
    source += np.arange(len(source))
    text = np.empty(len(source) + 1, np.uint8)
    data.take(source, out=text[:-1], mode="clip")
    text[-1] = SPACE
    return text


class _Characters:
    """The UTF-8 characters of a text of words between single spaces, ready to be hashed.

    fastText puts each word between "<" and ">". Here one space serves as the ">" of the word before it and as the
    "<" of the word after it.

    Attributes:
        space: Which characters are spaces, shape (characters,).
        first: First byte of each, sign-extended, with ">" for a space.
    """

    def __init__(self, text: ByteArray) -> None:
        # Per further byte of a character: the characters that have it (all bits set, or their numbers), and the bytes.
        self._dense: list[tuple[HashArray, HashArray]] = []
        self._sparse: list[tuple[IntArray, HashArray]] = []
        first = text
        if (text >= 0x80).any():
            positions = np.flatnonzero((text & 0xC0) != 0x80)
            first = text.take(positions)
            self._add_further_bytes(text, positions, np.diff(positions, append=len(text)))
        self.space = first == SPACE
        # Assigning by number is several times as fast as under a mask.
        self._spaces = np.flatnonzero(self.space)
        self.first = _sign_extend(first)
        self.first[self._spaces] = END

    def _add_further_bytes(self, text: ByteArray, positions: IntArray, widths: IntArray) -> None:
        for k in range(1, int(widths.max())):
            has = widths > k
            if np.count_nonzero(has) > len(has) * DENSE:
                mask = -has.astype(np.int32)
                values = _sign_extend(text.take(positions + k, mode="clip"))
                self._dense.append((mask.view(np.uint32), values))
            else:
                wide = np.flatnonzero(has)
                self._sparse.append((wide, _sign_extend(text.take(positions.take(wide) + k))))

    def mix(self, hashes: HashArray, distance: int) -> HashArray:
        """Hash of each n-gram with the character mixed in that lies ``distance`` behind the n-gram's first.

        Args:
            hashes: One per n-gram of ``distance`` characters, by position of the first; empty for distance 0.
            distance: Number of characters that the hashes cover.

        Returns:
            The hashes of the n-grams of ``distance + 1`` characters.
        """
        if distance == 0:
            mixed = (self.first ^ np.uint32(FNV_OFFSET)) * FNV_PRIME
            mixed[self._spaces] = HASH_OF_BEGIN
        else:
            mixed = (hashes[:-1] ^ self.first[distance:]) * FNV_PRIME
        # The second byte of a character comes before its third: what is sparse has more bytes than what is dense.
        for mask, values in self._dense:
            more = (mixed ^ values[distance:]) * FNV_PRIME
            mixed ^= (mixed ^ more) & mask[distance:]
        for wide, values in self._sparse:
            skip = np.searchsorted(wide, distance)
            target = wide[skip:] - distance
            mixed[target] = (mixed.take(target) ^ values[skip:]) * FNV_PRIME
        return mixed


def _sign_extend(values: ByteArray) -> HashArray:
    return values.view(np.int8).astype(np.int32).view(np.uint32)


class WordKeys:
    """The words of a buffer as table keys: their first 16 bytes, zero-padded, as two 64-bit numbers.

    Different words of at most 16 bytes without NUL bytes have different keys, so a match is never an accident.

    Attributes:
        low: The first eight bytes of each word, shape (words,).
        high: The next eight, 0 for words of fewer than nine bytes, shape (words,).
        mixed: A hash of both, different for any two words of fewer than eight bytes.
        long: Numbers of the words of more than 16 bytes, which no table holds.
    """

    def __init__(self, data: ByteArray, starts: IntArray, lengths: IntArray) -> None:
        view: KeyArray = np.ndarray((len(data) - 7,), "<u8", data, 0, (1,))
        self.low: KeyArray = view[starts] & KEEP.take(lengths, mode="clip")
        self.high: KeyArray = np.zeros(len(starts), np.uint64)
        self.mixed: KeyArray = self.low * MULTIPLIER
        # A word of fewer than eight bytes ends in a zero byte here, which tells it from every longer word.
        self.wide = np.flatnonzero(lengths >= 8)
        rest = lengths[self.wide] - 8
        self.long = self.wide[rest > 8]
        high = view[starts[self.wide] + 8] & KEEP.take(rest, mode="clip")
        self.high[self.wide] = high
        self.mixed[self.wide] = (self.mixed[self.wide] ^ (high * MULTIPLIER_HIGH)) * MULTIPLIER

    def select(self, numbers: IntArray) -> "WordKeys":
        """The keys of some of the words, none of them long."""
        keys = copy(self)
        keys.low, keys.high, keys.mixed = self.low[numbers], self.high[numbers], self.mixed[numbers]
        keys.wide = np.flatnonzero(keys.low >> np.uint64(56))
        keys.long = np.empty(0, np.int64)
        return keys


# The numbers of a slot: a word's first eight bytes, its next eight, its row.
SLOT_NUMBERS = 3
LOW, HIGH, ROW = range(SLOT_NUMBERS)


class WordTable:
    """An open-addressing table from words of at most 16 bytes to row numbers, in NumPy arrays of a fixed size.

    A slot is three numbers, which lie together: a look-up waits for the memory once.

    Memory: 24 bytes per slot; the number of slots is the power of two from two to four times ``capacity``.
    """

    def __init__(self, capacity: int) -> None:
        self._bits = max(capacity, 16).bit_length() + 1
        self.clear()

    def grow(self) -> None:
        """Doubles the number of slots, and forgets every word.

        Raises:
            ValueError: There are 2**28 slots already: the words were made to fall on the same slots.
        """
        if self._bits == MAX_BITS:
            raise ValueError("the vocabulary of the model cannot be indexed")
        self._bits += 1
        self.clear()

    def clear(self) -> None:
        """Forgets every word."""
        self._slots = np.zeros(SLOT_NUMBERS << self._bits, np.uint64)

    @property
    def slots(self) -> tuple[KeyArray, int]:
        """Of each slot the first eight bytes, the next eight and the row; and the number of bits of a slot's number."""
        return self._slots, self._bits

    @property
    def nbytes(self) -> int:
        """Size of the table in bytes."""
        return self._slots.nbytes

    def _take(self, slot: IntArray, number: int) -> KeyArray:
        taken: KeyArray = self._slots.take(SLOT_NUMBERS * slot + number)
        return taken

    def _slot(self, mixed: KeyArray, probe: int) -> IntArray:
        slot = (mixed >> np.uint64(64 - self._bits)).view(np.int64)
        return slot if probe == 0 else (slot + probe) & ((1 << self._bits) - 1)

    def find(self, keys: WordKeys) -> RowArray:
        """The row of each word, 0 where the table does not hold it. Shape (words,)."""
        slot = self._slot(keys.mixed, 0)
        found = self._take(slot, LOW)
        hit = found == keys.low
        hit[keys.wide] &= self._take(slot[keys.wide], HIGH) == keys.high[keys.wide]
        rows: RowArray = self._take(slot, ROW).astype(np.int32) * hit
        rest = np.flatnonzero(~hit & (found != 0))
        for probe in range(1, PROBES):
            if not len(rest):
                break
            slot = self._slot(keys.mixed[rest], probe)
            found = self._take(slot, LOW)
            hit = (found == keys.low[rest]) & (self._take(slot, HIGH) == keys.high[rest])
            rows[rest[hit]] = self._take(slot[hit], ROW)
            rest = rest[~hit & (found != 0)]
        rows[keys.long] = 0
        return rows

    def insert(self, keys: WordKeys, rows: RowArray) -> IntArray:
        """Adds words, none of them long, each with its row (not 0).

        A word that is already there, or is given twice, is added a second time: without harm, but without use.

        Returns:
            Numbers of the words for which no slot within reach was free.
        """
        pending = np.arange(len(rows))
        for probe in range(PROBES):
            if not len(pending):
                break
            slot = self._slot(keys.mixed[pending], probe)
            free = np.flatnonzero(self._take(slot, LOW) == 0)
            slot, first = np.unique(slot[free], return_index=True)
            chosen = pending[free[first]]
            for number, values in ((LOW, keys.low[chosen]), (HIGH, keys.high[chosen]), (ROW, rows[chosen])):
                self._slots[SLOT_NUMBERS * slot + number] = values
            pending = np.delete(pending, free[first])
        return pending
