"""What removed documents leave in the rows of a shard: spans of ids, which pieces of other documents fill.

Places count along the shard: id c of row r, in rows of ``seq_len`` + 1 ids of which the last is the first of the next,
is at r * seq_len + c. A span never goes over a gap, where rows were taken out, so its rows are always given with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.mix.gather import PADDING
from pipeline.mix.rows import Row, Segment
from pipeline.mix.shards import LOSS_MASK

Ids = npt.NDArray[Any]


@dataclass
class Span:
    """The ids of a removed document, or of a part of one, that stand together.

    Attributes:
        source: The number of its source.
        number: The document's.
        start: The place of its first id.
        stop: The place behind its last.
        first_row: The first row that has any of it.
        last_row: The last one.
    """

    source: int
    number: int
    start: int
    stop: int
    first_row: int
    last_row: int

    def __len__(self) -> int:
        """How many ids it has."""
        return self.stop - self.start

    @property
    def rows(self) -> range:
        """The rows that have any of it."""
        return range(self.first_row, self.last_row + 1)


@dataclass(frozen=True)
class Filling:
    """A piece of a document that takes the place of some ids.

    Attributes:
        source: The number of its source.
        number: The document's.
        offset: Which of the document's ids comes first.
        ids: All that is written, a bos that is not the document's own at their head where it begins inside it.
        given: 1 where there is such a bos.
        again: Whether its document was drawn before.
        loss: Which of the ids have loss; None where all have.
    """

    source: int
    number: int
    offset: int
    ids: Ids
    given: int
    again: bool = False
    loss: npt.NDArray[np.bool_] | None = None

    @property
    def learned(self) -> npt.NDArray[np.bool_]:
        """Which of the ids have loss."""
        return np.ones(len(self.ids), np.bool_) if self.loss is None else self.loss


def find_spans(rows: Mapping[int, Row], removed: frozenset[int], gaps: frozenset[int], seq_len: int) -> list[Span]:
    """The spans of removed documents in some rows, in order.

    Args:
        rows: All rows with any id of a removed document, by number, ascending.
        removed: The documents.
        gaps: The rows before which others were taken out.
        seq_len: Tokens predicted in a row.
    """
    spans: list[Span] = []
    for number, row in rows.items():
        base = number * seq_len
        for segment in row.segments:
            if segment.number not in removed:
                continue
            last = spans[-1] if spans else None
            shared = last is not None and last.last_row == number - 1 and last.stop == base + 1
            if last is not None and shared and segment.start == 0 and number not in gaps:
                last.stop, last.last_row = base + segment.stop, number
            else:
                places = (base + segment.start, base + segment.stop)
                spans.append(Span(segment.source, segment.number, *places, number, number))
    return spans


def fill(row: Row, number: int, span: Span, fillings: Sequence[Filling], seq_len: int) -> Row:
    """A row with a span of it filled.

    Args:
        row: The row.
        number: Its number.
        span: The span, which some of the row is of.
        fillings: As many ids as the span has.
        seq_len: Tokens predicted in a row.
    """
    base, ids = number * seq_len, row.ids.copy()
    loss = None if row.loss is None else row.loss.copy()
    low, high = max(span.start, base) - base, min(span.stop, base + seq_len + 1) - base
    ids[low:high] = np.concatenate([filling.ids for filling in fillings])[low + base - span.start :][: high - low]
    if loss is not None:
        learned = np.concatenate([filling.learned for filling in fillings])
        loss[low:high] = learned[low + base - span.start :][: high - low]
    segments = [s for s in row.segments if not (s.number == span.number and low <= s.start < high)]
    place = span.start
    for filling in fillings:
        stop = place + len(filling.ids)
        if place < base + seq_len + 1 and stop > base:
            segments.append(_segment(filling, place - base, min(stop - base, seq_len + 1)))
        place = stop
    return Row(ids, sorted(segments, key=lambda segment: segment.start), loss)


def padding(span: Span, eos: int, kind: Any) -> Filling:
    """What fills a span where documents stay whole in rows: ids of no document.

    Args:
        span: The span.
        eos: The id.
        kind: The type of ids.
    """
    ids = np.full(len(span), eos, kind)
    return Filling(span.source, int(PADDING), 0, ids, 0, loss=np.zeros(len(span), np.bool_))


def _segment(filling: Filling, start: int, stop: int) -> Segment:
    """A filling in a row that it begins in, or before."""
    if start >= 0:
        return Segment(start, stop, filling.source, filling.number, True, filling.offset)
    offset = filling.offset + max(0, -start - filling.given)
    return Segment(0, stop, filling.source, filling.number, False, offset)


def mask_column(losses: Sequence[npt.NDArray[np.bool_] | None], width: int) -> pa.FixedSizeListArray:
    """The loss mask of some rows of so many ids; None is one by which all are to be predicted."""
    bits = np.concatenate([np.ones(width, np.bool_) if loss is None else loss for loss in losses])
    return pa.FixedSizeListArray.from_arrays(pa.array(bits), type=pa.list_(pa.bool_(), width))


def row_batch(rows: Sequence[Row], schema: pa.Schema) -> pa.RecordBatch:
    """Rows as a record batch of a shard."""
    segments = [row.segments for row in rows]
    columns: dict[str, Iterable[Any]] = {
        "doc_starts": [[s.start for s in some if s.begins] for some in segments],
        "doc_sources": [[s.source for s in some] for some in segments],
        "doc_numbers": [[s.number for s in some] for some in segments],
        "doc_offsets": [[s.offset for s in some] for some in segments],
    }
    width = schema.field("input_ids").type.list_size
    ids = pa.FixedSizeListArray.from_arrays(pa.array(np.concatenate([row.ids for row in rows])), width)
    arrays = [ids.cast(schema.field("input_ids").type)]
    arrays += [pa.array(values, schema.field(name).type) for name, values in columns.items()]
    if LOSS_MASK in schema.names:
        arrays.append(mask_column([row.loss for row in rows], width))
    return pa.record_batch(arrays, schema=schema)
