"""A small corpus of conversations, made by a source as others are, and what is learnt of them."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from rich.console import Console

from pipeline.corpus.document import Document, Refused
from pipeline.corpus.shard import plan_shards
from pipeline.corpus.sink import RejectPolicy
from pipeline.engine.options import RunOptions
from pipeline.engine.run import RunResult, run_source
from pipeline.mix.gather import PADDING
from pipeline.mix.run import MixOptions, MixResult, prepare, write_mixture
from pipeline.source import OfRecipe
from pipeline.storage.filesystem import InputFile
from pipeline.storage.listing import match
from tests.pipeline.mix import corpora
from tests.tokenizer.chat.conversations import conversation

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string()), ("train", pa.bool_())])
META = pa.struct([("messages", pa.list_(MESSAGE)), ("dataset", pa.string())])


@dataclass(frozen=True)
class TalksRecipe:
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None


@dataclass(frozen=True)
class Talks(OfRecipe):
    """Conversations: a line of JSON each, the messages or a text."""

    recipe: TalksRecipe
    name: str = "instructions"
    meta: pa.StructType = META
    dedup: None = None

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        offset = 0
        for number, raw in enumerate(stream.read().splitlines(keepends=True)):
            found = json.loads(raw)
            messages = found if isinstance(found, list) else None
            text = found if messages is None else "\n\n".join(m["content"] or "" for m in messages)
            name = f"{Path(file.path).stem}/{number}"
            meta = {"messages": messages, "dataset": "test"}
            yield Document(name, text, self.name, file.path, offset, f"https://talks.example/{name}", meta=meta)
            offset += len(raw)

    def steps_before_dedup(self):
        return []

    def subset(self, document: Document) -> str:
        return "conversations"


def talks(count: int, seed: int, longest: int = 12, turns: int = 4) -> list[list[dict]]:
    """Conversations of different lengths, no two alike; the first answer of every fifth has no loss."""
    rng = np.random.default_rng(seed)
    texts = iter(corpora.prose(2 * turns * count, 1000 + seed, longest))
    return [
        conversation(*(next(texts) for _ in range(2 * rng.integers(1, turns + 1))), untrained=[0] * (n % 5 == 4))
        for n in range(count)
    ]


def make(root: Path, *files: list) -> RunResult:
    """Writes raw files, of messages or texts, and runs the source over them."""
    raw = root / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for number, lines in enumerate(files):
        (raw / f"part-{number}.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    scopes = plan_shards(match([str(raw)]), "files", 1)
    corpora.write_model(root)
    options = RunOptions(str(root / "corpus"), ["--direct_num_workers=1"])
    return run_source(Talks(TalksRecipe()), scopes, options, Console(file=StringIO()))


def recipe(**keys):
    """A recipe of the one source, with Llama 2's template."""
    keys = {"template": "llama2", "max_epochs": 1.0, "shard_rows": 20, "seq_len": 64, **keys}
    return corpora.recipe({"instructions": 100}, **keys)


def mix_of(root: Path, output: str, budget: int | None = None, workers: int = 1, **keys) -> MixResult:
    """Makes a mixture of ``root/corpus`` in this process."""
    silent = Console(file=StringIO())
    run = RunOptions(str(root / output), [f"--direct_num_workers={workers}"])
    options = MixOptions(recipe(**keys), budget, str(root / "corpus"), str(root / "tokenizer.model"), None, run)
    return write_mixture(options, prepare(options, silent), silent)


@dataclass(frozen=True)
class Learnt:
    """A piece of a document in a shard: its number, its ids, which of them have loss, where in it they begin."""

    number: int
    ids: list[int]
    loss: list[bool]
    offset: int


def learnt(folder: Path) -> list[Learnt]:
    """All pieces of documents in all shards, joined over the rows; what fills rows up is left out."""
    manifest = json.loads((folder / "manifest.json").read_text())
    width, found = manifest["seq_len"], []
    for entry in manifest["shards"]:
        rows = pa.ipc.open_stream((folder / entry["file"]).read_bytes()).read_all().to_pylist()
        for n, row in enumerate(rows):
            end = width + (n == len(rows) - 1)
            starts, numbers = row["doc_starts"], row["doc_numbers"]
            if len(numbers) > len(starts):
                stop = min([*starts, end])
                found[-1][1].extend(row["input_ids"][:stop])
                found[-1][2].extend(row["loss_mask"][:stop])
            listed = zip(row["doc_numbers"], row["doc_offsets"], strict=True)
            listed = list(listed)[len(row["doc_numbers"]) - len(starts) :]
            for start, stop, (number, offset) in zip(starts, [*starts, end][1:], listed, strict=True):
                if start < end:
                    part = slice(start, min(stop, end))
                    found.append((number, row["input_ids"][part], row["loss_mask"][part], offset))
    return [Learnt(*piece) for piece in found if piece[0] != int(PADDING)]
