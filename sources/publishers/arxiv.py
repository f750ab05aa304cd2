"""arXiv's bulk sources: the manifest of its bucket, whose reader pays; a unit is a month."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from pipeline.build.units import RawFile, Unit
from pipeline.errors import InputError
from sources.publishers.read import below, is_store, listing, number

BUCKET = "s3://arxiv/"
MANIFEST = "src/arXiv_src_manifest.xml"
_MONTH = re.compile(r"arXiv_src_(?P<yymm>\d{4})_\d+\.tar")
_DECLARATION = re.compile(rb"<!(DOCTYPE|ENTITY)", re.I)
OLDEST_YEAR = 91  # arXiv began in August 1991; smaller numbers are of this century


@dataclass(frozen=True)
class ArxivBucket:
    """arXiv's bulk tars of sources.

    Attributes:
        url: The bucket, or a mirror of it that is reached by http.
        requester_pays: Whether the bucket may bill this account for what is read of it. Nothing is read without.
        until: The last month, YYMM.
    """

    url: str = BUCKET
    requester_pays: bool = False
    until: str = "2212"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{4}", self.until):
            raise ValueError(f"until must be a month such as '2212', it is {self.until!r}")

    def check(self) -> None:
        """Refuses to read what is billed, unless that is allowed.

        Raises:
            InputError: It is not.
        """
        if is_store(self.url) and not self.requester_pays:
            raise InputError(
                f"{self.url} bills who reads it (about $0.09 a GB outside Amazon's region us-east-1), and that is not "
                "allowed. Set sources.arxiv.raw.requester_pays=true; or fetch tars yourself, and give them as raw: "
                "{publisher: files, input: [tars/]}; or leave arXiv out: --without arxiv."
            )

    def units(self, cache: Path) -> Iterator[Unit]:
        """The months; each decade is a stratum.

        Raises:
            FetchError: The manifest cannot be had.
            InputError: The bucket bills who reads, which is not allowed; or its manifest is none.
        """
        self.check()
        address = below(self.url, MANIFEST)
        months: dict[str, list[RawFile]] = {}
        for name, size, digest in _entries(listing(address, cache), address):
            found = _MONTH.fullmatch(name.rpartition("/")[2])
            if found and _years(found["yymm"]) <= _years(self.until):
                file = RawFile(below(self.url, name), number(size), f"md5:{digest}" if digest else None)
                months.setdefault(found["yymm"], []).append(file)
        for month, files in sorted(months.items(), key=lambda entry: _years(entry[0])):
            yield Unit(month, f"{_years(month) // 1000}", tuple(sorted(files, key=lambda file: file.url)))


def _entries(data: bytes, address: str) -> Iterator[tuple[str, str, str]]:
    if _DECLARATION.search(data):
        raise InputError(f"{address} declares entities, which a manifest does not")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise InputError(f"{address} is no manifest of arXiv's: {error}") from error
    for entry in root.iter("file"):
        yield (entry.findtext("filename") or "", entry.findtext("size") or "", entry.findtext("md5sum") or "")


def _years(yymm: str) -> int:
    """Year and month as a number that rises: 199108, 202212."""
    year = int(yymm[:2])
    return (1900 if year >= OLDEST_YEAR else 2000) * 100 + year * 100 + int(yymm[2:])
