"""Token shards: a directory of Arrow IPC stream files, mapped into memory and read without a copy.

The directory is what ``datasets.load_from_disk`` opens (state.json names the files, in order), with a
manifest.json that says what the ids are. Columns: ``input_ids`` fixed_size_list<uint16 or uint32>[seq_len +
1], ``doc_starts`` list<uint16>, ``doc_sources`` list<uint8>, ``doc_numbers`` list<uint64>; and in files with ids for
which the loss is off, ``loss_mask`` fixed_size_list<bool>[seq_len + 1]: whether an id is to be predicted. Ids that are
of no document, and fill a row up, have the number 2**64 - 1.
"""

import json
import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trainer_bridge.errors import TrainerError

COLUMNS = ("input_ids", "doc_starts", "doc_sources", "doc_numbers")
LOSS_MASK = "loss_mask"
PADDING = np.uint64(0xFFFFFFFFFFFFFFFF)  # the number of what fills a row up
END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # Arrow format, "IPC Streaming Format"
ROWS_CHECKED_FOR_BOS = 1000


@dataclass(frozen=True)
class Manifest:
    """What the shards hold, as the mixer wrote it down."""

    seq_len: int
    vocab_size: int
    tokenizer_sha256: str
    sources: tuple[str, ...]
    bos: int | None
    eos: int | None
    inserts_bos: bool
    inserts_eos: bool
    rows: int
    fingerprint: str
    earlier: tuple[str, ...] = ()  # the fingerprints that they had before lists of removals changed rows
    has_template: bool = False  # whether conversations were encoded by one
    before_masks: tuple[str, ...] = ()  # those that they had before a loss mask was written, or another one

    def identity(self) -> dict[str, Any]:
        """What must not change between a checkpoint and its resumption, for a comparison key by key."""
        aside = ("earlier", "before_masks", "has_template")
        values = {key: value for key, value in self.__dict__.items() if key not in aside}
        return {**values, "sources": list(self.sources)}


def read_manifest(folder: Path) -> Manifest:
    """Reads ``manifest.json``.

    Raises:
        TrainerError: no such directory or file, or a key that is missing or of the wrong kind.
    """
    path = folder / "manifest.json"
    if not folder.is_dir():
        raise TrainerError(f"no shard directory {folder}")
    if not path.is_file():
        raise TrainerError(f"{folder} is no shard directory: it has no manifest.json")
    try:
        values = json.loads(path.read_bytes())
        return Manifest(
            seq_len=int(values["seq_len"]),
            vocab_size=int(values["vocab_size"]),
            tokenizer_sha256=str(values["tokenizer_sha256"]),
            sources=tuple(str(name) for name in values["sources"]),
            bos=values.get("bos"),
            eos=values.get("eos"),
            inserts_bos=bool(values.get("inserts_bos", False)),
            inserts_eos=bool(values.get("inserts_eos", False)),
            rows=int(values["rows"]),
            fingerprint=str(values["fingerprint"]),
            earlier=tuple(str(one) for one in (values.get("optout") or {}).get("earlier", ())),
            has_template="template" in values,
            before_masks=tuple(str(one) for one in (values.get(LOSS_MASK) or {}).get("earlier", ())),
        )
    except KeyError as error:
        raise TrainerError(f"{path} lacks the key {error.args[0]!r}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise TrainerError(f"{path} cannot be read: {error}") from error


def shard_files(folder: Path) -> list[Path]:
    """The shard files in the order of ``state.json``, else of their names."""
    state = folder / "state.json"
    if state.is_file():
        try:
            names = [str(entry["filename"]) for entry in json.loads(state.read_bytes())["_data_files"]]
        except (ValueError, KeyError, TypeError) as error:
            raise TrainerError(f"{state} cannot be read: {error!r}") from error
    else:
        names = sorted(path.name for path in folder.glob("data-*.arrow"))
    if not names:
        raise TrainerError(f"{folder} holds no data-*.arrow files")
    if any(Path(name).name != name for name in names):
        raise TrainerError(f"{state} names files outside {folder}")
    return [folder / name for name in names]


@dataclass(frozen=True)
class Segments:
    """The documents inside some rows, all rows' segments one after the other.

    Attributes:
        counts: segments of each row [rows].
        starts: position in its row where each segment begins; 0 for one that runs on from the row before.
        sources: source id of each segment.
        numbers: global document number of each segment.
        loss: whether each id is to be predicted [rows, seq_len + 1]; None where all are.
    """

    counts: NDArray[np.int64]
    starts: NDArray[np.int64]
    sources: NDArray[np.uint8]
    numbers: NDArray[np.uint64]
    loss: NDArray[np.bool_] | None = None


def _numpy(array: Any) -> NDArray[Any]:
    values: NDArray[Any] = array.to_numpy(zero_copy_only=True)
    return values


def _bits(mask: Any, count: int) -> tuple[NDArray[np.uint8], int]:
    """The bytes of a column of bits, least bit first, and which bit is the first row's first; ValueError: too short."""
    values = mask.values
    data = np.frombuffer(values.buffers()[1], np.uint8) if len(values) else np.empty(0, np.uint8)
    if values.null_count or len(values) < count or 8 * len(data) < values.offset + count:
        raise ValueError("the loss mask is too short, or holds nulls")
    return data, int(values.offset)


class RecordBatchView:
    """Zero-copy NumPy views of one record batch of one file."""

    def __init__(self, path: Path, number: int, columns: list[Any], manifest: Manifest) -> None:
        self.where = f"{path}, record batch {number}"
        width = self._width = manifest.seq_len + 1
        ids, starts, sources, numbers, mask = columns
        try:
            for lists in (starts, sources, numbers):
                # a flipped bit in an offset must not become a read outside the file
                lists.validate(full=True)
            self.ids = _numpy(ids.values).reshape(-1, width)
            self.start_offsets, self.starts = _numpy(starts.offsets), _numpy(starts.values)
            self.source_offsets, self.sources = _numpy(sources.offsets), _numpy(sources.values)
            number_offsets, self.numbers = _numpy(numbers.offsets), _numpy(numbers.values)
            self._bits: NDArray[np.uint8] | None = None
            if mask is not None:
                self._bits, self._first_bit = _bits(mask, len(ids) * width)
        except (pa.ArrowException, ValueError) as error:
            raise TrainerError(f"damaged shard: {self.where}: {error}") from error
        if not np.array_equal(number_offsets, self.source_offsets):
            raise TrainerError(f"damaged shard: {self.where}: sources and numbers of documents differ in count")
        self._check_documents(manifest)

    @property
    def has_mask(self) -> bool:
        """Whether it has a loss mask; else all ids are to be predicted."""
        return self._bits is not None

    def loss(self, row: int) -> NDArray[np.bool_]:
        """Whether each id of a row is to be predicted [seq_len + 1]; only of a batch that has a mask."""
        assert self._bits is not None
        first, last = (self._first_bit + number * self._width for number in (row, row + 1))
        bits = np.unpackbits(self._bits[first // 8 : -(-last // 8)], bitorder="little")
        return bits[first % 8 : first % 8 + self._width].view(np.bool_)

    def starts_of_documents(self, row: int) -> NDArray[np.uint16]:
        """Where documents begin in a row; what fills it up is none."""
        starts = self.starts[self.start_offsets[row] : self.start_offsets[row + 1]]
        last = int(self.source_offsets[row + 1])
        found: NDArray[np.uint16] = starts[self.numbers[last - len(starts) : last] != PADDING]
        return found

    def _check_documents(self, manifest: Manifest) -> None:
        """Sources index the metrics and starts index the row: checked here once, so that reading a row need not."""
        begins, ends = self.start_offsets[:-1], self.start_offsets[1:]
        counts = ends - begins
        runs_on = np.ones(len(counts), np.bool_)
        some = counts > 0
        runs_on[some] = self.starts[begins[some]] != 0
        wrong = np.diff(self.source_offsets) != counts + runs_on
        used = slice(int(self.start_offsets[0]), int(self.start_offsets[-1]))
        owner, starts = np.repeat(np.arange(len(counts)), counts), self.starts[used]
        wrong[owner[starts > manifest.seq_len]] = True
        wrong[owner[1:][(starts[1:] <= starts[:-1]) & (owner[1:] == owner[:-1])]] = True
        used = slice(int(self.source_offsets[0]), int(self.source_offsets[-1]))
        owner = np.repeat(np.arange(len(counts)), np.diff(self.source_offsets))
        wrong[owner[self.sources[used] >= len(manifest.sources)]] = True
        if wrong.any():
            row = int(np.argmax(wrong))
            raise TrainerError(f"damaged shard: {self.where}, row {row}: a document's start or source is out of range")


class ShardReader:
    """All rows of a shard directory, by number."""

    def __init__(self, folder: Path) -> None:
        """Maps every file and checks its frame; the ids themselves stay on disk until they are asked for.

        Raises:
            TrainerError: a missing, truncated, compressed or misshapen file, named with its record batch.
        """
        self.folder = folder
        self.manifest = read_manifest(folder)
        files = shard_files(folder)
        _allow_open_files(len(files) + 256)
        self._batches: list[tuple[Path, int, list[Any]]] = []
        self._views: dict[int, RecordBatchView] = {}
        self.descriptors: dict[Path, tuple[int, int]] = {}
        lengths = []
        for path in files:
            columns, base = _open_columns(path, self.manifest)
            descriptor = os.open(path, os.O_RDONLY) if hasattr(os, "posix_fadvise") else -1
            self.descriptors[path] = (descriptor, base)
            for number, batch in enumerate(zip(*columns, strict=True)):
                self._batches.append((path, number, list(batch)))
                lengths.append(len(batch[0]))
        self.starts = np.concatenate(([0], np.cumsum(np.array(lengths, dtype=np.int64))))
        if self.starts[-1] != self.manifest.rows:
            raise TrainerError(
                f"{folder}: the manifest says {self.manifest.rows} rows, the files hold {self.starts[-1]}"
            )
        if not self.manifest.rows:
            raise TrainerError(f"{folder} holds no rows")
        self._check_bos()

    def close(self) -> None:
        """Closes the files that were opened for read-ahead; the maps go with the last view of them."""
        for descriptor, _ in self.descriptors.values():
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptors.clear()

    def locate(self, row: int) -> tuple[RecordBatchView, int]:
        """The record batch of a row, and the row's number inside it."""
        batch = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self._view(batch), row - int(self.starts[batch])

    def _view(self, batch: int) -> RecordBatchView:
        view = self._views.get(batch)
        if view is None:
            view = self._views[batch] = RecordBatchView(*self._batches[batch], self.manifest)
        return view

    def read(self, rows: NDArray[np.int64], out: NDArray[np.int32]) -> Segments:
        """Copies rows of ids into ``out`` and gives their documents.

        Args:
            rows: row numbers [B].
            out: [B, seq_len + 1], overwritten.

        Raises:
            TrainerError: an id outside the vocabulary or an impossible document list; names file, record
                batch and row.
        """
        batches = np.searchsorted(self.starts, rows, side="right") - 1
        inside = (rows - self.starts[batches]).tolist()
        starts, sources, numbers, counts = [], [], [], []
        loss: NDArray[np.bool_] | None = None
        for i, (batch, row) in enumerate(zip(batches.tolist(), inside, strict=True)):
            view = self._views.get(batch) or self._view(batch)
            out[i] = view.ids[row]
            if view.has_mask:
                loss = np.ones(out.shape, np.bool_) if loss is None else loss
                loss[i] = view.loss(row)
            part = view.starts[view.start_offsets[row] : view.start_offsets[row + 1]]
            if not len(part) or part[0]:  # a document runs on from the row before
                starts.append(_ZERO)
            starts.append(part)
            first, last = view.source_offsets[row], view.source_offsets[row + 1]
            sources.append(view.sources[first:last])
            numbers.append(view.numbers[first:last])
            counts.append(last - first)
        self._check_ids(rows, out)
        return Segments(
            np.array(counts, np.int64),
            np.concatenate(starts, dtype=np.int64),
            np.concatenate(sources),
            np.concatenate(numbers),
            loss,
        )

    def _check_ids(self, rows: NDArray[np.int64], ids: NDArray[np.int32]) -> None:
        """Ids index the embedding: a damaged one must be caught on the host."""
        unsigned = ids.view(np.uint32)  # seen as unsigned, a negative id is large
        if unsigned.max() >= self.manifest.vocab_size:
            wrong = unsigned.max(1) >= self.manifest.vocab_size
            view, row = self.locate(int(rows[int(np.argmax(wrong))]))
            raise TrainerError(f"damaged shard: {view.where}, row {row}: an id is not in the vocabulary")

    def _check_bos(self) -> None:
        """Mixer and trainer must agree on who inserts the begin-of-sequence id, or each document has two or none."""
        manifest, rows = self.manifest, min(self.manifest.rows, ROWS_CHECKED_FOR_BOS)
        if manifest.bos is None:
            return
        for number in range(rows):
            view, row = self.locate(number)
            ids = view.ids[row]
            for start in view.starts_of_documents(row):
                count = int((ids[int(start) : int(start) + 2] == manifest.bos).sum())
                if manifest.inserts_bos and (int(start) > manifest.seq_len or ids[int(start)] != manifest.bos):
                    raise TrainerError(f"{view.where}, row {row}: a document begins without bos, against the manifest")
                if count == 2 and not manifest.has_template:  # a part may go on at the bos of another turn
                    raise TrainerError(f"{view.where}, row {row}: a document begins with bos twice")

    def will_need(self, rows: NDArray[np.int64]) -> None:
        """Asks the system to read rows ahead (sorted row numbers); returns at once."""
        if not hasattr(os, "posix_fadvise"):
            return
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        for run in np.split(rows, breaks):
            first, last = int(run[0]), int(run[-1])
            while first <= last:
                batch = int(np.searchsorted(self.starts, first, side="right")) - 1
                stop = min(last + 1, int(self.starts[batch + 1]))
                view, at = self.locate(first)
                descriptor, base = self.descriptors[self._batches[batch][0]]
                offset = view.ids[at].ctypes.data - base
                os.posix_fadvise(descriptor, offset, (stop - first) * view.ids.strides[0], os.POSIX_FADV_WILLNEED)
                first = stop


_ZERO = np.zeros(1, np.uint16)


def _allow_open_files(count: int) -> None:
    """Each mapped file holds a descriptor; the usual soft limit of 1,024 is fewer than a large corpus has shards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * count
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))


def _open_columns(path: Path, manifest: Manifest) -> tuple[list[list[Any]], int]:
    """Maps a file; gives its columns as lists of arrays, one a record batch, and the address of the map.

    The last column is the loss mask; its arrays are None in a file without.
    """
    if not path.is_file():
        raise TrainerError(f"missing shard: {path}")
    try:
        source = pa.memory_map(str(path))
        whole = source.read_buffer()
        source.seek(0)
        table = pa.ipc.open_stream(source).read_all()
        table.validate()
        _check_schema(path, table.schema, manifest)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise TrainerError(f"damaged shard: {_first_bad_batch(path)}: {error}") from error
    if whole[-len(END_OF_STREAM) :].to_pybytes() != END_OF_STREAM:
        raise TrainerError(
            f"damaged shard: {path} ends after record batch {_batches(table) - 1}: the end mark is missing"
        )
    columns: list[list[Any]] = [table.column(name).chunks for name in COLUMNS]
    masked = LOSS_MASK in table.schema.names
    columns.append(table.column(LOSS_MASK).chunks if masked else [None] * len(columns[0]))
    for number, array in enumerate(columns[0]):
        address = array.values.buffers()[1].address if len(array) else whole.address
        if not whole.address <= address < whole.address + whole.size:
            raise TrainerError(f"{path}, record batch {number} is compressed; write the shards without compression")
        if any(column[number].null_count for column in columns if column[number] is not None):
            raise TrainerError(f"damaged shard: {path}, record batch {number} holds nulls")
    return columns, whole.address


def _batches(table: Any) -> int:
    return int(table.column(0).num_chunks)


def _first_bad_batch(path: Path) -> str:
    """Which record batch of an unreadable file is the first that cannot be read, and where it lies."""
    number = offset = 0
    try:
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_stream(source)
            offset = source.tell()
            while True:
                reader.read_next_batch()
                number, offset = number + 1, source.tell()
    except StopIteration:
        return str(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return f"{path}, record batch {number} (byte {offset})" if offset else f"{path}, schema"


def _check_schema(path: Path, schema: Any, manifest: Manifest) -> None:
    """The columns must be those of the format, and as wide as the manifest says."""
    missing = [name for name in COLUMNS if name not in schema.names]
    if missing:
        raise TrainerError(f"{path} lacks the column {missing[0]}; it has {', '.join(schema.names)}")
    ids = schema.field("input_ids").type
    width = manifest.seq_len + 1
    if ids not in (pa.list_(pa.uint16(), width), pa.list_(pa.uint32(), width)):
        raise TrainerError(f"{path}: input_ids is {ids}, not fixed_size_list<uint16 or uint32>[{width}]")
    if LOSS_MASK in schema.names and schema.field(LOSS_MASK).type != pa.list_(pa.bool_(), width):
        found = schema.field(LOSS_MASK).type
        raise TrainerError(f"{path}: {LOSS_MASK} is {found}, not fixed_size_list<bool>[{width}]")
    for name, kind in (("doc_starts", pa.uint16()), ("doc_sources", pa.uint8()), ("doc_numbers", pa.uint64())):
        found = schema.field(name).type
        if not pa.types.is_list(found) or found.value_type != kind:
            raise TrainerError(f"{path}: {name} is {found}, not list<{kind}>")
