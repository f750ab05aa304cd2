"""Token shards as Parquet: the same rows and columns, for repositories that hold documents, too.

The datasets library opens all configurations of a repository by one reader, so Arrow cannot lie beside Parquet there.
The file names the shard that it was made from, by which it is known again.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import OutputError
from pipeline.mix.shards import LOSS_MASK, mask_field
from pipeline.storage.filesystem import open_input

MADE_FROM = b"llama_corpus.made_from"  # the SHA-256 of the shard; behind a plus, a column that was added
_BATCHES = 16  # record batches in a row group: 64 MB of ids for rows of 2,048


def write_as_parquet(path: str, origin: str, output: BinaryIO, *, masked: bool) -> None:
    """Converts a shard; memory is that of a row group.

    Args:
        path: The shard, an Arrow IPC stream.
        origin: What it says that it was made from.
        output: Where the Parquet file goes.
        masked: Whether it has a column for the loss mask; in that of a shard without one all are true.

    Raises:
        OutputError: It cannot be read.
    """
    try:
        with open_input(path) as handle, pa.ipc.open_stream(handle) as stream:
            adds = masked and LOSS_MASK not in stream.schema.names
            schema = stream.schema.append(_mask_field(stream.schema)) if adds else stream.schema
            schema = schema.with_metadata({**(stream.schema.metadata or {}), MADE_FROM: origin.encode()})
            with pq.ParquetWriter(
                output, schema, compression="zstd", use_dictionary=False, write_statistics=False
            ) as writer:
                group: list[pa.RecordBatch] = []
                for batch in stream:
                    columns = [*batch.columns, *([_all_on(len(batch), schema)] if adds else [])]
                    group.append(pa.RecordBatch.from_arrays(columns, schema=schema))
                    if len(group) == _BATCHES:
                        writer.write_table(pa.Table.from_batches(group, schema))
                        group = []
                if group:
                    writer.write_table(pa.Table.from_batches(group, schema))
    except (pa.ArrowException, EOFError) as error:
        raise OutputError(f"{path} cannot be read: {error}. python -m pipeline.verify tells more.") from error


def _mask_field(schema: pa.Schema) -> pa.Field:
    return mask_field(schema.field("input_ids").type.list_size - 1)


def _all_on(rows: int, schema: pa.Schema) -> pa.FixedSizeListArray:
    """The loss mask of rows of which all ids are to be predicted; pyarrow reads no nulls of such lists from Parquet."""
    kind = schema.field(LOSS_MASK).type
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ones(rows * kind.list_size, np.bool_)), type=kind)


def made_from(path: str) -> str | None:
    """The checksum of the shard that a Parquet file was made from; None where it says nothing, or is none."""
    try:
        with open_input(path) as handle:
            found = pq.ParquetFile(handle).schema_arrow.metadata or {}
    except (pa.ArrowException, OSError):
        return None
    return found[MADE_FROM].decode() if MADE_FROM in found else None
