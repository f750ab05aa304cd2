"""Plans the shards of dumps: a multistream dump is cut between its bzip2 streams, so that one file uses all workers.

The cuts come from the index beside the dump (lines ``offset:page id:title``, one offset for about 100 pages), and each
is checked to be the beginning of a stream. Where the index is missing, damaged, or another dump's, that is said, and
the dump is read as one shard.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from pipeline.corpus.shard import Scope, Shard, plan_shards
from pipeline.errors import InputError
from pipeline.storage.filesystem import InputFile, open_input
from sources.wikipedia.agreement import check_agreement
from sources.wikipedia.compressed import BZIP2_MAGIC_BYTES, BZIP2_STREAM, Damage, xml_pieces
from sources.wikipedia.head import DumpHead, dump_head, head_of
from sources.wikipedia.recipe import WikipediaRecipe

# enwiki-20220701-pages-articles-multistream1.xml-p1p41242.bz2; small wikis have neither number nor range.
_MULTISTREAM = re.compile(r"multistream(?P<number>\d*)\.xml(?P<range>-p\d+p\d+)?\.bz2$")
_INDEX = re.compile(r"multistream-index\d*\.txt(-p\d+p\d+)?(\.bz2)?$")
_ENTRY = re.compile(rb"^(\d{1,15}):\d+:", re.M)
_LONGEST_LINE = 64 << 10  # titles have up to 255 bytes

Say = Callable[[str], None]


class BadIndex(ValueError):
    """The index of a dump cannot be used; the message says why."""


@dataclass(frozen=True)
class Plan:
    """The scopes of a run, for each dump's path what its pages must be told, and what the user must be warned of."""

    scopes: list[Scope]
    heads: dict[str, DumpHead]
    warnings: list[str]


def plan_dumps(files: Sequence[InputFile], recipe: WikipediaRecipe, cache: Path | None, say: Say) -> Plan:
    """Plans the shards of dumps, and reads their heads.

    Args:
        files: The dumps; indexes among them are left out.
        recipe: The language, where it is said; the size of a shard; the scope of dedup.
        cache: The cache folder for fetched files.
        say: Told in a sentence where a dump is not cut for want of an index.

    Raises:
        InputError: There are only indexes, or dumps contradict what is said of them or one another.
    """
    dumps = dumps_of(files)
    heads = {file.path: read_head(file, recipe.language, cache) for file in dumps}
    warnings = check_agreement(heads, recipe.language)
    if not recipe.dedup.enabled:
        warnings += _warnings_without_dedup(heads)
    parts: list[InputFile] = []
    for file in dumps:
        try:
            parts += _cut(file, int(recipe.shard_megabytes * (1 << 20)), cache)
        except BadIndex as error:
            say(f"{file.path.rsplit('/', 1)[-1]} is read as one shard: {error}")
            parts.append(file)
    (scope,) = plan_shards(parts, "all", 1)
    return Plan(list(_scopes(scope, heads)) if recipe.dedup.scope == "language" else [scope], heads, warnings)


def _warnings_without_dedup(heads: dict[str, DumpHead]) -> Iterator[str]:
    for language, dumps in Counter(head.language for head in heads.values()).items():
        if language and dumps > 1:
            yield (
                f"dedup is off, and there is more than one dump of {language}: a page that two of them hold is written "
                "twice"
            )


def _scopes(scope: Scope, heads: dict[str, DumpHead]) -> Iterator[Scope]:
    languages: dict[str, list[Shard]] = {}
    for shard in scope.shards:
        language = heads[shard.inputs[0].path].language or "unknown"
        languages.setdefault(language, []).append(replace(shard, scope=language))
    for language in sorted(languages):
        yield Scope(language, tuple(languages[language]))


def dumps_of(files: Sequence[InputFile]) -> list[InputFile]:
    """The files that are dumps: all but the indexes beside them.

    Raises:
        InputError: There are only indexes.
    """
    dumps = [file for file in files if not _INDEX.search(file.path)]
    if not dumps:
        raise InputError(f"{files[0].path} is the index of a dump; give the dump, and leave the index beside it")
    return dumps


def read_head(file: InputFile, language: str | None, cache: Path | None) -> DumpHead:
    """The head of a dump; one that cannot be opened has none, and fails when its shard is read."""
    try:
        with open_input(file.path, cache) as handle:
            return dump_head(file, head_of(xml_pieces(handle)), language)
    except OSError:
        return dump_head(file, b"", language)


def index_path(path: str) -> str | None:
    """Where the index of a multistream dump lies: beside it; None for other dumps."""
    folder, slash, name = path.rpartition("/")
    found = _MULTISTREAM.search(name)
    if not found:
        return None
    index = f"multistream-index{found['number']}.txt{found['range'] or ''}.bz2"
    return f"{folder}{slash}{name[: found.start()]}{index}"


def _cut(file: InputFile, shard_bytes: int, cache: Path | None) -> list[InputFile]:
    """Cuts a multistream dump into parts of about so many bytes; any other file is one part.

    Raises:
        BadIndex: There is no index that fits.
    """
    index = index_path(file.path)
    if index is None or 0 <= file.size <= shard_bytes:
        return [file]
    try:
        with open_input(index, cache) as handle:
            offsets = stream_offsets(handle)
    except OSError as error:
        raise BadIndex(f"its index {index} cannot be read ({error})") from error
    try:
        with open_input(file.path, cache) as handle:
            size = handle.seek(0, os.SEEK_END)
            cuts = _cuts(offsets, size, shard_bytes)
            _check(handle, {*cuts, offsets[0], offsets[-1]}, index)
    except OSError:  # it is unreadable, or no file to seek in: that is told when its shard is read
        return [file]
    if not cuts:
        return [file]
    bounds = [0, *cuts, size]
    parts = [InputFile(file.path, end - start, start, end) for start, end in pairwise(bounds)]
    return [*parts[:-1], replace(parts[-1], end=None)]


def stream_offsets(stream: BinaryIO) -> list[int]:
    """The offsets of the streams that an index names, rising, each once.

    Raises:
        BadIndex: It is damaged, is empty, or is no index.
    """
    distinct: dict[bytes, None] = {}
    rest = b""
    for piece in xml_pieces(stream):
        if isinstance(piece, Damage):
            raise BadIndex("its index is damaged; fetch it again")
        lines, newline, rest = (rest + piece.data).rpartition(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise BadIndex("its index has lines that are no entries")
        distinct.update(_entries(lines + newline))
    distinct.update(_entries(rest + b"\n" if rest else b""))
    offsets = [int(digits) for digits in distinct]
    if not offsets:
        raise BadIndex("its index is empty")
    if any(first >= second for first, second in pairwise(offsets)):
        raise BadIndex("the offsets in its index do not rise")
    return offsets


def _entries(lines: bytes) -> dict[bytes, None]:
    found = _ENTRY.findall(lines)
    if len(found) != lines.count(b"\n"):
        raise BadIndex("its index has lines that are no entries")
    return dict.fromkeys(found)


def _cuts(offsets: Sequence[int], size: int, shard_bytes: int) -> list[int]:
    cuts, start = [], 0
    for offset in offsets:
        if offset - start >= shard_bytes and offset < size:
            cuts.append(offset)
            start = offset
    return cuts


def _check(handle: BinaryIO, offsets: set[int], index: str) -> None:
    for offset in sorted(offsets):
        handle.seek(offset)
        if not BZIP2_STREAM.fullmatch(handle.read(BZIP2_MAGIC_BYTES)):
            raise BadIndex(f"its index {index} does not fit: there is no bzip2 stream at byte {offset}")
