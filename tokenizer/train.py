"""Trains the tokenizer on a corpus: ``python -m tokenizer.train --corpus corpus/ --output tokenizer/model/``.

Lines of documents are sampled from each source in its share of the mixture, a SentencePiece BPE model is trained on
them with the settings of the released LLaMA model, and its fertility is measured on each source. Corpus, seed and
settings decide every byte that is written.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pipeline.terminal import run_main
from tokenizer.settings import VOCAB_SIZE

SIZE = "256MB"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", re.I)
EPILOG = """\
The trainer holds the sample in memory, and its different words several times: measured are 0.6 GB for a sample of 31 MB
and 1 GB for one of 126 MB. A megabyte of varied text supports 32,000 pieces, of which the last are then rare.

examples:
  python -m tokenizer.train --corpus corpus/ --output tokenizer/model/
  python -m tokenizer.train --corpus corpus/ --output small/ --renormalise --size 20MB --vocab-size 8000
"""


def parser() -> argparse.ArgumentParser:
    """The command's flags."""
    flags = argparse.ArgumentParser(
        prog="python -m tokenizer.train",
        description="Train the SentencePiece tokenizer on a corpus, with the settings of the released LLaMA model.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_argument(
        "--corpus", metavar="DIR", default="corpus", help="corpus folder: local, gs:// or s3:// (corpus)"
    )
    flags.add_argument("--output", metavar="DIR", type=Path, default=Path("tokenizer/model"), help="(%(default)s)")
    flags.add_argument(
        "--proportions",
        metavar="NAME|FILE",
        default="llama1",
        help="a name in recipes/mix/ or a YAML file (%(default)s)",
    )
    flags.add_argument(
        "--renormalise",
        action="store_true",
        help="leave out sources that are missing; the others keep their proportions",
    )
    flags.add_argument(
        "--size", type=parse_size, default=SIZE, help="bytes of the sample, such as 64MB or 2GB (%(default)s)"
    )
    flags.add_argument(
        "--uneven",
        action="store_true",
        help="where a source has too little text, take all of it, and of the others their share; "
        "without this the sample becomes smaller, in the proportions of the mixture",
    )
    flags.add_argument("--vocab-size", type=int, default=VOCAB_SIZE, metavar="N", help="pieces (%(default)s)")
    flags.add_argument(
        "--soft-vocab-limit", action="store_true", help="take fewer pieces where the sample does not support as many"
    )
    flags.add_argument(
        "--split-long-lines",
        action="store_true",
        help="take lines of more than 4,192 bytes in pieces; without this they are left out, as SentencePiece does",
    )
    flags.add_argument("--seed", type=int, default=0, help="draws the documents (%(default)s)")
    flags.add_argument("--quiet", action="store_true", help="no progress, only the report")
    return flags


def parse_size(text: str) -> int:
    """Bytes of a size such as ``64MB``, ``1.5G`` or ``300000``."""
    found = _SIZE.fullmatch(text.strip())
    size = round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if size < 1:
        raise argparse.ArgumentTypeError(f"must be a number of bytes such as 64MB or 2GB, it is {text!r}")
    return size


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        The exit status: 0, or 1 after an error, 130 after Ctrl-C.
    """
    args = parser().parse_args(arguments)
    status: int = import_module("tokenizer.train_run").run(args)
    return status


if __name__ == "__main__":
    run_main(main)
