"""The names by which folders of token shards, and of token files, are known: without what reads them."""

from __future__ import annotations

from pipeline.storage.filesystem import exists, join

DOCUMENTS = "documents.parquet"
STATE = "state.json"
TOKEN_FILES = "_tokens"  # the folder of a corpus in which they lie unless another one is named


def is_shard_folder(root: str) -> bool:
    """Whether a folder holds token shards rather than a source."""
    return exists(join(root, STATE)) or exists(join(root, DOCUMENTS))
