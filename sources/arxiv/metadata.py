"""arXiv's metadata of papers: title, categories, licence, version, from the JSON lines that arXiv gives out on Kaggle.

The file has a line of about 1.7 kB for each of arXiv's papers, 4 GB in all. It is read once before a run, and what is
needed of the papers of the months at hand is put aside month by month, 32 MB of it held at a time; a worker then holds
the papers of one month, about 20,000 of 300 bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson
import xxhash

from pipeline.corpus.shard import WORK
from pipeline.errors import InputError
from pipeline.formats.inflate import inflated
from pipeline.storage.filesystem import COPY_CHUNK, delete_files, join, list_names, open_input, read_bytes, write_bytes
from sources.arxiv.identifiers import identify

LINE_BYTES = 4 << 20  # a longer line is none of the file's
HELD_BYTES = 32 << 20  # put aside at a time
_TOO_LONG = b"?"
_FOLDER = "metadata"
_READ_BYTES = 1 << 20
_VERSION = re.compile(r"v([1-9]\d{0,2})")


class Record(NamedTuple):
    """What arXiv says of a paper; ``version`` is the newest one's number, which the licence is of."""

    title: str | None
    categories: str | None
    license: str | None
    version: int | None


class Preparation(NamedTuple):
    """What putting aside gave: papers put aside, papers of other months, lines that are no record."""

    papers: int
    others: int
    bad: int


def metadata_digest(path: str, cache: Path | None) -> dict[str, Any]:
    """Bytes and checksum of a metadata file, for the configuration.

    Raises:
        InputError: It cannot be read, or is a zip.
    """
    digest, size = xxhash.xxh3_128(), 0
    try:
        with open_input(path, cache) as handle:
            while chunk := handle.read(COPY_CHUNK):
                if not size and chunk.startswith(b"PK\x03\x04"):
                    raise InputError(f"--metadata {path} is a zip: unzip it, and give the .json in it")
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise InputError(f"--metadata {path} cannot be read: {error}") from error
    return {"bytes": size, "xxh3_128": digest.hexdigest()}


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, plain or gzip; one longer than ``LINE_BYTES`` comes as a question mark."""
    window = inflated(stream)
    rest, is_long = b"", False
    while data := window.take(_READ_BYTES):
        *lines, last = data.split(b"\n")
        if lines:
            yield _TOO_LONG if is_long else rest + lines[0]
            yield from lines[1:]
            rest, is_long = last, False
        else:
            rest += last
        if len(rest) > LINE_BYTES:
            rest, is_long = b"", True
    if rest or is_long:
        yield _TOO_LONG if is_long else rest


def prepare_metadata(path: str, root: str, months: Set[str], cache: Path | None) -> Preparation:
    """Puts aside what is needed of the papers of some months.

    Args:
        path: The metadata file.
        root: The source's folder.
        months: The months (yymm).
        cache: The cache folder for fetched files.
    """
    folder = join(root, WORK, _FOLDER)
    delete_files(
        [join(folder, f"{name}.json") for name in list_names(folder, ".json") if name.rpartition("-")[0] in months]
    )
    held: dict[str, list[bytes]] = {}
    size = papers = others = bad = part = 0
    with open_input(path, cache) as stream:
        for line in lines_of(stream):
            found = _read_record(line)
            if found is None:
                bad += bool(line.strip())
                continue
            paper, month, record = found
            if month not in months:
                others += 1
                continue
            row = orjson.dumps([paper, *record])
            held.setdefault(month, []).append(row)
            papers += 1
            size += len(row)
            if size > HELD_BYTES:
                _put_aside(root, held, part)
                held, size, part = {}, 0, part + 1
    _put_aside(root, held, part)
    return Preparation(papers, others, bad)


def _put_aside(root: str, held: dict[str, list[bytes]], part: int) -> None:
    for month, rows in held.items():
        write_bytes(join(root, WORK, _FOLDER, f"{month}-{part:05d}.json"), b"[" + b",\n".join(rows) + b"]")


def _read_record(line: bytes) -> tuple[str, str, Record] | None:
    """The identifier and the month of a paper, and what is said of it; None for a line that is no record."""
    try:
        data = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(data, dict) or not isinstance(data.get("id"), str):
        return None
    found = identify(data["id"])
    if not found.is_arxiv:
        return None
    versions = data.get("versions")
    last = versions[-1] if isinstance(versions, list) and versions else None
    number = _VERSION.fullmatch(str(last.get("version"))) if isinstance(last, dict) else None
    record = Record(
        _text(data.get("title")), _text(data.get("categories")), _text(data.get("license")), number and int(number[1])
    )
    return found.paper, found.yymm, record


def _text(value: object) -> str | None:
    """A value's text on one line, None where it has none."""
    return " ".join(value.split()) or None if isinstance(value, str) else None


class MetadataReader:
    """Looks papers up; holds one month."""

    def __init__(self, root: str) -> None:
        self._folder = join(root, WORK, _FOLDER)
        self._month = ""
        self._records: dict[str, Record] = {}

    def get(self, paper: str, month: str) -> Record | None:
        """What arXiv says of a paper of a month."""
        if month != self._month:
            self._month, self._records = month, {}
            for name in sorted(n for n in list_names(self._folder, ".json") if n.startswith(f"{month}-")):
                rows = json.loads(read_bytes(join(self._folder, f"{name}.json")))
                self._records.update({row[0]: Record(*row[1:]) for row in rows})
        return self._records.get(paper)
