"""Ids of units from the SentencePiece library: many short ones in a call, and long ones in windows.

A call takes some 2 microseconds and puts a space before its text, so units are joined, each after a separator: a
character that is part of no piece and has one id of its own, so that the ids between two separators are those of the
unit between them.

The library takes more than linear time, and some 60 times its size in memory, for a long text without cuts. What is
longer than a window is put together from windows. That is exact by this fact: if A's ids end with a, B's begin with b, and
the text of a and b together has the ids a, b, then the ids of AB are those of A and B one after the other. (Merges are
taken by the score of their piece, then from left to right. Up to the first merge over the seam, AB's merges are those of
A and of B; this first one would join the end of a to the beginning of b, is the best at its time in a and b, too, and so
would happen in the text of a and b by itself. See also: Berglund and van der Merwe, "Formalizing BPE Tokenization",
2023.) Each id of a text ends at such a seam, so one is never further away than the longest piece.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tokenizer.cuts import LONERS, Cuts
from tokenizer.model import BYTE, NORMAL, ModelFile
from tokenizer.ragged import ragged_indices

CALL_BYTES = 512  # the fastest, measured: a longer text costs more for a byte, more calls cost more for themselves
WINDOW = 2048  # characters
MARGIN = 4  # longest pieces that are left off at a window's end, where what follows may change the merges
TRIES = 16  # seams tried, and one more for each window; then the library takes the whole


@dataclass(frozen=True, slots=True)
class Symbol:
    """A piece of a text, or an unknown character: its ids, and how many characters it stands for."""

    ids: tuple[int, ...]
    characters: int


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

    def __init__(self, processor: Any, model: ModelFile, separator: tuple[str, int], dtype: type[Any]) -> None:
        """Makes one.

        Args:
            processor: The model, loaded by the library.
            model: The same model.
            separator: What ``find_separator`` gave.
            dtype: Of the ids.
        """
        self._processor = processor
        self._model = model
        self._separator, self._separator_id = separator
        self._separator_byte = ord(self._separator)
        self._dtype = dtype
        self._longest = max(map(len, model.pieces))
        self._window = max(WINDOW, 4 * MARGIN * self._longest)

    def __call__(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
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
        ids, counts = array("I"), np.empty(len(starts), np.int64)
        at = 0
        while at < len(starts):
            stop = max(at + 1, int(np.searchsorted(ends, begins[at] + CALL_BYTES, "right")))
            call = marked[begins[at] : ends[stop - 1]].tobytes()
            found, counts[at:stop] = self._encode_call(call, lengths[at:stop])
            ids.extend(found)
            at = stop
        return np.frombuffer(ids, np.uint32).astype(self._dtype), counts

    def _encode_call(self, call: bytes, lengths: NDArray[np.int64]) -> tuple[list[int], Any]:
        """Ids of units that each follow a separator, and how many each has."""
        if len(lengths) == 1:
            ids = self.encode_unit(call[1:].decode())
            return ids, len(ids)
        if call.count(self._separator_byte) > len(lengths):  # a unit holds it itself
            ends = np.cumsum(lengths + 1).tolist()
            each = [
                self.encode_unit(call[end - size : end].decode()) for end, size in zip(ends, lengths.tolist(), strict=True)
            ]
            return [number for ids in each for number in ids], [len(ids) for ids in each]
        marked = self._processor.encode(call.decode())
        separators = np.flatnonzero(np.array(marked) == self._separator_id)
        counts = np.diff(separators, append=len(marked)) - 1
        start = int(separators[0])
        return [number for number in marked[start:] if number != self._separator_id], counts

    def encode_unit(self, unit: str) -> list[int]:
        """Ids of one unit of any length."""
        return self._plain(unit) if len(unit) <= self._window else self._encode_long(unit)

    def _plain(self, unit: str) -> list[int]:
        ids: list[int] = self._processor.encode(self._separator + unit)
        return ids[ids.index(self._separator_id) + 1 :]

    def _encode_long(self, unit: str) -> list[int]:
        done, last, at = array("I"), list[Symbol](), 0
        tries = TRIES + len(unit) // self._window
        while at < len(unit):
            window = self._symbols(self._plain(unit[at : at + self._window]))
            if last and not self._fit(unit, at, last[-1], window[0]):
                at -= last.pop().characters
                tries -= 1
            else:
                done.extend(number for symbol in last for number in symbol.ids)
                last = window if at + self._window >= len(unit) else self._settled(window)
                at += sum(symbol.characters for symbol in last)
            if tries < 0 or not last:
                return self._plain(unit)
        done.extend(number for symbol in last for number in symbol.ids)
        return done.tolist()

    def _settled(self, window: list[Symbol]) -> list[Symbol]:
        """The symbols of a window without those at its end."""
        left = self._window - MARGIN * self._longest
        count = 0
        for symbol in window:
            left -= symbol.characters
            if left < 0:
                break
            count += 1
        return window[:count]

    def _fit(self, unit: str, seam: int, left: Symbol, right: Symbol) -> bool:
        """Whether two symbols stay as they are side by side."""
        text = unit[seam - left.characters : seam + right.characters]
        return self._plain(text) == [*left.ids, *right.ids]

    def _symbols(self, ids: list[int]) -> list[Symbol]:
        symbols: list[Symbol] = []
        for number in ids:
            piece = self._model.pieces[number]
            if self._model.kinds[number] != BYTE:
                symbols.append(Symbol((number,), len(piece)))
            elif 0x80 <= int(piece[1:-1], 16) < 0xC0:  # <0xNN> within a character
                symbols[-1] = Symbol((*symbols[-1].ids, number), 1)
            else:
                symbols.append(Symbol((number,), 1))
        return symbols
