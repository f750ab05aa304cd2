"""Loss and bits per byte on held-out shards, by source."""

import argparse
import json
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainer_bridge.attention import document_mask
from trainer_bridge.checkpoint import latest_checkpoint, load_model, read_info, run_of
from trainer_bridge.config import DataConfig, ModelConfig
from trainer_bridge.errors import TrainerError
from trainer_bridge.loader import Batch, Samples
from trainer_bridge.loss import source_totals
from trainer_bridge.metrics import finite
from trainer_bridge.model import Transformer
from trainer_bridge.origin import stored_tokenizer
from trainer_bridge.parallel import World, compute_dtype
from trainer_bridge.remote import local_shards
from trainer_bridge.shards import Manifest
from trainer_bridge.vocabulary import Vocabulary, check_is, find_tokenizer

# Rows as they lie on disk: one block, and windows of a single row.
IN_ORDER = DataConfig(shuffle_block=2**62, shuffle_window=1)


@dataclass(frozen=True)
class Score:
    """Sums over the predicted tokens of one source.

    Attributes:
        nats: sum of the losses.
        tokens: predicted tokens.
        bytes: of text that these tokens stand for; 0 where no tokenizer is known.
    """

    nats: float
    tokens: int
    bytes: int

    def report(self) -> dict[str, float | int | None]:
        """Loss per token, and bits per byte of text, which does not depend on the tokenizer; None: not finite."""
        values: dict[str, float | int | None] = {"loss": finite(self.nats / self.tokens), "tokens": self.tokens}
        if self.bytes:
            values |= {"bits_per_byte": finite(self.nats / math.log(2) / self.bytes), "bytes": self.bytes}
        return values


def target_bytes(batch: Batch, vocabulary: Vocabulary, bos: int | None) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Bytes of text behind each target [B, T]; the space that the tokenizer puts before a document counts 0."""
    counts, spaced = vocabulary.byte_counts, vocabulary.begins_with_space
    result = counts[batch.ids]
    owner = np.repeat(np.arange(len(batch.rows)), batch.segments.counts)
    starts = batch.segments.starts
    if bos is None:  # a segment at 0 may run on from the row before
        inner = starts > 0
        rows, columns = owner[inner], starts[inner]
    else:
        rows, columns = np.nonzero(batch.ids[:, :-1] == bos)
        columns = columns + 1
    result[rows, columns] -= spaced[batch.ids[rows, columns]]
    return result[:, 1:]


@torch.no_grad()
def evaluate(
    model: Transformer,
    samples: Samples,
    data: DataConfig,
    vocabulary: Vocabulary | None,
    batch: int,
    limit: int | None,
    world: World | None = None,
) -> dict[str, Score]:
    """Scores every row once.

    Args:
        model: in evaluation mode.
        samples: held-out shards, in any order.
        data: document mask and targets as in training.
        vocabulary: for bytes, or None.
        batch: rows at a time.
        limit: rows to score, from the first on; None: all.
        world: ranks that share the rows, and may share the weights; None: this process alone.

    Returns:
        The score of each source that has any targets, then ``all``; targets whose loss is off count nowhere.

    Raises:
        TrainerError: there is no target at all.
    """
    manifest = samples.reader.manifest
    device = model.rope.device
    world = world or World(0, 1, device, None)
    totals = torch.zeros(3, len(manifest.sources), dtype=torch.float64, device=device)
    rows = min(manifest.rows, limit or manifest.rows)
    starts = range(0, rows, batch)
    # All ranks take part in each forward pass: one that has no batch left computes the last one, and does not count it.
    for first in range(0, len(starts), world.data_ranks):
        number = first + world.data_rank
        start = starts[min(number, len(starts) - 1)]
        part = samples.batch(start, min(start + batch, rows))
        targets = torch.from_numpy(part.targets(data.predict_across_documents)).long().to(device)
        sources = torch.from_numpy(part.sources[:, 1:]).long().to(device)
        inputs = torch.from_numpy(part.ids[:, :-1]).to(device)
        documents = torch.from_numpy(part.documents[:, :-1]).to(device)
        own, own_sources = world.own_positions(targets), world.own_positions(sources)
        _, losses = model(inputs, own, document_mask(documents) if data.document_mask else None)
        if number >= len(starts):
            continue
        totals[:2] += source_totals(losses, own, own_sources, len(manifest.sources))
        if vocabulary is not None:
            counted = torch.from_numpy(target_bytes(part, vocabulary, manifest.bos)).to(device)
            own_bytes = world.own_positions(counted).double()
            totals[2] += source_totals(own_bytes, own, own_sources, len(manifest.sources))[0]
    totals = world.sum(totals)
    scores = {
        name: Score(n, int(t), int(b)) for name, (n, t, b) in zip(manifest.sources, totals.T.tolist(), strict=True) if t
    }
    nats, tokens, size = totals.sum(1).tolist()
    if not tokens:
        raise TrainerError(f"{samples.reader.folder}: the loss is off for all of its ids, so there is nothing to score")
    return {**scores, "all": Score(nats, int(tokens), int(size))}


def check_fits(manifest: Manifest, config: ModelConfig, tokenizer_sha256: str | None) -> None:
    """Raises TrainerError where a model cannot read shards; its tokenizer may be unknown."""
    if tokenizer_sha256 not in (None, manifest.tokenizer_sha256):
        raise TrainerError("these shards were made with another tokenizer than the run's")
    if manifest.vocab_size != config.vocab or manifest.seq_len > config.context:
        raise TrainerError(
            f"the shards have {manifest.vocab_size} ids and {manifest.seq_len} positions, the model "
            f"{config.vocab} and {config.context}"
        )


def _known_vocabulary(given: str | None, folders: Iterable[Path], sha256: str) -> Vocabulary | None:
    """The shards' tokenizer, checked against their manifest; None where none is to be found."""
    path = find_tokenizer(given, *folders)
    if path is None:
        return None
    vocabulary = Vocabulary(path)
    check_is(path, sha256, "the shards")
    return vocabulary


def _line(name: str, report: dict[str, float | int | None]) -> str:
    values = (f"{key} {'not finite' if value is None else _number(value)}" for key, value in report.items())
    return f"{name:>16}  {'  '.join(values)}\n"


def _number(value: float) -> str:
    return f"{value:,.4f}".rstrip("0").rstrip(".")


def run(options: argparse.Namespace) -> None:
    """Scores held-out shards: a table on stderr, JSON on stdout."""
    checkpoint = latest_checkpoint(options.run)
    info = read_info(checkpoint)
    data = local_shards(options.data)
    samples = Samples(IN_ORDER, data)
    manifest = samples.reader.manifest
    vocabulary = _known_vocabulary(options.tokenizer, (checkpoint, run_of(checkpoint), data), manifest.tokenizer_sha256)
    trained = info["config"].get("data", {})
    choices = {key: trained[key] for key in ("document_mask", "predict_across_documents") if key in trained}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(options.run, device, compute_dtype("auto", device))
    check_fits(manifest, model.config, stored_tokenizer(info))
    scores = evaluate(model, samples, DataConfig(**choices), vocabulary, options.batch, options.limit)
    report = {name: score.report() for name, score in scores.items()}
    for name, values in report.items():
        sys.stderr.write(_line(name, values))
    sys.stdout.write(json.dumps({"step": info["step"], "scores": report}) + "\n")
