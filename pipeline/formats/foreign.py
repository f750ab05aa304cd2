"""Names files that are not what a source reads, by their first bytes, so that an error says what they are."""

_UNPACK = "unpack it first ({})"
_FORMS = (
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard: " + _UNPACK.format("zstd -d")),
    (b"\x04\x22\x4d\x18", "packed by LZ4: " + _UNPACK.format("lz4 -d")),
    (b"\xfd7zXZ\x00", "packed by xz: " + _UNPACK.format("xz -d")),
    (b"BZh", "packed by bzip2: " + _UNPACK.format("bzip2 -d")),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: " + _UNPACK.format("7z x")),
    (b"PK\x03\x04", "a zip archive: " + _UNPACK.format("unzip")),
    (b"\x1f\x8b", "packed by gzip twice: " + _UNPACK.format("gzip -d")),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
    (b"filedesc:", "an ARC file, the form before WARC: convert it first (warcio recompress)"),
    (b"\xff\xfe", "text in UTF-16: convert it first (iconv -f utf-16 -t utf-8)"),
    (b"\xfe\xff", "text in UTF-16: convert it first (iconv -f utf-16 -t utf-8)"),
    (b"[\0", "text in UTF-16: convert it first (iconv -f utf-16le -t utf-8)"),
    (b"{\0", "text in UTF-16: convert it first (iconv -f utf-16le -t utf-8)"),
    (b"version https://", "a pointer of Git LFS in its place: fetch the file (git lfs pull)"),
    (b"<!", "an HTML or XML page, such as a server's error: fetch the file again"),
    (b"<html", "an HTML page, such as a server's error: fetch the file again"),
    (b"<?xml", "an XML file, such as a store's error: fetch the file again"),
)


def foreign(head: bytes) -> str:
    """What a file is whose first bytes are given, and what to do with it; empty where they tell nothing.

    Args:
        head: Some 16 bytes; of a gzip file those that it holds, unless it is not expected to be one.
    """
    lowered = head.lstrip()[:16].lower()
    return next((name for magic, name in _FORMS if head.startswith(magic) or lowered.startswith(magic)), "")
