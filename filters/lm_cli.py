"""The command line of ``python -m filters.perplexity``: ``train`` makes the models, ``calibrate`` finds cut-offs."""

import argparse
import glob
import gzip
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import orjson
import pyarrow.parquet as pq

from filters import lm_training
from filters.kenlm_tools import find_or_build

ROWS_AT_ONCE = 256  # bounds memory by rows, not by row groups
EXIT_BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one sub-command, and returns the exit status (0: done, 2: an input or setting is wrong, with a message)."""
    options = build_parser().parse_args(arguments)
    try:
        sys.stdout.write(options.run(options))
    except (ValueError, OSError, RuntimeError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_BAD_INPUT
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of both sub-commands."""
    parser = argparse.ArgumentParser(prog="python -m filters.perplexity", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train the SentencePiece and KenLM models from documents"))
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--column", default="text", help="column of Parquet files, key of JSON lines (default: %(default)s)"
    )


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run_train)
    parser.add_argument(
        "--input",
        nargs="+",
        required=True,
        help="Parquet, .jsonl or text files (a document a line), or patterns; .gz of the latter two",
    )
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
    _add_input(parser)


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
