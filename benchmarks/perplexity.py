"""Measures the perplexity path: normalising, encoding, scoring, and all of it, in CPU time; checks every perplexity.

    python -m benchmarks.perplexity --sentencepiece models/en.sp.model --lm models/en.arpa.bin --input corpus/*.parquet

The plain path is CCNet's own, step by step. It exits with 1 if a perplexity differs from it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filters.commoncrawl.lm_cli import INPUT_HELP
from filters.commoncrawl.lm_run import expand, read_texts
from filters.commoncrawl.normalize import LanguageModelNormalizer, normalize_plain
from filters.commoncrawl.perplexity import PerplexityModel, load_kenlm, load_sentencepiece

MEGABYTE = 1e6
BATCH = 256


def main() -> int:
    arguments = parse_arguments()
    texts = list(read_texts(expand(arguments.input), arguments.column))[: arguments.documents]
    size = sum(len(text.encode("utf-8", "replace")) for text in texts) / MEGABYTE
    model = PerplexityModel(arguments.sentencepiece, arguments.lm, join_lines=arguments.join_lines)
    processor = load_sentencepiece(arguments.sentencepiece)
    scorer = load_kenlm(arguments.lm, ["a"])
    print(f"{len(texts)} documents, {size:.2f} MB; {arguments.lm.stat().st_size / MEGABYTE:.0f} MB of KenLM model")

    def measure(label: str, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        seconds, results = fastest(function, items, arguments.rounds)
        print(f"{label:<28}{size / seconds:>9.1f} MB/s{1000 * seconds / size:>9.1f} ms/MB")
        return results

    def plain(text: str) -> float | None:
        pieces = processor.encode_as_pieces(normalize_plain(text, arguments.join_lines))
        score = scorer.score(" ".join(pieces), bos=True, eos=True)
        return round(10.0 ** (-score / (len(pieces) + 1)), 1) if pieces else None

    measure("normalise, plain", lambda text: normalize_plain(text, arguments.join_lines), texts)
    normalized = measure("normalise", LanguageModelNormalizer(arguments.join_lines), texts)
    joined = measure("encode to text, join", lambda text: " ".join(processor.encode_as_pieces(text)), normalized)
    measure("encode to bytes, join", lambda text: b" ".join(processor.encode(text, out_type=bytes)), normalized)
    measure("score", scorer.score, joined)
    expected = measure("perplexity, plain", plain, texts)
    found = measure("perplexity", model.perplexity, texts)
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    measure(f"perplexity, {BATCH} at a time", model.perplexities, batches)
    different = sum(one != other for one, other in zip(expected, found, strict=True))
    pieces = sum(text.count(" ") + 1 for text in joined)
    print(f"{pieces} pieces ({pieces / size:.0f} per MB); {different} of {len(texts)} perplexities differ from plain")
    return 1 if different else 0


def fastest(function: Callable[[Any], Any], items: Sequence[Any], rounds: int) -> tuple[float, list[Any]]:
    """Returns the least CPU seconds that a pass over the items took, and its results."""
    seconds = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        results = [function(item) for item in items]
        seconds = min(seconds, time.process_time() - start)
    return seconds, results


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", required=True, help=INPUT_HELP)
    parser.add_argument("--column", default="text")
    parser.add_argument("--sentencepiece", type=Path, required=True)
    parser.add_argument("--lm", type=Path, required=True)
    parser.add_argument("--join-lines", default="fuse", choices=("fuse", "space"))
    parser.add_argument("--documents", type=int, default=5000, help="the first ones are taken (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest one counts (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
