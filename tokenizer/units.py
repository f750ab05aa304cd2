"""Ids of units from the SentencePiece library: many short ones in a call, and long ones in windows.

A call takes some 2 microseconds and puts a space before its text, so units are joined, each after a separator: a
character that is part of no piece and has one id of its own, so that the ids between two separators are those of the
unit between them.

For a long text without cuts the library takes more than linear time, and many times its size in memory. So what is
longer than a window is put together from windows. That is exact by this fact: if A's ids end with a, B's begin with b,
and the text of a and b together has the ids a, b, then the ids of AB are those of A and B, one after the other. (Merges
are taken by the score of their piece, then from left to right. Up to the first merge over the seam, AB's merges are
those of A and of B. This first one would join the end of a to the beginning of b; it is the best at its time among
those in a and b, too, and so would happen in the text of a and b by itself.) The ids of any text meet at such seams, so
one is never further away than the longest piece. Where none is found after all, the library takes the whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer.cuts import CONTINUATION, LONERS, Cuts
from tokenizer.model import BYTE, NORMAL, ModelFile
from tokenizer.ragged import ragged_indices

CALL_BYTES = 512  # the fastest, measured: a longer text costs more for a byte, more calls cost more for themselves
WINDOW = 2048  # characters
MARGIN = 4  # longest pieces that are left off at a window's end, where what follows may change the merges
TRIES = 16  # seams tried, and one more for each window; then the library takes the whole


Ids = NDArray[np.unsignedinteger[Any]]


def find_separator(processor: Any, model: ModelFile, cuts: Cuts) -> tuple[str, int] | None:
    """A character that is part of no longer piece, and its only id; None where there is none.

    Control characters come first, as they are rare in texts; a newline is the last choice.
    """
    loners = [chr(byte) for byte in range(0x80) if cuts.after[byte] == LONERS]
    for character in sorted(loners, key=lambda c: c in "\n\t "):
        ids = processor.encode(character * 2)
        if len(ids) >= 2 and ids[-1] == ids[-2] and model.kinds[ids[-1]] in (BYTE, NORMAL):
            return character, ids[-1]
    return None


class UnitEncoder:
    """Encodes units by the library."""

    def __init__(
        self,
        processor: Any,
        model: ModelFile,
        separator: tuple[str, int],
        dtype: type[np.uint16] | type[np.uint32],
        window: int = WINDOW,
        margin: int = MARGIN,
    ) -> None:
        """Makes one.

        Args:
            processor: The model, loaded by the library.
            model: The same model.
            separator: What ``find_separator`` gave.
            dtype: Of the ids.
            window: Characters of a unit that the library gets at once; some of the longest pieces at the least.
            margin: Longest pieces that are left off at a window's end. Any will do, with more tries for less.
        """
        self._processor = processor
        self._characters = _characters(model)
        self._separator, self._separator_id = separator
        self._separator_byte = ord(self._separator)
        self._before: int = processor.encode(self._separator).index(self._separator_id)  # ids of the space put first
        self._dtype = dtype
        self._longest = max(map(len, model.pieces))
        self._margin = margin * self._longest
        self._window = max(window, 4 * max(self._margin, self._longest))

    def __call__(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[Ids, NDArray[np.int64]]:
        """Encodes units.

        Args:
            text: bytes.
            starts: offsets [U] of the units in it.
            lengths: their bytes [U].

        Returns:
            All ids, and the number of ids of each unit [U].
        """
        marked = text.take(ragged_indices(starts - 1, lengths + 1), mode="wrap")
        ends = np.cumsum(lengths + 1)
        begins = ends - lengths - 1
        marked[begins] = self._separator_byte
        if np.count_nonzero(marked == self._separator_byte) > len(starts):  # a unit holds the separator itself
            each = [self.encode_unit(unit) for unit in _slices(marked, begins + 1, ends)]
            return np.array([n for ids in each for n in ids], self._dtype), np.array([len(ids) for ids in each])
        found, at = array("I"), 0
        while at < len(starts):
            stop = max(at + 1, int(np.searchsorted(ends, begins[at] + CALL_BYTES, "right")))
            (call,) = _slices(marked, begins[at : at + 1], ends[stop - 1 : stop])
            found.extend(self._encode_marked(call))
            at = stop
        ids = np.frombuffer(found, np.uint32).astype(self._dtype)
        is_separator = ids == self._separator_id
        return ids[~is_separator], np.diff(np.flatnonzero(is_separator), append=len(ids)) - 1

    def _encode_marked(self, call: str) -> array[int]:
        """Ids of units after a separator each, from the first separator on."""
        if len(call) > self._window:  # it is one unit
            return array("I", [self._separator_id]) + self._encode_long(call[1:])
        return array("I", self._library(call))

    def _library(self, marked: str) -> list[int]:
        ids: list[int] = self._processor.encode(marked)
        return ids[self._before :]

    def _whole(self, unit: str) -> list[int]:
        return self._library(self._separator + unit)[1:]

    def encode_unit(self, unit: str) -> array[int]:
        """Ids of one unit of any length."""
        return self._encode_marked(self._separator + unit)[1:]

    def _encode_long(self, unit: str) -> array[int]:
        """Ids of a unit in windows; what was found for the last one is taken back, id by id, until the next fits."""
        done, last, at = array("I"), np.empty(0, np.uint32), 0
        tries = TRIES + len(unit) // self._window
        while at < len(unit):
            window = np.array(self._whole(unit[at : at + self._window]), np.uint32)
            if len(last) and not self._fit(unit, at, last, window):
                last, symbol = np.split(last, [self._last_symbol(last)])
                at -= self._length(symbol)
                tries -= 1
            else:
                done.frombytes(last.tobytes())
                last = window if at + self._window >= len(unit) else self._settled(window)
                at += self._length(last)
            if tries < 0 or not len(last):
                return array("I", self._whole(unit))
        done.frombytes(last.tobytes())
        return done

    def _settled(self, window: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The ids of a window without those near its end."""
        reached = np.cumsum(self._characters.take(window))
        return window[: np.searchsorted(reached, self._window - self._margin, "right")]

    def _fit(self, unit: str, seam: int, left: NDArray[np.uint32], right: NDArray[np.uint32]) -> bool:
        """Whether the ids that meet at a seam stay as they are side by side."""
        left = left[self._last_symbol(left) :]
        right = right[: np.append(np.flatnonzero(self._characters.take(right)), len(right))[1]]
        text = unit[seam - self._length(left) : seam + self._length(right)]
        return self._whole(text) == [*left.tolist(), *right.tolist()]

    def _last_symbol(self, ids: NDArray[np.uint32]) -> int:
        """Where the last piece begins, or the last unknown character, which has an id for each of its bytes."""
        return int(np.flatnonzero(self._characters.take(ids))[-1])

    def _length(self, ids: NDArray[np.uint32]) -> int:
        return int(self._characters.take(ids).sum())


def _characters(model: ModelFile) -> NDArray[np.int64]:
    """How many characters each id stands for [V]; of the bytes of one character the first stands for it."""
    counts = [len(piece) for piece in model.pieces]
    for number, kind in enumerate(model.kinds):
        if kind == BYTE:  # <0xNN>
            counts[number] = int(model.pieces[number][1:-1], 16) not in CONTINUATION
    return np.array(counts, np.int64)


def _slices(text: NDArray[np.uint8], begins: NDArray[np.int64], ends: NDArray[np.int64]) -> Iterator[str]:
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        yield text[begin:end].tobytes().decode()
