"""Measured rates: bytes of text and tokens for each second of one worker, from the manifests of real runs.

They lie in ``recipes/plan/rates.json``, which ``make bench`` writes from runs over made dumps; ``--corpus`` takes those
of the user's own runs instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.corpus.ledger import Ledger, total
from pipeline.corpus.shard import MANIFEST
from pipeline.errors import InputError
from pipeline.recipe import from_mapping
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import join, list_tree, read_bytes


@dataclass(frozen=True)
class SourceRate:
    """What runs of one source did.

    Attributes:
        raw_bytes: Bytes of raw input, as they lie on disk.
        read_bytes: Bytes of text that the read step took out of it.
        kept_characters: Characters of the text kept.
        parquet_bytes: Bytes of the documents' Parquet files.
        worker_seconds: Seconds of all workers together, all passes.
        peak_bytes: Memory of the largest worker.
    """

    raw_bytes: int
    read_bytes: int
    kept_characters: int
    parquet_bytes: int
    worker_seconds: float
    peak_bytes: int

    @property
    def read_per_second(self) -> float:
        """Bytes of text read that one worker brings to the end in a second, all passes."""
        return self.read_bytes / self.worker_seconds


@dataclass(frozen=True)
class StageRate:
    """What one stage of the mixture did: ``amount`` is bytes of text for encoding, tokens for writing."""

    amount: int
    worker_seconds: float
    peak_bytes: int

    @property
    def per_second(self) -> float:
        """Amount that one worker does in a second."""
        return self.amount / self.worker_seconds


@dataclass(frozen=True)
class Rates:
    """All rates, and the machine they were taken on."""

    machine: str = "unknown"
    sources: Mapping[str, SourceRate] = field(default_factory=dict)
    encode: StageRate | None = None
    write: StageRate | None = None

    def as_json(self) -> str:
        """The rates as they stand in a file."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"


def read_rates(path: str | Path) -> Rates:
    """Reads a file of rates.

    Raises:
        InputError: There is none, or it is damaged.
    """
    try:
        values = json.loads(read_bytes(str(path)))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the rates {path}: {error}; `make bench` writes them") from error
    return from_mapping(Rates, values, str(path))


def rates_of_corpus(corpus: str) -> dict[str, SourceRate]:
    """The rates of the runs whose outputs lie in a corpus folder, by source; those that wrote nothing are left out.

    Raises:
        InputError: There is no manifest in it, or one is damaged.
    """
    manifests = list(_manifests(corpus))
    if not manifests:
        raise InputError(f"{corpus} holds no SOURCE/{MANIFEST}; run a source into it first")
    rates = {str(manifest["source"]): _rate_of(manifest) for manifest in manifests}
    return {source: rate for source, rate in rates.items() if rate.read_bytes and rate.worker_seconds}


def _manifests(corpus: str) -> Iterator[dict[str, Any]]:
    """The manifests right below the sources' folders."""
    for path in sorted(list_tree(corpus, MANIFEST)):
        if path.count("/") != 1:
            continue
        place = join(corpus, path)
        try:
            yield json.loads(read_bytes(place))
        except ValueError as error:
            raise InputError(f"{place} is damaged: {error}") from error


def _rate_of(manifest: Mapping[str, Any]) -> SourceRate:
    ledger = Ledger()
    ledger.add_json(manifest["ledger"])
    return SourceRate(
        raw_bytes=sum(max(0, entry["bytes"]) for entry in manifest["inputs"]),
        read_bytes=ledger.step(READ_STEP).counters.get("text_bytes", 0),
        kept_characters=total(ledger.kept.values()).characters,
        parquet_bytes=sum(entry["bytes"] for entry in manifest["outputs"]),
        worker_seconds=manifest["timing"]["worker_seconds"],
        peak_bytes=manifest["timing"]["peak_bytes"],
    )
