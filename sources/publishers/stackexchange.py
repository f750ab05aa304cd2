"""StackExchange's dump in the Internet Archive: its item's list; a unit is a site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.units import Unit
from pipeline.errors import InputError
from pipeline.recipe import at_least
from sources.publishers.read import below, json_listing
from sources.publishers.wikimedia import METADATA, archive_files
from sources.wikipedia.addresses import ARCHIVE

_SITE = re.compile(r"(?P<site>[a-z0-9-]+(\.[a-z0-9-]+)*?\.[a-z0-9]+)(?P<table>-[A-Z][A-Za-z]+)?\.7z", re.I)


@dataclass(frozen=True)
class StackExchangeDump:
    """The dump of all sites.

    Attributes:
        item: The archive's item.
        largest: So many sites are listed, those with the largest archives (the paper: 28). Sites about sites are left
            out.
        sites: The sites by name, in place of those.
        url: Where the item's files are fetched from.
        metadata: Where the archive lists them.
    """

    item: str = "stackexchange"
    largest: int = 28
    sites: tuple[str, ...] = ()
    url: str = ARCHIVE
    metadata: str = METADATA

    def __post_init__(self) -> None:
        at_least(self, 1, "largest")

    def check(self) -> None:
        """Nothing asks for leave."""

    def units(self, cache: Path) -> Iterator[Unit]:
        """The sites; of one that is cut by tables the archive with its posts.

        Raises:
            FetchError: The list cannot be had.
            InputError: It is none, or lacks a site.
        """
        listed = json_listing(below(self.metadata, self.item), cache).get("files")
        if not isinstance(listed, list):
            raise InputError(f"{below(self.metadata, self.item)} lists no files: is there an item {self.item}?")
        sites = {}
        for name, file in archive_files(below(self.url, self.item), listed).items():
            found = _SITE.fullmatch(name)
            if found and (found["table"] or "-Posts").lower() == "-posts":
                sites[found["site"].lower()] = file
        if lacking := [site for site in self.sites if site not in sites]:
            raise InputError(f"the item {self.item} has no archive of {lacking[0]}")
        main = [site for site in sites if ".meta." not in f".{site}" and not site.startswith("meta.")]
        by_size = sorted(main, key=lambda site: (-sites[site].bytes, site))
        for site in self.sites or sorted(by_size[: self.largest]):
            yield Unit(site, "stackexchange", (sites[site],))
