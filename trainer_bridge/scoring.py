"""Scores documents one by one, each for itself: see ``trainer_bridge.score``."""

import argparse
import csv
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from trainer_bridge.checkpoint import latest_checkpoint, list_checkpoints, load_model, read_info, run_of, step_of
from trainer_bridge.errors import TrainerError
from trainer_bridge.loss import IGNORE
from trainer_bridge.model import Transformer
from trainer_bridge.origin import stored_tokenizer
from trainer_bridge.parallel import compute_dtype
from trainer_bridge.score import COLUMNS
from trainer_bridge.vocabulary import NAME, Vocabulary, check_is, find_tokenizer

DIGITS = 6  # of nats behind the point
LOG_SECONDS = 10.0


@dataclass(frozen=True)
class Document:
    """A text to score.

    Attributes:
        id: what it is called.
        source: where it is from; empty where the file does not say.
        text: what is predicted.
    """

    id: str
    source: str
    text: str


@dataclass(frozen=True)
class Score:
    """Sums over a document's tokens: how many, the bytes of its text in UTF-8, and the losses."""

    tokens: int
    bytes: int
    nats: float


def read_documents(path: Path) -> list[Document]:
    """The documents of a Parquet file with the columns ``id`` and ``text``, and ``source`` where it has it.

    Raises:
        TrainerError: it cannot be read, or lacks a column.
    """
    try:
        names = pq.read_schema(path).names
        lacking = [name for name in ("id", "text") if name not in names]
        if lacking:
            raise TrainerError(f"{path} has no column {lacking[0]}: give a Parquet file of documents, with id and text")
        table = pq.read_table(path, columns=["id", "text", *(["source"] if "source" in names else [])])
    except (OSError, pa.ArrowException) as error:
        raise TrainerError(f"{path} cannot be read as Parquet: {error}") from error
    rows = table.to_pylist()
    return [Document(str(row["id"]), str(row.get("source") or ""), row["text"] or "") for row in rows]


def windows(ids: Sequence[int], length: int) -> Iterator[NDArray[np.int64]]:
    """The ids of a document in windows of at most ``length`` predictions, each from the last id of the one before.

    Args:
        ids: begin-of-sequence first.
        length: predictions of a window.
    """
    for start in range(0, len(ids) - 1, length):
        yield np.array(ids[start : start + length + 1], np.int64)


@torch.inference_mode()
def score(
    model: Transformer, vocabulary: Vocabulary, documents: Sequence[Document], window: int, batch: int
) -> list[Score]:
    """Scores documents, each for itself.

    Args:
        model: in evaluation mode.
        vocabulary: the model's tokenizer.
        documents: in any order.
        window: tokens predicted in one piece, from the beginning of a document on.
        batch: windows at a time, those of like length together.

    Returns:
        A score for each document, in their order.
    """
    encoded = [vocabulary.encode(document.text) for document in documents]
    pieces = [(number, piece) for number, ids in enumerate(encoded) for piece in windows(ids, window)]
    pieces.sort(key=lambda item: len(item[1]))
    nats, device = np.zeros(len(documents)), model.output.weight.device
    told = time.monotonic()
    for start in range(0, len(pieces), batch):
        part = pieces[start : start + batch]
        inputs, targets = _padded([piece for _, piece in part])
        _, losses = model(inputs.to(device), targets.to(device))
        sums = losses.double().sum(1).cpu().numpy()
        np.add.at(nats, [number for number, _ in part], sums)
        if time.monotonic() - told > LOG_SECONDS:
            told = time.monotonic()
            sys.stderr.write(f"{start + len(part):,} of {len(pieces):,} windows\n")
    return [
        Score(len(ids) - 1, len(document.text.encode()), float(value))
        for ids, document, value in zip(encoded, documents, nats, strict=True)
    ]


def _padded(pieces: Sequence[NDArray[np.int64]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows as inputs and targets [B, T]: what stands behind a shorter one is seen by none of its tokens."""
    longest = max(map(len, pieces)) - 1
    inputs = torch.zeros(len(pieces), longest, dtype=torch.int64)
    targets = torch.full((len(pieces), longest), IGNORE, dtype=torch.int64)
    for row, piece in enumerate(pieces):
        inputs[row, : len(piece) - 1] = torch.from_numpy(piece[:-1])
        targets[row, : len(piece) - 1] = torch.from_numpy(piece[1:])
    return inputs, targets


def score_checkpoint(checkpoint: Path, documents: Sequence[Document], window: int | None, batch: int) -> list[Score]:
    """Scores documents with the model of a checkpoint and its run's tokenizer.

    Raises:
        TrainerError: the tokenizer is not there, or another one; or the window is longer than the model's context.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    info = read_info(checkpoint)
    if threads := info["config"].get("run", {}).get("threads"):
        torch.set_num_threads(threads)  # those that it trained with: the sums are the same on any number of cores
    model = load_model(checkpoint, device, compute_dtype("auto", device))
    tokenizer = find_tokenizer(None, checkpoint, run_of(checkpoint)) or run_of(checkpoint) / NAME
    check_is(tokenizer, stored_tokenizer(info), str(checkpoint))
    vocabulary = Vocabulary(tokenizer)
    length = window or model.config.context
    if not 1 <= length <= model.config.context:
        raise TrainerError(f"--window must lie between 1 and the model's context of {model.config.context}")
    return score(model, vocabulary, documents, length, batch)


def chosen_checkpoints(run: Path, steps: Sequence[int] | None) -> list[Path]:
    """The checkpoints of some steps; the newest where None.

    Raises:
        TrainerError: the run has none of a step.
    """
    if steps is None:
        return [latest_checkpoint(run)]
    there = {step_of(checkpoint): checkpoint for checkpoint in list_checkpoints(run)}
    if lacking := [step for step in steps if step not in there]:
        raise TrainerError(
            f"{run} has no checkpoint of step {lacking[0]}, but of {', '.join(map(str, there)) or 'none'}"
        )
    return [there[step] for step in steps]


def rows_of(run: Path, documents: Sequence[Document], options: argparse.Namespace) -> Iterator[list[object]]:
    """The rows of a run: for each checkpoint a row for each document."""
    for checkpoint in chosen_checkpoints(run, options.steps):
        step = int(read_info(checkpoint)["step"])
        sys.stderr.write(f"{run}, step {step:,}: {len(documents):,} documents\n")
        scores = score_checkpoint(checkpoint, documents, options.window, options.batch)
        for document, found in zip(documents, scores, strict=True):
            nats = f"{found.nats:.{DIGITS}f}"
            yield [step, document.source, document.id, found.tokens, found.bytes, nats]


def write_scores(path: Path, rows: Iterator[list[object]]) -> None:
    """Writes a CSV file, which appears when it is whole."""
    partial = path.with_name(f".{path.name}.tmp")
    with partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    os.replace(partial, path)


def run(options: argparse.Namespace) -> None:
    """Writes a CSV file for each run, a row for each document of each checkpoint."""
    documents = read_documents(options.documents)
    for run, output in zip(options.run, options.output, strict=True):
        write_scores(output, rows_of(run, documents, options))
