"""Verifies token files and the Parquet files that they were made of, by the checksums that were kept of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pipeline.corpus.manifest import READERS_REMOTE
from pipeline.corpus.shard import read_json
from pipeline.errors import OutputError
from pipeline.mix.rows import ShardFolder, store_of
from pipeline.mix.token_files import FORMAT, FORMAT_WITH_LOSS, Coding, TokenStore
from pipeline.source import HashingReader
from pipeline.storage.filesystem import exists, is_remote, join, list_tree, open_input

THREADS = 4


@dataclass(frozen=True)
class Sum:
    """A file and the checksum that it must have.

    Attributes:
        path: The file.
        sha256: Its checksum.
        cure: What to do where it has another one.
        needed: Whether it must be there.
    """

    path: str
    sha256: str
    cure: str
    needed: bool


def verify_inputs(folder: ShardFolder) -> list[str]:
    """The Parquet files of which shards were made, and their token files where they are still there.

    Returns:
        A sentence for each that changed.
    """
    store = store_of(folder)
    sums = []
    for file in folder.files:
        if not file.rows:  # nothing of it is left, as a list of removals asked
            continue
        place = join(folder.corpus, *file.path.split("/"))
        cure = "Bring back the file of which the shards were made, or make the shards anew in another folder"
        sums.append(Sum(place, file.sha256, cure, True))
        sums.append(_tokens(store, file.path, file.tokens_sha256))
    return check_sums(sums)


def verify_token_files(root: str, corpus: str) -> tuple[int, list[str]]:
    """All token files of a folder, and that the Parquet files are those of which they were made.

    Args:
        root: The folder, such as ``corpus/_tokens``.
        corpus: The corpus.

    Returns:
        The number of token files, and a sentence for each fault.
    """
    sums: list[Sum] = []
    faults: list[str] = []
    for name in list_tree(root, ".json"):
        path = join(root, *name.split("/"))
        try:
            sums += _sums_of(read_json(path), root, corpus)
        except (OutputError, KeyError, TypeError, AttributeError) as error:
            faults.append(f"{path} is damaged ({error}). Remove it: python -m pipeline.mix makes it again.")
    return len(sums) // 2, faults + check_sums(sums)


def _sums_of(stats: dict[str, Any], root: str, corpus: str) -> list[Sum]:
    if stats["format"] not in (FORMAT, FORMAT_WITH_LOSS) or stats["error"]:  # made again by the next run
        return []
    store = TokenStore(corpus, root, Coding.from_json(stats["coding"]))
    place = join(corpus, *stats["path"].split("/"))
    cure = "Its token file is of another one: python -m pipeline.mix makes that again"
    parquet = Sum(place, stats["sha256"], cure, False)
    return [parquet, _tokens(store, stats["path"], stats["tokens_sha256"])]


def _tokens(store: TokenStore, path: str, sha256: str) -> Sum:
    return Sum(store.tokens(path), sha256, "Remove it: python -m pipeline.mix makes it again", False)


def check_sums(sums: Iterable[Sum]) -> list[str]:
    """A sentence for each file that is not the one that it was."""
    listed = list(sums)
    remote = any(is_remote(entry.path) for entry in listed[:1])
    with ThreadPoolExecutor(READERS_REMOTE if remote else THREADS) as pool:
        return [fault for found in pool.map(lambda entry: list(_check(entry)), listed) for fault in found]


def _check(entry: Sum) -> Iterator[str]:
    if not exists(entry.path):
        if entry.needed:
            yield f"{entry.path} is missing. {entry.cure}; if the corpus was moved, give --corpus."
        return
    try:
        with open_input(entry.path) as handle:
            found = HashingReader(handle).finish()["sha256"]
    except OSError as error:
        yield f"{entry.path} cannot be read: {error}"
        return
    if found != entry.sha256:
        yield f"{entry.path} has changed: its sha256 is {found}, it was {entry.sha256}. {entry.cure}."
