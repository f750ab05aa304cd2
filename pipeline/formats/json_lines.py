"""Read files of JSON objects, one a line, gzipped or plain, whatever has happened to them.

A broken line costs itself; a line over the limit is passed over without being held; a damaged gzip member costs what
cannot be inflated, and the line that it cuts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import orjson

from pipeline.formats.foreign import foreign
from pipeline.formats.inflate import GZIP_MAGIC, Damage, Piece, RawBytes, gzip_pieces, plain_pieces

KINDS = {list: "list", str: "text", bool: "truth value", int: "number", float: "number"}  # what holds no object
SHOWN_BYTES = 80  # of a broken line, in its fault
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class JsonRecord(NamedTuple):
    """An object, the offset of its line in the inflated file, the line's bytes; whether some were no UTF-8."""

    value: dict[str, Any]
    offset: int
    size: int
    invalid_utf8: bool


class JsonFault(NamedTuple):
    """What is no object: why, in a word and in a sentence, and the offset in the inflated file."""

    reason: str
    message: str
    offset: int


def read_json_lines(stream: BinaryIO, max_record_bytes: int) -> Iterator[JsonRecord | JsonFault]:
    """Reads the objects of a file, with one fault for each thing that is none.

    Args:
        stream: The raw bytes.
        max_record_bytes: A longer line is a fault, and never in memory.

    Yields:
        Objects and faults in the order of the file. Bytes that are no UTF-8 are U+FFFD. Empty lines are nothing; a file
        without a byte is one fault.
    """
    opened = json_pieces(stream, "no_json_lines", "no file of JSON lines")
    yield from [opened] if isinstance(opened, JsonFault) else records_of_lines(opened, max_record_bytes)


def json_pieces(stream: BinaryIO, reason: str, kind: str) -> Iterator[Piece] | JsonFault:
    """The bytes of a file of JSON, gzipped or plain; a fault where it is empty, or plainly something else.

    Args:
        stream: The raw bytes.
        reason: What it is called where the file is something else.
        kind: What the file is not, then, in words.
    """
    raw = RawBytes(stream)
    if not raw.peek(1):
        return JsonFault("empty_file", "the file is empty", 0)
    if raw.peek(2) == GZIP_MAGIC:
        return gzip_pieces(raw)
    if named := foreign(raw.peek(SHOWN_BYTES)):
        return JsonFault(reason, f"this is {kind}, but {named}", 0)
    return plain_pieces(raw)


def records_of_lines(pieces: Iterator[Piece], max_record_bytes: int) -> Iterator[JsonRecord | JsonFault]:
    """The objects of lines, from the file's bytes on; otherwise as ``read_json_lines``."""
    for line, offset, size in _lines(pieces, max_record_bytes):
        if isinstance(line, Damage):
            yield damage_fault(line, offset)
        elif line is None:
            yield JsonFault("record_too_large", f"the line has {size:,} bytes, over {max_record_bytes:,}", offset)
        elif plain := line.removeprefix(BYTE_ORDER_MARK if not offset else b"").strip():
            yield parse_object(plain, offset, "line")


def damage_fault(damage: Damage, offset: int) -> JsonFault:
    """What is said of a damaged gzip member, and of the record that it cuts, which begins at the offset."""
    return JsonFault(damage.reason, f"the gzip member at byte {damage.member} is damaged", offset)


def _lines(pieces: Iterator[Piece], limit: int) -> Iterator[tuple[bytes | Damage | None, int, int]]:
    """Lines with offset and size, None for one over the limit; and damage, with which goes the line that it cuts."""
    parts: list[bytes] = []
    start = size = 0  # of the line under way
    for piece in pieces:
        if piece.damage:
            yield piece.damage, start, size
            parts, start, size = [], start + size, 0
            continue
        *ends, rest = piece.data.split(b"\n")
        for end in ends:
            size += len(end)
            yield (b"".join([*parts, end]) if size <= limit else None), start, size
            parts, start, size = [], start + size + 1, 0
        size += len(rest)
        if size <= limit:
            parts.append(rest)
        else:
            parts.clear()
    if size:
        yield (b"".join(parts) if size <= limit else None), start, size


def parse_object(line: bytes, offset: int, what: str) -> JsonRecord | JsonFault:
    """Reads one object.

    Args:
        line: Its bytes.
        offset: Where they stand.
        what: What they are called in faults.
    """
    repaired = False
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:  # also half surrogate pairs and NaN, which the faster reader refuses
            text = line.decode("utf-8", "replace")
            value, repaired = json.loads(text), "\ufffd" in text
        except (ValueError, RecursionError) as error:
            start = line[:SHOWN_BYTES].decode("utf-8", "replace")
            return JsonFault("broken_json", f"the {what} is no JSON: {error}; it begins {start!r}", offset)
    if not isinstance(value, dict):
        kind = KINDS.get(type(value), "null")
        return JsonFault("not_an_object", f"the {what} holds a {kind}, not an object", offset)
    return JsonRecord(value, offset, len(line), repaired)
