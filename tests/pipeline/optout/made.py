"""A small corpus of two sources, with token files and token shards, from which documents are taken out."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from pipeline.corpus.document import Document, Refused
from pipeline.corpus.shard import plan_shards
from pipeline.corpus.sink import RejectPolicy
from pipeline.engine.options import RunOptions
from pipeline.engine.run import RunResult, run_source
from pipeline.source import OfRecipe
from pipeline.steps import DropShort
from pipeline.storage.filesystem import InputFile
from pipeline.storage.listing import match
from tests.pipeline.mix.corpora import mix, prose, recipe, write_model
from tokenizer.encode import Encoder

META = pa.struct([("repo", pa.string()), ("words", pa.list_(pa.string()))])
SHORT = "too short to stay"  # the text of a reject


@dataclass(frozen=True)
class PageRecipe:
    min_characters: int = 30
    rejects: RejectPolicy = field(default_factory=RejectPolicy)
    optout: str | None = None


@dataclass(frozen=True)
class Pages(OfRecipe):
    """Pages: a line each, its address, a repository, and its text."""

    recipe: PageRecipe
    name: str
    meta: pa.StructType = META
    dedup: None = None

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        offset = 0
        for raw in stream.read().splitlines(keepends=True):
            url, repo, text = raw.decode().rstrip("\n").split("\t")
            meta = {"repo": repo, "words": text.split()[:3]}
            yield Document(f"{self.name}/{url}", text, self.name, file.path, offset, url, meta=meta)
            offset += len(raw)

    def steps_before_dedup(self):
        return [DropShort(self.recipe.min_characters)]

    def subset(self, document: Document) -> str:
        return "long" if len(document.text) > 200 else "all"


def text_of(name: str, file: int, number: int) -> str:
    return prose(30, 100 * (name == "b") + file)[number]


def write_raw(root: Path, name: str, files: int, pages: int = 30) -> Path:
    """Files of pages, of which the last of each is dropped by the source."""
    folder = root / "raw" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in range(files):
        texts = prose(pages, 100 * (name == "b") + file, longest=90)
        lines = [f"https://{name}.example/{file}/{n}\towner{n % 5}/repo{n}\t{text}\n" for n, text in enumerate(texts)]
        lines.append(f"https://{name}.example/{file}/short\towner0/short\t{SHORT}\n")
        (folder / f"part-{file}.txt").write_text("".join(lines))
    return folder


def make_source(root: Path, name: str, output: str = "corpus", **keys) -> RunResult:
    """Runs a source in this process."""
    source = Pages(PageRecipe(**keys), name)
    scopes = plan_shards(match([str(root / "raw" / name)]), "files", 1)
    options = RunOptions(str(root / output), ["--direct_num_workers=1"])
    return run_source(source, scopes, options, Console(file=StringIO()))


def make(root: Path) -> Path:
    """A corpus, its token files, and shards with a held-out set; of neither source all is drawn."""
    for name, files in (("a", 4), ("b", 2)):
        write_raw(root, name, files)
        make_source(root, name)
    write_model(root)
    mix(root, recipe({"a": 70, "b": 30}, shard_rows=150, heldout_tokens=160), budget=6000)
    return root


def write_list(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def files_of(root: Path) -> dict[str, bytes]:
    """The bytes of all that a run must make alike: all but logs with dates, locks and times."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in (".lock", "log.jsonl") and path.parent.name != "_timing"
    }


def report(path: Path) -> list[dict[str, str]]:
    """The rows of a report."""
    _, _, table = path.read_text().partition("\n")
    return list(csv.DictReader(io.StringIO(table), delimiter="\t"))


def log(folder: Path) -> list[dict]:
    """The lines of a folder's log."""
    return [json.loads(line) for line in (folder / "_optout/log.jsonl").read_text().splitlines()]


def all_text(root: Path) -> str:
    """All that stands in any file below a folder: Parquet and Arrow by their values, ids decoded, else the bytes."""
    encoder, found = Encoder(str(next(root.rglob("shards/tokenizer.model")))), []
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.name != "tokenizer.model"):
        if path.suffix == ".parquet":
            found.append(str(pq.read_table(path).to_pylist()))
        elif path.suffix == ".arrow":
            rows = pa.ipc.open_stream(path.read_bytes()).read_all()["input_ids"].to_pylist()
            found += [encoder.decode([i for row in rows for i in row[:-1]]), *map(encoder.decode, rows)]
        elif path.suffix == ".tokens":
            count = json.loads(path.with_suffix(".json").read_text())["tokens"]
            found.append(encoder.decode(np.frombuffer(path.read_bytes(), "<u2", count).tolist()))
        else:
            found.append(path.read_bytes().decode("utf-8", "replace"))
    return "\n".join(found)
