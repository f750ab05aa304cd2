"""Gathering: what a shard's draw names, read from the token files, as pieces of documents.

Memory: the ids of the shard once, in a buffer that a worker keeps from shard to shard (to make a new one costs the
kernel more time than all the rest); about 100 bytes a document; with a loss mask a byte an id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.mix.blocks import Numbers, TokenFile
from pipeline.mix.draw import Draws
from pipeline.mix.token_files import Ids, TokenReader, TokenStore

Flags = npt.NDArray[np.bool_]
PADDING = np.uint64(0xFFFFFFFFFFFFFFFF)  # the number of what fills a row up, which is of no document


@dataclass(frozen=True)
class Pieces:
    """Documents, or parts of some, in a buffer of ids.

    Attributes:
        sources: Number of each one's source [P].
        numbers: Global number of its document.
        starts: Where in the buffer it begins.
        lengths: Its ids there.
        offsets: Where in its document it begins.
    """

    sources: npt.NDArray[np.uint8]
    numbers: npt.NDArray[np.uint64]
    starts: Numbers
    lengths: Numbers
    offsets: Numbers

    @property
    def continued(self) -> Flags:
        """Whether each begins inside its document."""
        return self.offsets > 0

    @property
    def are_documents(self) -> Flags:
        """Whether each is of a document; else it fills a row up."""
        are: Flags = self.numbers != PADDING
        return are

    def and_also(self, others: Pieces) -> Pieces:
        """These, and others behind them."""
        names = self.__dataclass_fields__
        return Pieces(*(np.concatenate((getattr(self, name), getattr(others, name))) for name in names))

    def take(self, order: Numbers) -> Pieces:
        """Some of the pieces, in a new order."""
        return Pieces(*(getattr(self, name)[order] for name in self.__dataclass_fields__))


class Scratch:
    """Room for ids, used again for shard after shard."""

    def __init__(self) -> None:
        self._room = np.empty(0, np.uint8)

    def ids(self, count: int, kind: np.dtype[Any]) -> Ids:
        """An array for so many ids, with anything in it; it is the one that was given before, where that is enough."""
        if len(self._room) < count * kind.itemsize:
            self._room = np.empty(0, np.uint8)  # the old one goes before the new one comes
            self._room = np.empty(count * kind.itemsize, np.uint8)
        return self._room[: count * kind.itemsize].view(kind)


@dataclass(frozen=True)
class Gathered:
    """The documents of a shard.

    Attributes:
        ids: A buffer of ids.
        pieces: The pieces of documents in it, in the order of the draw.
        loss: Which ids of the buffer have loss; None where the token files do not tell.
        spare: How many ids at the end of the buffer are none of theirs.
    """

    ids: Ids
    pieces: Pieces
    loss: Flags | None
    spare: int = 0


def gather(store: TokenStore, files: Sequence[TokenFile], draws: Draws, scratch: Scratch, spare: int = 0) -> Gathered:
    """Reads what a draw names; each token file is opened once.

    Args:
        store: The token files.
        files: Those that the draw numbers.
        draws: The draw of one shard.
        scratch: Where the buffer comes from.
        spare: Ids that it shall have room for behind them.

    Raises:
        OutputError: A token file is damaged: its ids are compared with the hashes that were written with them.
    """
    places, ends = _places(draws)
    size = int(ends[-1]) if len(ends) else 0
    buffer = scratch.ids(size + spare, store.coding.numpy)
    loss = None if store.coding.chat is None else np.empty(size + spare, np.bool_)
    offsets: list[Numbers] = [np.empty(0, np.int64)] * len(draws)
    for number in np.unique(draws["file"]).tolist():
        file = files[number]
        with TokenReader(store, file.path, file.documents, file.tokens) as reader:
            for i in np.flatnonzero(draws["file"] == number).tolist():
                marks = reader.marks(int(draws["first"][i]), int(draws["documents"][i]))
                found, skip = marks["offset"], int(draws["skip"][i])
                if found[-1] - found[0] < draws["stop"][i]:
                    raise reader.damaged("it is not that of the plan")
                ids = buffer[places[i] : ends[i]]
                reader.ids(int(found[0]) + skip, ids)
                learned = reader.loss(int(found[0]) + skip, len(ids))
                if loss is not None:
                    loss[places[i] : ends[i]] = learned
                reader.check(marks, ids, skip, learned)
                offsets[i] = found - found[0]
    return Gathered(buffer, _pieces(files, draws, offsets, store.coding.bos), loss, spare)


def _places(draws: Draws) -> tuple[Numbers, Numbers]:
    """Where in the buffer each block of a draw begins and ends."""
    sizes = (draws["stop"] - draws["skip"]).astype(np.int64)
    ends = np.cumsum(sizes)
    return ends - sizes, ends


def _pieces(files: Sequence[TokenFile], draws: Draws, offsets: Sequence[Numbers], bos: bool) -> Pieces:
    """The pieces of documents that the blocks of a draw hold."""
    counts = draws["documents"].astype(np.int64)
    begins = np.concatenate([found[:-1] for found in offsets])
    stops = np.concatenate([found[1:] for found in offsets])

    def spread(values: npt.NDArray[Any]) -> Numbers:
        return np.repeat(np.asarray(values, np.int64), counts)

    skip, stop = spread(draws["skip"]), spread(draws["stop"])
    first, last = np.maximum(begins, skip), np.minimum(stops, stop)
    wanted = last > first
    if bos:  # one that would end behind its bos is not begun: the next shard begins it
        wanted &= (last - first > 1) | (begins < skip) | (stops <= stop)
    chosen = np.unique(draws["file"], return_inverse=True)
    numbers = np.array([files[file].first_number for file in chosen[0]], np.int64)[chosen[1]] + draws["first"]
    inside = np.arange(len(begins)) - spread(np.cumsum(counts) - counts)
    return Pieces(
        np.repeat(draws["source"], counts)[wanted],
        (spread(numbers) + inside)[wanted].astype(np.uint64),
        (spread(_places(draws)[0]) + first - skip)[wanted],
        (last - first)[wanted],
        (first - begins)[wanted],
    )
