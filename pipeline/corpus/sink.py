"""The sink of a shard: one Parquet file for each subset, one for the rejects; named, complete, or not there at all."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.corpus.document import Document, Reject, document_schema, reject_schema, to_columns
from pipeline.errors import OutputError
from pipeline.storage.filesystem import atomic_output, join, refusals_told
from pipeline.text import encodable

ROW_GROUP_CHARACTERS = 64 << 20
ROW_GROUP_DOCUMENTS = 100_000
REJECTS = "_rejects"
DICTIONARY_COLUMNS = ["source", "language", "license", "origin.file", "step", "reason"]


@dataclass(frozen=True)
class RejectPolicy:
    """Which rejects are kept as text; all of them are counted whatever it says.

    Attributes:
        keep: ``all``, ``sample`` (by a hash of the document's id: the same ones in every run), or ``none``.
        fraction: The share that ``sample`` keeps.
    """

    keep: Literal["all", "sample", "none"] = "all"
    fraction: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction must be above 0 and at most 1, it is {self.fraction}")

    def wants(self, identifier: str) -> bool:
        """Tells whether the reject with this id is kept."""
        if self.keep == "sample":
            return xxhash.xxh3_64_intdigest(encodable(identifier).encode()) < self.fraction * 2**64
        return self.keep == "all"


@dataclass(slots=True)
class OutputFile:
    """A finished file of a shard, for its stats: path below the source's folder, contents, checksum."""

    path: str
    documents: int
    characters: int
    bytes: int
    sha256: str


@dataclass
class ParquetOutput:
    """One Parquet file, written in row groups of about 64 MB of text; opened at its first document."""

    root: str
    path: str
    schema: pa.Schema
    documents: int = 0
    characters: int = 0
    _rows: list[Document | Reject] = field(default_factory=list)
    _pending: int = 0
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _handle: BinaryIO | None = None
    _digest: HashingWriter | None = None
    _writer: pq.ParquetWriter | None = None

    @property
    def _place(self) -> str:
        return join(self.root, *self.path.split("/"))

    def write(self, row: Document | Reject) -> None:
        """Adds a document; a full row group goes to disk."""
        document = row.document if isinstance(row, Reject) else row
        self._rows.append(row)
        self._pending += document.weight
        self.documents += 1
        self.characters += len(document.text)
        if self._pending >= ROW_GROUP_CHARACTERS or len(self._rows) >= ROW_GROUP_DOCUMENTS:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            self._handle = self._stack.enter_context(atomic_output(self._place))
            self._digest = HashingWriter(self._handle)
            self._writer = parquet_writer(self._digest, self.schema)
        table = pa.table(_columns(self._rows, self.schema), self.schema)
        with refusals_told(self._place):
            self._writer.write_table(table, row_group_size=len(self._rows))
        self._rows, self._pending = [], 0

    def finish(self) -> OutputFile | None:
        """Publishes the file under its final name; None where no document came."""
        if self._rows:
            self._flush()
        if self._writer is None or self._digest is None:
            return None
        with refusals_told(self._place):
            self._writer.close()
        self._stack.close()
        return OutputFile(
            self.path, self.documents, self.characters, self._digest.size, self._digest.digest.hexdigest()
        )

    def abandon(self, error: BaseException) -> None:
        """Leaves nothing behind."""
        if self._writer is not None and self._digest is not None:
            self._digest.mute()
            with contextlib.suppress(OSError, pa.ArrowException):
                self._writer.close()  # else it would write its footer to a closed file when it is collected
        with contextlib.suppress(type(error), OutputError):
            self._stack.__exit__(type(error), error, error.__traceback__)


def parquet_writer(output: HashingWriter, schema: pa.Schema) -> pq.ParquetWriter:
    """What writes documents or rejects, always with the same settings."""
    return pq.ParquetWriter(
        pa.PythonFile(output, "w"),
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=[c for c in DICTIONARY_COLUMNS if c.split(".")[0] in schema.names],
        write_statistics=False,
        store_schema=True,
    )


class HashingWriter:
    """A write-only file object that hashes what passes through; ParquetWriter needs no more of it."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self.digest = hashlib.sha256()
        self.size = 0
        self.closed = False
        self._mute = False

    def mute(self) -> None:
        """Lets what is written from here on go nowhere."""
        self._mute = True

    def write(self, data: bytes) -> int:
        """Writes and hashes."""
        self.digest.update(data)
        self.size += len(data)
        return len(data) if self._mute else self._handle.write(data)

    def flush(self) -> None:
        """Flushes the file below."""
        if not self._mute:
            self._handle.flush()

    def tell(self) -> int:
        """Bytes written so far."""
        return self.size

    def close(self) -> None:
        """Marks the end; the file below is closed by who opened it."""
        self.closed = True


def _columns(rows: list[Document | Reject], schema: pa.Schema) -> list[pa.Array]:
    documents = [row.document if isinstance(row, Reject) else row for row in rows]
    columns = to_columns(documents, schema)
    rejects = [row for row in rows if isinstance(row, Reject)]
    if rejects:
        columns += [pa.array([r.step for r in rejects]), pa.array([r.reason for r in rejects])]
    return columns


class ShardSink:
    """Writes the outputs of one shard: ``<subset>/<shard>.parquet`` and ``_rejects/<shard>.parquet``.

    A context manager: files are published by ``finish``; leaving by an error publishes none. Memory: at most one row
    group (64 MB of text and its Arrow copy) for each subset and for the rejects.
    """

    def __init__(self, root: str, shard: str, meta: pa.StructType, rejects: RejectPolicy) -> None:
        self._root = root
        self._shard = shard
        self._schema = document_schema(meta)
        self._policy = rejects
        self._rejects = ParquetOutput(root, f"{REJECTS}/{shard}.parquet", reject_schema(meta))
        self._subsets: dict[str, ParquetOutput] = {}

    def keep(self, document: Document, subset: str) -> None:
        """Writes a kept document to its subset."""
        if subset not in self._subsets:
            self._subsets[subset] = ParquetOutput(self._root, f"{subset}/{self._shard}.parquet", self._schema)
        self._subsets[subset].write(document)

    def reject(self, reject: Reject) -> None:
        """Writes a reject where the policy wants it."""
        if self._policy.wants(reject.document.id):
            self._rejects.write(reject)

    @property
    def files(self) -> set[str]:
        """The files that ``finish`` will publish, below the source's folder."""
        return {output.path for output in (*self._subsets.values(), self._rejects) if output.documents}

    def finish(self) -> tuple[list[OutputFile], OutputFile | None]:
        """Publishes all files; gives the subsets' in the order of their names, and the rejects'."""
        finished = [self._subsets[name].finish() for name in sorted(self._subsets)]
        return [f for f in finished if f], self._rejects.finish()

    def __enter__(self) -> ShardSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for output in (*self._subsets.values(), self._rejects):
                output.abandon(error)
