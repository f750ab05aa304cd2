"""Dedup against what an output has already: the hashes that earlier scopes have, and those that a scope adds to them.

A scope that joins others decides each of its partitions against their files, and leaves what is new in it, sorted, for
scopes that come later. All of a scope lies in one file of blocks, a block a partition, so that a range of hashes is
read in one piece, however the scope that asks is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.engine.exchange.blocks import BlockFile, Flags, write_blocks
from pipeline.engine.exchange.grid import Grid
from pipeline.storage.filesystem import exists, read_bytes, write_bytes
from pipeline.units import Hashes

_U64 = np.dtype("<u8")
_BITS = 64


@dataclass(frozen=True)
class Seen:
    """What a scope knows of those before it, and where it leaves what it adds.

    Attributes:
        earlier: The files of the scopes before it.
        parts: Gets a file for each partition, with the hashes that are new in it.
    """

    earlier: tuple[str, ...]
    parts: str

    def settle(self, hashes: Hashes, grid: Grid, partition: int) -> Flags:
        """Tells which hashes of a partition earlier scopes have, and leaves the others for later ones.

        Args:
            hashes: Those of the partition, in any order.
            grid: How the scope is cut.
            partition: The partition's number.

        Returns:
            A flag for each hash.
        """
        low, high = ((number << _BITS) // grid.partitions for number in (partition, partition + 1))
        known = np.zeros(len(hashes), bool)
        for path in self.earlier:
            known |= _are_in(hashes, read_range(path, low, high))
        write_bytes(part(self.parts, partition), np.unique(hashes[~known]).astype(_U64, copy=False).tobytes())
        return known


def part(folder: str, partition: int) -> str:
    """The file of what is new in a partition."""
    return f"{folder}/{partition:06d}.blocks"


def collect(folder: str, partitions: int, path: str) -> None:
    """Makes one file of the parts of a scope; nothing happens where it is there, or they are not.

    Args:
        folder: The folder of the parts.
        partitions: Their number.
        path: The file.
    """
    if not exists(path) and exists(part(folder, 0)):
        write_blocks(path, (read_bytes(part(folder, number)) for number in range(partitions)))


def read_range(path: str, low: int, high: int) -> Hashes:
    """The hashes of a scope from ``low`` on and below ``high``, sorted."""
    with BlockFile(path) as file:
        blocks = range(low * file.count >> _BITS, min(file.count, (high * file.count >> _BITS) + 1))
        found = np.frombuffer(b"".join(file.read_row(blocks)), _U64)
    start = int(np.searchsorted(found, np.uint64(low)))
    return found[start:] if high >> _BITS else found[start : int(np.searchsorted(found, np.uint64(high)))]


def _are_in(hashes: Hashes, known: Hashes) -> Flags:
    """Whether each hash is among known ones, which are sorted."""
    if not len(known):
        return np.zeros(len(hashes), bool)
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: Flags = known[places] == hashes
    return found
