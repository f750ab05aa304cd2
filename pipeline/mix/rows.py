"""Reading a shard folder: its rows, the documents in them, and the corpus documents that these are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.corpus.manifest import read_manifest
from pipeline.corpus.shard import Layout
from pipeline.errors import InputError, OutputError, UserError
from pipeline.mix.blocks import TokenFile
from pipeline.mix.chat import TEMPLATE
from pipeline.mix.folder import FORMAT, TOKENIZER, chat_of, read_documents
from pipeline.mix.gather import PADDING
from pipeline.mix.names import DOCUMENTS, TOKEN_FILES
from pipeline.mix.shards import LOSS_MASK
from pipeline.mix.token_files import Coding, TokenStore
from pipeline.storage.filesystem import exists, is_remote, join, open_input, read_bytes

if TYPE_CHECKING:
    from tokenizer.chat.template import Template


@dataclass(frozen=True)
class Segment:
    """A document, or a part of one, in a row.

    Attributes:
        start: Its first id in the row.
        stop: The id behind its last.
        source: Its source's number.
        number: Its document's number.
        begins: Whether it begins here; else it runs on from the row before.
        offset: Which id of its document its first one is; of a part that begins here inside its document, the one
            behind the bos that it got.
    """

    start: int
    stop: int
    source: int
    number: int
    begins: bool
    offset: int

    @property
    def is_document(self) -> bool:
        """Whether it is of a document; else it fills a row up."""
        return self.number != int(PADDING)


@dataclass(frozen=True)
class Row:
    """A row.

    Attributes:
        ids: Its ids [seq_len + 1].
        segments: The documents in it.
        loss: Whether each id is to be predicted [seq_len + 1]; None where all are.
    """

    ids: npt.NDArray[Any]
    segments: list[Segment]
    loss: npt.NDArray[np.bool_] | None = None

    @property
    def documents(self) -> list[Segment]:
        """The segments that are of documents; others fill the row up."""
        return [segment for segment in self.segments if segment.is_document]

    def at(self, token: int) -> Segment:
        """The document of an id."""
        return next(segment for segment in self.segments if token < segment.stop)


@dataclass(frozen=True)
class ShardFolder:
    """A folder of finished shards.

    Attributes:
        root: The folder.
        manifest: Its manifest.
        files: The Parquet files of the corpus, in the order of their documents' numbers.
        corpus: The corpus folder.
    """

    root: str
    manifest: dict[str, Any]
    files: list[TokenFile]
    corpus: str

    def got_bos(self, segment: Segment) -> bool:
        """Whether a segment begins with a bos that is not its document's own: a part of a document gets one."""
        return bool(segment.begins and segment.offset and self.manifest["inserts_bos"])

    @property
    def tokenizer(self) -> str:
        """The tokenizer's model."""
        return join(self.root, TOKENIZER)

    def template(self) -> Template | None:
        """The template by which its conversations were encoded; None where there is none.

        Raises:
            OutputError: It is missing, or another one.
        """
        record = self.manifest.get("template")
        if record is None:
            return None
        from tokenizer.chat.template import TemplateError, parse_template  # noqa: PLC0415 - where there is one

        path = join(self.root, TEMPLATE)
        try:
            found = parse_template(read_bytes(path).decode(), path)
        except (OSError, UnicodeDecodeError, TemplateError) as error:
            raise OutputError(f"{path} cannot be read: {error}") from error
        if found.sha256 != record["sha256"]:
            raise OutputError(f"{path} is not the template that the shards were made with")
        return found

    def place(self, row: int) -> tuple[str, int]:
        """The shard that holds a row, and the row's number in it.

        Raises:
            UserError: There is no such row.
        """
        if not 0 <= row < self.manifest["rows"]:
            raise UserError(f"{self.root} has rows 0 to {self.manifest['rows'] - 1}; there is no row {row}")
        for entry in self.manifest["shards"]:
            if row < entry["rows"]:
                return str(entry["file"]), row
            row -= entry["rows"]
        raise OutputError(f"{self.root}: the shards hold fewer rows than the manifest says")

    def file_of(self, number: int) -> tuple[TokenFile, int]:
        """The Parquet file of a document, and its row there.

        Raises:
            OutputError: There is no such document.
        """
        firsts = np.array([file.first_number for file in self.files], np.uint64)
        place = int(np.searchsorted(firsts, np.uint64(number), side="right")) - 1
        # files without documents share the number of the next one's first, which comes behind them
        if place < 0 or number - self.files[place].first_number >= self.files[place].documents:
            raise OutputError(f"{join(self.root, DOCUMENTS)} knows no document {number}")
        if (row := self.files[place].row_of(number)) is None:
            raise OutputError(
                f"document {number} was removed from {self.files[place].path}, as a list of removals asked"
            )
        return self.files[place], row


def store_of(folder: ShardFolder) -> TokenStore:
    """The token files of which shards were made: beside the corpus, wherever it lies now, if they lay there then."""
    manifest = folder.manifest
    coding = Coding(
        manifest["tokenizer_sha256"],
        manifest["dtype"],
        bool(manifest["inserts_bos"]),
        bool(manifest["inserts_eos"]),
        chat_of(manifest),
    )
    beside = join(folder.corpus, TOKEN_FILES)
    root = beside if manifest["token_files"] == join(manifest["corpus"], TOKEN_FILES) else manifest["token_files"]
    return TokenStore(folder.corpus, root, coding, folder.template())


def open_folder(root: str, corpus: str | None = None) -> ShardFolder:
    """Opens a folder of finished shards.

    Args:
        root: The folder.
        corpus: Where the corpus lies now, if not where it did.

    Raises:
        UserError: It is none, or has not been finished.
    """
    manifest = read_manifest(Layout(root))
    if manifest is None or "seq_len" not in manifest:
        raise InputError(f"{root} is no finished folder of shards: run python -m pipeline.mix to its end")
    if manifest.get("format") != FORMAT:
        raise InputError(
            f"{root} has shards of format {manifest.get('format')}; this version reads format {FORMAT}. Make them "
            "again with python -m pipeline.mix; the trainer reads both."
        )
    try:
        files = read_documents(join(root, DOCUMENTS), manifest["sources"])
        return ShardFolder(root, manifest, files, corpus or str(manifest["corpus"]))
    except (KeyError, TypeError) as error:
        raise OutputError(f"{root}: its manifest is damaged: {error!r}") from error


def read_batches(path: str) -> Iterator[pa.RecordBatch]:
    """The record batches of a shard; a local one is mapped, not read.

    Raises:
        OutputError: It is missing or damaged.
    """
    try:
        with open_input(path) if is_remote(path) else pa.memory_map(path) as handle:
            yield from pa.ipc.open_stream(handle)
    except (pa.ArrowException, OSError) as error:
        state = "is damaged" if exists(path) else "is missing"
        raise OutputError(f"{path} {state}: {error}") from error


def read_row(path: str, row: int) -> Row:
    """Reads one row of a shard.

    Raises:
        OutputError: The shard is missing or damaged, or has no such row.
    """
    for batch in read_batches(path):
        if row < batch.num_rows:
            return row_of(batch, row)
        row -= batch.num_rows
    raise OutputError(f"{path} has fewer rows than the manifest says")


def loss_of(batch: pa.RecordBatch) -> npt.NDArray[np.bool_] | None:
    """Whether each id of a record batch is to be predicted [rows, seq_len + 1]; None where it has no loss mask.

    Raises:
        ValueError: The mask has nulls, or is of another kind.
    """
    if LOSS_MASK not in batch.schema.names:
        return None
    column = batch.column(LOSS_MASK)
    kind = batch.schema.field("input_ids").type
    if column.type != pa.list_(pa.bool_(), kind.list_size):
        raise ValueError(f"{LOSS_MASK} is {column.type}, not fixed_size_list<bool>[{kind.list_size}]")
    values = column.flatten()
    if column.null_count or values.null_count:
        raise ValueError(f"{LOSS_MASK} holds nulls")
    return np.asarray(values.to_numpy(zero_copy_only=False), np.bool_).reshape(-1, kind.list_size)


def row_of(batch: pa.RecordBatch, row: int) -> Row:
    """One row of a record batch."""
    ids = np.array(batch.column("input_ids")[row].values)
    starts = batch.column("doc_starts")[row].as_py()
    sources = batch.column("doc_sources")[row].as_py()
    numbers = batch.column("doc_numbers")[row].as_py()
    offsets = batch.column("doc_offsets")[row].as_py()
    begins = [True] * len(starts)
    if len(sources) > len(starts):
        starts, begins = [0, *starts], [False, *begins]
    stops = [*starts[1:], len(ids)]
    segments = [Segment(*fields) for fields in zip(starts, stops, sources, numbers, begins, offsets, strict=True)]
    loss = loss_of(batch.slice(row, 1))
    return Row(ids, segments, None if loss is None else loss[0])


def read_document(
    folder: ShardFolder, number: int, columns: list[str] | None = None
) -> tuple[str, int, dict[str, Any]]:
    """Reads a document from the corpus.

    Args:
        folder: The shards.
        number: The document's number.
        columns: Those to read; all where None.

    Returns:
        The path of its Parquet file below the corpus, its row there, and its columns.

    Raises:
        InputError: The corpus is not there any more, or changed.
    """
    file, row = folder.file_of(number)
    place = join(folder.corpus, *file.path.split("/"))
    try:
        with open_input(place) as handle:
            parquet, left = pq.ParquetFile(handle), row
            for group in range(parquet.num_row_groups):
                rows = parquet.metadata.row_group(group).num_rows
                if left < rows:
                    return file.path, row, parquet.read_row_group(group, columns).slice(left, 1).to_pylist()[0]
                left -= rows
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{place} cannot be read: {error}. Where is the corpus now? Give --corpus.") from error
    raise InputError(f"{place} has no row {row}: it is not the file that the shards were made of")
