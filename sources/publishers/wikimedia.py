"""Wikimedia's dumps: ``dumpstatus.json`` of each wiki, or the Internet Archive's list of the dump's item.

The publisher keeps the dumps of the last months; the archive keeps those of all years, one item for each wiki and date.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.build.units import RawFile, Unit
from pipeline.errors import InputError
from pipeline.storage.fetch_errors import FetchError
from sources.publishers.read import below, json_listing, number
from sources.wikipedia.addresses import ARCHIVE, DUMPS, LLAMA
from sources.wikipedia.dumps import languages_of
from sources.wikipedia.head import database_of

METADATA = "https://archive.org/metadata/"
JOB = "articlesmultistreamdump"
_PART = re.compile(r"-pages-articles-multistream(?P<number>\d*)\.xml(?P<range>-p\d+p\d+)?\.bz2$")


@dataclass(frozen=True)
class WikimediaDumps:
    """Dumps of Wikipedias.

    Attributes:
        date: YYYYMMDD.
        languages: Their codes; ``llama20`` stands for the paper's twenty. Each is a stratum.
        dumps: The publisher's server, or a mirror.
        archive: Where the archive's items are fetched from.
        metadata: Where the archive lists them.
    """

    date: str
    languages: tuple[str, ...] = (LLAMA,)
    dumps: str = DUMPS
    archive: str = ARCHIVE
    metadata: str = METADATA

    def __post_init__(self) -> None:
        if not re.fullmatch(r"20\d{6}", self.date):
            raise ValueError(f"date must be a dump's date, such as '20220701', it is {self.date!r}")

    def check(self) -> None:
        """Nothing asks for leave."""

    def units(self, cache: Path) -> Iterator[Unit]:
        """The parts of each dump, with their indexes; a small wiki's dump is one.

        Raises:
            FetchError: Neither place has a wiki's dump.
        """
        for language in languages_of(",".join(self.languages)):
            wiki = database_of(language)
            files = self._files(wiki, cache)
            parts = {name: found for name in files if (found := _PART.search(name))}
            if any(found["range"] for found in parts.values()):  # beside the parts lies the whole again
                parts = {name: found for name, found in parts.items() if found["range"]}
            if not parts:
                raise InputError(f"the dump of {wiki} of {self.date} has no articles: is it finished?")
            for name, found in sorted(parts.items()):
                stem = name[: found.start()]
                index = f"{stem}-pages-articles-multistream-index{found['number']}.txt{found['range'] or ''}.bz2"
                beside = [replace(files[index], beside=True)] if index in files else []
                yield Unit(name, language, (files[name], *beside))

    def _files(self, wiki: str, cache: Path) -> dict[str, RawFile]:
        base = below(self.dumps, f"{wiki}/{self.date}")
        try:
            jobs = json_listing(f"{base}/dumpstatus.json", cache).get("jobs")
            found = (jobs.get(JOB) or {}).get("files") if isinstance(jobs, dict) else None
            if isinstance(found, dict) and found:
                return {name: _file(base, name, about) for name, about in found.items()}
        except FetchError as error:
            if error.status not in (403, 404, 410):
                raise
        item = f"{wiki}-{self.date}"
        listed = json_listing(below(self.metadata, item), cache).get("files")
        if not isinstance(listed, list) or not listed:
            raise InputError(
                f"there is no dump of {wiki} of {self.date}: not at {base}, and not as {item} in the archive"
            )
        return archive_files(below(self.archive, item), listed)


def archive_files(base: str, listed: Iterable[Any]) -> dict[str, RawFile]:
    """The files of an item of the Internet Archive, by name.

    Args:
        base: Where they are fetched from.
        listed: The entries of its metadata.
    """
    entries = [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
    return {entry["name"]: _file(base, entry["name"], entry) for entry in entries}


def _file(base: str, name: str, about: Mapping[str, Any]) -> RawFile:
    digest = next((f"{kind}:{about[kind]}" for kind in ("sha1", "md5") if about.get(kind)), None)
    return RawFile(below(base, name), number(about.get("size")), digest)
