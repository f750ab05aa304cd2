"""Bytes of source files to text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.code.text import SourceText, decode_source, with_newlines


@pytest.mark.parametrize(
    ("data", "decoded"),
    [
        (b"", SourceText("", "utf-8")),
        ("x = 'é'\n".encode(), SourceText("x = 'é'\n", "utf-8")),
        (b"\xef\xbb\xbfx\n", SourceText("x\n", "utf-8")),
        ("x = 'é'\n".encode("utf-16"), SourceText("x = 'é'\n", "utf-16")),
        ("x\n".encode("utf-32"), SourceText("x\n", "utf-32")),
        ("# Größe und Maß\n".encode("cp1252"), SourceText("# Größe und Maß\n", "cp1252")),
        ("# Размер\n".encode("koi8-r"), SourceText("", None, "undecodable")),
        ("# 大きさ\n".encode("shift_jis"), SourceText("", None, "undecodable")),
        (b"\x7fELF\0\0", SourceText("", None, "binary")),
        (b"a" * 10_000 + b"\0", SourceText("", None, "binary")),
        (b"\xff\xfe\x00", SourceText("", None, "binary")),
    ],
)
def test_each_encoding_is_told(data, decoded):
    assert decode_source(data) == decoded


def test_line_ends_become_newlines():
    assert with_newlines("a\r\nb\rc\n\r\n") == "a\nb\nc\n\n"


@given(st.binary(max_size=60))
def test_any_bytes_are_text_or_have_a_reason(data):
    decoded = decode_source(data)
    assert (decoded.encoding is None) == (decoded.reason is not None)
    decoded.text.encode()
