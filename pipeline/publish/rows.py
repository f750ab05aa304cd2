"""Token shards as Parquet: the same rows and columns, for repositories that hold documents, too.

The datasets library opens all configurations of a repository by one reader, so Arrow cannot lie beside Parquet there.
The file names the shard that it was made from, by which it is known again.
"""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import OutputError
from pipeline.storage.filesystem import open_input

MADE_FROM = b"llama_corpus.made_from"  # the SHA-256 of the shard
_BATCHES = 16  # record batches in a row group: 64 MB of ids for rows of 2,048


def write_as_parquet(path: str, sha256: str | None, output: BinaryIO) -> None:
    """Converts a shard; memory is that of a row group.

    Args:
        path: The shard, an Arrow IPC stream.
        sha256: Its checksum.
        output: Where the Parquet file goes.

    Raises:
        OutputError: It cannot be read.
    """
    try:
        with open_input(path) as handle, pa.ipc.open_stream(handle) as stream:
            schema = stream.schema.with_metadata({**(stream.schema.metadata or {}), MADE_FROM: str(sha256).encode()})
            with pq.ParquetWriter(
                output, schema, compression="zstd", use_dictionary=False, write_statistics=False
            ) as writer:
                group: list[pa.RecordBatch] = []
                for batch in stream:
                    group.append(batch)
                    if len(group) == _BATCHES:
                        writer.write_table(pa.Table.from_batches(group, stream.schema))
                        group = []
                if group:
                    writer.write_table(pa.Table.from_batches(group, stream.schema))
    except (pa.ArrowException, EOFError) as error:
        raise OutputError(f"{path} cannot be read: {error}. python -m pipeline.verify tells more.") from error


def made_from(path: str) -> str | None:
    """The checksum of the shard that a Parquet file was made from; None where it says nothing, or is none."""
    try:
        with open_input(path) as handle:
            found = pq.ParquetFile(handle).schema_arrow.metadata or {}
    except (pa.ArrowException, OSError):
        return None
    return found[MADE_FROM].decode() if MADE_FROM in found else None
