"""The command line of ``python -m filters.perplexity``: ``train`` makes the models, ``calibrate`` finds cut-offs."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from filters.commoncrawl import lm_defaults
from pipeline.errors import UserError

EXIT_BAD_INPUT = 2
CALIBRATED_DOCUMENTS = 1_000_000  # CCNet, perplexity_to_bin: max_stats
INPUT_HELP = "Parquet, .jsonl or text files (a document a line), or patterns; .gz of the latter two"
COLUMN_HELP = "column of Parquet files, key of JSON lines (default: %(default)s)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one sub-command, and returns the exit status (0: done, 2: an input or setting is wrong, with a message)."""
    options = parser().parse_args(arguments)
    try:
        work = getattr(import_module("filters.commoncrawl.lm_run"), options.work)
        sys.stdout.write(work(options))
    except (ValueError, OSError, RuntimeError, UserError) as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_BAD_INPUT
    return 0


def parser() -> argparse.ArgumentParser:
    """Returns the parser of both sub-commands."""
    result = argparse.ArgumentParser(prog="python -m filters.perplexity", description=__doc__)
    commands = result.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands.add_parser("train", help="train the SentencePiece and KenLM models from documents"))
    _add_calibrate(commands.add_parser("calibrate", help="find the cut-offs of head and middle from documents"))
    return result


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(work="run_train")
    parser.add_argument("--input", action="extend", nargs="+", required=True, help=INPUT_HELP)
    parser.add_argument("--column", default="text", help=COLUMN_HELP)
    parser.add_argument("--output", required=True, type=Path, help="folder of the models")
    parser.add_argument("--language", default="en", help="names the files (default: %(default)s)")
    parser.add_argument("--documents", type=int, default=lm_defaults.DOCUMENTS, help="articles used (%(default)s)")
    parser.add_argument(
        "--opening-characters",
        type=int,
        default=0,
        help="use only the leading lines of an article, up to this (0: all)",
    )
    parser.add_argument("--join-lines", default="space", choices=("fuse", "space"), help="newlines (%(default)s)")
    parser.add_argument("--vocab-size", type=int, default=lm_defaults.VOCAB_SIZE, help="pieces (%(default)s)")
    parser.add_argument("--soft-vocab-limit", action="store_true", help="accept fewer pieces if the text is small")
    parser.add_argument("--sentencepiece-bytes", type=int, default=lm_defaults.SENTENCEPIECE_BYTES)
    parser.add_argument("--order", type=int, default=lm_defaults.ORDER, help="order of the n-grams (%(default)s)")
    parser.add_argument("--prune", type=int, nargs="+", default=[], help="as lmplz --prune, such as 0 0 1")
    parser.add_argument("--structure", default="probing", choices=tuple(lm_defaults.STRUCTURES))
    parser.add_argument("--memory", default="4G", help="sorting memory of lmplz (%(default)s)")
    parser.add_argument("--kenlm-programs", type=Path, help="folder of lmplz and build_binary, if not on PATH")


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(work="run_calibrate")
    parser.add_argument("input", nargs="+", metavar="INPUT", help=INPUT_HELP)
    parser.add_argument("--column", default="text", help=COLUMN_HELP)
    parser.add_argument("--sentencepiece", required=True, type=Path, help="SentencePiece model")
    parser.add_argument("--lm", required=True, type=Path, help="KenLM model, binary or ARPA")
    parser.add_argument("--language", default="en", help="key of the cut-offs (default: %(default)s)")
    parser.add_argument("--join-lines", default="fuse", choices=("fuse", "space"), help="newlines (%(default)s)")
    parser.add_argument("--documents", type=int, default=CALIBRATED_DOCUMENTS, help="sample size (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: %(default)s)")
