"""Rows of Parquet files, sound and damaged."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import OutputError
from pipeline.formats.parquet_rows import ParquetFault, ParquetRow, read_parquet_rows
from tests.pipeline.small_disk import small_files


def parquet(table: pa.Table, rows: int = 2) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=rows)
    return buffer.getvalue()


def read(data: bytes, columns=("a", "b"), limit: int = 100):
    return list(read_parquet_rows(io.BytesIO(data), columns, limit))


TABLE = pa.table({"a": ["x", "yé", None, "w"], "b": [1, 2, 3, 4], "c": [0, 0, 0, 0]})


def test_rows_have_the_columns_that_are_wanted_and_there():
    assert read(parquet(TABLE), ("b", "a", "missing"))[:3] == [
        ParquetRow({"a": "x", "b": 1}, 0, 1, False),
        ParquetRow({"a": "yé", "b": 2}, 1, 3, False),
        ParquetRow({"a": None, "b": 3}, 2, 0, False),
    ]


def test_a_cell_over_the_limit_costs_its_row():
    rows = read(parquet(pa.table({"a": ["x" * 101, "x" * 100]})))
    assert [type(row) for row in rows] == [ParquetFault, ParquetRow]
    assert (rows[0].reason, rows[0].offset) == ("record_too_large", 0)


def test_what_is_no_utf8_is_repaired():
    column = pa.array([b"a\xff", "\ufffd".encode()]).view(pa.string())
    assert read(parquet(pa.table({"a": column}))) == [
        ParquetRow({"a": "a\ufffd"}, 0, 2, True),
        ParquetRow({"a": "\ufffd"}, 1, 3, False),
    ]


def test_dictionaries_and_large_strings():
    table = pa.table({"a": pa.array(["x", "x"]).dictionary_encode(), "b": pa.array(["y", "z"], pa.large_string())})
    assert [row.value for row in read(parquet(table))] == [{"a": "x", "b": "y"}, {"a": "x", "b": "z"}]


def test_a_full_disk_of_temporary_files_is_no_fault_of_the_file():
    data = parquet(TABLE)
    with (
        small_files(100),
        pytest.raises(OutputError, match=r"cannot write .*File too large\. Free space or set TMPDIR"),
    ):
        read(data)


def test_a_file_of_other_columns_is_one_fault():
    fault = ParquetFault("no_columns", "its columns are a, b, c", 0)
    assert read(parquet(TABLE), ("z",)) == [fault]
    assert list(read_parquet_rows(io.BytesIO(parquet(TABLE)), ("a", "z"), 100, required=("z",))) == [fault]
    rows = read_parquet_rows(io.BytesIO(parquet(TABLE)), ("a", "z"), 100, required=("a",))
    assert {tuple(row.value) for row in rows} == {("a",)}


def test_damage_costs_what_it_must():
    sound = parquet(pa.table({"a": [f"{n}" * 50 for n in range(4)]}), 2)
    start = pq.ParquetFile(io.BytesIO(sound)).metadata.row_group(1).column(0).data_page_offset
    broken = bytearray(sound)
    broken[start : start + 30] = b"\xff" * 30
    rows = read(bytes(broken))
    assert [type(row) for row in rows] == [ParquetRow, ParquetRow, ParquetFault]
    assert (rows[2].reason, rows[2].offset) == ("damaged_row_group", 2)
    for data in (b"", b"PAR1", sound[:-10], b"no parquet at all"):
        assert [row.reason for row in read(data)] == ["damaged_parquet"]


def test_all_columns_are_read_where_none_are_named():
    assert next(row.value for row in read_parquet_rows(io.BytesIO(parquet(TABLE)), None, 100)) == {
        "a": "x",
        "b": 1,
        "c": 0,
    }


def test_lists_and_structs_count_by_the_texts_in_them():
    turns = [[{"from": "human", "value": "x" * 60}, {"from": "gpt", "value": "y" * 27}], [], None]
    rows = list(read_parquet_rows(io.BytesIO(parquet(pa.table({"turns": turns}))), None, 95))
    assert [row.value for row in rows] == [{"turns": turns} for turns in turns]
    assert [row.size for row in rows] == [95, 0, 0]
    (fault, *_) = read_parquet_rows(io.BytesIO(parquet(pa.table({"turns": turns}))), None, 94)
    assert (fault.reason, fault.message) == ("record_too_large", "turns has 95 bytes, over 94")


def test_what_is_no_utf8_in_a_list_costs_its_row():
    values = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    lists = pa.ListArray.from_arrays([0, 1, 2, 3], values)
    rows = read(parquet(pa.table({"a": lists})))
    assert [row.value if isinstance(row, ParquetRow) else row.reason for row in rows] == [
        {"a": ["a"]},
        "invalid_utf8",
        {"a": ["c"]},
    ]
