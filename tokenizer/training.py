"""SentencePiece's trainer, in a process of its own.

The trainer holds its sample in memory, tells how far it is only in its log, and cannot be interrupted; in a process of
its own it can, and the log is read as progress. ``python -m tokenizer.training`` is that process.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sentencepiece

from tokenizer.errors import TokenizerError

_MERGES = re.compile(rb"Merged: .*?merges=(\d+)")
_LOG_LINE = re.compile(r"^[IWE]\d{4} ")
_HIGH = re.compile(r"Vocabulary size too high.*<= (\d+)")
_LOW = re.compile(r"Vocabulary size is smaller than required_chars\. \d+ vs (\d+)")


def train(sentences: Path, options: dict[str, Any], model: Path, progress: Callable[[int], None]) -> None:
    """Trains a model.

    Args:
        sentences: A sentence a line.
        options: The trainer's settings.
        model: Where the model file goes.
        progress: Called with the number of merges done, now and then.

    Raises:
        TokenizerError: The sample is too small for the vocabulary, or the trainer failed; says what would do.
    """
    command = [sys.executable, "-m", "tokenizer.training", str(sentences.resolve()), str(model.resolve())]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=root
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            process.stdin.write(json.dumps(options).encode())
            process.stdin.close()
            last = _follow(process.stderr, progress)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise TokenizerError(_explain(last, process.returncode, options["vocab_size"]))


def _follow(log: Any, progress: Callable[[int], None]) -> str:
    """Reads the trainer's log to its end; gives what it said last."""
    last = ""
    for line in log:
        if found := _MERGES.search(line):
            progress(int(found[1]))
        last = line.decode("utf-8", "replace").strip() or last
    return last


def _explain(last: str, status: int, vocab_size: int) -> str:
    if found := _HIGH.search(last):
        return (
            f"the sample supports {int(found[1]):,} pieces at the most, not {vocab_size:,}: give "
            f"--vocab-size {found[1]}, more text, or --soft-vocab-limit"
        )
    if found := _LOW.search(last):
        return (
            f"--vocab-size {vocab_size} is too small: single characters and bytes alone take {int(found[1]):,} pieces"
        )
    if status < 0:
        return f"the trainer was killed (signal {-status}); the usual cause is memory: give a smaller --size"
    return f"the trainer failed: {'' if _LOG_LINE.match(last) else last}"


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            yield line[:-1]


def _main(sentences: Path, model: Path) -> int:
    options = json.load(sys.stdin)
    trained = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=_lines(sentences), model_writer=trained, **options)
    except (RuntimeError, OSError) as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    model.write_bytes(trained.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), Path(sys.argv[2])))
