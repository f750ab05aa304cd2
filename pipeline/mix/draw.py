"""Draws: which blocks, and which part of the first and the last one, a shard takes of each source's stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.mix.blocks import Blocks, Numbers, permutation
from pipeline.mix.quotas import ShardForm, cumulative_quotas

# A block in a draw; skip and stop are ids, counted from the beginning of its first document.
DRAW = np.dtype(
    [("source", "u1"), ("file", "<u4"), ("first", "<u4"), ("documents", "<u4"), ("skip", "<u8"), ("stop", "<u8")]
)

Draws = npt.NDArray[Any]


class Stream:
    """A source's ids without end: one epoch after the other, each a permutation of the source's blocks."""

    def __init__(self, source: int, name: str, blocks: Blocks, seed: int, bos: bool) -> None:
        """Keeps what the stream is made of.

        Args:
            source: The number of the source.
            name: Its name.
            blocks: Its blocks; not empty.
            seed: The recipe's.
            bos: Whether a block that begins inside a document gets a bos, which is one of its ids here.
        """
        self._source, self._name, self._blocks, self._seed = source, name, blocks, seed
        self._bos = ((blocks["skip"] > 0) & bos).astype(np.int64)
        self._sizes = blocks["tokens"].astype(np.int64) + self._bos
        self._unique = int(self._sizes.sum())
        self._epoch: tuple[int, Numbers, Numbers] | None = None

    def draw(self, start: int, stop: int) -> Draws:
        """The blocks that hold the ids from one place of the stream to another."""
        parts = [np.empty(0, DRAW)]
        while start < stop:
            epoch, first = divmod(start, self._unique)
            last = min(self._unique, first + stop - start)
            parts.append(self._draw_in_epoch(epoch, first, last))
            start += last - first
        return np.concatenate(parts)

    def _draw_in_epoch(self, epoch: int, first: int, last: int) -> Draws:
        order, ends = self._order(epoch)
        begin, end = np.searchsorted(ends, (first, last - 1), side="right")
        chosen = order[begin : end + 1]
        draws = np.empty(len(chosen), DRAW)
        draws["source"] = self._source
        for name in ("file", "first", "documents"):
            draws[name] = self._blocks[name][chosen]
        skip = self._blocks["skip"][chosen].astype(np.int64)
        stop = skip + self._blocks["tokens"][chosen].astype(np.int64)
        skip[0] += max(0, first - int(ends[begin] - self._sizes[chosen[0]]) - int(self._bos[chosen[0]]))
        stop[-1] -= min(int(ends[end]) - last, int(self._blocks["tokens"][chosen[-1]]))
        draws["skip"], draws["stop"] = skip, stop
        return draws[stop > skip]  # nothing is left of a block that ends behind its bos

    def _order(self, epoch: int) -> tuple[Numbers, Numbers]:
        """An epoch's permutation, and where in the epoch each block of it ends; the last epoch asked for is kept."""
        if self._epoch is None or self._epoch[0] != epoch:
            order = permutation(len(self._blocks), self._seed, self._name, "epoch", epoch)
            self._epoch = (epoch, order, np.cumsum(self._sizes[order]))
        return self._epoch[1], self._epoch[2]


def shard_draws(form: ShardForm, shares: Sequence[Fraction], streams: Sequence[Stream]) -> Iterator[Draws]:
    """The draw of each shard, in order.

    Args:
        form: The shards.
        shares: One for each stream; they sum to 1.
        streams: The sources' streams.
    """
    before = [0] * len(shares)
    for quotas in cumulative_quotas(form, shares):
        yield np.concatenate([stream.draw(a, b) for stream, a, b in zip(streams, before, quotas, strict=True)])
        before = quotas
