"""Small models and small shard directories that the trainer's tests share."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from trainer_bridge.config import ModelConfig
from trainer_bridge.model import Transformer

SHAPE = ModelConfig(dim=32, layers=2, heads=4, vocab_size=64, ffn_hidden=48, context=32)
GROUPED = ModelConfig(dim=32, layers=2, heads=4, kv_heads=2, vocab_size=64, ffn_hidden=48, context=32, norm_eps=1e-5)


def model(config: ModelConfig = SHAPE, seed: int = 0, std: float = 0.2, **kwargs) -> Transformer:
    """A model with weights large enough that every part of it matters."""
    torch.manual_seed(seed)
    built = Transformer(config, **kwargs)
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.dim() == 1), std=std)
    return built


def ids(batch: int, positions: int, vocab: int = 64, seed: int = 1) -> torch.Tensor:
    """Random ids [batch, positions]."""
    return torch.randint(0, vocab, (batch, positions), generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Doc:
    """A document as the mixer hands it over: its ids (bos and eos included), source and number."""

    ids: Sequence[int]
    source: int = 0
    number: int = 0


def write_shards(
    folder: Path,
    documents: Iterable[Doc],
    seq_len: int,
    *,
    vocab: int = 64,
    sources: Sequence[str] = ("a", "b"),
    shards: int = 2,
    batch_rows: int = 4,
    dtype: pa.DataType | None = None,
    tokenizer_sha256: str = "0" * 64,
    loss: Sequence[bool] | None = None,
    masked: Sequence[int] = (0, 1),
) -> Path:
    """Writes a directory in the mixer's format: documents end to end, cut into rows that overlap by one.

    With ``loss``, of each id in turn, the shards that are ``masked`` have a loss mask.
    """
    documents = list(documents)
    stream = np.concatenate([np.asarray(doc.ids) for doc in documents])
    starts = np.cumsum([0] + [len(doc.ids) for doc in documents])[:-1]
    rows = [_row(stream, starts, documents, at, seq_len) for at in range(0, len(stream) - seq_len, seq_len)]
    dtype = dtype or pa.uint16()
    plain = pa.schema(
        {
            "input_ids": pa.list_(dtype, seq_len + 1),
            "doc_starts": pa.list_(pa.uint16()),
            "doc_sources": pa.list_(pa.uint8()),
            "doc_numbers": pa.list_(pa.uint64()),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"data-{i:05d}-of-{shards:05d}.arrow" for i in range(shards)]
    bounds = [len(rows) * i // shards for i in range(shards + 1)]
    for i, name in enumerate(names):
        if loss is not None and i in masked:
            rows = [(*row[:4], list(loss[k * seq_len : (k + 1) * seq_len + 1])) for k, row in enumerate(rows)]
            schema = plain.append(pa.field("loss_mask", pa.list_(pa.bool_(), seq_len + 1)))
        else:
            schema = plain
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            for at in range(bounds[i], bounds[i + 1], batch_rows):
                part = rows[at : min(at + batch_rows, bounds[i + 1])]
                columns = [pa.array([row[c] for row in part], field.type) for c, field in enumerate(schema)]
                writer.write_batch(pa.record_batch(columns, schema=schema))
    manifest = {
        "seq_len": seq_len,
        "vocab_size": vocab,
        "dtype": str(dtype),
        "tokenizer_sha256": tokenizer_sha256,
        "sources": list(sources),
        "bos": 1,
        "eos": 2,
        "inserts_bos": True,
        "inserts_eos": True,
        "rows": len(rows),
        "fingerprint": hashlib.sha256(stream.tobytes() + str(loss or "").encode()).hexdigest(),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    return folder


def _row(stream, starts, documents, at, seq_len):
    """Columns of the row that begins at a position of the stream."""
    inside = [i for i, start in enumerate(starts) if at <= start <= at + seq_len]
    first = inside[0] if inside else len(starts)
    running = [] if inside and starts[first] == at else [int(np.searchsorted(starts, at, side="right")) - 1]
    segments = running + inside
    return (
        stream[at : at + seq_len + 1].tolist(),
        [int(starts[i]) - at for i in inside],
        [documents[i].source for i in segments],
        [documents[i].number for i in segments],
    )


def random_documents(count: int, seed: int = 0, vocab: int = 64, longest: int = 60, sources: int = 2) -> list[Doc]:
    """Documents of random length; each source has its own part of the vocabulary to learn."""
    rng = np.random.default_rng(seed)
    documents = []
    for number in range(count):
        source = int(rng.integers(sources))
        low = 3 + source * (vocab - 3) // sources
        body = rng.integers(low, low + (vocab - 3) // sources, rng.integers(1, longest))
        documents.append(Doc([1, *body.tolist(), 2], source, number))
    return documents
