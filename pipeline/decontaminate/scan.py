"""Looks one file of the corpus through, and keeps what is found: a Parquet file beside the report, a run a row.

Memory: the tables of the samples, a batch of texts, the ids of one token file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.decontaminate.data import DataFile
from pipeline.decontaminate.samples import Samples, fingerprint_of, read_samples
from pipeline.decontaminate.tokens import TokenIndex
from pipeline.decontaminate.words import WordIndex
from pipeline.engine.attendance import connect
from pipeline.errors import InputError
from pipeline.mix.encode import load_encoder, texts_of
from pipeline.mix.faults import DamagedFile
from pipeline.mix.token_files import TokenReader, TokenStore
from pipeline.recipe import fingerprint
from pipeline.storage.filesystem import atomic_output, exists, join, open_input

FORMAT = 2
FOUND = "found"  # the folder of what is found
WORDS, TOKENS = 0, 1  # how a run was found
_TRACED = ("id", "url", "origin")
_SCHEMA = pa.schema(
    [
        ("method", pa.uint8()),
        ("row", pa.int64()),
        ("start", pa.int64()),
        ("count", pa.int64()),
        ("size", pa.int64()),
        ("id", pa.string()),
        ("url", pa.string()),
        ("raw", pa.string()),
        ("offset", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Question:
    """What is looked for.

    Attributes:
        against: The evaluation sets.
        fields: Their fields that are compared; all of text where empty.
        n: Words of an n-gram.
        words: Whether words are compared.
        tokens: Whether ids are.
        model: The tokenizer, for these.
    """

    against: tuple[str, ...]
    fields: tuple[str, ...]
    n: int
    words: bool
    tokens: bool
    model: str | None


class Indexes:
    """The samples and their tables."""

    def __init__(self, question: Question) -> None:
        """Reads the samples."""
        self.samples: Samples = read_samples(question.against, question.fields)
        self.words = WordIndex(self.samples, question.n) if question.words else None
        self.tokens = None
        tokenizer = None
        if question.tokens:
            assert question.model is not None
            encoder = load_encoder(question.model)
            self.tokens, tokenizer = TokenIndex(self.samples, encoder), encoder.sha256
        self.key = fingerprint([FORMAT, fingerprint_of(self.samples), question.n, question.words, tokenizer])

    @property
    def nbytes(self) -> int:
        """Memory of the tables."""
        return sum(index.nbytes for index in (self.words, self.tokens) if index is not None)


def found_name(path: str) -> str:
    """The name, below the folder of the report, of what is found in a file of the corpus."""
    return f"{FOUND}/{path}"


def is_done(root: str, file: DataFile, key: str) -> bool:
    """Whether what is found in a file is kept already: of this version of it, and for these samples."""
    place = join(root, *found_name(file.path).split("/"))
    if not exists(place):
        return False
    try:
        with open_input(place) as handle:
            return account_of(pq.read_schema(handle)).get("of") == _identity(file, key)
    except (pa.ArrowException, OSError):  # it is made again
        return False


def account_of(schema: pa.Schema) -> dict[str, Any]:
    """What a file of runs says of itself: what it is of, and how much was looked through."""
    try:
        value = json.loads((schema.metadata or {}).get(b"account", b"{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _identity(file: DataFile, key: str) -> list[str]:
    return [key, file.path, file.version, file.tokens.tokens_sha256 if file.tokens else ""]


class ScanFile:
    """DataFile -> its path: looks one file through."""

    def __init__(
        self, question: Question, key: str, corpus: str, store: TokenStore | None, root: str, flags: Sequence[str]
    ) -> None:
        self._question, self._key, self._corpus, self._store = question, key, corpus, store
        self._root, self._flags = root, tuple(flags)
        self._indexes: Indexes | None = None

    def use(self, indexes: Indexes) -> None:
        """Takes tables that are there already, in this process."""
        self._indexes = indexes

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_indexes": None}

    def connect(self) -> None:
        """Connects the file systems."""
        connect(self._flags, self._root)

    def setup(self) -> None:
        """Reads the samples, where this process has not.

        Raises:
            InputError: They are others than those that the command read.
        """
        if self._indexes is None:
            self._indexes = Indexes(self._question)
        if self._indexes.key != self._key:
            raise InputError("the evaluation sets changed while the command ran: run it again")

    def process(self, file: DataFile) -> Iterator[str]:
        """Looks a file through."""
        assert self._indexes is not None
        account: dict[str, Any] = {"of": _identity(file, self._key), "documents": 0, "text_bytes": 0, "tokens": 0}
        runs = np.empty((0, 5), np.int64)
        if self._indexes.words is not None:
            runs = self._words(file, self._indexes.words, account)
        if self._indexes.tokens is not None and file.tokens is not None:
            runs = np.concatenate([runs, self._tokens(file, self._indexes.tokens, account)])
        self._write(file, runs, account)
        yield file.path

    def _words(self, file: DataFile, index: WordIndex, account: dict[str, Any]) -> npt.NDArray[np.int64]:
        place, row = join(self._corpus, *file.path.split("/")), 0
        found, unmet = [], index.unmet()
        try:
            with open_input(place) as handle:
                for texts in texts_of(handle):
                    found += [(WORDS, row + r.text, r.start, r.grams, r.size) for r in index.scan(texts, unmet)]
                    row += len(texts)
                    account["text_bytes"] += sum(len(text.encode("utf-8", "replace")) for text in texts)
        except (DamagedFile, OSError) as error:
            raise InputError(f"{place}: {error}. Make it again, or move it out of the corpus.") from error
        account["documents"] = row
        return np.array(sorted(found), np.int64).reshape(-1, 5)

    def _tokens(self, file: DataFile, index: TokenIndex, account: dict[str, Any]) -> npt.NDArray[np.int64]:
        assert self._store is not None
        assert file.tokens is not None
        stats = file.tokens
        with TokenReader(self._store, file.path, stats.documents, stats.tokens) as reader:
            offsets, ids = reader.all_marks()["offset"].copy(), np.empty(stats.tokens, reader.kind)
            reader.ids(0, ids)
        account["documents"], account["tokens"] = stats.documents, stats.tokens
        account["text_bytes"] = account["text_bytes"] or stats.text_bytes
        runs = index.scan(ids, offsets)
        same = np.zeros_like(runs.starts)
        return np.stack([same + TOKENS, runs.documents, runs.starts, runs.lengths, same], axis=1)

    def _write(self, file: DataFile, runs: npt.NDArray[np.int64], account: dict[str, Any]) -> None:
        numbers = [pa.array(runs[:, k], _SCHEMA.field(k).type) for k in range(5)]
        schema = _SCHEMA.with_metadata({"account": json.dumps(account)})
        table = pa.table([*numbers, *self._traced(file, runs[:, 1])], schema)
        with atomic_output(join(self._root, *found_name(file.path).split("/"))) as output:
            pq.write_table(table, output, compression="zstd")

    def _traced(self, file: DataFile, rows: npt.NDArray[np.int64]) -> list[pa.Array]:
        """For some rows of a file id, address, raw file, and offset of the record there; null where it has none."""
        fields = [_SCHEMA.field(k) for k in range(5, len(_SCHEMA))]
        if not len(rows):
            return [pa.array([], field.type) for field in fields]
        with open_input(join(self._corpus, *file.path.split("/"))) as handle:
            parquet = pq.ParquetFile(handle)
            there = [name for name in _TRACED if name in parquet.schema_arrow.names]
            wanted, back = np.unique(rows, return_inverse=True)
            table = parquet.read(columns=there).take(wanted) if there else None
        values: list[dict[str, Any]] = table.to_pylist() if table is not None else [{}] * len(wanted)
        traced = [_trace(value) for value in values]
        columns = zip(*(traced[place] for place in back.tolist()), strict=True)
        return [pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)]


def _trace(value: dict[str, Any]) -> tuple[str | None, str | None, str | None, int | None]:
    origin = value.get("origin")
    origin = origin if isinstance(origin, dict) else {}
    return _string(value.get("id")), _string(value.get("url")), _string(origin.get("file")), origin.get("offset")


def _string(value: object) -> str | None:
    return None if value is None else str(value)
