"""Rows of dumps to raw files: exports of BigQuery, The Stack's columns, and others that call theirs alike.

BigQuery's ``github_repos``: content, repo_name, path, license, size, binary, ref, id, symlink_target. The Stack v1:
content, max_stars_repo_name, max_stars_repo_path, max_stars_repo_licenses, max_stars_repo_head_hexsha, hexsha, size.
The Stack v2, where its contents were joined to it: content, repo_name, path, detected_licenses, revision_id, blob_id,
length_bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from pipeline.corpus.document import Document, Refused
from pipeline.formats.json_lines import JsonRecord, read_json_lines
from pipeline.formats.parquet_rows import ParquetRow, read_parquet_rows
from sources.github.raw_file import FileReader, RawFile, is_commit

REPO = ("repo_name", "max_stars_repo_name", "repository_name", "repo")
PATH = ("path", "max_stars_repo_path")
LICENSE = ("license", "licenses", "max_stars_repo_licenses", "detected_licenses")
CONTENT = ("content", "code")
REF = ("ref", "max_stars_repo_head_hexsha", "revision_id", "commit", "branch_name")
BLOB = ("id", "hexsha", "blob_id", "sha")
SIZE = ("size", "length_bytes")
BINARY = ("binary",)
LINK = ("symlink_target",)
COLUMNS = (*REPO, *PATH, *LICENSE, *CONTENT, *REF, *BLOB, *SIZE, *BINARY, *LINK)

ESCAPED = 6  # bytes that JSON may make of one: \u001f
ROW_BYTES = 64 << 10  # of a row, beside its content


def read_rows(
    stream: BinaryIO, path: str, kind: str, reader: FileReader, counters: Counter[str]
) -> Iterator[Document | Refused]:
    """Reads a dump.

    Args:
        stream: The raw bytes.
        path: The dump's path.
        kind: ``json`` (lines, gzip or plain) or ``parquet``.
        reader: Makes documents of raw files.
        counters: The read step's counters.
    """
    rows: Iterator[Any]
    if kind == "json":
        rows = read_json_lines(stream, ESCAPED * reader.max_bytes + ROW_BYTES)
    else:
        rows = read_parquet_rows(stream, COLUMNS, reader.max_bytes + ROW_BYTES)
    for row in rows:
        if isinstance(row, (JsonRecord, ParquetRow)):
            counters["invalid_utf8"] += row.invalid_utf8
            raw = raw_file(row.value, path, row.offset, reader)
            yield reader.document(raw, counters) if isinstance(raw, RawFile) else raw
        elif row.reason in {"record_too_large", "too_large"}:
            yield Refused("too_large", row.message, path, row.offset, failed=False)
        else:
            yield Refused(row.reason, row.message, path, row.offset)


def raw_file(row: Mapping[str, Any], path: str, offset: int, reader: FileReader) -> RawFile | Refused:
    """The file in a row, or why there is none."""
    repo, name = _text(row, REPO), _text(row, PATH)
    if not repo or not name:
        wanting = " and no ".join(what for what, found in (("repository", repo), ("path", name)) if not found)
        there = ", ".join(sorted(map(str, row)))[:200]
        return Refused("missing_field", f"the row has no {wanting}; it has {there}", path, offset)
    content = _first(row, CONTENT)
    binary = _first(row, BINARY) in (True, "true")
    if binary or _first(row, LINK):
        reason = "binary" if binary else "link"
        return Refused(
            reason, f"{repo}/{name} is a {'binary file' if binary else 'symbolic link'}", path, offset, failed=False
        )
    if content is None and any(key in row for key in CONTENT):
        return Refused("no_content", f"{repo}/{name}: the dump has no contents of it", path, offset, failed=False)
    if not isinstance(content, str):
        return Refused("missing_field", f"{repo}/{name}: the row has no content that is text", path, offset)
    ref, blob, size = _text(row, REF), _text(row, BLOB), _first(row, SIZE)
    return RawFile(
        repo=repo,
        path=name,
        content=content,
        license=_license(_first(row, LICENSE), reader),
        file=path,
        offset=offset,
        size=_size(size),
        ref=ref.removeprefix("refs/heads/") if ref else None,
        blob=blob if blob and is_commit(blob) else None,
        hosted=True,
    )


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    """The first value of those names that is there."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def _text(row: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    value = _first(row, names)
    return value if isinstance(value, str) else None


def _size(value: Any) -> int | None:
    """A size; BigQuery writes integers as JSON strings."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62 else None


def _license(value: Any, reader: FileReader) -> str | None:
    """The licence of a row; of a list all hold."""
    if isinstance(value, list):
        texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in value]
        return reader.gate.all_of([one for one in texts if isinstance(one, str)])
    return value if isinstance(value, str) else None
