"""What a source does with a list of removals: its records are refused as they are read, its texts at the end."""

from __future__ import annotations

from dataclasses import replace

from pipeline.corpus.document import Document, Refused, Reject
from pipeline.corpus.manifest import OPT_OUT
from pipeline.removals.matching import NONE, Removals
from pipeline.steps import READ_STEP, EachDocument

MESSAGE = "opted out"  # all that a reject says of a record that is listed


class DropListedTexts(EachDocument):
    """The last step of a source whose list has checksums of texts: drops the documents with such a text."""

    name = OPT_OUT
    keys = "optout"

    def __init__(self, removals: Removals) -> None:
        self._removals = removals

    def judge(self, document: Document) -> str | None:
        """Goes by the text that would be written."""
        return OPT_OUT if self._removals.of_text(document.text) != NONE else None


def without_listed(item: Document | Refused, removals: Removals, source: str, scope: str) -> Document | Refused:
    """A record as it was read, or what is left of one that is listed: its place.

    Args:
        item: The record.
        removals: The list.
        source: The source's name.
        scope: The scope of its shard.
    """
    if isinstance(item, Refused):
        return replace(item, message=MESSAGE) if removals.of_messages(source, scope) != NONE else item
    listed = removals.of_document(item) != NONE
    return Refused(OPT_OUT, MESSAGE, item.file, item.offset, failed=False) if listed else item


def written_reject(reject: Reject, removals: Removals) -> Reject | None:
    """A reject as it is written: without its text where that is listed; None for what the last step dropped.

    Args:
        reject: The reject.
        removals: The list.
    """
    if reject.step == reject.reason == OPT_OUT:
        return None
    document = reject.document
    if reject.step == READ_STEP or removals.of_text(document.text) == NONE:
        return reject
    return Reject(emptied(document.source, document.file, document.offset), reject.step, reject.reason)


def emptied(source: str, file: str, offset: int) -> Document:
    """What is left of a reject that is listed: the place of its record, by which it is named."""
    return Document(f"{file.rpartition('/')[2]}@{offset}", MESSAGE, source, file, offset)
