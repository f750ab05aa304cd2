"""Common Crawl: ``wet.paths.gz`` of each crawl; a unit is a run of as many files as are deduplicated together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.units import RawFile, Unit
from pipeline.recipe import at_least
from sources.commoncrawl.listing import COMMON_CRAWL, crawl_files


@dataclass(frozen=True)
class CommonCrawlCrawls:
    """Crawls of Common Crawl.

    Attributes:
        crawls: Their names, such as CC-MAIN-2019-30; each is a stratum.
        url: Where ``crawl-data/`` lies: https://, or s3://commoncrawl/ for machines in its region.
        scope_files: Files of a unit: as many as the source's ``dedup.scope_files``, with ``dedup.scope: files``.
    """

    crawls: tuple[str, ...]
    url: str = COMMON_CRAWL
    scope_files: int = 50

    def __post_init__(self) -> None:
        at_least(self, 1, "scope_files")

    def check(self) -> None:
        """Nothing asks for leave."""

    def units(self, cache: Path) -> Iterator[Unit]:
        """Runs of consecutive files, in the order of their names; what is left over of a crawl is made by itself.

        Raises:
            FetchError: A crawl is not there, or its list cannot be had.
        """
        for crawl in self.crawls:
            urls = sorted(crawl_files(crawl, base_url=self.url, cache_dir=cache))
            for start in range(0, len(urls), self.scope_files):
                run = urls[start : start + self.scope_files]
                files = tuple(RawFile(url) for url in run)
                yield Unit(f"{crawl}/{start:06d}", crawl, files, alone=len(run) < self.scope_files)
