"""Writing a shard: shuffle what was gathered, interleave the sources, and cut rows.

Memory: beside what was gathered, rows are put together a record batch at a time; about 100 bytes a document. A shard
that was made of conversations has a loss mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.corpus.sink import HashingWriter
from pipeline.mix.blocks import Numbers, permutation
from pipeline.mix.gather import Gathered, Pieces, Scratch
from pipeline.mix.token_files import Ids
from pipeline.storage.filesystem import atomic_output, refusals_told

BATCH_ROWS = 1024  # of a record batch: 4 MB
LOSS_MASK = "loss_mask"  # the column that a shard has where the loss is off for some of its ids


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
        learned: Which ids of the buffer have loss; None where all have.
    """

    buffer: Ids
    pieces: Pieces
    starts: Numbers
    length: int
    bos: int | None
    learned: npt.NDArray[np.bool_] | None = None

    @property
    def lengths(self) -> Numbers:
        """Ids of each piece in the stream."""
        return np.diff(self.starts, append=self.length)

    def ids(self, first: int, last: int, scratch: Scratch | None = None) -> Ids:
        """The ids of the stream from one place to another; in the scratch, where there is one."""
        return self._joined(self.buffer, np.array([self.bos or 0], self.buffer.dtype), first, last, scratch)

    def loss(self, first: int, last: int) -> npt.NDArray[np.bool_] | None:
        """Which ids of the stream from one place to another have loss; a bos that a part got has none. None: all."""
        if self.learned is None:
            return None
        return self._joined(self.learned, np.zeros(1, np.bool_), first, last, None)

    def _joined(
        self, buffer: npt.NDArray[Any], given: npt.NDArray[Any], first: int, last: int, scratch: Scratch | None
    ) -> npt.NDArray[Any]:
        """What a buffer has of the stream from one place to another, with what each part that got a bos has for it."""
        low, high = np.searchsorted(self.starts, first, "right") - 1, np.searchsorted(self.starts, last)
        some = slice(low, high)
        extra = (self.pieces.continued[some] & (self.bos is not None)).astype(np.int64)
        begins = np.maximum(first - self.starts[some], 0)  # of what is wanted, counted from the bos of the piece
        ends = np.minimum(last - self.starts[some], self.pieces.lengths[some] + extra)
        froms, stops = (self.pieces.starts[some] - extra + bounds for bounds in (begins, ends))
        views: list[npt.NDArray[Any]] = []
        for start, stop, inserts in zip(froms.tolist(), stops.tolist(), (extra > begins).tolist(), strict=True):
            if inserts:
                views.append(given)
            views.append(buffer[start + inserts : stop])
        out = scratch.ids(last - first, buffer.dtype) if scratch else None
        return np.concatenate(views, out=out)


def pack(gathered: Gathered, length: int, bos: int | None, key: Sequence[object]) -> Packed:
    """Shuffles the pieces, interleaves the sources, and joins them to a stream.

    Args:
        gathered: The pieces.
        length: Ids of the stream; what is more falls off its end.
        bos: The id that a piece gets where it begins inside its document; None for none.
        key: Of the shuffle.
    """
    pieces = gathered.pieces
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
    return Packed(gathered.ids, pieces.take(order[:count]), starts[:count], length, bos, gathered.loss)


def mask_field(seq_len: int) -> pa.Field:
    """The column of a shard that says of each id whether it is to be predicted; without it all are."""
    return pa.field(LOSS_MASK, pa.list_(pa.bool_(), seq_len + 1))


def shard_schema(dtype: str, seq_len: int, metadata: dict[str, str], *, masked: bool = False) -> pa.Schema:
    """The columns of a shard: see trainer_bridge.shards, which reads them."""
    schema = pa.schema(
        {
            "input_ids": pa.list_(pa.uint16() if dtype == "uint16" else pa.uint32(), seq_len + 1),
            "doc_starts": pa.list_(pa.uint16()),
            "doc_sources": pa.list_(pa.uint8()),
            "doc_numbers": pa.list_(pa.uint64()),
            "doc_offsets": pa.list_(pa.uint32()),
        },
        metadata=metadata,
    )
    return schema.append(mask_field(seq_len)) if masked else schema


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
    schema = shard_schema(packed.buffer.dtype.name, seq_len, metadata, masked=packed.learned is not None)
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
    among the starts, but is the first of the sources, numbers and offsets. An offset is that in the document's own ids,
    its bos among them, but not one that a part of it got.
    """
    view = packed.ids(first * seq_len, last * seq_len + 1, stream)
    rows = room.ids((last - first) * (seq_len + 1), packed.buffer.dtype)
    rows.reshape(-1, seq_len + 1)[:] = _windows(view, seq_len)
    ids = pa.FixedSizeListArray.from_arrays(pa.array(rows), seq_len + 1)
    begins = np.arange(first, last, dtype=np.int64) * seq_len
    low = np.searchsorted(packed.starts, begins)
    high = np.searchsorted(packed.starts, begins + seq_len, side="right")
    runs_on = packed.starts[np.minimum(low, len(packed.starts) - 1)] != begins
    offsets, index = _ranges(low, high)
    starts = packed.starts[index] - np.repeat(begins, high - low)
    whole, members = _ranges(low - runs_on, high)
    given = (packed.pieces.continued[members] & (packed.bos is not None)).astype(np.int64)  # a bos of the part's own
    passed = np.maximum(np.repeat(begins, high - low + runs_on) - packed.starts[members] - given, 0)
    loss = packed.loss(first * seq_len, last * seq_len + 1)
    return [
        ids,
        pa.ListArray.from_arrays(offsets, starts.astype(np.uint16)),
        pa.ListArray.from_arrays(whole, packed.pieces.sources[members]),
        pa.ListArray.from_arrays(whole, packed.pieces.numbers[members]),
        pa.ListArray.from_arrays(whole, (packed.pieces.offsets[members] + passed).astype(np.uint32)),
        *([] if loss is None else [_mask_column(_windows(loss, seq_len))]),
    ]


def _windows(stream: npt.NDArray[Any], seq_len: int) -> npt.NDArray[Any]:
    """A stream as rows that overlap by one [rows, seq_len + 1]."""
    return np.lib.stride_tricks.sliding_window_view(stream, seq_len + 1)[::seq_len]


def _mask_column(loss: npt.NDArray[np.bool_]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(loss.ravel()), type=pa.list_(pa.bool_(), loss.shape[1]))


def _ranges(low: Numbers, high: Numbers) -> tuple[npt.NDArray[np.int32], Numbers]:
    """Many ranges of numbers, one after the other, and where each begins."""
    ends = np.cumsum(high - low)
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    return offsets, np.arange(offsets[-1]) + np.repeat(low - offsets[:-1], high - low)
