"""Blocks: runs of ids, cut between documents, that an epoch permutes; what is held out lies between them."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.mix.recipe import MixRecipe
from pipeline.mix.token_files import Marks, Offsets, TokenReader, TokenStore

MIN_BLOCKS = 4096  # of a source that has as many documents
ROWS_OF_PART = 8  # that a part of a document has at the least
PARTS_OF_SOURCE = 256  # of which a part may not be more, but for those rows
MAX_BLOCKS = 1 << 22  # of any source: what bounds the memory of a plan, 120 MB a source
# Some neighbouring documents of a file; the block begins ``skip`` ids behind the beginning of the first.
BLOCK = np.dtype([("file", "<u4"), ("first", "<u4"), ("documents", "<u4"), ("skip", "<u8"), ("tokens", "<u8")])

Blocks = npt.NDArray[Any]
Numbers = npt.NDArray[np.int64]
Spans = npt.NDArray[np.int64]  # begin and end of each [S, 2]


@dataclass(frozen=True)
class TokenFile:
    """One token file of the mixture.

    Attributes:
        source: The number of its source.
        path: Its Parquet file, below the corpus folder.
        first_number: The global number of its first document.
        documents: Its documents, as they were numbered.
        tokens: All their ids.
        sha256: The checksum of the Parquet file.
        tokens_sha256: The checksum of the token file.
        removed: Which of the documents are in the file no more, ascending: the others keep their numbers.
    """

    source: int
    path: str
    first_number: int
    documents: int
    tokens: int
    sha256: str
    tokens_sha256: str
    removed: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """The documents that are in the file."""
        return self.documents - len(self.removed)

    def row_of(self, number: int) -> int | None:
        """The row of a document, by its number in the whole corpus; None where it was removed."""
        place = number - self.first_number
        row = bisect_left(self.removed, place)
        return None if row < len(self.removed) and self.removed[row] == place else place - row

    def numbers(self) -> npt.NDArray[np.int64]:
        """The numbers, in the whole corpus, of its rows."""
        return self.first_number + np.delete(np.arange(self.documents), self.removed)


def files_of(files: Sequence[TokenFile], source: int) -> list[tuple[int, TokenFile]]:
    """The files of a source that hold ids, each with its place among all."""
    return [(number, file) for number, file in enumerate(files) if file.source == source and file.tokens]


def read_marks(store: TokenStore, files: Sequence[TokenFile], source: int) -> Iterator[tuple[int, Marks]]:
    """The marks of each file of a source that holds ids, with its place among all files."""
    for number, file in files_of(files, source):
        with TokenReader(store, file.path, file.documents, file.tokens) as reader:
            yield number, reader.all_marks()


def block_length(unique_tokens: int, wanted: int) -> int:
    """How many tokens a block of a source has, about: what was asked for, within the bounds on their number."""
    return max(1, min(wanted, unique_tokens // MIN_BLOCKS), -(-unique_tokens // MAX_BLOCKS))


def longest_part(unique_tokens: int, recipe: MixRecipe) -> int:
    """How many ids of a document stay together, at most: enough rows that few begin inside a document."""
    return max(ROWS_OF_PART * recipe.seq_len, min(recipe.part_tokens, unique_tokens // PARTS_OF_SOURCE))


def cut_blocks(offsets: Offsets, length: int, longest: int | None, gaps: Spans) -> Blocks:
    """Cuts the ids of a file in blocks; a block ends behind the document that passes a multiple of the length.

    Args:
        offsets: Where each document begins, and the end [D + 1].
        length: Tokens of a block, about; 0 for a block for each document.
        longest: Ids of a document that may stay together; those with more are cut in equal parts, blocks each. None:
            all stay together.
        gaps: The ids that are in no block, in order and apart.

    Returns:
        The blocks, of file 0; none is empty.
    """
    edges = offsets
    if length:
        edges = offsets[np.searchsorted(offsets[:-1], np.arange(length, int(offsets[-1]), length))]
    within = _within(offsets, int(offsets[-1]) if longest is None else longest)
    edges = np.unique(np.concatenate(([0, offsets[-1]], edges, within, gaps.ravel())))
    begins, ends = edges[:-1], edges[1:]
    if len(gaps):
        inside = begins < gaps[np.maximum(np.searchsorted(gaps[:, 0], begins, "right") - 1, 0), 1]
        inside &= begins >= gaps[0, 0]
        begins, ends = begins[~inside], ends[~inside]
    blocks = np.zeros(len(begins), BLOCK)
    first = np.searchsorted(offsets, begins, "right") - 1
    blocks["first"], blocks["skip"] = first, begins - offsets[first]
    blocks["documents"] = np.searchsorted(offsets, ends, "left") - first
    blocks["tokens"] = ends - begins
    return blocks


def _within(offsets: Offsets, longest: int) -> Numbers:
    """Where documents of more than ``longest`` ids begin, are cut, and end."""
    found = [np.empty(0, np.int64)]
    for document in np.flatnonzero(np.diff(offsets) > longest).tolist():
        begin, end = offsets[document : document + 2].tolist()
        parts = -(-(end - begin) // longest)
        found.append(begin + np.arange(parts + 1) * (end - begin) // parts)
    return np.concatenate(found)


def permutation(count: int, *key: object) -> Numbers:
    """A permutation of range(count) that the key alone decides, on any machine and with any version of NumPy.

    It sorts by the raw stream of Philox, which NumPy keeps as it is (its compatibility policy covers bit generators,
    not the distributions drawn from them).
    """
    digest = hashlib.sha256("\0".join(map(str, key)).encode()).digest()
    draws = np.random.Philox(key=int.from_bytes(digest[:16], "little")).random_raw(count)
    return np.argsort(np.asarray(draws, np.uint64), kind="stable")
