"""Writing a shard: gather what its draw names, shuffle, interleave the sources, and cut rows.

Memory: the ids of the shard once, in a buffer that a worker keeps from shard to shard (to make a new one costs the
kernel more time than all the rest); rows are put together a record batch at a time; about 100 bytes a document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus.sink import HashingWriter
from pipeline.errors import OutputError
from pipeline.mix.blocks import Numbers, TokenFile, permutation
from pipeline.mix.draw import Draws
from pipeline.mix.token_files import Ids, TokenReader, TokenStore
from pipeline.storage.filesystem import atomic_output, refusals_told

BATCH_ROWS = 1024  # of a record batch: 4 MB

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pieces:
    """Documents, or parts of some, in a buffer of ids.

    Attributes:
        sources: Number of each one's source [P].
        numbers: Global number of its document.
        starts: Where in the buffer it begins.
        lengths: Its ids there.
        continued: Whether it begins inside its document.
    """

    sources: npt.NDArray[np.uint8]
    numbers: npt.NDArray[np.uint64]
    starts: Numbers
    lengths: Numbers
    continued: Flags

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


def gather(store: TokenStore, files: Sequence[TokenFile], draws: Draws, scratch: Scratch) -> tuple[Ids, Pieces]:
    """Reads what a draw names; each token file is opened once.

    Args:
        store: The token files.
        files: Those that the draw numbers.
        draws: The draw of one shard.
        scratch: Where the buffer comes from.

    Returns:
        A buffer of ids, and the pieces of documents in it, in the order of the draw.

    Raises:
        OutputError: A token file is damaged.
    """
    places, ends = _places(draws)
    buffer = scratch.ids(int(ends[-1]) if len(ends) else 0, store.coding.numpy)
    offsets: list[Numbers] = [np.empty(0, np.int64)] * len(draws)
    for number in np.unique(draws["file"]).tolist():
        file = files[number]
        with TokenReader(store, file.path, file.documents) as reader:
            for i in np.flatnonzero(draws["file"] == number).tolist():
                found = reader.offsets(int(draws["first"][i]), int(draws["documents"][i]))
                if found[-1] - found[0] < draws["stop"][i]:
                    raise OutputError(f"the token file of {file.path} is not that of the plan; run the command again")
                reader.ids(int(found[0]) + int(draws["skip"][i]), buffer[places[i] : ends[i]])
                offsets[i] = found - found[0]
    return buffer, _pieces(files, draws, offsets, store.coding.bos)


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
        (begins < skip)[wanted],
    )


def interleave(sources: npt.NDArray[np.uint8], lengths: Numbers, shuffled: Sequence[Numbers]) -> Numbers:
    """An order of pieces in which every source has at any place come as far as the others.

    A piece stands where its middle does among the ids of its source, from 0 to 1; ties go to the first source.

    Args:
        sources: The source of each piece.
        lengths: Its ids.
        shuffled: For each source its pieces, in the order that they shall have among themselves.
    """
    keys = []
    for pieces in shuffled:
        ends = np.cumsum(lengths[pieces])
        keys.append((ends - lengths[pieces] / 2) / max(1, int(ends[-1]) if len(ends) else 1))
    everything = np.concatenate(shuffled)
    order: Numbers = everything[np.argsort(np.concatenate(keys), kind="stable")]
    return order


@dataclass(frozen=True)
class Packed:
    """The stream of a shard: pieces one after the other, put together where it is asked for.

    Attributes:
        buffer: Ids that the pieces point to.
        pieces: The pieces [P], in the order of the stream.
        starts: Where each begins in the stream [P].
        length: Ids of the stream.
        bos: The id that a piece gets where it begins inside its document; None for none.
    """

    buffer: Ids
    pieces: Pieces
    starts: Numbers
    length: int
    bos: int | None

    @property
    def lengths(self) -> Numbers:
        """Ids of each piece in the stream."""
        return np.diff(self.starts, append=self.length)

    def ids(self, first: int, last: int, scratch: Scratch | None = None) -> Ids:
        """The ids of the stream from one place to another; in the scratch, where there is one."""
        low, high = np.searchsorted(self.starts, first, "right") - 1, np.searchsorted(self.starts, last)
        some = slice(low, high)
        extra = (self.pieces.continued[some] & (self.bos is not None)).astype(np.int64)
        begins = np.maximum(first - self.starts[some], 0)  # of what is wanted, counted from the bos of the piece
        ends = np.minimum(last - self.starts[some], self.pieces.lengths[some] + extra)
        froms, stops = (self.pieces.starts[some] - extra + bounds for bounds in (begins, ends))
        views: list[Ids] = []
        for start, stop, inserts in zip(froms.tolist(), stops.tolist(), (extra > begins).tolist(), strict=True):
            if inserts:
                views.append(np.array([self.bos], self.buffer.dtype))
            views.append(self.buffer[start + inserts : stop])
        out = scratch.ids(last - first, self.buffer.dtype) if scratch else None
        return np.concatenate(views, out=out)


def pack(buffer: Ids, pieces: Pieces, length: int, bos: int | None, key: Sequence[object]) -> Packed:
    """Shuffles the pieces, interleaves the sources, and joins them to a stream.

    Args:
        buffer: Ids that the pieces point to.
        pieces: The pieces.
        length: Ids of the stream; what is more falls off its end.
        bos: The id that a piece gets where it begins inside its document; None for none.
        key: Of the shuffle.
    """
    extra = pieces.continued if bos is not None else np.zeros(len(pieces.starts), bool)
    shuffled = []
    for source in np.unique(pieces.sources).tolist():
        own = np.flatnonzero(pieces.sources == source)
        shuffled.append(own[permutation(len(own), *key, source)])
    order = interleave(pieces.sources, pieces.lengths + extra, shuffled)
    ends = np.cumsum(pieces.lengths[order] + extra[order])
    if ends[-1] < length:
        raise AssertionError(f"a shard of {length} ids has drawn {ends[-1]}")
    starts = np.append(0, ends[:-1])
    count = int(np.searchsorted(starts, length))
    return Packed(buffer, pieces.take(order[:count]), starts[:count], length, bos)


def shard_schema(dtype: str, seq_len: int, metadata: dict[str, str]) -> pa.Schema:
    """The columns of a shard: see trainer_bridge.shards, which reads them."""
    return pa.schema(
        {
            "input_ids": pa.list_(pa.uint16() if dtype == "uint16" else pa.uint32(), seq_len + 1),
            "doc_starts": pa.list_(pa.uint16()),
            "doc_sources": pa.list_(pa.uint8()),
            "doc_numbers": pa.list_(pa.uint64()),
        },
        metadata=metadata,
    )


def write_rows(path: str, packed: Packed, seq_len: int, metadata: dict[str, str]) -> tuple[int, str]:
    """Writes a stream as rows that overlap by one id, to an uncompressed Arrow IPC stream.

    Args:
        path: The file; it appears whole.
        packed: The stream, of a whole number of rows and one id.
        seq_len: Tokens predicted in a row.
        metadata: Of the schema.

    Returns:
        Bytes and SHA-256 of the file.
    """
    schema = shard_schema(packed.buffer.dtype.name, seq_len, metadata)
    rows = (packed.length - 1) // seq_len
    with atomic_output(path) as handle:
        digest = HashingWriter(handle)
        stream, room = Scratch(), Scratch()
        with refusals_told(path), pa.ipc.new_stream(pa.PythonFile(digest, "w"), schema) as writer:
            for first in range(0, rows, BATCH_ROWS):
                last = min(first + BATCH_ROWS, rows)
                writer.write_batch(
                    pa.record_batch(row_columns(packed, seq_len, first, last, stream, room), schema=schema)
                )
    return digest.size, digest.digest.hexdigest()


def row_columns(packed: Packed, seq_len: int, first: int, last: int, stream: Scratch, room: Scratch) -> list[pa.Array]:
    """The columns of some rows, of which the ids are in ``room``, and good until it is used again.

    A document that begins on the id that two rows share is listed in both; one that runs on from the row before is not
    among the starts, but is the first of the sources and numbers.
    """
    view = packed.ids(first * seq_len, last * seq_len + 1, stream)
    rows = room.ids((last - first) * (seq_len + 1), packed.buffer.dtype)
    rows.reshape(-1, seq_len + 1)[:] = np.lib.stride_tricks.sliding_window_view(view, seq_len + 1)[::seq_len]
    ids = pa.FixedSizeListArray.from_arrays(pa.array(rows), seq_len + 1)
    begins = np.arange(first, last, dtype=np.int64) * seq_len
    low = np.searchsorted(packed.starts, begins)
    high = np.searchsorted(packed.starts, begins + seq_len, side="right")
    runs_on = packed.starts[np.minimum(low, len(packed.starts) - 1)] != begins
    offsets, index = _ranges(low, high)
    starts = packed.starts[index] - np.repeat(begins, high - low)
    whole, members = _ranges(low - runs_on, high)
    return [
        ids,
        pa.ListArray.from_arrays(offsets, starts.astype(np.uint16)),
        pa.ListArray.from_arrays(whole, packed.pieces.sources[members]),
        pa.ListArray.from_arrays(whole, packed.pieces.numbers[members]),
    ]


def _ranges(low: Numbers, high: Numbers) -> tuple[npt.NDArray[np.int32], Numbers]:
    """Many ranges of numbers, one after the other, and where each begins."""
    ends = np.cumsum(high - low)
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    return offsets, np.arange(offsets[-1]) + np.repeat(low - offsets[:-1], high - low)


def tokens_by_source(packed: Packed, sources: int) -> tuple[list[int], list[int]]:
    """How many ids of the stream each source has, and how many documents of each begin in it."""
    tokens = np.bincount(packed.pieces.sources, packed.lengths, sources).astype(np.int64)
    documents = np.bincount(packed.pieces.sources[~packed.pieces.continued], minlength=sources)
    return tokens.tolist(), documents.tolist()


def largest_excess(packed: Packed, shares: Sequence[float]) -> int:
    """The most ids by which any source is ahead of or behind its share, at any place of the stream."""
    ends = np.append(packed.starts[1:], packed.length)
    largest = 0.0
    for source, share in enumerate(shares):
        own = np.cumsum(np.where(packed.pieces.sources == source, packed.lengths, 0))
        largest = max(largest, float(np.abs(own - share * ends).max()))
    return int(np.ceil(largest))
