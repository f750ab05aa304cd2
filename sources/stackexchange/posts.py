"""A row as a post, and the licence that it is under."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from sources.stackexchange.rows import number

_SCORE = re.compile(r"-?\d{1,9}")
_TAG = re.compile(r"[^<>|]+")
LICENCE = "CC BY-SA"
# The first day of each version (stackoverflow.com/help/licensing), from the last on; before them all it is 2.5.
_VERSIONS = (("2018-05-02", "4.0"), ("2011-04-08", "3.0"))
_FIRST_VERSION = "2.5"


class Post(NamedTuple):
    """A question or an answer.

    Attributes:
        id: Its number on its site.
        offset: Where its row begins, in bytes of the unpacked ``Posts.xml``.
        html: Its body.
        score: Up-votes less down-votes; None where the row says no number.
        created: When, in ISO 8601; None where the row does not say.
        licence: Its licence, with the version.
        author: The user's number, else the name shown; None for neither.
    """

    id: int
    offset: int
    html: str
    score: int | None
    created: str | None
    licence: str
    author: str | None


def post_of(row: Mapping[str, str], offset: int) -> Post:
    """Reads a question's or an answer's row.

    Raises:
        MalformedRow: It has no id.
    """
    score = row.get("Score", "").strip()
    created = row.get("CreationDate") or None
    return Post(
        id=number(row, "Id"),
        offset=offset,
        html=row.get("Body", ""),
        score=int(score) if _SCORE.fullmatch(score) else None,
        created=created,
        licence=row.get("ContentLicense", "").strip() or licence_of(created),
        author=row.get("OwnerUserId") or row.get("OwnerDisplayName") or None,
    )


def licence_of(created: str | None) -> str:
    """The licence of what was written at a time."""
    if not created:
        return LICENCE
    version = next((version for first, version in _VERSIONS if created >= first), _FIRST_VERSION)
    return f"{LICENCE} {version}"


def tags_of(text: str) -> list[str]:
    """The tags of a question, as ``<a><b>`` or, since 2023, ``|a|b|``."""
    return _TAG.findall(text)


def in_order(answers: list[Post], accepted: int | None) -> list[Post]:
    """Answers from the highest score to the lowest, the accepted one first among equals, then by id.

    One without a score comes last.
    """
    return sorted(answers, key=lambda a: (a.score is None, -(a.score or 0), a.id != accepted, a.id))
