"""arXiv's identifiers, in the forms that they have in file names.

Since April 2007: ``0704.0001``, since 2015 with five digits: ``1501.00001``. Before: ``hep-th/9901001``, which in the
bulk tars is ``hep-th9901001``, and on disks ``hep-th_9901001`` or a folder and a file. Source: arXiv's page
"Understanding the arXiv identifier".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

import xxhash

FIRST_YEAR = 91  # arXiv's first paper is of August 1991
OTHER = "other"  # the month of what has no identifier
SUFFIXES = re.compile(r"(?:\.(?:tar|gz|tgz|tex|pdf|html?|ps))+\Z", re.I)
_MONTH = r"(?P<yymm>\d\d(?:0[1-9]|1[0-2]))"
_VERSION = r"(?:v(?P<version>[1-9]\d{0,2}))?"
_NEW = re.compile(rf"(?:arxiv[:_-]?)?{_MONTH}\.(?P<number>\d{{4,5}}){_VERSION}", re.I)
_OLD = re.compile(
    rf"(?:arxiv[:_-])?(?P<archive>[a-z]+(?:-[a-z]+)?)(?:\.[A-Z]{{2}})?[/_:]?{_MONTH}(?P<number>\d{{3}}){_VERSION}"
)


@dataclass(frozen=True)
class Identifier:
    """What a file's name says of the paper in it.

    Attributes:
        paper: arXiv's identifier, without version (``2005.99001``, ``cs/0002999``); where the name has none, a name
            made of the file's, with a hash of its place.
        yymm: Year and month of the first version; ``OTHER`` where the name has no identifier.
        version: Its version, None where the name gives none: then it was the newest when the file was made.
        is_arxiv: Whether the name has an identifier.
    """

    paper: str
    yymm: str
    version: int | None
    is_arxiv: bool

    @property
    def url(self) -> str | None:
        """The page of the paper."""
        return f"https://arxiv.org/abs/{self.paper}" if self.is_arxiv else None

    @property
    def created(self) -> datetime | None:
        """The first day of the month of its first version."""
        return month_start(self.yymm)


def identify(path: str, place: str = "") -> Identifier:
    """Reads the identifier in the path of a file, a folder, or a member of a tar.

    Args:
        path: The path, whose last part, or last two, may be an identifier.
        place: What makes the path unique, such as the tar that holds it.
    """
    parent, _, name = path.rstrip("/").rpartition("/")
    stem = SUFFIXES.sub("", name) or name
    archive = parent.rpartition("/")[2]
    for text in (stem, f"{archive}/{stem}"):
        if found := _NEW.fullmatch(text):
            return _identifier(found, f"{found['yymm']}.{found['number']}")
        if found := _OLD.fullmatch(text):
            return _identifier(found, f"{found['archive']}/{found['yymm']}{found['number']}")
    digest = xxhash.xxh3_64_hexdigest(f"{place}!{path}".encode("utf-8", "surrogatepass"))[:8]
    return Identifier(f"{stem}-{digest}", OTHER, None, False)


def is_member(name: str) -> bool:
    """Whether a name is that of a submission in a bulk tar; no file within a submission is called so."""
    return name.lower().endswith((".gz", ".pdf")) and identify(name).is_arxiv


def _identifier(found: re.Match[str], paper: str) -> Identifier:
    return Identifier(paper, found["yymm"], int(found["version"]) if found["version"] else None, True)


def month_start(yymm: str) -> datetime | None:
    """The first day of a month that is written as in identifiers; None for ``OTHER``."""
    if yymm == OTHER:
        return None
    year = int(yymm[:2])
    return datetime(1900 + year if year >= FIRST_YEAR else 2000 + year, int(yymm[2:]), 1, tzinfo=timezone.utc)
