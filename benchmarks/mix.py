"""Measures the mixture: Parquet to token files, the draw, and the writing of shards.

    python -m benchmarks.mix --tokenizer tokenizer.model
    python -m benchmarks.mix --tokenizer tokenizer.model --parquet 'corpus/*/*/*.parquet'

Texts are generated pages (``benchmarks.make_wet``) where no Parquet files are given. Shards are drawn from token files
of random ids, with documents as long as those of a crawl, a Q&A site and books: what they cost does not depend on what
the ids mean. Seconds are CPU time of one process, and of the copies that it makes in the kernel.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.make_wet import make_writers, pages
from benchmarks.result import RESULTS, result_file, write_result
from pipeline.corpus.document import Document, document_schema
from pipeline.corpus.shard import Layout
from pipeline.corpus.sink import ParquetOutput
from pipeline.mix.blocks import BLOCK, TokenFile
from pipeline.mix.corpus import CorpusFile
from pipeline.mix.draw import Stream, shard_draws
from pipeline.mix.encode import encode_file
from pipeline.mix.folder import ShardSet, write_documents
from pipeline.mix.gather import Scratch
from pipeline.mix.heldout import split_sources
from pipeline.mix.quotas import ShardForm
from pipeline.mix.recipe import MixRecipe, SourceShare
from pipeline.mix.steps import ShardTask, ShardWriter, write_draw
from pipeline.mix.token_files import MARK, Coding, RunHasher, TokenStore, hash_ids
from pipeline.storage.listing import match
from tokenizer.encode import Encoder

# Share, median ids of a document, and files, of three kinds of sources.
KINDS = {"crawl": (0.82, 700, 16), "answers": (0.09, 250, 4), "books": (0.09, 110_000, 4)}
SIGMA = 0.9  # of the logarithm of a document's length
VOCABULARY = 32_000


def peak_bytes() -> int:
    """The largest memory of this process, mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def make_parquet(folder: Path, megabytes: int) -> Path:
    """English pages in the documents' schema."""
    output = ParquetOutput(str(folder), "a/all/pages.parquet", document_schema(pa.struct([("n", pa.int32())])))
    for n, page in enumerate(pages(make_writers([], megabytes * 3, 0), 0, megabytes * 1e6 / 0.44, 0)):
        if page.language == "eng" or page.language is None:
            output.write(Document(str(n), page.body.decode(), "a", "a.wet", n, meta={"n": n}))
    output.finish()
    return folder / "a/all/pages.parquet"


def encode(tokenizer: Path, patterns: Sequence[str], megabytes: int) -> dict[str, Any]:
    """Encodes Parquet files one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        paths = patterns or [str(make_parquet(Path(folder), megabytes))]
        files = [CorpusFile("a", file.path.lstrip("/"), file.size, None) for file in match(paths)]
        encoder = Encoder(tokenizer)
        store = TokenStore("/", f"{folder}/tokens", Coding(encoder.sha256, encoder.dtype.__name__, True, True))
        started = time.process_time()
        stats = [encode_file(store, encoder, file, None) for file in files]
        seconds = time.process_time() - started
    text, tokens = sum(entry.text_bytes for entry in stats), sum(entry.tokens for entry in stats)
    return {
        "files": len(stats),
        "megabytes": round(text / 1e6, 1),
        "tokens": tokens,
        "bytes_per_token": round(text / tokens, 2),
        "megabytes_per_second": round(text / 1e6 / seconds, 1),
        "tokens_per_second": round(tokens / seconds),
        "peak_bytes": peak_bytes(),
    }


def make_token_files(store: TokenStore, tokens: int) -> list[TokenFile]:
    """Token files of random ids, for so many tokens in all."""
    rng, files, number = np.random.default_rng(0), [], 0
    for source, (name, (share, median, count)) in enumerate(KINDS.items()):
        for n in range(count):
            wanted = int(share * tokens / count)
            lengths = np.exp(rng.normal(np.log(median), SIGMA, 3 + int(wanted / median))).astype(np.int64) + 2
            lengths = lengths[: int(np.searchsorted(np.cumsum(lengths), wanted)) + 1]
            offsets = np.concatenate(([0], np.cumsum(lengths)))
            ids = rng.integers(3, VOCABULARY, offsets[-1], np.uint16)
            ids[offsets[:-1]], ids[offsets[1:] - 1] = 1, 2
            path = f"{name}/all/{n}.parquet"
            place = Path(store.tokens(path))
            place.parent.mkdir(parents=True, exist_ok=True)
            marks = np.zeros(len(offsets), MARK)
            marks["offset"], marks["hash"][:-1] = offsets, hash_ids(ids, offsets)
            runs = RunHasher(2)
            runs.add(ids.tobytes())
            place.write_bytes(ids.tobytes() + marks.tobytes() + runs.finish().tobytes())
            files.append(TokenFile(source, path, number, len(lengths), int(offsets[-1]), "", ""))
            number += len(lengths)
    return files


def write(rows: int, shards: int, epochs: float) -> dict[str, Any]:
    """Draws and writes shards, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        store = TokenStore(folder, f"{folder}/tokens", Coding("0" * 64, "uint16", True, True))
        form = ShardForm(rows * shards, 2048, rows)
        files = make_token_files(store, int(form.ids / epochs))
        names, shares = tuple(KINDS), tuple(Fraction(str(share)) for share, _, _ in KINDS.values())
        started = time.process_time()
        recipe = MixRecipe({name: SourceShare(100 * float(share)) for name, share in zip(names, shares, strict=True)})
        blocks = [split.training for split in split_sources(store, files, names, [0] * len(names), recipe)]
        streams = [Stream(n, name, blocks[n], 0, True) for n, name in enumerate(names)]
        tasks = []
        for shard, draws in enumerate(shard_draws(form, shares, streams)):
            write_draw(f"{folder}/draws/{shard}.npy", draws)
            tasks.append(ShardTask("train", shard, f"{folder}/draws/{shard}.npy"))
        drawing = time.process_time() - started
        write_documents(f"{folder}/documents.parquet", files, names)
        shard_set = ShardSet(Layout(f"{folder}/shards"), form, "train")
        writer = ShardWriter(shard_set, store, names, shares, 0, 1, f"{folder}/documents.parquet", "")
        started, scratch = time.process_time(), Scratch()
        for task in tasks:
            writer.write(task, scratch)
        writing = time.process_time() - started
    return {
        "shards": shards,
        "tokens": form.ids,
        "documents": sum(file.documents for file in files),
        "blocks": sum(map(len, blocks)),
        "draw_seconds": round(drawing, 2),
        "tokens_per_second": round(form.ids / writing),
        "peak_bytes": peak_bytes(),
    }


def draw(tokens: int) -> dict[str, Any]:
    """Draws all shards of a large corpus from a table of blocks, as long as one of a source can be."""
    count = 1 << 22
    blocks = np.zeros(count, BLOCK)
    blocks["tokens"] = np.random.default_rng(0).integers(tokens // count // 2, tokens // count * 3 // 2, count)
    started = time.process_time()
    form = ShardForm(tokens // 2048, 2048, 65_536)
    drawn = sum(len(draws) for draws in shard_draws(form, [Fraction(1)], [Stream(0, "a", blocks, 0, True)]))
    return {
        "tokens": tokens,
        "shards": form.shards,
        "blocks_drawn": drawn,
        "seconds": round(time.process_time() - started, 1),
        "peak_bytes": peak_bytes(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", type=Path, help="a SentencePiece model; without one nothing is encoded")
    parser.add_argument("--parquet", nargs="+", default=[], help="files to encode; made if not given")
    parser.add_argument("--megabytes", type=int, default=30, help="of the text made")
    parser.add_argument("--rows", type=int, default=65_536, help="of a shard")
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--only", choices=("encode", "write", "draw"), help=argparse.SUPPRESS)
    parser.add_argument("--result", type=result_file, default=RESULTS / "mix.json")
    args = parser.parse_args()
    steps = {
        "encode": lambda: encode(args.tokenizer, args.parquet, args.megabytes),
        "write": lambda: write(args.rows, args.shards, 1.1),
        "draw": lambda: draw(1_400_000_000_000),
    }
    if args.only:  # a process of its own, whose peak memory is that of the step alone
        print(json.dumps(steps[args.only]()))
        return
    result: dict[str, Any] = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    }
    for name in steps:
        if name == "encode" and args.tokenizer is None:
            continue
        command = [sys.executable, "-m", "benchmarks.mix", "--only", name, *sys.argv[1:]]
        result[name] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(json.dumps(result, indent=1))
    write_result(args.result, result)


if __name__ == "__main__":
    main()
