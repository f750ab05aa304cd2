"""The text in the bytes of a source file."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

# A file with a zero byte is binary: git's rule (xdiff-interface.c, buffer_is_binary), which looks at the first 8,000.
_ZERO = b"\0"
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
# Bytes over 127 in a row, on the average: accents of western languages stand between letters, one by one; the
# characters of multi-byte encodings, and of alphabets other than the Latin, stand together.
MAX_WESTERN_RUN = 1.5


class SourceText(NamedTuple):
    """A file's text and encoding, or why it has none: ``binary``, ``undecodable``."""

    text: str
    encoding: str | None
    reason: str | None = None


def decode_source(data: bytes) -> SourceText:
    """Decodes a source file: UTF-8, UTF-16 and UTF-32 with a mark, else Windows-1252 where it looks western."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            try:
                return SourceText(data.decode("utf-8-sig" if encoding == "utf-8" else encoding), encoding)
            except UnicodeDecodeError:
                break
    if _ZERO in data:
        return SourceText("", None, "binary")
    try:
        return SourceText(data.decode(), "utf-8")
    except UnicodeDecodeError:
        runs = _HIGH_RUN.findall(data)
        if sum(map(len, runs)) > MAX_WESTERN_RUN * len(runs):
            return SourceText("", None, "undecodable")
        return SourceText(data.decode("cp1252", "replace"), "cp1252")


def with_newlines(text: str) -> str:
    """The text with each line end as one newline."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
