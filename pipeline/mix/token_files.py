"""Token files: the ids of one Parquet file's documents, made once for a tokenizer and used by every mixture.

A token file holds D + 1 offsets (int64, little-endian, counted in ids), then all ids (uint16 or uint32, little-endian);
document d is row d of the Parquet file and has the ids from offset d to offset d + 1, its bos and eos among them; a
document without text has none. Beside it lies a stats file, written last: what it was made of, and its counts.

Memory: a batch of texts (about 4 million characters, or the longest document) with its ids, and 8 bytes a document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.shard import read_json, write_json
from pipeline.errors import InputError, ModelError, OutputError
from pipeline.mix.corpus import SUFFIX, CorpusFile
from pipeline.source import HashingReader
from pipeline.steps import BATCH_CHARACTERS
from pipeline.storage.filesystem import atomic_output, exists, join, open_input
from pipeline.storage.listing import match
from tokenizer.encode import Encoder
from tokenizer.errors import TokenizerError

FORMAT = 1
ROWS = 256  # read from Parquet at a time
OFFSET_BYTES = 8
NAME_CHARACTERS = 16  # of the tokenizer's checksum, in the name of the folder

Ids = npt.NDArray[Any]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Coding:
    """How documents become ids: what token files must have in common.

    Attributes:
        tokenizer: The SHA-256 of the tokenizer's model.
        dtype: ``uint16`` or ``uint32``.
        bos: Whether bos is put before each document.
        eos: Whether eos is put behind it.
    """

    tokenizer: str
    dtype: str
    bos: bool
    eos: bool

    @property
    def folder(self) -> str:
        """The folder of such token files."""
        return self.tokenizer[:NAME_CHARACTERS] + ("-bos" if self.bos else "") + ("-eos" if self.eos else "")

    @property
    def numpy(self) -> np.dtype[Any]:
        """The type of an id in files."""
        return np.dtype(self.dtype).newbyteorder("<")


@dataclass(frozen=True)
class TokenStats:
    """What the stats file of a token file says.

    Attributes:
        format: Of the token file.
        path: The Parquet file, below the corpus folder.
        bytes: Its size.
        sha256: Its checksum.
        modified: Its time of change in nanoseconds, where no manifest has its checksum; else None.
        coding: How it was encoded.
        documents: Its rows.
        empty: Those without text.
        tokens: All ids.
        text_bytes: Bytes of text.
        error: Why it could not be read; None where it could.
    """

    format: int
    path: str
    bytes: int
    sha256: str
    modified: int | None
    coding: Coding
    documents: int = 0
    empty: int = 0
    tokens: int = 0
    text_bytes: int = 0
    error: str | None = None


class DamagedFile(Exception):
    """A Parquet file that cannot be read to its end; says why."""


@dataclass(frozen=True)
class TokenStore:
    """The token files of one corpus and one coding.

    Attributes:
        corpus: The corpus folder.
        root: The folder of the token files.
        coding: How they are encoded.
    """

    corpus: str
    root: str
    coding: Coding

    def names(self, path: str) -> tuple[str, str]:
        """Token file and stats file of a Parquet file, below the folder, with ``/`` between their parts."""
        stem = f"{self.coding.folder}/{path.removesuffix(SUFFIX)}"
        return f"{stem}.tokens", f"{stem}.json"

    def tokens(self, path: str) -> str:
        """The token file of a Parquet file."""
        return join(self.root, *self.names(path)[0].split("/"))

    def stats_path(self, path: str) -> str:
        """Its stats file."""
        return join(self.root, *self.names(path)[1].split("/"))

    def read_stats(self, path: str) -> TokenStats | None:
        """The stats of a Parquet file's token file; None where it was not made, or not by this format."""
        place = self.stats_path(path)
        if not exists(place):
            return None
        try:
            values = read_json(place)
            values["coding"] = Coding(**values["coding"])
            return TokenStats(**values)
        except (TypeError, KeyError, AttributeError, OutputError):  # of another format, or damaged: it is made again
            return None

    def is_done(self, file: CorpusFile, modified: int | None) -> bool:
        """Whether the token file of this very Parquet file is there, and whole; one cut short is made again."""
        stats = self.read_stats(file.path)
        if (
            stats is None
            or stats.error
            or (stats.format, stats.coding, stats.bytes) != (FORMAT, self.coding, file.bytes)
        ):
            return False
        same = stats.sha256 == file.sha256 if file.sha256 else stats.modified == modified
        return same and _size(self.tokens(file.path)) == self._bytes(stats)

    def _bytes(self, stats: TokenStats) -> int:
        return (stats.documents + 1) * OFFSET_BYTES + stats.tokens * self.coding.numpy.itemsize


def _size(path: str) -> int:
    """Bytes of a file; -1 where there is none."""
    try:
        return match([path])[0].size
    except InputError:
        return -1


def encode_file(store: TokenStore, encoder: Encoder, file: CorpusFile, modified: int | None) -> TokenStats:
    """Makes the token file of a Parquet file, and its stats; a damaged one gets stats with an error alone.

    Raises:
        ModelError: The tokenizer is not the store's.
        OutputError: The token file cannot be written.
    """
    coding = store.coding
    if encoder.sha256 != coding.tokenizer:
        raise ModelError(f"the tokenizer has sha256 {encoder.sha256}, the token files are of {coding.tokenizer}")
    place, sha256 = join(store.corpus, *file.path.split("/")), ""
    counts: dict[str, int] = {}
    error = None
    try:
        with open_input(place) as handle:
            sha256 = HashingReader(handle).finish()["sha256"]
        if file.sha256 and sha256 != file.sha256:
            raise DamagedFile(f"its sha256 is {sha256}, its manifest says {file.sha256}")
        with open_input(place) as handle, atomic_output(store.tokens(file.path)) as output:
            counts = _encode(handle, output, encoder, coding)
    except DamagedFile as fault:
        error = str(fault)
    except OSError as fault:
        error = f"it cannot be read: {fault}"
    stats = TokenStats(FORMAT, file.path, file.bytes, sha256, modified, coding, **counts, error=error)
    write_json(store.stats_path(file.path), asdict(stats))
    return stats


def _encode(handle: BinaryIO, output: BinaryIO, encoder: Encoder, coding: Coding) -> dict[str, int]:
    """Writes the ids behind a gap, and then the offsets into the gap."""
    documents = _open(handle).metadata.num_rows
    offsets = np.zeros(documents + 1, "<i8")
    output.seek(offsets.nbytes)
    row = text_bytes = 0
    for texts in _texts(handle):
        filled = [text for text in texts if text]
        try:
            ids, ends = encoder.encode_batch(filled, add_bos=coding.bos, add_eos=coding.eos)
        except TokenizerError as error:
            raise ModelError(str(error)) from error
        output.write(np.ascontiguousarray(ids, coding.numpy).data)
        lengths = np.zeros(len(texts), np.int64)
        lengths[[bool(text) for text in texts]] = np.diff(ends)
        if row + len(texts) > documents:
            raise DamagedFile("it holds more rows than its footer says")
        offsets[row + 1 : row + 1 + len(texts)] = offsets[row] + np.cumsum(lengths)
        row += len(texts)
        text_bytes += sum(len(text.encode("utf-8", "replace")) for text in filled)
    if row != documents:
        raise DamagedFile(f"it holds {row} rows, its footer says {documents}")
    output.seek(0)
    output.write(offsets.data)
    empty = int(np.count_nonzero(np.diff(offsets) == 0))
    return {"documents": documents, "empty": empty, "tokens": int(offsets[-1]), "text_bytes": text_bytes}


def _open(handle: BinaryIO) -> pq.ParquetFile:
    try:
        file = pq.ParquetFile(handle)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFile(f"it is no Parquet file, or damaged: {error}") from error
    kinds = {field.name: field.type for field in file.schema_arrow}
    if "text" not in kinds:
        raise DamagedFile(f"it has no column text; it has {', '.join(kinds)}")
    if not (pa.types.is_string(kinds["text"]) or pa.types.is_large_string(kinds["text"])):
        raise DamagedFile(f"its column text holds {kinds['text']}, not strings")
    return file


def _texts(handle: BinaryIO) -> Iterator[list[str]]:
    """The texts of all rows, in order, in lists of about 4 million characters; "" for a missing one."""
    try:
        for batch in _open(handle).iter_batches(ROWS, columns=["text"]):
            pending: list[str] = []
            weight = 0
            for value in batch.column(0):
                text = value.as_py() or ""
                pending.append(text)
                weight += len(text)
                if weight >= BATCH_CHARACTERS:
                    yield pending
                    pending, weight = [], 0
            if pending:
                yield pending
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DamagedFile(f"it is damaged: {error}") from error


class TokenReader:
    """An open token file, from which pieces are read. A context manager."""

    def __init__(self, store: TokenStore, path: str, documents: int) -> None:
        """Opens the token file of a Parquet file.

        Raises:
            OutputError: It is gone.
        """
        self._place = store.tokens(path)
        self._kind = store.coding.numpy
        self._documents = documents
        try:
            self._handle = open_input(self._place)
        except OSError as error:
            raise self._damaged(str(error)) from error

    def __enter__(self) -> TokenReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def offsets(self, first: int, documents: int) -> Offsets:
        """The offsets of some documents, one more than there are of them."""
        found = np.empty(documents + 1, "<i8")
        self._read_into(first * OFFSET_BYTES, found)
        if found[0] < 0 or (found[1:] < found[:-1]).any():
            raise self._damaged("its offsets are out of order")
        return found

    def ids(self, start: int, out: Ids) -> None:
        """Fills an array with the ids from an offset on."""
        self._read_into((self._documents + 1) * OFFSET_BYTES + start * self._kind.itemsize, out)

    def _read_into(self, position: int, out: npt.NDArray[Any]) -> None:
        try:
            self._handle.seek(position)
            count = self._handle.readinto(out.view(np.uint8))  # type: ignore[attr-defined]
        except OSError as error:
            raise self._damaged(str(error)) from error
        if count != out.nbytes:
            raise self._damaged("it is cut short")

    def _damaged(self, why: str) -> OutputError:
        return OutputError(f"the token file {self._place} is damaged: {why}. Remove it and run the same command again.")
