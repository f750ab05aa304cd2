"""Reads the objects of a JSON list of any length, element by element, whatever has happened to it.

Only the element under way is in memory. Where it ends is found by counting brackets outside strings, a megabyte at a
time in NumPy. A broken element costs itself: what follows is found again by how elements begin, a brace and the first
key of one that was sound; within a string no such quotation mark stands without a backslash before it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterator
from itertools import chain
from typing import BinaryIO

import numpy as np

from pipeline.formats.inflate import Damage, Piece
from pipeline.formats.json_lines import (
    BYTE_ORDER_MARK,
    SHOWN_BYTES,
    JsonFault,
    JsonRecord,
    damage_fault,
    json_pieces,
    parse_object,
    records_of_lines,
)

MAX_KEYS = 8  # first keys of elements that are remembered; lists are written by programs, which order them alike
_SCAN_BYTES = 1 << 20
_SEAM_BYTES = 4 << 10  # where an element begins is looked for over the seam of what was passed
_WHITE = b" \t\r\n"
_FIRST_KEY = re.compile(rb'\s*\{\s*"((?:[^"\\]|\\.){1,200})"\s*:', re.DOTALL)
_QUOTE, _BACKSLASH, _COMMA = b'"\\,'
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")] = 1
_STEPS[list(b"]}")] = -1
_LOOKED_AT = _STEPS != 0
_LOOKED_AT[[_QUOTE, _BACKSLASH, _COMMA]] = True


def read_json_objects(stream: BinaryIO, max_record_bytes: int) -> Iterator[JsonRecord | JsonFault]:
    """Reads the objects of a file, which is a JSON list, or has one object a line; gzipped or plain.

    Args:
        stream: The raw bytes.
        max_record_bytes: A longer element or line is a fault, and never in memory.

    Yields:
        Objects and faults in the order of the file; offsets count inflated bytes.
    """
    pieces = json_pieces(stream, "no_json", "no JSON")
    if isinstance(pieces, JsonFault):
        yield pieces
        return
    passed: list[Piece] = []
    head = b""
    for piece in pieces:
        passed.append(piece)
        head = (head + piece.data).removeprefix(BYTE_ORDER_MARK).lstrip(_WHITE)[:1]
        if head or piece.damage:
            break
    whole = chain(passed, pieces)
    if head == b"[":
        yield from records_of_array(whole, max_record_bytes)
    else:
        yield from records_of_lines(whole, max_record_bytes)


def records_of_array(pieces: Iterator[Piece], max_record_bytes: int) -> Iterator[JsonRecord | JsonFault]:
    """The objects of a list, from the file's bytes on, which begin with it; of several lists in a row those of all.

    Args:
        pieces: The bytes.
        max_record_bytes: A longer element is a fault.
    """
    return _Array(pieces, max_record_bytes).records()


class _Window:
    """The bytes from the element under way on, and where elements end, as far as they were looked at."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self.data = bytearray()
        self.base = 0  # offset of data[0]
        self.damage: Damage | None = None
        self._pieces = pieces
        self._scanned = 0  # so many bytes of data
        self._ends: deque[int] = deque()  # offsets of the commas and of the bracket behind elements
        self._depth = 1
        self._quoted = self._escaped = False

    def pull(self) -> bool:
        """Takes in some more bytes; false at the end, and at damage."""
        piece = None if self.damage else next(self._pieces, None)
        if piece is not None and piece.damage:
            self.damage = piece.damage
        elif piece is not None:
            self.data += piece.data
        return piece is not None and not piece.damage

    def end(self, limit: int) -> int | None:
        """Where in the data the element under way ends; None where it does not within the limit, or the data ends."""
        while not self._ends:
            if self._scanned == len(self.data) and (len(self.data) > limit or not self.pull()):
                return None
            self._scan()
        return self._ends[0] - self.base

    def end_behind(self) -> int | None:
        """Where the element behind the one under way ends; None where the data does not tell."""
        while len(self._ends) < 2:
            if self._scanned == len(self.data):
                return None
            self._scan()
        return self._ends[1] - self.base

    def drop(self, size: int) -> None:
        """Passes bytes."""
        del self.data[:size]
        self.base += size
        self._scanned = max(0, self._scanned - size)
        while self._ends and self._ends[0] < self.base:
            self._ends.popleft()

    def restart(self, size: int) -> None:
        """Passes bytes, behind which an element begins, whatever was thought of them."""
        self.drop(size)
        self._ends.clear()
        self._scanned, self._depth, self._quoted, self._escaped = 0, 1, False, False

    def _scan(self) -> None:
        """Looks for ends in the next bytes: commas and closing brackets of the list itself."""
        data = np.frombuffer(bytes(self.data[self._scanned : self._scanned + _SCAN_BYTES]), np.uint8)
        place = np.flatnonzero(_LOOKED_AT[data])
        if self._escaped:
            place = place[place > 0]
        kind = data[place]
        slash = kind == _BACKSLASH
        behind = np.zeros(len(place), bool)  # directly behind a backslash
        behind[1:] = slash[:-1] & (np.diff(place) == 1)
        number = np.arange(len(place))
        run = number - np.maximum.accumulate(np.where(behind, 0, number))  # the place in a row of such
        escapes = slash & (run % 2 == 0)  # backslashes that are not escaped themselves
        escaped = np.zeros(len(place), bool)
        escaped[1:] = behind[1:] & escapes[:-1]
        quotes = (kind == _QUOTE) & ~escaped
        opened = np.cumsum(quotes) + self._quoted
        step = np.where((opened % 2 == 0) & ~quotes, _STEPS[kind], 0)
        depth = np.cumsum(step, dtype=np.int64) + self._depth
        ends = ((kind == _COMMA) & (depth == 1) & (opened % 2 == 0)) | ((depth == 0) & (step < 0))
        found = place[ends] + (self.base + self._scanned)
        closed = np.flatnonzero((depth == 0) & (step < 0))
        if len(closed):  # what follows the list is not looked at
            last = int(place[closed[0]])
            self._ends += found[found <= last + self.base + self._scanned].tolist()
            self._scanned += last + 1
            return
        self._ends += found.tolist()
        self._scanned += len(data)
        if len(place):
            self._quoted, self._depth = bool(opened[-1] % 2), int(depth[-1])
        self._escaped = bool(len(place) and place[-1] == len(data) - 1 and escapes[-1])


class _Array:
    def __init__(self, pieces: Iterator[Piece], limit: int) -> None:
        self._window = _Window(pieces)
        self._limit = limit
        self._keys: dict[bytes, None] = {}  # first keys of elements, in the order of their appearance

    def records(self) -> Iterator[JsonRecord | JsonFault]:
        """All that there is, list after list."""
        window = self._window
        while (rest := self._rest()) is not None or window.damage:
            if rest is not None and rest[:1] == b"[":
                window.restart(len(window.data) - len(rest) + 1)
                yield from self._elements()
                continue
            if rest is None:
                yield self._damage()
            else:
                start = bytes(rest[:SHOWN_BYTES]).decode("utf-8", "replace")
                offset = window.base + len(window.data) - len(rest)
                yield JsonFault("trailing_bytes", f"the list has ended, and this follows: {start!r}", offset)
            if self._found_again(self._begin()):
                yield from self._elements()

    def _damage(self) -> JsonFault:
        """What is said of damage, behind which the data goes on."""
        damage, self._window.damage = self._window.damage, None
        assert damage is not None
        return damage_fault(damage, self._window.base)

    def _rest(self) -> bytearray | None:
        """What stands behind white space; None at the end, and at damage."""
        window = self._window
        while not (rest := window.data.lstrip(_WHITE).removeprefix(BYTE_ORDER_MARK).lstrip(_WHITE)):
            window.drop(len(window.data))
            if not window.pull():
                return None
        return rest

    def _elements(self) -> Iterator[JsonRecord | JsonFault]:
        """The elements of one list, up to its end."""
        window = self._window
        while True:
            end = window.end(self._limit)
            if end is None:
                if (yield from self._without_end()):
                    continue
                window.restart(len(window.data))
                return
            found = self._parsed(end)
            if isinstance(found, JsonFault) and found.reason == "broken_json":
                begins = self._next_begins()
                if begins is not None and not self._is_sound_behind(end, begins):
                    yield self._parsed(begins) or found
                    window.restart(begins)
                    continue
            if found is not None:
                yield found
            closed = window.data[end] != _COMMA
            window.drop(end + 1)
            if closed:
                return

    def _is_sound_behind(self, end: int, begins: int) -> bool:
        """Whether a broken element ends where the brackets say, before an element that is no object, but JSON."""
        window = self._window
        if window.data[end] != _COMMA or begins <= end + 1:
            return False
        behind = window.end_behind()
        between = b"" if behind is None else bytes(window.data[end + 1 : behind]).strip(_WHITE)
        return bool(between) and getattr(parse_object(between, 0, "element"), "reason", "") != "broken_json"

    def _parsed(self, end: int) -> JsonRecord | JsonFault | None:
        """The element that the data begins with, up to a place; None where nothing is there."""
        held = bytes(self._window.data[:end])
        data = held.lstrip(_WHITE)
        offset = self._window.base + len(held) - len(data)
        data = data.rstrip(_WHITE + b",")
        if not data:
            return None
        if len(data) > self._limit:
            return self._too_large(offset, len(data))
        found = parse_object(data, offset, "element")
        if isinstance(found, JsonRecord) and len(self._keys) < MAX_KEYS:
            key = _FIRST_KEY.match(data[:_SEAM_BYTES])
            self._keys |= {key[1]: None} if key else {}
        return found

    def _too_large(self, offset: int, size: int) -> JsonFault:
        return JsonFault("record_too_large", f"the element has {size:,} bytes, over {self._limit:,}", offset)

    def _begin(self) -> re.Pattern[bytes]:
        """Where an element begins: behind a comma or, where that lacks, behind the brace that ends the one before."""
        own = _FIRST_KEY.match(bytes(self._window.data[:_SEAM_BYTES]))
        keys = [*self._keys, *([own[1]] if own else [])]
        names = b"|".join(re.escape(key) for key in keys) or rb"(?!)"
        return re.compile(rb'[,}]\s*(?=\{\s*"(?:' + names + rb')"\s*:)')

    def _next_begins(self) -> int | None:
        """Where in the data the next element begins; None where that cannot be told, within the limit."""
        window, pattern, start = self._window, self._begin(), 1
        while True:
            if found := pattern.search(window.data, start):
                return found.end()
            start = max(1, len(window.data) - _SEAM_BYTES)
            if len(window.data) > self._limit or not window.pull():
                return None

    def _without_end(self) -> Generator[JsonRecord | JsonFault, None, bool]:
        """An element whose end is not found: it is broken or too large, or the file is damaged, or cut.

        Returns:
            Whether more follows.
        """
        window, pattern = self._window, self._begin()
        if found := pattern.search(window.data, 1):  # it has an end, which broken quotes or brackets hide
            if record := self._parsed(found.end()):
                yield record
            window.restart(found.end())
            return True
        if len(window.data) > self._limit:
            yield self._passed_over()
            return True
        if not window.damage:
            last = self._parsed(len(window.data))
            if isinstance(last, JsonRecord):  # whole, but for what should follow
                yield last
                window.drop(len(window.data))
            start = bytes(window.data).strip(_WHITE)[:SHOWN_BYTES].decode("utf-8", "replace")
            message = f"the list does not end: the file is cut; the last of it begins {start!r}"
            yield JsonFault("truncated_json", message, window.base)
        while window.damage:
            yield self._damage()
            if self._found_again(pattern):
                return True
        return False

    def _passed_over(self) -> JsonFault:
        """Passes an element over the limit without holding it, up to its end."""
        window, start = self._window, self._window.base
        while (end := window.end(0)) is None:
            window.drop(len(window.data))
            if not window.pull():
                break
        size = window.base + (end or 0) - start
        window.drop(end or 0)
        return self._too_large(start, size)

    def _found_again(self, pattern: re.Pattern[bytes]) -> bool:
        """Goes on where an element begins; false where none does before the end, or before damage."""
        window = self._window
        while True:
            if found := pattern.search(window.data):
                window.restart(found.end())
                return True
            window.restart(max(0, len(window.data) - _SEAM_BYTES))
            if not window.pull():
                window.restart(len(window.data))
                return False
