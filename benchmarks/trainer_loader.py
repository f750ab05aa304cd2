"""Tokens per second of the shard loader on one thread: python -m benchmarks.trainer_loader [DIR] [--batch 64].

Where litdata is installed, the same rows are written in its format and read by its StreamingDataset and
StreamingDataLoader in this process, shuffled, in batches of the same size.
"""

import argparse
import contextlib
import importlib
import io
import json
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from trainer_bridge.config import DataConfig
from trainer_bridge.loader import Samples

SEQ_LEN, VOCAB, SOURCES = 2048, 32000, 7
DOCUMENT = 1000  # ids of a synthetic document


def write_random_shards(folder: Path, rows: int) -> None:
    """Writes random ids in the shard format, a document every thousand ids."""
    rng = np.random.default_rng(0)
    names = [f"data-{i:05d}-of-00004.arrow" for i in range(4)]
    for number, name in enumerate(names):
        with pa.OSFile(str(folder / name), "wb") as sink:
            writer = None
            for first in range(rows * number // 4, rows * (number + 1) // 4, 1024):
                batch = _random_batch(rng, first, min(1024, rows * (number + 1) // 4 - first))
                writer = writer or pa.ipc.new_stream(sink, batch.schema)
                writer.write_batch(batch)
            if writer:
                writer.close()
    manifest = {
        "seq_len": SEQ_LEN, "vocab_size": VOCAB, "dtype": "uint16", "tokenizer_sha256": "",
        "sources": [str(i) for i in range(SOURCES)], "bos": None, "eos": None, "inserts_bos": False,
        "inserts_eos": False, "rows": rows, "fingerprint": "random",
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _random_batch(rng: np.random.Generator, first: int, rows: int) -> pa.RecordBatch:
    ids = rng.integers(0, VOCAB, rows * (SEQ_LEN + 1), dtype=np.uint16)
    starts, numbers = [], []
    for row in range(first, first + rows):
        at = row * SEQ_LEN
        begins = np.arange(-(-at // DOCUMENT) * DOCUMENT, at + SEQ_LEN + 1, DOCUMENT)
        starts.append(begins - at)
        numbers.append(np.arange(at // DOCUMENT, at // DOCUMENT + len(begins) + (begins[0] != at)))
    kinds = [[int(n % SOURCES) for n in part] for part in numbers]
    return pa.record_batch(
        [
            pa.FixedSizeListArray.from_arrays(pa.array(ids), SEQ_LEN + 1),
            pa.array(starts, pa.list_(pa.uint16())),
            pa.array(kinds, pa.list_(pa.uint8())),
            pa.array(numbers, pa.list_(pa.uint64())),
        ],
        names=["input_ids", "doc_starts", "doc_sources", "doc_numbers"],
    )


def measure(folder: Path, batch: int, seconds: float = 5.0) -> None:
    """Prints tokens per second of reading in the run's order: ids only, and with a source for each id."""
    began = time.process_time()
    samples = Samples(DataConfig(), folder)
    print(f"open: {time.process_time() - began:.3f} s CPU for {samples.order.rows} rows")
    for label, with_sources in (("ids and documents", False), ("and the source of each id", True)):
        before = pa.total_allocated_bytes()
        tokens = at = 0
        began = time.process_time()
        while (spent := time.process_time() - began) < seconds:
            read = samples.batch(at, at + batch)
            if with_sources:
                _ = read.sources
            at += batch
            tokens += batch * samples.seq_len
        arrow = pa.total_allocated_bytes() - before
        print(f"{label}: {tokens / spent / 1e6:.0f}M tokens/s on one thread; {arrow} bytes allocated by Arrow")


class Rows:
    """Reads a range of the shards' rows as tensors; what litdata's ``optimize`` calls for each of its inputs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, span: range) -> Iterator[torch.Tensor]:
        samples = Samples(DataConfig(), self.folder)
        ids = np.empty((1, samples.seq_len + 1), np.int32)
        for row in span:
            samples.reader.read(np.array([row]), ids)
            yield torch.from_numpy(ids[0].copy())


def write_for_litdata(folder: Path, place: str) -> int:
    """Writes the rows of a shard directory in litdata's format; gives the ids of a row."""
    litdata = importlib.import_module("litdata")
    samples = Samples(DataConfig(), folder)
    spans = [range(at, min(at + 4096, samples.order.rows)) for at in range(0, samples.order.rows, 4096)]
    litdata.optimize(
        Rows(folder),
        spans,
        place,
        chunk_bytes="64MB",
        num_workers=1,
        item_loader=litdata.TokensLoader(),
        verbose=False,
    )
    return samples.seq_len + 1


def measure_litdata(folder: Path, batch: int, seconds: float = 5.0) -> None:
    """Prints tokens per second of litdata on the rows of a shard directory."""
    try:
        litdata = importlib.import_module("litdata")
    except ImportError as error:
        print(f"litdata: not installed ({error})")
        return
    with tempfile.TemporaryDirectory() as place:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            size = write_for_litdata(folder, place)
        loader = litdata.TokensLoader(block_size=size)
        data = litdata.StreamingDataset(place, item_loader=loader, shuffle=True, drop_last=True)
        batches = iter(litdata.StreamingDataLoader(data, batch_size=batch, num_workers=0))
        for _ in islice(batches, 4):
            pass  # its first batches find the files
        tokens, began = 0, time.process_time()
        for ids in batches:
            tokens += ids.shape[0] * (ids.shape[1] - 1)
            if time.process_time() - began > seconds:
                break
        print(f"litdata {litdata.__version__}: {tokens / (time.process_time() - began) / 1e6:.0f}M tokens/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="a shard directory; none: random shards of 256 MB")
    parser.add_argument("--batch", type=int, default=64, help="sequences read at a time")
    options = parser.parse_args()
    if options.folder:
        measure(options.folder, options.batch)
        measure_litdata(options.folder, options.batch)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_random_shards(Path(folder), 65536)
        measure(Path(folder), options.batch)
        measure_litdata(Path(folder), options.batch)


if __name__ == "__main__":
    main()
