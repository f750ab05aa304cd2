"""How much of a source a report reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How much of a source is read.

    Attributes:
        files: Parquet files opened.
        documents: Rows read of them, about.
        characters: Characters of text read, about.
        excerpts: Texts kept to be shown, for each group of them.
    """

    files: int = 48
    documents: int = 20_000
    characters: int = 48_000_000
    excerpts: int = 4
