"""The definitions of templates that a dump holds: collected in a pass of their own, kept in a file for each language.

Template pages lie all over a dump, and a shard is a part of one; so a run cannot find them where it needs them.
``python -m sources.wikipedia.templates DUMP --definitions DIR`` reads the dump once before it, and writes those that
articles use inside prose and no table knows, with all that they call in their turn. The recipe names the folder.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from filters.wikitext import Definitions
from filters.wikitext.expansion import template_names
from filters.wikitext.template_table import exact_name
from pipeline.errors import InputError
from pipeline.storage.filesystem import join, open_input
from pipeline.storage.ownership import Owned, check_folder, visible_names

TEMPLATES = 10  # the number of the Template namespace (MediaWiki, includes/Defines.php)
MAX_PAGE = 100_000  # characters of a template's page that is held; longer ones are boxes, and documentation
COMMAND = "sources.wikipedia.templates"
_COMMAND = "python -m sources.wikipedia.templates DUMP --definitions DIR"


class Collected:
    """Template pages of one language, compressed: some 0.5 kB each, so 300 MB for the English edition."""

    def __init__(self) -> None:
        self._pages: dict[str, bytes] = {}

    def add(self, title: str, text: str) -> None:
        """Adds a page, by its title with the namespace before it; one that is too long is passed."""
        if len(text) <= MAX_PAGE:
            self._pages[exact_name(title.partition(":")[2])] = zlib.compress(text.encode("utf-8", "replace"), 1)

    def used(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yields these templates and those that they call, with their texts, in the order of their names."""
        wanted = [exact_name(name) for name in names]
        found: dict[str, str] = {}
        while wanted:
            name = wanted.pop()
            page = self._pages.get(name)
            if page is not None and name not in found:
                found[name] = zlib.decompress(page).decode()
                wanted += template_names(found[name])
        yield from sorted(found.items())


def check_definitions(folder: Path) -> Owned:
    """Tells whether a folder is the command's; one of a version without records has files of definitions alone."""

    def earlier(root: str) -> list[str] | None:
        names = visible_names(root)
        return names if names and all(_is_definitions(Path(root, name)) for name in names) else None

    return check_folder(str(folder), COMMAND, earlier)


def claim_definitions(folder: Path, languages: Iterable[str]) -> None:
    """Makes a folder the command's own, for the files of some languages.

    Raises:
        OutputError: It holds what the command did not write.
    """
    owned = check_definitions(folder)
    owned.claim()
    owned.expect(_file(language) for language in languages)


def _is_definitions(path: Path) -> bool:
    try:
        with gzip.open(path) as lines:
            first = lines.readline(MAX_PAGE) or b'{"name": 0, "text": 0}'
        return set(json.loads(first)) == {"name", "text"}
    except (OSError, EOFError, zlib.error, ValueError, TypeError):
        return False


def write_definitions(folder: Path, language: str, definitions: Iterable[tuple[str, str]]) -> Path:
    """Writes the file of one language; the same definitions give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _file(language)
    lines = (json.dumps({"name": name, "text": text}, ensure_ascii=False) + "\n" for name, text in definitions)
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
    return path


def read_definitions(folder: str, language: str) -> Definitions:
    """Reads the file of one language.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    path = join(folder, _file(language))
    try:
        rows = [json.loads(line) for line in gzip.decompress(_bytes(path)).decode().splitlines()]
        return Definitions({row["name"]: row["text"] for row in rows})
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no file of definitions ({error}); make it again with {_COMMAND}") from error


def checksums(folder: str, languages: Iterable[str]) -> Mapping[str, str]:
    """The SHA-256 of the files of these languages.

    Raises:
        InputError: One is not there.
    """
    found: dict[str, str] = {}
    for language in sorted(set(languages)):
        path = join(folder, _file(language))
        try:
            found[language] = hashlib.sha256(_bytes(path)).hexdigest()
        except OSError as error:
            raise InputError(f"templates.definitions: {path} cannot be read; make it with {_COMMAND}") from error
    return found


def _file(language: str) -> str:
    return f"{language}.jsonl.gz"


def _bytes(path: str) -> bytes:
    with open_input(path) as handle:
        return handle.read()
