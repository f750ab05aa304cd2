"""The encoder beside SentencePiece and Hugging Face's tokenizers, on the same texts, and documents to token files.

``python -m benchmarks.tokenizer --model tokenizer.model --input DIR`` takes every Parquet file (column ``text``) and
every text file in the folders and files given, and checks that all three give the same ids, document by document.
Cold: a new encoder with an empty cache, each source in the state that the sources before it left. Warm: the same texts
again. Fresh: every second document, after all others, in batches and one text a call, with the compiled loop and
without. Times are CPU seconds of this process, one thread; peak memory is that of a process of its own.
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

# Hugging Face's library would use all cores.
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sentencepiece

from benchmarks.result import RESULTS, result_file, write_result
from tokenizer.encode import Encoder
from tokenizer.model import parse_model

BATCH_CHARACTERS = 4 << 20
ROW_GROUP = 64  # documents, of which some are whole books
TEXT_SUFFIXES = {".txt", ".tex", ".py", ".md", ".h", ".c", ".js", ".xml", ".html", ".wet", ".jsonl"}
T = TypeVar("T")


def read(path: Path) -> list[str]:
    """The documents of a source: a file, or all files below a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    texts: list[str] = []
    for file in files:
        if file.suffix == ".parquet" and not any(part.startswith("_") for part in file.parts):
            texts += [text for text in pq.read_table(file, columns=["text"])["text"].to_pylist() if text]
        elif file.suffix in TEXT_SUFFIXES:
            texts.append(file.read_bytes().decode("utf-8", "replace"))
    return texts


def timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def batches(texts: Sequence[str]) -> list[list[str]]:
    made: list[list[str]] = [[]]
    size = 0
    for text in texts:
        if size > BATCH_CHARACTERS:
            made.append([])
            size = 0
        made[-1].append(text)
        size += len(text)
    return made


def encode_all(encoder: Encoder, texts: Sequence[str]) -> list[np.ndarray[Any, Any]]:
    found = []
    for batch in batches(texts):
        ids, offsets = encoder.encode_batch(batch)
        found += np.split(ids, offsets[1:-1])
    return found


def hugging_face(model: Path) -> Any:
    """The model in Hugging Face's library, converted as their users do; None where the library is not there."""
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415

        from trainer_bridge.hf_tokenizer import tokenizer_json  # noqa: PLC0415
    except ImportError:
        return None
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    return Tokenizer.from_str(json.dumps(tokenizer_json(processor, parse_model(model.read_bytes(), model))))


def compare(model: Path, sources: dict[str, list[str]]) -> dict[str, Any]:
    encoder = Encoder(model)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    theirs = hugging_face(model)
    result: dict[str, Any] = {}
    for name, texts in sources.items():
        size = sum(len(text.encode()) for text in texts) / 1e6
        _, cold = timed(lambda t=texts: encode_all(encoder, t))
        ours, warm = timed(lambda t=texts: encode_all(encoder, t))
        library, plain = timed(lambda t=texts: [processor.encode(text) for text in t])
        different = sum(a.tolist() != b for a, b in zip(ours, library, strict=True))
        seconds = {"ours_cold": cold, "ours_warm": warm, "sentencepiece": plain}
        if theirs is not None:
            found, seconds["hugging_face"] = timed(
                lambda t=texts: [each.ids for each in theirs.encode_batch_fast(t, add_special_tokens=False)]
            )
            result.setdefault("hugging_face_differs", {})[name] = sum(
                a != b for a, b in zip(found, library, strict=True)
            )
        rates = {key: round(size / value, 2) for key, value in seconds.items()}
        result[name] = {"megabytes": round(size, 2), "documents": len(texts), "different": different, **rates}
    result["all"] = total(result, list(sources))
    result["fresh"] = fresh(model, sources)
    return result


def total(result: dict[str, Any], names: Sequence[str]) -> dict[str, float]:
    size = sum(result[name]["megabytes"] for name in names)
    keys = [key for key in result[names[0]] if key not in {"megabytes", "documents", "different"}]
    rates = {key: round(size / sum(result[name]["megabytes"] / result[name][key] for name in names), 2) for key in keys}
    ratio = {"ours_warm_by_sentencepiece": round(rates["ours_warm"] / rates["sentencepiece"], 2)}
    return {"megabytes": round(size, 2), **rates, **ratio}


def fresh(model: Path, sources: dict[str, list[str]]) -> dict[str, float]:
    """The speed on the second half of the documents, after the first half, and its ratio to SentencePiece's."""
    first = [text for texts in sources.values() for text in texts[::2]]
    rest = [text for texts in sources.values() for text in texts[1::2]]
    size = sum(len(text.encode()) for text in rest) / 1e6
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    encode: dict[str, Callable[[Sequence[str]], object]] = {
        "sentencepiece": lambda texts: [processor.encode(text) for text in texts]
    }
    for way, use_compiled in (("ours", True), ("ours_without_compiler", False)):
        batched, single = (Encoder(model, use_compiled=use_compiled) for _ in range(2))
        encode[way] = lambda texts, e=batched: encode_all(e, texts)  # type: ignore[misc]
        encode[f"{way}_one_text_a_call"] = lambda texts, e=single: [e.encode(text) for text in texts]  # type: ignore[misc]
    rates = {}
    for way, work in encode.items():
        work(first)
        _, seconds = timed(lambda w=work: w(rest))
        rates[way] = round(size / seconds, 2)
    ours = [way for way in encode if way != "sentencepiece"]
    ratios = {f"{way}_by_sentencepiece": round(rates[way] / rates["sentencepiece"], 2) for way in ours}
    return {"megabytes": round(size, 2), **rates, **ratios}


def on_disk(model: Path, sources: dict[str, list[str]]) -> dict[str, Any]:
    """Parquet to a file of ids and one of offsets, some documents at a time; and the memory that this takes."""
    texts = [text for each in sources.values() for text in each]
    size = sum(len(text.encode()) for text in texts) / 1e6
    encoder = Encoder(model)
    with tempfile.TemporaryDirectory() as folder:
        parquet = Path(folder) / "documents.parquet"
        column = pa.array(texts, pa.large_string())
        pq.write_table(pa.table({"text": column}), parquet, compression="zstd", row_group_size=ROW_GROUP)
        rates = {}
        for state in ("cold", "warm"):
            _, seconds = timed(lambda: write_tokens(encoder, parquet, Path(folder)))
            rates[state] = round(size / seconds, 2)
        return {"megabytes_per_second": rates, "memory_megabytes": memory(model, parquet)}


def write_tokens(encoder: Encoder, parquet: Path, folder: Path) -> None:
    with (folder / "ids").open("wb") as ids_file, (folder / "offsets").open("wb") as offsets_file:
        for texts in documents(parquet):
            ids, offsets = encoder.encode_batch(texts, add_bos=True, add_eos=True)
            ids.tofile(ids_file)
            offsets.tofile(offsets_file)


def documents(parquet: Path) -> Iterator[list[str]]:
    for batch in pq.ParquetFile(parquet).iter_batches(ROW_GROUP, columns=["text"]):
        yield batch.column(0).to_pylist()


def memory(model: Path, parquet: Path) -> dict[str, float]:
    """Peak memory, in MB, of a process that reads the documents, and of one that encodes them as well."""
    peaks = []
    for flag in ("--only-read", "--only-encode"):
        command = [sys.executable, "-m", "benchmarks.tokenizer", "--model", str(model), flag, "--input", str(parquet)]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return {"reading": round(peaks[0] / 1e6, 1), "reading_and_encoding": round(peaks[1] / 1e6, 1)}


def alone(model: Path, parquet: Path, encodes: bool) -> int:
    """Reads all documents, and encodes them; gives the peak memory in bytes."""
    encoder = Encoder(model) if encodes else None
    for texts in documents(parquet):
        if encoder:
            encoder.encode_batch(texts, add_bos=True, add_eos=True)
    return peak()


def peak() -> int:
    """Bytes; Linux counts into ru_maxrss what the process was forked from, so its own file is asked there."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a SentencePiece model")
    parser.add_argument("--input", nargs="+", required=True, help="sources: folders or files, Parquet or text")
    parser.add_argument("--only-read", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only-encode", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--result", type=result_file, default=RESULTS / "tokenizer.json")
    args = parser.parse_args()
    if args.only_read or args.only_encode:
        print(alone(args.model, Path(args.input[0]), args.only_encode))
        return
    sources = {Path(path).name: read(Path(path)) for path in args.input}
    sources = {name: texts for name, texts in sources.items() if texts}
    if not sources:
        parser.error("the inputs hold no Parquet or text files")
    result = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "megabytes_per_second": compare(args.model, sources),
        "parquet_to_token_file": on_disk(args.model, sources),
    }
    print(json.dumps(result, indent=1))
    write_result(args.result, result)


if __name__ == "__main__":
    main()
