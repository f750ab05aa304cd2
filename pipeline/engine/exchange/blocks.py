"""Blocks: arrays packed to bytes, as they cross a shuffle and lie in files; and files of many blocks.

A block is of one or more shards and a range of hashes. It begins with four 64-bit numbers: its own, by which those that
meet are sorted, its shards, its hashes, and its bytes. All numbers are little-endian.

A file of blocks ends with where each begins and ends, and their number, so that a row of them is found by one look and
read in one piece.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.storage.filesystem import atomic_output, open_input
from pipeline.units import Hashes

Flags = npt.NDArray[np.bool_]
Lengths = npt.NDArray[np.uint32]

_HEADER = struct.Struct("<4Q")  # as NumPy arrays, these four numbers took as long as the rest of a small block
_U64, _U32 = np.dtype("<u8"), np.dtype("<u4")
_WORD = _U64.itemsize
_GATHERED = 64 * 1024  # bytes; small blocks would be a call of the system each


class HashBlock(NamedTuple):
    """The distinct hashes of shards, one shard after the other, each sorted.

    Attributes:
        number: The place of the shard, or group, among those that meet.
        lengths: The number of hashes of each shard.
        hashes: The hashes.
        repeated: For each, whether two documents of its shard hold it.
        priority: For each, the smallest priority of its documents; None where the policy asks for none.
    """

    number: int
    lengths: Lengths
    hashes: Hashes
    repeated: Flags
    priority: Hashes | None


class DropBlock(NamedTuple):
    """What was decided of a ``HashBlock``.

    Attributes:
        number: The place of its range of hashes.
        lengths: The number of hashes of each shard.
        drop: For each hash, whether its shard's copies go.
    """

    number: int
    lengths: Lengths
    drop: Flags


def pack_hashes(block: HashBlock) -> bytes:
    """Packs a block to 8 bytes and a bit for each hash, or 16."""
    columns = [block.hashes] if block.priority is None else [block.hashes, block.priority]
    return _pack(block.number, block.lengths, columns, block.repeated)


def unpack_hashes(data: bytes) -> HashBlock:
    """Undoes ``pack_hashes``; what it gives lies in the bytes where it can."""
    number, lengths, columns, repeated = _unpack(data)
    return HashBlock(number, lengths, columns[0], repeated, columns[1] if len(columns) > 1 else None)


def pack_drops(block: DropBlock) -> bytes:
    """Packs a block to a bit for each hash."""
    return _pack(block.number, block.lengths, [], block.drop)


def unpack_drops(data: bytes) -> DropBlock:
    """Undoes ``pack_drops``."""
    number, lengths, _, drop = _unpack(data)
    return DropBlock(number, lengths, drop)


def _pack(number: int, lengths: Lengths, columns: Sequence[Hashes], flags: Flags) -> bytes:
    parts = [column.astype(_U64, copy=False).data for column in columns]
    parts += [np.asarray(lengths, _U32).data, np.packbits(flags).data]
    size = _HEADER.size + sum(part.nbytes for part in parts)
    return b"".join([_HEADER.pack(number, len(lengths), len(flags), size), *parts])


def _unpack(data: bytes) -> tuple[int, Lengths, list[Hashes], Flags]:
    number, shards, count, size = _HEADER.unpack_from(data)
    at = _HEADER.size
    tail = _U32.itemsize * shards + (count + 7) // 8
    columns = []
    for _ in range((size - at - tail) // (_WORD * count) if count else 0):
        columns.append(np.frombuffer(data, _U64, count, at))
        at += _WORD * count
    lengths = np.frombuffer(data, _U32, shards, at)
    bits = np.frombuffer(data, np.uint8, (count + 7) // 8, at + lengths.nbytes)
    return number, lengths, columns or [np.empty(0, np.uint64)], np.unpackbits(bits, count=count).view(np.bool_)


def split(data: bytes) -> Iterator[bytes]:
    """Cuts blocks that lie one behind the other."""
    at = 0
    while at < len(data):
        end = at + _HEADER.unpack_from(data, at)[-1]
        yield data[at:end]
        at = end


def write_blocks(path: str, blocks: Iterable[bytes]) -> None:
    """Writes a file of blocks, whole or not at all."""
    ends = [0]
    with atomic_output(path, _GATHERED) as handle:
        for block in blocks:
            handle.write(block)
            ends.append(ends[-1] + len(block))
        handle.write(np.array([*ends, len(ends) - 1], _U64).tobytes())


class BlockFile:
    """A file of blocks that is open for reading; a context manager."""

    def __init__(self, path: str) -> None:
        self._handle: BinaryIO = open_input(path)
        self._handle.seek(-_WORD, 2)
        self._index = self._handle.tell()
        self.count = int(np.frombuffer(self._handle.read(_WORD), _U64)[0])
        self._index -= (self.count + 1) * _WORD

    def __enter__(self) -> BlockFile:
        return self

    def __exit__(self, *_: Any) -> None:
        self._handle.close()

    def read(self, number: int) -> bytes:
        """Reads one block."""
        return next(self.read_row(range(number, number + 1)))

    def read_row(self, numbers: range) -> Iterator[bytes]:
        """Reads consecutive blocks, one at a time."""
        self._handle.seek(self._index + numbers.start * _WORD)
        ends = np.frombuffer(self._handle.read((len(numbers) + 1) * _WORD), _U64).tolist()
        self._handle.seek(ends[0])
        for start, end in pairwise(ends):
            yield self._handle.read(end - start)
