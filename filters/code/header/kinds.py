"""The kinds of lines in a comment."""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What a line of a comment is."""

    BLANK = "nothing but marks"
    NOTICE = "part of a notice"
    ATTRIBUTION = "of authors, dates, file names"
    KEPT = "read by tools"
    TEXT = "anything else"
