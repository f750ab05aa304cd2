"""Rows of dumps: the columns of each publisher, and rows that are none."""

import gzip
import io
import json
from collections import Counter

import pytest

from pipeline.corpus.document import Document, Refused
from sources.github.raw_file import FileReader
from sources.github.recipe import GitHubRecipe
from sources.github.rows import read_rows

READER = FileReader(GitHubRecipe(max_file_kilobytes=1))
GOOD = {"repo_name": "a/b", "path": "c/d.py", "license": "mit", "content": "x = 1\n"}


def rows(*values, reader=READER):
    lines = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    stream = io.BytesIO(gzip.compress(b"\n".join(lines)))
    return list(read_rows(stream, "bq.json.gz", "json", reader, Counter()))


def test_a_row_of_bigquery():
    row = {**GOOD, "ref": "refs/heads/main", "id": "0" * 40, "size": "6", "binary": False}
    (document,) = rows(row)
    assert (document.text, document.license, document.offset) == ("x = 1\n", "MIT", 0)
    assert document.url == "https://github.com/a/b/blob/main/c/d.py"
    assert document.meta["ref"] == "main"
    assert (document.meta["blob"], document.meta["size"], document.meta["repo"]) == ("0" * 40, 6, "a/b")
    assert document.id.startswith("a/b/c/d.py@")


def test_a_row_of_the_stack():
    (document,) = rows(
        {
            "max_stars_repo_name": "a/b",
            "max_stars_repo_path": "c d.py",
            "max_stars_repo_licenses": ["MIT", "Apache-2.0"],
            "max_stars_repo_head_hexsha": "1" * 40,
            "hexsha": "2" * 40,
            "size": 6,
            "content": "x = 1\n",
        }
    )
    assert document.license == "Apache-2.0 AND MIT"
    assert document.url == f"https://github.com/a/b/blob/{'1' * 40}/c%20d.py"
    assert document.meta["blob"] == "2" * 40


def test_a_row_without_a_ref_has_no_address():
    assert rows(GOOD)[0].url is None


@pytest.mark.parametrize(
    ("row", "reason", "failed"),
    [
        (b'{"repo_name": "a/b", "path"', "broken_json", True),
        (b"[1]", "not_an_object", True),
        ({}, "missing_field", True),
        ({**GOOD, "repo_name": None}, "missing_field", True),
        ({**GOOD, "path": 7}, "missing_field", True),
        ({**GOOD, "content": 7}, "missing_field", True),
        ({"repo_name": "a/b", "path": "c.py"}, "missing_field", True),
        ({**GOOD, "content": None}, "no_content", False),
        ({**GOOD, "binary": True}, "binary", False),
        ({**GOOD, "binary": "true", "content": None}, "binary", False),
        ({**GOOD, "symlink_target": "d.py"}, "link", False),
        ({**GOOD, "content": "a\0b"}, "binary", False),
        ({**GOOD, "content": "x" * 1025}, "too_large", False),
        ({**GOOD, "size": "5000000"}, "too_large", False),
        ({**GOOD, "content": "x" * 200_000}, "too_large", False),
    ],
)
def test_rows_that_are_none_cost_themselves(row, reason, failed):
    first, refused, last = rows(GOOD, row, GOOD)
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.failed) == (reason, failed)


@pytest.mark.parametrize(
    "change", [{"license": "gpl-3.0"}, {"license": None}, {"path": "c.csv"}, {"path": "vendor/c.py"}]
)
def test_text_that_is_not_allowed_is_not_held(change):
    (document,) = rows({**GOOD, **change})
    assert document.text == ""
    assert "@" not in document.id


def test_odd_strings():
    one, two = rows(
        {**GOOD, "content": "\ufeffx\r\ny\rz\n"},
        b'{"repo_name":"a/b","path":"c.py","license":"mit","content":"\\ud800x"}',
    )
    assert one.text == "x\ny\nz\n"
    assert two.text == "\ud800x"  # the chain makes U+FFFD of it
    kept = FileReader(GitHubRecipe(normalize_newlines=False))
    assert rows({**GOOD, "content": "x\r\n"}, reader=kept)[0].text == "x\r\n"


def test_a_damaged_gzip_gives_what_can_be_read():
    data = gzip.compress(b"\n".join(json.dumps(GOOD).encode() + b" " * n for n in range(2000)))
    items = list(read_rows(io.BytesIO(data[: len(data) // 2]), "bq.json.gz", "json", READER, Counter()))
    assert sum(isinstance(item, Document) for item in items) > 100
    assert items[-1].reason == "truncated_gzip"


def test_damaged_parquet_is_one_record():
    items = list(read_rows(io.BytesIO(b"PAR1 but no more"), "a.parquet", "parquet", READER, Counter()))
    assert [item.reason for item in items] == ["damaged_parquet"]
