"""What is kept of removals in a folder, in its ``_optout``: which lists were applied, which rows went of a file.

Layout::

    _optout/log.jsonl         a line for each list that was applied: the date, its checksum, what it took out
    _optout/<shard>.json      of a source: a shard's Parquet files before and after each list, and the rows that went
    _optout/pending/...       what is being done; gone when it is done (see pipeline.optout.journal)

No text is in any of them, nor an address or an id.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.corpus.shard import read_json
from pipeline.errors import OutputError
from pipeline.storage.filesystem import exists, join, list_names, read_bytes

FOLDER = "_optout"
LOG = "log.jsonl"
PENDING = "pending"
JOURNAL = ".journal"
BEGUN = "begun"  # the mark of a folder from which something is being taken out, till its manifest is new
UNDER_WAY = "under-way-"  # beside it: what the rest of the work must know of what is done, as of the pools of shards


@dataclass(frozen=True)
class Change:
    """What a list took out of one Parquet file of documents.

    Attributes:
        path: The file, below the source's folder.
        before: Its SHA-256 before.
        after: Its SHA-256 after; None where nothing of it is left.
        rows: The rows that went, as they were counted before.
        text_bytes: The bytes of their texts.
        list_sha256: The checksum of the list.
    """

    path: str
    before: str
    after: str | None
    rows: list[int]
    text_bytes: int
    list_sha256: str


def changes_path(root: str, shard: str) -> str:
    """Where the changes of a shard's files are recorded."""
    return join(root, FOLDER, f"{shard}.json")


def read_changes(root: str, shard: str) -> list[Change]:
    """The changes of a shard's files, in order; none where there was none.

    Raises:
        OutputError: The record is damaged.
    """
    path = changes_path(root, shard)
    if not exists(path):
        return []
    try:
        return [Change(**entry) for entry in read_json(path)["changes"]]
    except (KeyError, TypeError) as error:
        raise OutputError(
            f"{path} is damaged: {error!r}. Bring it back: by it token files and shards follow."
        ) from error


def changes_record(shard: str, changes: list[Change]) -> dict[str, Any]:
    """The record of a shard's changes, as it is written."""
    return {"shard": shard, "changes": [asdict(change) for change in changes]}


def changed_files(root: str) -> list[str]:
    """The shards of a source of which files changed."""
    return sorted(list_names(join(root, FOLDER), ".json"))


def later_changes(changes: list[Change], path: str, sha256: str) -> list[Change]:
    """What became of a file since it had a checksum, one change after the other; none where it is as it was."""
    found: list[Change] = []
    for change in changes:
        if change.path == path and change.before == (found[-1].after if found else sha256):
            found.append(change)
    return found


def is_pending(root: str) -> bool:
    """Whether removals from a folder were begun and not ended."""
    pending = join(root, FOLDER, PENDING)
    return exists(join(pending, BEGUN)) or bool(list_names(pending, JOURNAL))


def read_log(root: str) -> list[dict[str, Any]]:
    """The lines of a folder's log; none where there is none.

    Raises:
        OutputError: It is damaged.
    """
    path = join(root, FOLDER, LOG)
    if not exists(path):
        return []
    try:
        return [dict(json.loads(line)) for line in read_bytes(path).splitlines()]
    except (ValueError, TypeError) as error:
        raise OutputError(
            f"{path} is damaged: {error}. It must have a JSON object a line; mend or remove it."
        ) from error


def log_with(root: str, entry: dict[str, Any]) -> bytes:
    """A folder's log with one line more."""
    return "".join(f"{json.dumps(line)}\n" for line in (*read_log(root), entry)).encode()
