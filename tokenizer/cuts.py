"""Where a text can be cut into units that a BPE model encodes independently, found from the model's own pieces.

A merge makes a piece of two neighbours, so it never reaches over two characters that stand side by side in no piece:
cut there, and the ids of the whole are those of the parts, one after the other. That holds for every cut of this kind,
and so for every choice among them. Here characters are sorted into a few classes by their UTF-8 bytes; a cut is made
where no piece holds a character of the one class before one of the other. (In the released model pieces hold no letters
beside digits or punctuation, and nothing before a space: its trainer splits there.)

Two kinds of neighbours are left together though they might be cut, because their runs repeat as they are: a space and
digits, and characters that are part of no piece, such as newlines.

A space is one byte here, 0x20, in texts and in pieces; ``SPACE`` in a text is the same to SentencePiece.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tokenizer.model import NORMAL, SPACE, ModelFile

ESCAPED = SPACE.encode()

# Classes of the first byte of a character. At most eight: one bit each.
SPACES, LETTERS, DIGITS, SIGNS, LONERS, TWO_BYTES, MORE_BYTES, OPENERS = (1 << bit for bit in range(8))
ALWAYS = 0xFF
CONTINUATION = range(0x80, 0xC0)


@dataclass(frozen=True)
class Cuts:
    """Tells the cuts of a text.

    Attributes:
        before: For each byte as the last one of a character, the classes that may not be cut off after it.
        after: For each byte as the first one of a character, its class; ``ALWAYS`` for bytes within one.
    """

    before: bytes
    after: bytes

    def starts(self, text: bytes, more: NDArray[np.int64]) -> NDArray[np.int64]:
        """Offsets [U] at which the units of a text begin, the first of them 0; at the offsets ``more`` begin others."""
        joined = np.frombuffer(text.translate(self.before), np.uint8)[:-1].copy()
        joined &= np.frombuffer(text.translate(self.after), np.uint8)[1:]
        cut = np.empty(len(text), np.bool_)
        cut[:1] = True
        np.equal(joined, 0, out=cut[1:])
        cut[more] = True
        return np.flatnonzero(cut)


def merged_pieces(model: ModelFile) -> list[str]:
    """The pieces that merges make, of two characters or more, with plain spaces."""
    return [
        piece.replace(SPACE, " ")
        for piece, kind in zip(model.pieces, model.kinds, strict=True)
        if kind == NORMAL and len(piece) > 1
    ]


def find_cuts(model: ModelFile) -> Cuts:
    """The cuts that the pieces of a model allow."""
    pieces = [piece.encode() for piece in merged_pieces(model)]
    classes = _classes(pieces)
    joins = [0] * 256
    for last, first in _neighbours(pieces):
        joins[last] |= classes[first]
    before = bytearray(256)
    for group in _groups(classes):
        union = 0
        for byte in group:
            union |= joins[byte]
        for byte in group:
            before[byte] = union | _kept_together(classes[byte])
    for byte in CONTINUATION:  # one may follow another, and must not be cut off: where no piece says so, it needs a bit
        before[byte] = before[byte] or LONERS
    for byte in range(0xC0, 256):  # never the last byte of a character
        before[byte] = ALWAYS
    return Cuts(bytes(before), bytes(classes))


def _classes(pieces: Iterable[bytes]) -> list[int]:
    """The class of each byte. Which signs and lead bytes are in one of their own follows from the pieces."""
    in_pieces = {byte for piece in pieces for byte in piece}
    not_first = {first for _, first in _neighbours(pieces)}
    classes = [_class_of_ascii(byte, byte in in_pieces) for byte in range(0x80)]
    classes += [ALWAYS] * len(CONTINUATION)
    for byte in range(0xC0, 256):
        joined = TWO_BYTES if byte < 0xE0 else MORE_BYTES
        classes.append(joined if byte in not_first else OPENERS)
    return classes


def _class_of_ascii(byte: int, in_pieces: bool) -> int:
    character = chr(byte)
    if character == " ":
        return SPACES
    if character.isalpha():
        return LETTERS
    if character.isdigit():
        return DIGITS
    return SIGNS if in_pieces else LONERS


def _groups(classes: list[int]) -> list[list[int]]:
    """Bytes that are alike as the last byte of a character; within one more than ASCII, nothing tells them apart."""
    groups: dict[int, list[int]] = {}
    for byte in range(0xC0):
        groups.setdefault(classes[byte], []).append(byte)
    return list(groups.values())


def _kept_together(kind: int) -> int:
    """The classes that stay with a class whatever the pieces say."""
    return {SPACES: SPACES | DIGITS, DIGITS: DIGITS, LONERS: LONERS}.get(kind, 0)


def _neighbours(pieces: Iterable[bytes]) -> set[tuple[int, int]]:
    """Pairs of bytes that meet within pieces where a character ends and the next begins."""
    pairs = {pair for piece in pieces for pair in itertools.pairwise(piece)}
    return {(last, first) for last, first in pairs if first not in CONTINUATION}
