"""The command line of ``python -m filters.perplexity``: ``train`` makes the models, ``calibrate`` finds cut-offs."""

import argparse
import glob
import gzip
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import orjson
import pyarrow.parquet as pq

from filters.commoncrawl import lm_training
from filters.commoncrawl.kenlm_tools import find_or_build
from filters.commoncrawl.perplexity import PERCENTILES, PerplexityModel, cutoffs_of
from pipeline.errors import UserError

ROWS_AT_ONCE = 256  # bounds memory by rows, not by row groups
EXIT_BAD_INPUT = 2
CALIBRATED_DOCUMENTS = 1_000_000  # CCNet, perplexity_to_bin: max_stats
HISTOGRAM_WIDTH = 40
INPUT_HELP = "Parquet, .jsonl or text files (a document a line), or patterns; .gz of the latter two"
COLUMN_HELP = "column of Parquet files, key of JSON lines (default: %(default)s)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one sub-command, and returns the exit status (0: done, 2: an input or setting is wrong, with a message)."""
    options = build_parser().parse_args(arguments)
    try:
        sys.stdout.write(options.run(options))
    except (ValueError, OSError, RuntimeError, UserError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_BAD_INPUT
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of both sub-commands."""
    parser = argparse.ArgumentParser(prog="python -m filters.perplexity", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train the SentencePiece and KenLM models from documents"))
    _add_calibrate(commands.add_parser("calibrate", help="find the cut-offs of head and middle from documents"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run_train)
    parser.add_argument("--input", action="extend", nargs="+", required=True, help=INPUT_HELP)
    parser.add_argument("--column", default="text", help=COLUMN_HELP)
    parser.add_argument("--output", required=True, type=Path, help="folder of the models")
    parser.add_argument("--language", default="en", help="names the files (default: %(default)s)")
    parser.add_argument("--documents", type=int, default=lm_training.DOCUMENTS, help="articles used (%(default)s)")
    parser.add_argument(
        "--opening-characters",
        type=int,
        default=0,
        help="use only the leading lines of an article, up to this (0: all)",
    )
    parser.add_argument("--join-lines", default="space", choices=("fuse", "space"), help="newlines (%(default)s)")
    parser.add_argument("--vocab-size", type=int, default=lm_training.VOCAB_SIZE, help="pieces (%(default)s)")
    parser.add_argument("--soft-vocab-limit", action="store_true", help="accept fewer pieces if the text is small")
    parser.add_argument("--sentencepiece-bytes", type=int, default=lm_training.SENTENCEPIECE_BYTES)
    parser.add_argument("--order", type=int, default=lm_training.ORDER, help="order of the n-grams (%(default)s)")
    parser.add_argument("--prune", type=int, nargs="+", default=[], help="as lmplz --prune, such as 0 0 1")
    parser.add_argument("--structure", default="probing", choices=tuple(lm_training.STRUCTURES))
    parser.add_argument("--memory", default="4G", help="sorting memory of lmplz (%(default)s)")
    parser.add_argument("--kenlm-programs", type=Path, help="folder of lmplz and build_binary, if not on PATH")


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run_calibrate)
    parser.add_argument("input", nargs="+", metavar="INPUT", help=INPUT_HELP)
    parser.add_argument("--column", default="text", help=COLUMN_HELP)
    parser.add_argument("--sentencepiece", required=True, type=Path, help="SentencePiece model")
    parser.add_argument("--lm", required=True, type=Path, help="KenLM model, binary or ARPA")
    parser.add_argument("--language", default="en", help="key of the cut-offs (default: %(default)s)")
    parser.add_argument("--join-lines", default="fuse", choices=("fuse", "space"), help="newlines (%(default)s)")
    parser.add_argument("--documents", type=int, default=CALIBRATED_DOCUMENTS, help="sample size (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: %(default)s)")


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
