"""Blocks: runs of whole neighbouring documents, the units that an epoch permutes; and which of them are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.mix.token_files import Offsets, TokenReader, TokenStore

MIN_BLOCKS = 4096  # of a source that has as many documents
MAX_BLOCKS = 1 << 22  # of any source: what bounds the memory of a plan, 100 MB a source
BLOCK = np.dtype([("file", "<u4"), ("first", "<u4"), ("documents", "<u4"), ("tokens", "<u8")])

Blocks = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TokenFile:
    """One token file of the mixture.

    Attributes:
        source: The number of its source.
        path: Its Parquet file, below the corpus folder.
        first_number: The global number of its first document.
        documents: Its documents.
        tokens: All their ids.
        sha256: The checksum of the Parquet file.
    """

    source: int
    path: str
    first_number: int
    documents: int
    tokens: int
    sha256: str


def block_length(unique_tokens: int, wanted: int) -> int:
    """How many tokens a block of a source has, about: what was asked for, within the bounds on their number."""
    return max(1, min(wanted, unique_tokens // MIN_BLOCKS), -(-unique_tokens // MAX_BLOCKS))


def cut_blocks(offsets: Offsets, length: int) -> tuple[Numbers, Numbers]:
    """Cuts the documents of a file in blocks; a block ends behind the document that passes a multiple of the length.

    Args:
        offsets: Where each document begins, and the end [D + 1].
        length: Tokens of a block, about.

    Returns:
        First document and number of documents of each block; blocks without tokens are left out.
    """
    multiples = np.arange(length, int(offsets[-1]), length)
    edges = np.unique(np.searchsorted(offsets[:-1], multiples))
    edges = np.unique(np.concatenate(([0], edges, [len(offsets) - 1])))
    filled = np.diff(offsets[edges]) > 0
    first: Numbers = edges[:-1][filled]
    counts: Numbers = np.diff(edges)[filled]
    return first, counts


def source_blocks(store: TokenStore, files: Sequence[TokenFile], source: int, wanted: int) -> Blocks:
    """All blocks of a source, in the order of its files.

    Args:
        store: The token files.
        files: Those of all sources; blocks name them by their place here.
        source: The number of the source.
        wanted: Tokens of a block, as the recipe has it.
    """
    chosen = [(number, file) for number, file in enumerate(files) if file.source == source and file.tokens]
    length = block_length(sum(file.tokens for _, file in chosen), wanted)
    parts = []
    for number, file in chosen:
        with TokenReader(store, file.path, file.documents) as reader:
            offsets = reader.offsets(0, file.documents)
        first, documents = cut_blocks(offsets, length)
        part = np.empty(len(first), BLOCK)
        part["file"], part["first"], part["documents"] = number, first, documents
        part["tokens"] = offsets[first + documents] - offsets[first]
        parts.append(part)
    return np.concatenate(parts) if parts else np.empty(0, BLOCK)


def permutation(count: int, *key: object) -> Numbers:
    """A permutation of range(count) that the key alone decides, on any machine and with any version of NumPy.

    It sorts by the raw stream of Philox, which NumPy keeps as it is (its compatibility policy covers bit generators,
    not the distributions drawn from them).
    """
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    draws = np.random.Philox(key=int.from_bytes(digest[:16], "little")).random_raw(count)
    return np.argsort(np.asarray(draws, np.uint64), kind="stable")


def split_heldout(blocks: Blocks, tokens: int, seed: int, source: str) -> tuple[Blocks, Blocks]:
    """Takes a seeded set of blocks away from training.

    Args:
        blocks: All blocks of a source.
        tokens: How many tokens to hold out, at least; 0 for none.
        seed: The recipe's.
        source: Its name.

    Returns:
        The blocks of training and those held out, both in their order.
    """
    order = permutation(len(blocks), seed, source, "heldout")
    ends = np.cumsum(blocks["tokens"][order])
    count = int(np.searchsorted(ends, tokens)) + 1 if tokens else 0
    chosen = np.zeros(len(blocks), bool)
    chosen[order[:count]] = True
    return blocks[~chosen], blocks[chosen]
