"""What files are that are not what a source reads."""

import bz2
import gzip
import io
import lzma
import zipfile

import pytest

from pipeline.formats.foreign import foreign
from pipeline.formats.json_lines import read_json_lines
from pipeline.formats.warc import read_records


def zipped() -> bytes:
    with zipfile.ZipFile(data := io.BytesIO(), "w") as archive:
        archive.writestr("a", "text")
    return data.getvalue()


FILES = {
    "packed by Zstandard": bytes.fromhex("28b52ffd0458210000") + b"text",
    "packed by LZ4": bytes.fromhex("04224d186440a7"),
    "packed by xz": lzma.compress(b"text"),
    "packed by bzip2": bz2.compress(b"text"),
    "a 7z archive": bytes.fromhex("377abcaf271c0004"),
    "a zip archive": zipped(),
    "a Parquet file": b"PAR1\x15\x04",
    "a PDF": b"%PDF-1.7\n",
    "an ARC file": b"filedesc://a.arc.gz 0.0.0.0 20080101000000 text/plain 73\n",
    "text in UTF-16": "WARC/1.0\r\n".encode("utf-16"),
    "text in UTF-16: convert it first (iconv -f utf-16le": '[{"a"'.encode("utf-16-le"),
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:8be3\nsize 875191\n",
    "an HTML or XML page": b"\n<!DOCTYPE html>\n<title>Sign in",
    "an HTML page": b"<HTML><body>404",
    "an XML file": b"<?xml version='1.0'?><Error><Code>AccessDenied",
}


@pytest.mark.parametrize("name", FILES)
def test_it_is_named(name):
    assert foreign(FILES[name]).startswith(name)
    (error,) = read_records(io.BytesIO(FILES[name]))
    assert error.reason == "not_warc"
    assert f"This is no WARC file, but {name}" in error.message
    (fault,) = read_json_lines(io.BytesIO(FILES[name]), 1000)
    assert (fault.reason, name in fault.message) == ("no_json_lines", True)


def test_what_a_gzip_holds_is_named():
    (error,) = read_records(io.BytesIO(gzip.compress(FILES["an ARC file"])))
    assert "an ARC file, the form before WARC" in error.message
    (error,) = read_records(io.BytesIO(gzip.compress(gzip.compress(b"WARC/1.0\r\n"))))
    assert "packed by gzip twice" in error.message


def test_what_is_not_known_has_no_name():
    assert foreign(b"WARC/1.0\r\nWARC-Type: warcinfo") == foreign(b"{}") == foreign(b"") == ""
