"""Reads records of a corpus once more from their raw files: what a document was before any step changed it.

``pipeline.inspect`` calls this by its name, since pipeline knows no source. Each source is built anew from the
configuration that its corpus was made by; only what its reader needs is put together, and no model is loaded.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.corpus.document import Document, Refused
from pipeline.errors import UserError
from pipeline.recipe import from_mapping
from pipeline.source import HashingReader, OpeningSource, Source
from pipeline.storage.filesystem import InputFile, open_input

Key = tuple[str, int]  # id and offset of a document
Rows = Mapping[Key, Mapping[str, Any]]  # its columns


class CannotReread(UserError):
    """The raw records cannot be had; the message says why."""


class Place(NamedTuple):
    """Where records are read again.

    Attributes:
        recipe: The source's recipe.
        configuration: The configuration in its manifest.
        root: Its folder.
        file: The raw file, or the part of it that holds the records.
        recorded: The path that the file had when the corpus was made: some readers go by its name.
        cache: The cache folder for fetched files.
    """

    recipe: Any
    configuration: Mapping[str, Any]
    root: str
    file: InputFile
    recorded: str
    cache: Path | None

    @property
    def named(self) -> InputFile:
        """The file, or part, by the path that it had."""
        return self.file if self.file.path == self.recorded else InputFile(self.recorded, *self._rest)

    @property
    def _rest(self) -> tuple[int, int, int | None]:
        return self.file.size, self.file.start, self.file.end


def reread(
    name: str,
    configuration: Mapping[str, Any],
    root: str,
    file: InputFile,
    wanted: Rows,
    recorded: str,
    cache: Path | None = None,
) -> dict[Key, str]:
    """Reads raw records again.

    Args:
        name: The source's name.
        configuration: The configuration in its manifest.
        root: Its folder.
        file: The raw file, or the part of it that holds the records.
        wanted: The documents.
        recorded: The path that the file had when the corpus was made.
        cache: The cache folder for fetched files.

    Returns:
        The text of each document as the reader gave it to the first step; those not found are left out.

    Raises:
        CannotReread: The source has no reader for this, or the file cannot be read.
    """
    if name not in _READERS:
        raise CannotReread(f"records of {name!r} cannot be read again one by one")
    recipe_class, read = _READERS[name]
    settings = dict(configuration.get("recipe") or {})
    found: dict[Key, str] = {}
    try:
        recipe = from_mapping(
            _get(f"sources.{_ROOMS.get(name, name)}.recipe", recipe_class), settings, f"the recipe of {name}"
        )
        for item in read(Place(recipe, configuration, root, file, recorded, cache), wanted):
            if isinstance(item, Document) and (item.id, item.offset) in wanted:
                found[item.id, item.offset] = item.text
                if len(found) == len(wanted):
                    break
    except (UserError, MemoryError):
        raise
    except Exception as error:  # the file has changed since it was read, in a way that its reader does not foresee
        reason = getattr(error, "strerror", None) or error
        raise CannotReread(f"{file.path} cannot be read as it was: {reason}") from error
    return found


def _get(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _records(source: Source, place: Place, file: InputFile) -> Iterator[Document | Refused]:
    """What a source's reader makes of a file, or of a part of one."""
    opened = (
        source.open_input(place.file, place.cache)
        if isinstance(source, OpeningSource)
        else open_input(place.file.path, place.cache)
    )
    with opened as handle:
        if place.file.start:
            handle.seek(place.file.start)
        reader = HashingReader(handle, None if place.file.end is None else place.file.end - place.file.start)
        yield from source.read(reader, file, Counter())  # type: ignore[arg-type]


def _commoncrawl(place: Place, _: Rows) -> Iterator[Document | Refused]:
    return _records(_get("sources.commoncrawl.source", "CommonCrawl")(place.recipe), place, place.named)


def _c4(place: Place, _: Rows) -> Iterator[Document | Refused]:
    source = _get("sources.c4.source", "C4")(place.recipe, place.configuration["from"])
    return _records(source, place, place.named)


def _github(place: Place, _: Rows) -> Iterator[Document | Refused]:
    return _records(_get("sources.github.source", "GitHub")(place.recipe, place.cache), place, place.file)


def _wikipedia(place: Place, _: Rows) -> Iterator[Document | Refused]:
    heads = importlib.import_module("sources.wikipedia.head")
    with open_input(place.file.path, place.cache) as handle:
        head = heads.head_of(_get("sources.wikipedia.compressed", "xml_pieces")(handle))
    known = heads.dump_head(place.named, head, place.recipe.language)
    source = _get("sources.wikipedia.source", "Wikipedia")(place.recipe, {place.recorded: known})
    return _records(source, place, place.named)


def _books(place: Place, _: Rows) -> Iterator[Document | Refused]:
    return _records(_get("sources.books.source", "Books")(place.recipe, place.root), place, place.named)


def _arxiv(place: Place, _: Rows) -> Iterator[Document | Refused]:
    plan = _get("sources.arxiv.plan", "plan_inputs")([place.file.path], 1, place.cache)
    inputs = _get("sources.arxiv.versions", "Inputs")(frozenset({place.recorded} if plan.tars else ()), {})
    source = _get("sources.arxiv.source", "Arxiv")(place.recipe, place.root, inputs)
    return _records(source, place, place.named)


def _stackexchange(place: Place, wanted: Rows) -> Iterator[Document | Refused]:
    return _threads(place, wanted, "stackexchange")


def _stackexchange_preferences(place: Place, wanted: Rows) -> Iterator[Document | Refused]:
    again = _get("sources.stackexchange.preferences", "pairs_again")
    pairs: dict[int, list[tuple[int, ...]]] = {}
    for row in wanted.values():
        pairs.setdefault(row["meta"]["question_id"], []).append(tuple(row["meta"]["answer_ids"]))
    for item in _threads(place, wanted, "stackexchange_preferences"):
        if isinstance(item, Document):
            yield from again(item, pairs[item.meta["question_id"]])


def _threads(place: Place, wanted: Rows, name: str) -> Iterator[Document | Refused]:
    """Threads from the rows of their questions and answers, which are read up to the last one of them."""
    meta = {row["meta"]["question_id"]: row["meta"] for row in wanted.values()}
    site = next(iter(meta.values()))["site"]
    last = max(offset for _, offset in wanted)
    last = max([last, *(offset for fields in meta.values() for offset in fields["answer_offsets"] or ())])
    limit = int(place.recipe.max_row_megabytes * (1 << 20))
    groups: dict[int, list[Any]] = {}
    posts = _get("sources.stackexchange.sites", "Site")(site, place.file)
    for line in _get("sources.stackexchange.dump", "read_lines")(posts, 0, None, limit, place.cache):
        if line.key in meta:
            groups.setdefault(line.key, []).append(line)
        if line.offset >= last:
            break
    joiner = _get("sources.stackexchange.join", "Joiner")(name, site, place.recorded, Counter())
    group_of = _get("sources.stackexchange.store", "Group")
    for key, lines in groups.items():
        ordered = sorted(lines, key=lambda line: (line.kind, line.offset))
        yield from joiner.join(group_of(key, ordered, len(lines), 0, ordered[0].offset))


def _instructions(place: Place, _: Rows) -> Iterator[Document | Refused]:
    source = _get("sources.instructions.source", "Instructions")(place.recipe, place.configuration["data_format"])
    return _records(source, place, place.named)


_ROOMS = {"stackexchange_preferences": "stackexchange"}  # of sources that share one with another
_READERS: Mapping[str, tuple[str, Callable[[Place, Rows], Iterator[Document | Refused]]]] = {
    "commoncrawl": ("CommonCrawlRecipe", _commoncrawl),
    "c4": ("C4Recipe", _c4),
    "github": ("GitHubRecipe", _github),
    "wikipedia": ("WikipediaRecipe", _wikipedia),
    "books": ("BooksRecipe", _books),
    "arxiv": ("ArxivRecipe", _arxiv),
    "stackexchange": ("StackExchangeRecipe", _stackexchange),
    "stackexchange_preferences": ("StackExchangeRecipe", _stackexchange_preferences),
    "instructions": ("InstructionsRecipe", _instructions),
}
