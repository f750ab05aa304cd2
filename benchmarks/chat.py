"""Measures conversations: encoding them beside the same texts as plain documents, and laying them out whole in rows.

    python -m benchmarks.chat --tokenizer tokenizer.model

Conversations are generated English pages (``benchmarks.make_wet``), a line a turn, of two to ten turns. Seconds are CPU
time of one process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.make_wet import make_writers, pages
from benchmarks.mix import peak_bytes
from pipeline.corpus.document import Document, document_schema
from pipeline.corpus.sink import ParquetOutput
from pipeline.mix import chat
from pipeline.mix.blocks import BLOCK
from pipeline.mix.corpus import CorpusFile
from pipeline.mix.encode import encode_file
from pipeline.mix.recipe import MixRecipe, SourceShare
from pipeline.mix.token_files import Coding, TokenStore
from pipeline.mix.whole import choose, place
from tokenizer.chat.template import load_template
from tokenizer.encode import Encoder

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string()), ("train", pa.bool_())])
META = pa.struct([("messages", pa.list_(MESSAGE))])
SIGMA, MEDIAN = 0.9, 400  # ids of a conversation, for rows: of the logarithm, and in the middle


def conversations(megabytes: int) -> Iterator[list[dict[str, Any]]]:
    """Conversations of so many megabytes of text, about."""
    rng, turns = np.random.default_rng(0), list[str]()
    wanted = 2
    for page in pages(make_writers([], megabytes * 3, 0), 0, megabytes * 1e6 / 0.44, 0):
        if page.language not in ("eng", None):
            continue
        for line in page.body.decode().split("\n"):
            if line.strip():
                turns.append(line)
            if len(turns) == wanted:
                roles = ("user", "assistant")
                yield [{"role": roles[n % 2], "content": turn, "train": True} for n, turn in enumerate(turns)]
                turns, wanted = [], 2 * int(rng.integers(1, 6))


def make_parquet(folder: Path, megabytes: int) -> CorpusFile:
    """A Parquet file of conversations, as the source of instructions writes it."""
    output = ParquetOutput(str(folder), "a/all/talks.parquet", document_schema(META))
    for n, messages in enumerate(conversations(megabytes)):
        text = "\n\n".join(message["content"] for message in messages)
        output.write(Document(str(n), text, "a", "a.json", n, meta={"messages": messages}))
    output.finish()
    path = folder / "a/all/talks.parquet"
    return CorpusFile("a", str(path).lstrip("/"), path.stat().st_size, None)


def encode(tokenizer: Path, megabytes: int) -> dict[str, Any]:
    """Encodes the same file as texts, and as conversations by Llama 2's template."""
    encoder, template = Encoder(tokenizer), load_template("llama2")
    recipe = MixRecipe({"a": SourceShare(100)}, template="llama2")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = make_parquet(Path(folder), megabytes)
        for name, coding in (("texts", None), ("conversations", chat.coding_of(recipe, template))):
            kind = Coding(encoder.sha256, encoder.dtype.__name__, True, True, coding)
            store = TokenStore("/", f"{folder}/{name}", kind, template if coding else None)
            started = time.process_time()
            stats = encode_file(store, encoder, file, None)
            seconds = time.process_time() - started
            found[name] = {
                "documents": stats.documents,
                "megabytes": round(stats.text_bytes / 1e6, 1),
                "tokens": stats.tokens,
                "cpu_seconds": round(seconds, 2),
                "megabytes_per_second": round(stats.text_bytes / 1e6 / seconds, 1),
                "microseconds_a_document": round(1e6 * seconds / stats.documents, 1),
            }
    return {**found, "peak_bytes": peak_bytes()}


def lay_out(documents: int, seq_len: int) -> dict[str, Any]:
    """Lays so many conversations out whole in rows."""
    rng = np.random.default_rng(0)
    blocks = np.zeros(documents, BLOCK)
    blocks["documents"], blocks["first"] = 1, np.arange(documents)
    sizes = np.exp(rng.normal(np.log(MEDIAN), SIGMA, documents)).astype(np.int64) + 8
    blocks["tokens"] = np.minimum(sizes, seq_len)
    started = time.process_time()
    placed = place([choose(blocks, None, 0, "a", bos=True)], seq_len)
    seconds = time.process_time() - started
    ids = int(blocks["tokens"].sum())
    return {
        "documents": documents,
        "rows": placed.rows,
        "padding_share": round(1 - ids / (placed.rows * seq_len), 4),
        "cpu_seconds": round(seconds, 2),
        "peak_bytes": peak_bytes(),
    }


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=20, help="of text (20)")
    parser.add_argument("--documents", type=int, default=1_000_000, help="that are laid out (1,000,000)")
    parser.add_argument("--seq-len", type=int, default=4096, help="ids of a row (4096)")
    options = parser.parse_args()
    result = {"encode": encode(options.tokenizer, options.megabytes)}
    result["lay_out"] = lay_out(options.documents, options.seq_len)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
