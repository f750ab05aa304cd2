"""What the sub-commands of ``python -m filters.perplexity`` do."""

import argparse
import glob
import gzip
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import orjson
import pyarrow.parquet as pq

from filters.commoncrawl import lm_training
from filters.commoncrawl.buckets import PERCENTILES
from filters.commoncrawl.kenlm_tools import find_or_build
from filters.commoncrawl.perplexity import PerplexityModel, cutoffs_of

ROWS_AT_ONCE = 256  # bounds memory by rows, not by row groups
HISTOGRAM_WIDTH = 40


def run_calibrate(arguments: argparse.Namespace) -> str:
    """Returns the recipe's lines with the cut-offs of a corpus, and in comments how they came about."""
    model = PerplexityModel(arguments.sentencepiece, arguments.lm, join_lines=arguments.join_lines)
    files = expand(arguments.input)
    if arguments.documents < 1:
        raise ValueError(f"documents must be 1 or more, not {arguments.documents}")
    chosen = choose(sum(1 for _ in read_texts(files, arguments.column)), arguments.documents, arguments.seed)
    texts = (
        text for number, text in enumerate(read_texts(files, arguments.column)) if chosen is None or number in chosen
    )
    found = [model.perplexity(text) for text in texts]
    perplexities = [perplexity for perplexity in found if perplexity is not None]
    return report_cutoffs(arguments.language, perplexities, len(found))


def choose(total: int, limit: int, seed: int) -> frozenset[int] | None:
    """Returns the numbers of a uniform sample of ``limit`` of ``total`` documents; None for all of them."""
    return None if total <= limit else frozenset(random.Random(seed).sample(range(total), limit))


def report_cutoffs(language: str, perplexities: Sequence[float], documents: int) -> str:
    """Returns YAML: the cut-offs under their language, after comments with counts and a histogram.

    A bin of the histogram reaches from a power of 2 ** 0.5 to the next.

    Args:
        language: the key.
        perplexities: those of the documents that have one.
        documents: how many were read.

    Raises:
        ValueError: there are no perplexities.
    """
    head, middle = cutoffs_of(perplexities)
    bins = Counter(math.floor(2 * math.log2(max(value, 1))) if value < math.inf else None for value in perplexities)
    widest = max(bins.values())
    lines = [
        f"# {documents} documents, {len(perplexities)} with a perplexity;",
        f"# percentiles {PERCENTILES[0]:g} and {PERCENTILES[1]:g}, interpolated linearly",
        "# perplexity from   documents",
    ]
    for start in sorted(bins, key=lambda start: math.inf if start is None else start):
        lower = math.inf if start is None else 2 ** (start / 2)
        bar = "*" * math.ceil(HISTOGRAM_WIDTH * bins[start] / widest)
        lines.append(f"# {lower:>15.1f}  {bins[start]:>10}  {bar}")
    return "\n".join([*lines, f"{language}: [{head}, {middle}]"]) + "\n"


def run_train(arguments: argparse.Namespace) -> str:
    """Trains models as the command line says, and returns what to print."""
    options = lm_training.TrainingOptions(
        language=arguments.language,
        documents=arguments.documents,
        opening_characters=arguments.opening_characters,
        join_lines=arguments.join_lines,
        vocab_size=arguments.vocab_size,
        soft_vocab_limit=arguments.soft_vocab_limit,
        sentencepiece_bytes=arguments.sentencepiece_bytes,
        order=arguments.order,
        prune=tuple(arguments.prune),
        structure=arguments.structure,
        memory=arguments.memory,
    )
    inputs = expand(arguments.input)
    tools = find_or_build(arguments.kenlm_programs)
    texts = read_texts(inputs, arguments.column)
    made = lm_training.train(texts, options, arguments.output, tools, inputs)
    lines = [f"{made.documents} documents, {made.pieces} pieces; n-grams: {' '.join(map(str, made.ngrams))}"]
    lines += [f"{path} ({path.stat().st_size} bytes)" for path in (made.sentencepiece, made.kenlm, made.record)]
    return "\n".join(lines) + "\n"


def expand(patterns: Sequence[str]) -> list[Path]:
    """Returns the files that paths and patterns name, those of one pattern sorted.

    Raises:
        ValueError: one of them names no file.
    """
    files = []
    for pattern in patterns:
        found = sorted(glob.glob(pattern, recursive=True)) if not Path(pattern).is_file() else [pattern]
        if not found:
            raise ValueError(f"no such file: {pattern}")
        files += [Path(path) for path in found]
    return files


def read_texts(files: Sequence[Path], column: str = "text") -> Iterator[str]:
    """Yields the documents of Parquet, JSON lines and text files, in order; few are in memory at a time.

    Args:
        files: ``.parquet``; ``.jsonl`` or ``.json`` (an object a line); anything else is UTF-8 text, a document a line.
            ``.gz`` after the last two is unpacked.
        column: where a Parquet row or a JSON object holds its text.

    Raises:
        ValueError: a file has no such column, or a JSON line is broken; the message names file and line.
    """
    for path in files:
        if path.suffix == ".parquet":
            yield from _read_parquet(path, column)
        else:
            yield from _read_lines(path, column)


def _read_parquet(path: Path, column: str) -> Iterator[str]:
    with pq.ParquetFile(path) as file:
        if column not in file.schema_arrow.names:
            raise ValueError(f"{path} has no column {column!r}; it has {', '.join(file.schema_arrow.names)}")
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, columns=[column]):
            for value in batch.column(0):
                text = value.as_py()
                if text is not None:
                    yield text


def _read_lines(path: Path, column: str) -> Iterator[str]:
    plain_name = path.with_suffix("") if path.suffix == ".gz" else path
    is_json = plain_name.suffix in (".jsonl", ".json")
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            if not is_json:
                yield line.rstrip(b"\r\n").decode("utf-8", "replace")
                continue
            try:
                text = orjson.loads(line)[column]
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{path}, line {number}: not a JSON object with the key {column!r} ({error})"
                ) from error
            if isinstance(text, str):
                yield text


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
