"""Small corpora and a small tokenizer, and mixtures made of them in this process."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import sentencepiece
from rich.console import Console

from pipeline.corpus.document import Document, document_schema
from pipeline.corpus.sink import ParquetOutput
from pipeline.engine.options import RunOptions
from pipeline.mix.recipe import MixRecipe, SourceShare
from pipeline.mix.run import MixOptions, MixResult, prepare, write_mixture

PROSE = """
harbour lantern winter copper meadow quiet signal thread orchard river stone paper window engine field garden letter
morning number ocean picture question road season table under village water year zebra answer bridge
"""


@cache
def model() -> bytes:
    """A BPE model with LLaMA's settings and 400 pieces."""
    rng = np.random.default_rng(0)
    sentences = [" ".join(rng.choice(PROSE.split(), 12)) + f" {n}" for n in range(400)]
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=written,
        model_type="bpe",
        vocab_size=400,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    return written.getvalue()


def write_model(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tokenizer.model"
    path.write_bytes(model())
    return path


def prose(count: int, seed: int, longest: int = 60) -> list[str]:
    """Texts of different lengths, no two alike."""
    rng = np.random.default_rng(seed)
    return [f"{seed} {n}: " + " ".join(rng.choice(PROSE.split(), rng.integers(1, longest))) for n in range(count)]


def write_parquet(root: Path, path: str, texts: Sequence[str]) -> Path:
    """A Parquet file of documents, as every source writes it."""
    source = path.split("/", maxsplit=1)[0]
    output = ParquetOutput(str(root), path, document_schema(pa.struct([("n", pa.int32())])))
    for n, text in enumerate(texts):
        name = f"{path}#{n}"
        output.write(Document(name, text, source, f"{source}.raw", 100 * n, f"https://{source}/{n}", meta={"n": n}))
    output.finish()
    return root / path


def write_corpus(root: Path, sources: Mapping[str, Sequence[Sequence[str]]]) -> Path:
    """A corpus: for each source the texts of each of its files."""
    for name, files in sources.items():
        for n, texts in enumerate(files):
            write_parquet(root, f"{name}/all/part-{n}.parquet", texts)
    return root


def recipe(shares: Mapping[str, float], **keys) -> MixRecipe:
    """A recipe of short rows."""
    sources = {name: SourceShare(share) for name, share in shares.items()}
    return MixRecipe(sources, **{"seq_len": 16, "shard_rows": 100, "block_tokens": 32, **keys})


def mix(root: Path, made: MixRecipe, budget: int | None = None, output: str = "shards") -> MixResult:
    """Makes a mixture of ``root/corpus`` in this process."""
    silent = Console(file=StringIO())
    run = RunOptions(str(root / output), ["--direct_num_workers=1"])
    tokenizer = root / "tokenizer.model"
    options = MixOptions(made, budget, str(root / "corpus"), str(tokenizer), None, run)
    return write_mixture(options, prepare(options, silent), silent)


@dataclass(frozen=True)
class Piece:
    """A document, or a part of one, as it stands in a shard's stream."""

    shard: int
    source: int
    number: int
    ids: list[int]


def pieces(folder: Path) -> list[Piece]:
    """All pieces of all shards, joined over the rows."""
    manifest, found = json.loads((folder / "manifest.json").read_text()), []
    width = manifest["seq_len"]
    for shard, entry in enumerate(manifest["shards"]):
        rows = pa.ipc.open_stream((folder / entry["file"]).read_bytes()).read_all().to_pylist()
        for n, row in enumerate(rows):
            end = width + (n == len(rows) - 1)  # the last id of a row is the first of the next
            starts = row["doc_starts"]
            if len(row["doc_sources"]) > len(starts):
                found[-1].ids.extend(row["input_ids"][: min([*starts, end])])
                listed = zip(row["doc_sources"][1:], row["doc_numbers"][1:], strict=True)
            else:
                listed = zip(row["doc_sources"], row["doc_numbers"], strict=True)
            for start, stop, (source, number) in zip(starts, [*starts, end][1:], listed, strict=True):
                if start < end:
                    found.append(Piece(shard, source, number, row["input_ids"][start : min(stop, end)]))
    return found


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a shard folder with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}
