"""Reads the rows of Parquet files, whatever has happened to them.

A damaged row group costs its own rows, a cell over the limit its row; a string that is no UTF-8 is repaired.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.storage.filesystem import COPY_CHUNK, scratch_refusals_told

PARQUET_MAGIC = b"PAR1"
BATCH_ROWS = 256
# Bytes of a row group as it says itself, uncompressed: a larger one is not read. Writers make them of 64 MB to 1 GB.
MAX_ROW_GROUP = 4 << 30


class ParquetRow(NamedTuple):
    """A row as a mapping of its columns, its number, the bytes of its strings; whether some were no UTF-8."""

    value: dict[str, Any]
    offset: int
    size: int
    invalid_utf8: bool


class ParquetFault(NamedTuple):
    """What cannot be read: why, in a word and in a sentence, and the number of the row."""

    reason: str
    message: str
    offset: int


def read_parquet_rows(
    stream: BinaryIO, columns: Sequence[str] | None, max_cell_bytes: int, *, required: Sequence[str] = ()
) -> Iterator[ParquetRow | ParquetFault]:
    """Reads the rows of a file, with one fault for each thing that is none.

    Args:
        stream: The raw bytes; they are copied to a temporary file, since Parquet is read from its end.
        columns: The columns that are wanted; those that the file has not are left out. All of them where None.
        max_cell_bytes: A row with a longer string is a fault, and so is one whose lists and structs hold more.
        required: Those of the columns without which a file is of no use.

    Yields:
        Rows and faults in the order of the file.

    Raises:
        OutputError: The disk of temporary files takes no copy.
    """
    with _spooled(stream) as spooled:
        try:
            table = pq.ParquetFile(spooled)
            there = [name for name in table.schema_arrow.names if columns is None or name in columns]
        except (pa.ArrowException, OSError, ValueError) as error:
            yield ParquetFault("damaged_parquet", str(error), 0)
            return
        if not there or not {*required} <= {*there}:
            yield ParquetFault("no_columns", f"its columns are {', '.join(table.schema_arrow.names)[:200]}", 0)
            return
        start = 0
        for group in range(table.num_row_groups):
            size = table.metadata.row_group(group).total_byte_size
            if 0 <= size <= MAX_ROW_GROUP:
                yield from _row_group(table, group, there, start, max_cell_bytes)
            else:
                yield ParquetFault("row_group_too_large", f"row group {group} has {size:,} bytes", start)
            start += table.metadata.row_group(group).num_rows


def _spooled(stream: BinaryIO) -> IO[bytes]:
    """A copy of a stream in a temporary file."""
    spooled = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        while data := stream.read(COPY_CHUNK):
            with scratch_refusals_told():
                spooled.write(data)
                spooled.flush()
    except BaseException:
        with contextlib.suppress(OSError):  # what is not yet written is tried once more
            spooled.close()
        raise
    return spooled


def _row_group(
    table: pq.ParquetFile, group: int, columns: list[str], number: int, limit: int
) -> Iterator[ParquetRow | ParquetFault]:
    try:
        for batch in table.iter_batches(BATCH_ROWS, [group], columns):
            values = [_values(column) for column in batch.columns]
            for row in zip(*values, strict=True):
                yield _row(dict(zip(batch.schema.names, row, strict=True)), number, limit)
                number += 1
    except (pa.ArrowException, OSError) as error:
        yield ParquetFault("damaged_row_group", f"row group {group} is read up to row {number}: {error}", number)


def _values(column: pa.Array) -> list[Any]:
    """The values of a column, strings as bytes: they may hold what is no UTF-8. Those in lists and structs are text."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.binary() if pa.types.is_string(column.type) else pa.large_binary())
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_nested(value) for value in column]


def _nested(value: pa.Scalar) -> Any:
    """A list or struct with its texts, or what is wrong with them."""
    try:
        return value.as_py()
    except UnicodeDecodeError as error:
        return error


def _nested_bytes(value: Any) -> int:
    """The bytes of the texts in lists and structs, about."""
    size, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, (str, bytes)):
            size += len(one)
        elif isinstance(one, (dict, list, tuple)):
            waiting += one.values() if isinstance(one, dict) else one
    return size


def _row(row: dict[str, Any], number: int, limit: int) -> ParquetRow | ParquetFault:
    size, invalid = 0, False
    for name, value in row.items():
        if isinstance(value, UnicodeDecodeError):
            return ParquetFault("invalid_utf8", f"a text in {name} is no UTF-8: {value.reason}", number)
        if not isinstance(value, bytes):
            nested = _nested_bytes(value)
            if nested > limit:
                return ParquetFault("record_too_large", f"{name} has {nested:,} bytes, over {limit:,}", number)
            size += nested
            continue
        if len(value) > limit:
            return ParquetFault("record_too_large", f"{name} has {len(value):,} bytes, over {limit:,}", number)
        row[name] = value.decode("utf-8", "replace")
        size += len(value)
        invalid |= "\ufffd" in row[name] and b"\xef\xbf\xbd" not in value
    return ParquetRow(row, number, size, invalid)
