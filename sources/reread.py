"""Reads records of a corpus once more from their raw files: what a document was before any step changed it.

``pipeline.inspect`` calls this by its name, since pipeline knows no source. Each source is built anew from the
configuration that its corpus was made by; only what its reader needs is put together, and no model is loaded.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.document import Document
from pipeline.errors import UserError
from pipeline.filesystem import InputFile, open_input
from pipeline.recipe import from_mapping
from pipeline.source import HashingReader, Source


class CannotReread(UserError):
    """The raw records cannot be had; the message says why."""


class _Place(NamedTuple):
    """What a source is built from."""

    recipe: Any
    configuration: Mapping[str, Any]
    root: str
    file: InputFile
    recorded: str  # the file's path when the corpus was made
    cache: Path | None


def reread(
    name: str,
    configuration: Mapping[str, Any],
    root: str,
    file: InputFile,
    wanted: Set[tuple[str, int]],
    recorded: str,
    cache: Path | None = None,
) -> dict[tuple[str, int], str]:
    """Reads raw records again.

    Args:
        name: The source's name.
        configuration: The configuration in its manifest.
        root: Its folder.
        file: The raw file, or the part of it that holds the records.
        wanted: Id and offset of the documents.
        recorded: The path that the file had when the corpus was made: some readers go by its name.
        cache: The cache folder for fetched files.

    Returns:
        The text of each document as the reader gave it to the first step; those not found are left out.

    Raises:
        CannotReread: The source has no reader for this, or the file cannot be opened.
    """
    build = _BUILDERS.get(name)
    if build is None:
        raise CannotReread(f"records of {name!r} cannot be read again one by one")
    settings = dict(configuration.get("recipe") or {})
    recipe = from_mapping(_class(f"sources.{name}.recipe", _RECIPES[name]), settings, f"the recipe of {name}")
    found: dict[tuple[str, int], str] = {}
    try:
        source = build(_Place(recipe, configuration, root, file, recorded, cache))
        with open_input(file.path, cache) as handle:
            handle.seek(file.start)
            reader = HashingReader(handle, None if file.end is None else file.end - file.start)
            named = InputFile(recorded, file.size, file.start, file.end)
            for item in source.read(reader, named, Counter()):  # type: ignore[arg-type]
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


def _class(module: str, name: str) -> Any:
    return getattr(importlib.import_module(module), name)


def _commoncrawl(place: _Place) -> Source:
    return _class("sources.commoncrawl.source", "CommonCrawl")(place.recipe)  # type: ignore[no-any-return]


def _c4(place: _Place) -> Source:
    origin = place.configuration.get("from", "wet")
    return _class("sources.c4.source", "C4")(place.recipe, origin)  # type: ignore[no-any-return]


def _wikipedia(place: _Place) -> Source:
    heads = importlib.import_module("sources.wikipedia.head")
    pieces = importlib.import_module("sources.wikipedia.compressed").xml_pieces
    with open_input(place.file.path, place.cache) as handle:
        head = heads.head_of(pieces(handle))
    known = heads.dump_head(InputFile(place.recorded, place.file.size), head, place.recipe.language)
    return _class("sources.wikipedia.source", "Wikipedia")(  # type: ignore[no-any-return]
        place.recipe, {place.recorded: known}
    )


def _books(place: _Place) -> Source:
    return _class("sources.books.source", "Books")(place.recipe, place.root)  # type: ignore[no-any-return]


def _arxiv(place: _Place) -> Source:
    plan = _class("sources.arxiv.plan", "plan_inputs")([place.file.path], 1, place.cache)
    tars = frozenset({place.recorded} if plan.tars else ())
    inputs = _class("sources.arxiv.versions", "Inputs")(tars, {})
    return _class("sources.arxiv.source", "Arxiv")(place.recipe, place.root, inputs)  # type: ignore[no-any-return]


_BUILDERS: Mapping[str, Callable[[_Place], Source]] = {
    "commoncrawl": _commoncrawl,
    "c4": _c4,
    "wikipedia": _wikipedia,
    "books": _books,
    "arxiv": _arxiv,
}
_RECIPES: Mapping[str, str] = {
    "commoncrawl": "CommonCrawlRecipe",
    "c4": "C4Recipe",
    "wikipedia": "WikipediaRecipe",
    "books": "BooksRecipe",
    "arxiv": "ArxivRecipe",
}
