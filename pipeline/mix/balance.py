"""The balance of shards: how far each source is from its share, at the end and after any row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.mix.quotas import ShardForm
from pipeline.mix.shards import Packed

FIRST_PART = 100  # the error of prefixes is told from the first hundredth of all rows on

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Prefixes:
    """How far sources are from their shares after the rows of one shard.

    Attributes:
        tokens: The most ids by which any source is ahead or behind within the shard, after any of its rows.
        error: The most, as a part of all ids up to there, the shards before it taken to be exact; from the first
            hundredth of all rows on.
    """

    tokens: int
    error: float


def prefixes(counts: Counts, shares: Sequence[float], form: ShardForm, shard: int) -> Prefixes:
    """Measures every row of a shard.

    Args:
        counts: How many ids of each source the shard has up to the end of each row [rows, sources].
        shares: What is asked of each.
        form: The shards.
        shard: The number of this one.
    """
    if not len(counts):  # all of its rows were taken out
        return Prefixes(0, 0.0)
    inside = counts.sum(axis=1)
    off = np.abs(counts - inside[:, None] * np.asarray(shares)).max(axis=1)
    rows, ids = before(form, shard)
    counted = off[max(0, first_row(form) - 1 - rows) :] / (ids + inside[max(0, first_row(form) - 1 - rows) :])
    return Prefixes(math.ceil(round(float(off.max()), 6)), float(counted.max()) if len(counted) else 0.0)


def first_row(form: ShardForm) -> int:
    """How many rows the shortest prefix has of which the error is told."""
    return -(-form.rows // FIRST_PART)


def before(form: ShardForm, shard: int) -> tuple[int, int]:
    """Rows and ids of the shards before one."""
    rows = shard * form.shard_rows
    return rows, rows * form.seq_len + shard


def counts_by_row(packed: Packed, seq_len: int, sources: int) -> Counts:
    """How many ids of each source a stream has up to the end of each row [rows, sources]; of its last id at the end."""
    ends = np.arange(1, (packed.length - 1) // seq_len + 1) * seq_len
    ends[-1] = packed.length
    last = np.searchsorted(packed.starts, ends, side="left") - 1
    counts = np.empty((len(ends), sources))
    for source in range(sources):
        is_own = (packed.pieces.sources == source) & packed.pieces.are_documents
        own = np.where(is_own, packed.lengths, 0)
        there = np.cumsum(own) - own
        counts[:, source] = there[last] + is_own[last] * (ends - packed.starts[last])
    return counts


def balance(
    form: ShardForm, shares: Sequence[Fraction], tokens: Sequence[Sequence[int]], measured: Sequence[Prefixes]
) -> dict[str, float]:
    """How far the shares are off in all shards.

    Args:
        form: The shards.
        shares: What is asked of each source.
        tokens: Ids of each source, for each shard.
        measured: What was measured of each shard.

    Returns:
        ``share_error``: at the end, of all ids; ``prefix_tokens``: the most ids after any row; ``prefix_error``: the
        most after any row from the first hundredth on, of the ids up to there.
    """
    reached = [0] * len(shares)
    most, worst, ids = 0, 0.0, 0
    for shard, (each, found) in enumerate(zip(tokens, measured, strict=True)):
        off = _error(reached, shares, ids)
        most = max(most, math.ceil(found.tokens + off))
        if (shard + 1) * form.shard_rows >= first_row(form):
            worst = max(worst, found.error + off / (ids + form.seq_len))
        reached = [then + now for then, now in zip(reached, each, strict=True)]
        ids += sum(each)
    return {"share_error": _error(reached, shares, ids) / ids, "prefix_tokens": most, "prefix_error": worst}


def _error(reached: Sequence[int], shares: Sequence[Fraction], ids: int) -> float:
    return max(abs(float(tokens - share * ids)) for tokens, share in zip(reached, shares, strict=True))


def tokens_by_source(packed: Packed, sources: int) -> tuple[list[int], list[int]]:
    """How many ids of the stream each source has, and how many documents of each begin in it."""
    are = packed.pieces.are_documents
    tokens = np.bincount(packed.pieces.sources[are], packed.lengths[are], sources).astype(np.int64)
    documents = np.bincount(packed.pieces.sources[are & ~packed.pieces.continued], minlength=sources)
    return tokens.tolist(), documents.tolist()


def masked_by_source(packed: Packed, sources: int) -> list[int] | None:
    """For how many ids of the stream the loss is off, by source, of documents alone; None where no mask is told."""
    if packed.learned is None:
        return None
    counts = np.zeros(sources, np.int64)
    learned = np.concatenate(([0], np.cumsum(packed.learned)))
    given = (packed.pieces.continued & (packed.bos is not None)).astype(np.int64)
    inside = np.maximum(packed.lengths - given, 0)
    on = learned[packed.pieces.starts + inside] - learned[packed.pieces.starts]
    are = packed.pieces.are_documents
    np.add.at(counts, packed.pieces.sources[are], (packed.lengths - on)[are])
    found: list[int] = counts.tolist()
    return found
