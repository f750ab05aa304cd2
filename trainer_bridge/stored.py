"""What lies in a checkpoint's files, read as data: nothing in a folder that somebody sent is ever executed.

torch.distributed.checkpoint writes ``.metadata``, a pickle that says where each tensor lies, and ``__R_N.distcp``, the
tensors one after the other, each a zip archive of ``torch.save``. PyTorch's own reader unpickles the first with
everything allowed, and does not look at the archives' checksums. This one lets through the few classes that the format
needs, only tensors, only files of the folder itself, and only bytes that fit their checksums.
"""

import hashlib
import io
import pickle
import re
import struct
import zipfile
from pathlib import Path
from typing import IO, Any, ClassVar

import torch
from torch.distributed.checkpoint import filesystem, metadata
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter

from pipeline.storage.ranges import RangedFile
from trainer_bridge.errors import TrainerError

METADATA = ".metadata"
DATA_FILE = re.compile(r"__\d+_\d+\.distcp")
MOST_METADATA = 1 << 30  # bytes; the metadata of a 65B model on 2,048 ranks have fewer
CLASSES: dict[tuple[str, str], Any] = {
    **{
        (kind.__module__, kind.__name__): kind
        for kind in (
            metadata.ChunkStorageMetadata,
            metadata.Metadata,
            metadata.MetadataIndex,
            metadata.StorageMeta,
            metadata.TensorProperties,
            metadata.TensorStorageMetadata,
            metadata._MEM_FORMAT_ENCODING,
            filesystem._StorageInfo,
        )
    },
    ("torch", "Size"): torch.Size,
    # The place where the checkpoint was written, which nothing here asks for: no path of another system is made.
    **{(module, kind): lambda *parts: "/".join(map(str, parts)) for module in ("pathlib", "pathlib._local")
       for kind in ("PosixPath", "WindowsPath")},
    ("torch.serialization", "_get_layout"): lambda name: {"torch.strided": torch.strided}[name],
}  # fmt: skip


SUM = ".sum"  # beside a data file till the checkpoint is whole: its SHA-256


class Damaged(TrainerError):
    """A checkpoint whose bytes are not those that were written."""


# The pickle module's reader in C keeps its memo in an array as long as the file says; the one in Python, in a dict.
class _OnlyKnownClasses(pickle._Unpickler):  # type: ignore[name-defined, misc]
    """Reads a pickle of the format's own classes; any other name in it is refused before it is looked up."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]
    stack: list[Any]

    def find_class(self, module: str, name: str) -> Any:
        known = CLASSES.get((module, name))
        if known is None and module == "torch":
            kind = vars(torch).get(name)
            known = kind if isinstance(kind, torch.dtype) else None
        if known is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no checkpoint needs")
        return known

    def load_build(self) -> None:
        """Sets the state of an object, never of a class or a function."""
        if isinstance(self.stack[-2], type) or callable(self.stack[-2]):
            raise pickle.UnpicklingError("it changes a class")
        super().load_build()  # type: ignore[misc]

    dispatch[pickle.BUILD[0]] = load_build


def read_metadata(folder: Path) -> metadata.Metadata:
    """Where the tensors of a checkpoint lie.

    Raises:
        Damaged: the file is missing, no such file, or names what is not part of the format.
    """
    path = folder / METADATA
    try:
        if path.stat().st_size > MOST_METADATA:
            raise Damaged(f"{path} is too large for a checkpoint's metadata")
        found = _OnlyKnownClasses(io.BytesIO(path.read_bytes())).load()
        _check(found)
        _check_files(folder, found)
    except Damaged:
        raise
    except Exception as error:  # a pickle of anything: every kind of error
        raise Damaged(f"{path} cannot be read: {_short(error)}") from error
    if not isinstance(found.storage_meta, metadata.StorageMeta):
        found.storage_meta = metadata.StorageMeta()
    checked: metadata.Metadata = found
    return checked


def _check(found: Any) -> None:
    """Every part is of the kind that the reader takes it for."""
    if not isinstance(found, metadata.Metadata):
        raise ValueError("it holds no metadata")
    for name, entry in found.state_dict_metadata.items():
        if not isinstance(name, str) or not isinstance(entry, metadata.TensorStorageMetadata):
            raise ValueError(f"{name!r} is no tensor")
        if not isinstance(entry.properties, metadata.TensorProperties):
            raise ValueError(f"{name} has no type")
        _check_chunks(name, entry)
        for chunk in entry.chunks:
            place = found.storage_data.get(metadata.MetadataIndex(name, chunk.offsets))
            if place is None or torch.Size(chunk.sizes).numel() * entry.properties.dtype.itemsize > place.length:
                raise ValueError(f"a part of {name} lies nowhere, or where it has no room")
    for index, place in found.storage_data.items():
        if not isinstance(index, metadata.MetadataIndex) or not isinstance(place, filesystem._StorageInfo):
            raise ValueError("a tensor has no place")
        if not DATA_FILE.fullmatch(place.relative_path):
            raise ValueError(f"{index.fqn} lies in {place.relative_path!r}, which is no file of a checkpoint")
        if getattr(place, "transform_descriptors", None):
            raise ValueError(f"{index.fqn} is transformed")
        if not (int(place.offset) >= 0 and int(place.length) > 0):
            raise ValueError(f"{index.fqn} lies at {place.offset}")


def _check_files(folder: Path, found: metadata.Metadata) -> None:
    """Each file is there and as long as its last tensor needs."""
    ends: dict[str, int] = {}
    for place in found.storage_data.values():
        ends[place.relative_path] = max(ends.get(place.relative_path, 0), place.offset + place.length)
    for name, end in sorted(ends.items()):
        path = folder / name
        if not path.is_file():
            raise Damaged(f"{path} is missing")
        if path.stat().st_size < end:
            raise Damaged(f"{path} is cut: it has {path.stat().st_size} bytes of at least {end}")


def _check_chunks(name: str, entry: metadata.TensorStorageMetadata) -> None:
    """The chunks of a tensor cover it."""
    volume = 0
    for chunk in entry.chunks:
        ends = [offset + size for offset, size in zip(chunk.offsets, chunk.sizes, strict=True)]
        if any(end > whole for end, whole in zip(ends, entry.size, strict=True)):
            raise ValueError(f"a part of {name} lies outside it")
        volume += torch.Size(chunk.sizes).numel()
    if volume != torch.Size(entry.size).numel():
        raise ValueError(f"the parts of {name} do not make the whole")


class _Part(RangedFile):
    """A stretch of a file as a file of its own."""

    def __init__(self, file: IO[bytes], start: int, length: int) -> None:
        super().__init__(length)
        self._file, self._start = file, start

    def _read(self, size: int) -> bytes:
        self._file.seek(self._start + self._at)
        data = self._file.read(max(0, min(size, self._size - self._at)))
        self._at += len(data)
        return data


def check_archive(file: IO[bytes], start: int, length: int) -> None:
    """Reads a tensor's archive through, against its checksums.

    Args:
        file: opened for reading.
        start: where in it the archive begins.
        length: bytes of the archive.

    Raises:
        ValueError: it is no such archive, or its bytes have changed.
    """
    try:
        with zipfile.ZipFile(io.BufferedReader(_Part(file, start, length), 1 << 20)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError("it is compressed")
            if sum(entry.file_size for entry in entries) > length:
                raise ValueError("its entries overlap")
            wrong = archive.testzip()
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, struct.error) as error:
        raise ValueError(f"its archive is damaged ({_short(error)})") from error
    if wrong is not None:
        raise ValueError("its bytes do not have the checksum that was written with them")


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
    return digest.hexdigest()


class CheckpointWriter(FileSystemWriter):
    """PyTorch's writer of checkpoints; each rank takes the checksum of its file, in the thread that has written it."""

    def write_data(self, plan: Any, planner: Any) -> Any:
        """Writes this rank's tensors, and the checksum beside them."""
        done = super().write_data(plan, planner)
        for name in sorted({result.storage_data.relative_path for result in done.value()}):
            path = Path(self.path) / name
            path.with_name(name + SUM).write_text(file_sha256(path))
        return done

    def storage_meta(self) -> metadata.StorageMeta:
        """Nothing of where and when it was written: the same tensors make the same files."""
        return metadata.StorageMeta()


class CheckpointReader(FileSystemReader):
    """PyTorch's reader of checkpoints, without what makes it carry out what it reads."""

    def read_metadata(self, *_: Any, **__: Any) -> metadata.Metadata:
        """The checked metadata; errors as in the function of this name."""
        return read_metadata(Path(self.path))

    def _slice_file(self, file: IO[bytes], sinfo: Any) -> IO[bytes]:
        try:
            check_archive(file, int(sinfo.offset), int(sinfo.length))
        except ValueError as error:
            where = f"{Path(self.path) / sinfo.relative_path} at byte {sinfo.offset}"
            raise Damaged(f"the tensor in {where} cannot be read: {error}") from error
        return super()._slice_file(file, sinfo)


def _short(error: BaseException) -> str:
    return str(error) or type(error).__name__
