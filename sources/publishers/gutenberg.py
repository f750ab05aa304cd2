"""Project Gutenberg: its catalogue, and a mirror of the texts that its site makes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.build.units import RawFile, Unit
from pipeline.errors import InputError
from sources.publishers.read import below, listing

COLUMNS = ("Text#", "Type", "Language")


@dataclass(frozen=True)
class GutenbergMirror:
    """Books of Project Gutenberg, one a unit.

    Attributes:
        catalog: The address of ``pg_catalog.csv.gz``.
        url: A mirror of ``cache/epub/``; the site itself asks robots to use one.
        languages: Codes; a book is listed whose languages are among them; all where empty.
    """

    catalog: str = "https://www.gutenberg.org/cache/epub/feeds/pg_catalog.csv.gz"
    url: str = "https://gutenberg.pglaf.org/cache/epub/"
    languages: tuple[str, ...] = ("en",)

    def check(self) -> None:
        """Nothing asks for leave."""

    def units(self, cache: Path) -> Iterator[Unit]:
        """The books; each is a file of its own.

        Raises:
            FetchError: The catalogue cannot be had.
            InputError: It is none.
        """
        text = listing(self.catalog, cache).decode("utf-8", "replace")
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise InputError(f"{self.catalog} is no catalogue of Project Gutenberg: it has no column {missing[0]}")
        for row in rows:
            number, languages = row["Text#"] or "", {code.strip() for code in (row["Language"] or "").split(";")}
            if (
                not number.isdecimal()
                or row["Type"] != "Text"
                or (self.languages and not languages <= {*self.languages})
            ):
                continue
            yield Unit(number, "gutenberg", (RawFile(below(self.url, f"{number}/pg{number}.txt")),))
