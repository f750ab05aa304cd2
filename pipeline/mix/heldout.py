"""What is held out: documents, and parts of large ones, that their hashes choose, with all copies of them.

A part's hash says whether it is held out: the lowest are, until there are as many ids as were asked for. So the choice
does not depend on where a document lies, or on what else is in the corpus but for how far the hashes reach. To have
files added to a corpus move less, what is kept out of training reaches a little further, to a round number: as long as
that stays, the same documents are kept out. What was trained on before is never held out after.

A document of the same ids has the same hash, wherever it lies: copies, in any source, are kept out of training, too,
and written to the held-out set once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.mix.blocks import (
    BLOCK,
    Blocks,
    Numbers,
    Spans,
    TokenFile,
    block_length,
    cut_blocks,
    longest_part,
    read_marks,
)
from pipeline.mix.recipe import MixRecipe
from pipeline.mix.token_files import Hashes, Marks, TokenStore

SMALL = 4096  # ids of a document that is held out as a whole, if they are no more than twice what is wanted
PARTS = 16  # of what is held out of a source, a large document's part is one at the most
STEPS = 16  # in which the reach of hashes is rounded up, from one power of two to the next
LARGEST = (1 << 64) - 1
SPARE = 4  # times what is asked for, of which the lowest are looked for again
# Ids of a document from start to stop, which are its part; order is what the part's hash says.
PART = np.dtype(
    [("order", "<u8"), ("hash", "<u8"), ("start", "<u8"), ("stop", "<u8"), ("file", "<u4"), ("document", "<u4")]
)
# What is kept out of training: ids from start to stop of a document, by its number.
KEPT_OUT = np.dtype([("number", "<u8"), ("start", "<u8"), ("stop", "<u8"), ("source", "u1")])

Parts = npt.NDArray[Any]


@dataclass(frozen=True)
class SourceSplit:
    """The two sides of a source.

    Attributes:
        training: Its blocks for training.
        heldout: Those that are held out.
        kept_out: The ids that training does not have: those held out, and all copies of them.
        copies: How many ids of these are copies of others.
    """

    training: Blocks
    heldout: Blocks
    kept_out: npt.NDArray[Any]
    copies: int

    @property
    def tokens_kept_out(self) -> int:
        """How many ids training does not have."""
        return _tokens(self.kept_out)


def split_sources(
    store: TokenStore, files: Sequence[TokenFile], names: Sequence[str], quotas: Sequence[int], recipe: MixRecipe
) -> list[SourceSplit]:
    """Divides each source in training and held out.

    Args:
        store: The token files.
        files: Those of all sources.
        names: The sources.
        quotas: How many ids of each to hold out, at least; 0 for none.
        recipe: The recipe.

    Raises:
        UserError: A source has too few different documents.
    """
    nothing = np.empty(0, PART)
    chosen, reserved = [nothing] * len(names), [nothing] * len(names)
    for source, (name, quota) in enumerate(zip(names, quotas, strict=True)):
        if quota:
            chosen[source], reserved[source] = choose_parts(store, files, source, quota, recipe, name)
    apart = np.sort(np.concatenate([nothing, *reserved]), order=["hash", "start", "stop"])
    splits = []
    for source, name in enumerate(names):
        training, kept_out = _training(store, files, source, recipe, apart)
        copies = _tokens(kept_out) - _tokens(reserved[source])
        splits.append(SourceSplit(training, _heldout_blocks(chosen[source]), kept_out, copies))
        if not len(training):
            raise UserError(
                f"{name} has nothing left for training: all of it is held out, or a copy of what is. Give it more "
                "text, or a smaller heldout_tokens."
            )
    return splits


def choose_parts(
    store: TokenStore, files: Sequence[TokenFile], source: int, quota: int, recipe: MixRecipe, name: str
) -> tuple[Parts, Parts]:
    """The parts of a source that are held out, and those that training may not have; each but once.

    Memory: some times what is held out.
    """
    reach, found = LARGEST, np.empty(0, PART)
    for number, marks in read_marks(store, files, source):
        parts = parts_of(marks, part_length(quota, recipe.seq_len), recipe.seed)
        parts["file"] = number
        found = _different(np.concatenate((found, parts[parts["order"] <= reach])))
        if _tokens(found) > SPARE * quota:
            reach = _reach(found, quota)
            found = found[found["order"] <= reach]
    if _tokens(found) < quota:
        raise UserError(
            f"{quota:,} tokens of {name} were to be held out; its different documents have {_tokens(found):,}. Give a "
            "smaller heldout_tokens."
        )
    found = found[found["order"] <= _reach(found, quota)]
    return found[: _count(found, quota)], found


def part_length(quota: int, seq_len: int) -> int:
    """How many ids a document may have to be held out as a whole: not so many that they are most of what is wanted."""
    return max(seq_len, quota // PARTS, min(2 * quota, SMALL))


def parts_of(marks: Marks, length: int, seed: int) -> Parts:
    """The documents of a file, those of more than ``length`` ids in equal parts."""
    sizes = np.diff(marks["offset"])
    counts = -(-sizes // length)
    document = np.repeat(np.arange(len(sizes)), counts)
    inside = np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = np.zeros(len(document), PART)
    parts["document"], parts["hash"] = document, marks["hash"][:-1][document]
    parts["start"] = inside * sizes[document] // counts[document]
    parts["stop"] = (inside + 1) * sizes[document] // counts[document]
    parts["order"] = _order(parts["hash"], inside, seed)
    return parts


def _order(hashes: Hashes, inside: Numbers, seed: int) -> Hashes:
    """A number for each part, which its document's hash, its place, and the seed decide (SplitMix64)."""
    key = np.uint64(int.from_bytes(hashlib.sha256(f"{seed}\0heldout".encode()).digest()[:8], "little"))
    z = (hashes ^ key) + (inside.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = z ^ (z >> np.uint64(31))
    return mixed


def _different(parts: Parts) -> Parts:
    """Each part once, in their order; of copies the first."""
    return parts[np.unique(parts["order"], return_index=True)[1]]


def _tokens(parts: Parts) -> int:
    return int((parts["stop"] - parts["start"]).sum())


def _count(parts: Parts, quota: int) -> int:
    """How many of the first parts have as many ids as are asked for."""
    return int(np.searchsorted(np.cumsum(parts["stop"] - parts["start"]), quota)) + 1


def _reach(parts: Parts, quota: int) -> int:
    """How far the hashes of what is kept out reach: to the last part that is needed, rounded up."""
    last = int(parts["order"][_count(parts, quota) - 1])
    step = max(1, (1 << last.bit_length()) // (2 * STEPS))
    return min(-(-last // step) * step, LARGEST)


def _heldout_blocks(parts: Parts) -> Blocks:
    blocks = np.zeros(len(parts), BLOCK)
    blocks["file"], blocks["first"], blocks["documents"] = parts["file"], parts["document"], 1
    blocks["skip"], blocks["tokens"] = parts["start"], parts["stop"] - parts["start"]
    return blocks


def _training(
    store: TokenStore, files: Sequence[TokenFile], source: int, recipe: MixRecipe, apart: Parts
) -> tuple[Blocks, npt.NDArray[Any]]:
    """The blocks of a source without what is kept apart, and what that is."""
    tokens = sum(file.tokens for file in files if file.source == source)
    length: int = block_length(tokens, recipe.block_tokens)
    longest: int | None = longest_part(tokens, recipe)
    if recipe.packing == "whole":
        length, longest = 0, None
    blocks, kept_out = [np.empty(0, BLOCK)], [np.empty(0, KEPT_OUT)]
    for number, marks in read_marks(store, files, source):
        documents, spans = spans_apart(marks, apart)
        cut = cut_blocks(marks["offset"], length, longest, spans)
        cut["file"] = number
        blocks.append(cut)
        out = np.empty(len(spans), KEPT_OUT)
        out["number"], out["source"] = documents + files[number].first_number, source
        out["start"], out["stop"] = (spans - marks["offset"][documents][:, None]).T
        kept_out.append(out)
    return np.concatenate(blocks), np.concatenate(kept_out)


def spans_apart(marks: Marks, apart: Parts) -> tuple[Numbers, Spans]:
    """The ids of a file that are kept apart: for each span its document, and where it begins and ends in the file.

    Args:
        marks: The file's.
        apart: The parts of all sources that are, sorted by hash and start.
    """
    hashes, offsets = marks["hash"][:-1], marks["offset"]
    low, high = (np.searchsorted(apart["hash"], hashes, side) for side in ("left", "right"))  # type: ignore[call-overload]
    documents, spans = [], []
    for document in np.flatnonzero(high > low).tolist():
        begin, end = offsets[document : document + 2].tolist()
        reached = begin
        for start, stop in apart[["start", "stop"]][low[document] : high[document]].tolist():
            first, last = max(begin + start, reached), min(begin + stop, end)
            if first < last:
                documents.append(document)
                spans.append((first, last))
                reached = last
    return np.array(documents, np.int64), np.array(spans, np.int64).reshape(-1, 2)
