"""Whole documents in rows: each stands in one row, and what is left of a row is filled up.

Where every document keeps its place is laid out before any shard is written, from their lengths alone. A source's
documents come in a seeded order, one epoch after the other; the sources are interleaved by how far each has come; and
each document goes into the open row that it fills best, of which the last 1,024 that were begun are open, or begins a
row. So the shares hold along the rows but for what these hold, and nothing is cut but documents of more ids than a row
has, which conversations are not: those are cut in equal parts.

Memory: about 150 bytes a document that is drawn.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.mix.blocks import BLOCK, Blocks, Numbers, permutation
from pipeline.mix.draw import DRAW, Draws
from pipeline.mix.gather import PADDING, Gathered, Pieces
from pipeline.mix.plan import Plan, SourceCounts, SourcePlan, over_limit, too_little
from pipeline.mix.quotas import ShardForm
from pipeline.mix.recipe import MixRecipe, normalised
from pipeline.mix.shards import Packed, interleave

OPEN_ROWS = 1024
# A document in a draw, and where it begins in the ids of its shard.
PLACED = np.dtype([*DRAW.descr, ("place", "<i8")])


@dataclass(frozen=True)
class Chosen:
    """The documents of one source that are drawn, in order.

    Attributes:
        blocks: A document each, or a part of one.
        sizes: Their ids in a row, with the bos that a part gets.
    """

    blocks: Blocks
    sizes: Numbers


@dataclass(frozen=True)
class Placed:
    """Where all documents of a set stand.

    Attributes:
        draws: The documents (``PLACED``), row after row; places count in the set's ids, not yet in a shard's.
        rows: How many rows they take.
    """

    draws: Draws
    rows: int

    def of_shard(self, form: ShardForm, shard: int) -> Draws:
        """The documents of one shard."""
        begin = shard * form.shard_rows * form.seq_len
        end = begin + form.rows_of(shard) * form.seq_len
        low, high = np.searchsorted(self.draws["place"], (begin, end))
        found = self.draws[low:high].copy()
        found["place"] -= begin
        return found


def split_long(blocks: Blocks, most: int, *, bos: bool) -> Blocks:
    """The same documents, those with more ids than a row has in equal parts.

    Args:
        blocks: A document each, or a part of one.
        most: Ids of a row.
        bos: Whether a part gets a bos.
    """
    tokens = blocks["tokens"].astype(np.int64)
    parts = np.where(_sizes(blocks, bos=bos) > most, -(-tokens // (most - bos)), 1)
    inside = np.arange(parts.sum()) - np.repeat(np.cumsum(parts) - parts, parts)
    split = np.repeat(blocks, parts)
    begins, ends = (step * np.repeat(tokens, parts) // np.repeat(parts, parts) for step in (inside, inside + 1))
    split["skip"] += begins.astype(np.uint64)
    split["tokens"] = ends - begins
    return split


def _sizes(blocks: Blocks, *, bos: bool) -> Numbers:
    sizes: Numbers = blocks["tokens"].astype(np.int64) + ((blocks["skip"] > 0) & bos)
    return sizes


def choose(blocks: Blocks, quota: int | None, seed: int, name: str, *, bos: bool) -> Chosen:
    """The documents that are drawn of a source: whole epochs, and of the last what comes next to the quota.

    Args:
        blocks: Its documents.
        quota: How many ids; None for one epoch.
        seed: The recipe's.
        name: The source's.
        bos: Whether a part gets a bos.
    """
    sizes = _sizes(blocks, bos=bos)
    epochs, rest = divmod(int(sizes.sum()) if quota is None else quota, int(sizes.sum()))
    orders = [permutation(len(blocks), seed, name, "epoch", epoch) for epoch in range(epochs)]
    if rest:
        order = permutation(len(blocks), seed, name, "epoch", epochs)
        ends = np.cumsum(sizes[order])
        last = int(np.searchsorted(ends, rest))
        nearer = last < len(ends) and ends[last] - rest <= rest - (ends[last - 1] if last else 0)
        orders.append(order[: last + nearer])
    chosen = np.concatenate([np.empty(0, np.int64), *orders])
    return Chosen(blocks[chosen], sizes[chosen])


def place(chosen: Sequence[Chosen], seq_len: int) -> Placed:
    """Lays out the documents of all sources.

    Args:
        chosen: Of each source.
        seq_len: Ids of a row that are its own; the one behind them is the first of the next.
    """
    sources = np.repeat(np.arange(len(chosen)), [len(each.sizes) for each in chosen]).astype(np.uint8)
    sizes = np.concatenate([each.sizes for each in chosen])
    order = interleave(sources, sizes, [np.flatnonzero(sources == source) for source in range(len(chosen))])
    rows, inside, count = best_fit(sizes[order], seq_len)
    blocks = np.concatenate([np.empty(0, BLOCK), *(each.blocks for each in chosen)])[order]
    draws = np.empty(len(blocks), PLACED)
    draws["source"] = sources[order]
    for key in ("file", "first", "documents", "skip"):
        draws[key] = blocks[key]
    draws["stop"] = blocks["skip"] + blocks["tokens"]
    draws["place"] = rows * seq_len + inside
    return Placed(np.sort(draws, order="place", kind="stable"), count)


def best_fit(sizes: Numbers, most: int, open_rows: int = OPEN_ROWS) -> tuple[Numbers, Numbers, int]:
    """Puts documents into rows: each into the open row that it leaves the least of; of equal ones into the oldest.

    Args:
        sizes: Ids of each document [D], none more than a row has.
        most: Ids of a row.
        open_rows: How many rows are open, those that were begun last.

    Returns:
        The row of each document [D], where in it it begins [D], and the number of rows.
    """
    rows, inside = np.empty(len(sizes), np.int64), np.empty(len(sizes), np.int64)
    left: list[int] = []  # of each row
    by_left: dict[int, deque[int]] = {}  # rows by what is left of them; some are closed, or have less by now
    known: list[int] = []  # the keys, ascending
    for number, size in enumerate(sizes.tolist()):
        row = _take(size, left, by_left, known, len(left) - open_rows)
        if row is None:
            row = len(left)
            left.append(most)
        rows[number], inside[number] = row, most - left[row]
        left[row] -= size
        if left[row]:
            if left[row] not in by_left:
                by_left[left[row]] = deque()
                insort(known, left[row])
            by_left[left[row]].append(row)
    return rows, inside, len(left)


def _take(size: int, left: list[int], by_left: dict[int, deque[int]], known: list[int], first: int) -> int | None:
    """The open row that a document fills best, and takes it from the lists; None where it fits into none."""
    while (at := bisect_left(known, size)) < len(known):
        waiting = by_left[known[at]]
        while waiting:
            row = waiting.popleft()
            if row >= first and left[row] == known[at]:
                return row
        del by_left[known.pop(at)]
    return None


def plan_whole(
    recipe: MixRecipe,
    counts: Sequence[SourceCounts],
    sides: Sequence[tuple[Blocks, Blocks]],
    budget: int | None,
    damaged: Sequence[str] = (),
    without_subsets: Sequence[str] = (),
) -> tuple[Plan, dict[str, Placed]]:
    """Plans a mixture of whole documents.

    Args:
        recipe: The recipe.
        counts: What each source has that takes part.
        sides: Its documents for training, and those that are held out.
        budget: Ids to draw; None for as many as the epoch limits allow: then of one source at the least every document
            is drawn as often as its limit says.
        damaged: Parquet files that the counts leave out, with why.
        without_subsets: Subsets of the recipe that are not there.

    Returns:
        The plan, and where the documents of each set stand.

    Raises:
        UserError: The budget passes an epoch limit, or nothing is drawn.
    """
    names = [count.name for count in counts]
    shares, bos, seq_len = normalised(recipe, names), recipe.bos, recipe.seq_len
    training, held = ([split_long(side[k], seq_len, bos=bos) for side in sides] for k in (0, 1))
    unique = [int(_sizes(blocks, bos=bos).sum()) for blocks in training]
    limits = [Fraction(repr(recipe.limit(name))) * ids for name, ids in zip(names, unique, strict=True)]
    most = min(limit / share for limit, share in zip(limits, shares, strict=True))
    total = most if budget is None else Fraction(budget)
    quotas = [int(share * total) for share in shares]
    chosen = [
        choose(blocks, quota, recipe.seed, f"{name}/train", bos=bos)
        for name, blocks, quota in zip(names, training, quotas, strict=True)
    ]
    sources = tuple(
        SourcePlan(count, share, recipe.limit(count.name), int(each.blocks["tokens"].sum()))
        for count, share, each in zip(counts, shares, chosen, strict=True)
    )
    if not any(len(each.sizes) for each in chosen):
        raise UserError(too_little(budget, seq_len))
    if total > most:
        raise UserError(over_limit(sources, int(total), int(most)))
    placed = {"train": place(chosen, seq_len)}
    if recipe.heldout_tokens:
        apart = [Chosen(blocks, _sizes(blocks, bos=bos)) for blocks in held]
        placed["heldout"] = place(apart, seq_len)
    forms = {kind: ShardForm(found.rows, seq_len, recipe.shard_rows) for kind, found in placed.items()}
    left_out = tuple(name for name in recipe.sources if name not in names)
    filled = forms["train"].ids - int(sum(each.sizes.sum() for each in chosen))
    plan = Plan(sources, left_out, forms["train"], forms.get("heldout"), tuple(damaged), tuple(without_subsets), filled)
    return plan, placed


def pack_whole(gathered: Gathered, places: npt.NDArray[np.int64], length: int, bos: int | None, filling: int) -> Packed:
    """Joins documents that have their places to a stream, and fills up what is between them.

    Args:
        gathered: The documents, with room for a row and one id behind them in the buffer.
        places: Where each begins, ascending.
        length: Ids of the stream.
        bos: The id that a part gets where it begins inside its document; None for none.
        filling: The id that rows are filled up with.
    """
    assert gathered.loss is not None
    pieces = gathered.pieces
    size = len(gathered.ids) - gathered.spare
    gathered.ids[size:] = filling
    gathered.loss[size:] = False
    given = (pieces.continued & (bos is not None)).astype(np.int64)
    ends = places + pieces.lengths + given
    gaps = np.append(places[1:], length) - ends
    if len(places) != len(pieces.starts) or (gaps < 0).any():
        raise AssertionError("documents were laid out over each other")
    behind = np.flatnonzero(gaps)
    padding = Pieces(
        pieces.sources[behind],
        np.full(len(behind), PADDING),
        np.full(len(behind), size, np.int64),
        gaps[behind],
        np.zeros(len(behind), np.int64),
    )
    starts = np.concatenate((places, ends[behind]))
    order = np.argsort(starts, kind="stable")
    return Packed(gathered.ids, pieces.and_also(padding).take(order), starts[order], length, bos, gathered.loss)
