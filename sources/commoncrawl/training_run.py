"""What the command does that trains the Wikipedia-reference classifier: join, sample, train, check, report."""

from __future__ import annotations

import argparse
import heapq
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rich.console import Console

from filters.commoncrawl.reference import TrainingError, TrainingReport, train_reference_model
from pipeline.corpus.manifest import CONFIGURATION
from pipeline.corpus.shard import Layout, plan_shards, write_json
from pipeline.engine import cli
from pipeline.engine.run import RunResult, run_source
from pipeline.errors import InputError, ModelError
from pipeline.recipe import load_recipe
from pipeline.storage.filesystem import exists, is_remote, join, list_names, open_input, write_bytes
from pipeline.storage.listing import match
from pipeline.storage.ownership import check_apart, claim_folder
from sources.commoncrawl.recipe import CommonCrawlRecipe
from sources.commoncrawl.run import inputs
from sources.commoncrawl.training_command import NEGATIVE_SHARE
from sources.commoncrawl.training_pages import NEGATIVE, POSITIVE, TrainingPages, hash_urls

COMMAND = "sources.commoncrawl.train_reference"
KEYS, MODEL, REPORT = NAMES = ("urls.npy", "reference.bin", "reference.json")
SMALL_INPUT_BYTES = 100 << 20
HISTOGRAM_WIDTH = 40


def run(args: argparse.Namespace, flags: Sequence[str], console: Console) -> RunResult:
    """Collects the pages and trains."""
    recipe = load_recipe(CommonCrawlRecipe, args.recipe, args.set)
    if is_remote(args.output):
        raise InputError("the classifier is trained on this machine: --output must be a local folder")
    files = inputs(args)
    check_apart(args.output, [file.path for file in files])
    claim_folder(args.output, COMMAND, _written_earlier).expect(NAMES)
    pages = TrainingPages(
        recipe, _write_keys(args), _share(args, sum(f.size for f in files)), args.seed, args.min_characters
    )
    result = run_source(
        pages,
        plan_shards(files, "files", 1),
        replace(cli.run_options(args, flags), command=COMMAND),
        console,
    )
    if result.part is None:
        print_report(train(result.layout, Path(args.output) / MODEL, args.seed), Console(highlight=False))
    return result


def next_commands(result: RunResult) -> list[str]:
    """What the user may type next."""
    folder = os.path.dirname(result.layout.root)
    return [f"python -m sources.commoncrawl --set reference.model={folder}/reference.bin --input ..."]


def _share(args: argparse.Namespace, size: int) -> float:
    if args.negatives is None:
        return 1.0 if 0 <= size < SMALL_INPUT_BYTES else NEGATIVE_SHARE
    if not 0 < args.negatives <= 1:
        raise InputError(f"--negatives must be above 0 and at most 1, it is {args.negatives}")
    return float(args.negatives)


def _write_keys(args: argparse.Namespace) -> str:
    """Writes the keys of the cited URLs beside the model, where the workers find them."""
    keys = hash_urls(_lines(args.urls))
    if len(keys) == 0:
        raise InputError(f"{', '.join(args.urls)}: no URL in it. Give text files with one URL a line.")
    path, buffer = str(Path(args.output) / KEYS), io.BytesIO()
    np.save(buffer, keys)
    write_bytes(path, buffer.getvalue())  # whole at once: parts that are at work read it
    return path


def _written_earlier(root: str) -> list[str] | None:
    """The names in a folder of a version without records: it has the keys and the pages, and may have the model."""
    there = [name for name in NAMES if exists(join(root, name))]
    return there if KEYS in there and exists(join(root, TrainingPages.name, CONFIGURATION)) else None


def _lines(patterns: Sequence[str]) -> Iterator[str]:
    for file in match(patterns):
        with open_input(file.path) as handle:
            for line in handle:
                yield line.decode("utf-8", "replace").strip()


def train(layout: Layout, model: Path, seed: int) -> TrainingReport:
    """Trains on equal numbers of positives and negatives, those with the smallest sample keys.

    Args:
        layout: The folder of the labelled pages.
        model: Where the model goes; its report lies beside it.
        seed: Of the split and the training.

    Raises:
        InputError: One side has no page, or too few.
        ModelError: fastText gave no usable model.
    """
    keys = {label: [key for key, _ in _pages(layout, label, ["meta"])] for label in (POSITIVE, NEGATIVE)}
    count = min(map(len, keys.values()))
    if count == 0:
        raise InputError(
            f"{len(keys[POSITIVE])} pages are cited by the URLs given, {len(keys[NEGATIVE])} others were sampled; both "
            "are needed. Give more WET files, more --urls, or a larger --negatives."
        )
    last = {label: heapq.nsmallest(count, found)[-1] for label, found in keys.items()}

    def texts(label: str) -> Iterator[str]:
        return (text for key, text in _pages(layout, label, ["meta", "text"]) if key <= last[label])

    try:
        report = train_reference_model(texts(POSITIVE), texts(NEGATIVE), model, seed=seed)
    except ValueError as error:
        raise InputError(str(error)) from error
    except TrainingError as error:
        raise ModelError(str(error)) from error
    write_json(str(model.with_suffix(".json")), asdict(report))
    return report


def _pages(layout: Layout, label: str, columns: list[str]) -> Iterator[tuple[str, str]]:
    """(sample key, text) of the pages with a label, streamed; the text is empty where it is not asked for."""
    folder = join(layout.root, label)
    for name in sorted(list_names(folder, ".parquet")):
        with open_input(join(folder, f"{name}.parquet")) as handle:
            for batch in pq.ParquetFile(handle).iter_batches(batch_size=256, columns=columns):
                for row in batch.to_pylist():
                    yield row["meta"]["sample_key"], row.get("text", "")


def print_report(report: TrainingReport, console: Console) -> None:
    """Prints how the model does on the pages held out."""
    pages, held_out = report.pages, report.held_out
    console.print(
        f"Trained on {pages.train_positives:,} references and {pages.train_negatives:,} other pages, "
        f"seed {report.seed}. On {pages.held_out_positives:,} and {pages.held_out_negatives:,} held out, at threshold "
        f"{held_out.threshold}: precision {held_out.precision:.3f}, recall {held_out.recall:.3f}; "
        f"area under the curve {held_out.area:.3f}.",
        soft_wrap=True,
    )
    console.print("score       references | others")
    rows = list(zip(held_out.positive_histogram, held_out.negative_histogram, strict=True))
    scale = max(1, *map(max, rows)) / HISTOGRAM_WIDTH
    for number, (references, others) in enumerate(rows):
        bar = f"{'#' * round(references / scale):>{HISTOGRAM_WIDTH}}|{'#' * round(others / scale)}"
        console.print(f"{number / len(rows):.2f} {references:7,} {bar} {others:,}", markup=False, soft_wrap=True)
    console.print(f"Model: {report.model}", markup=False, soft_wrap=True)
