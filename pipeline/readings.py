"""What a pass over a shard read, and made of it, put aside on the local disk for the next pass.

Reading is inflating, parsing, and often cleaning: all that comes before dedup decides. A reading lies in its scope's
folder, and goes with its shard. It saves time and nothing hangs on it: where there is no room for it, where it is not
whole, where a raw file has another size or time by now, or where other was decided, the raw files are read again.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from operator import attrgetter
from typing import Any, BinaryIO

import xxhash

from pipeline.corpus.document import Document, Reject
from pipeline.corpus.shard import Shard
from pipeline.steps import Batch
from pipeline.storage.filesystem import atomic_output

MAGIC = b"reading2"
DIGEST_BYTES = 8
CHUNK = 1 << 20
# A reading is begun where a hundred times the raw bytes are free. Text takes 3 to 5 times the room of what it was
# packed in, and the readings of some 50 shards lie there at a time, so they leave most of what was free.
FREE_TIMES = 100

_FIELDS = attrgetter(*(field.name for field in fields(Document)))
_KNOWN = {("datetime", "datetime"): datetime, ("datetime", "timezone"): timezone, ("datetime", "timedelta"): timedelta}


@dataclass(frozen=True)
class Found:
    """What a pass found beside its documents.

    Attributes:
        ledger: The accounts of the steps that were passed, as ``Ledger.as_json`` gives them.
        inputs: The entries of the raw files.
        exhausted: Whether what dedup had decided was for as many units as there were.
    """

    ledger: Mapping[str, Any]
    inputs: list[dict[str, Any]]
    exhausted: bool


class Reading:
    """A whole reading. A context manager.

    Attributes:
        level: How many stages its documents have passed.
        found: What else was found.
    """

    def __init__(self, handle: BinaryIO, level: int, found: Found, begin: int) -> None:
        self._handle, self._begin = handle, begin
        self.level, self.found = level, found

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    def batches(self) -> Iterator[Batch]:
        """The batches, as they were put."""
        self._handle.seek(self._begin)
        while (batch := _Unpickler(self._handle).load()) is not None:
            rejects, documents = batch
            yield [Reject(Document(*values), *why) for values, why in rejects], [Document(*v) for v in documents]


def open_reading(path: str | None, shard: Shard, decided: Mapping[int, Any]) -> Reading | None:
    """A whole reading of the files as they are now; None where there is none.

    Args:
        path: Where it lies; None for nowhere.
        shard: What was read.
        decided: By level, what a reading of that level hangs on beside the raw files.
    """
    with contextlib.suppress(OSError, pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError):
        handle = open(path or "", "rb", CHUNK)  # noqa: SIM115 - the reading's
        if (end := _whole(handle)) and (head := _Unpickler(handle).load())[1:] == [_stamps(shard), decided[head[0]]]:
            begin = handle.tell()
            handle.seek(end)
            return Reading(handle, head[0], Found(*_Unpickler(handle).load()), begin)
        handle.close()
    return None


def forget(path: str | None) -> None:
    """Removes a reading that is needed no more."""
    if path is not None:
        with contextlib.suppress(OSError):
            os.remove(path)


class _GivenUpError(Exception):
    """A reading does not become whole."""


class Recorder:
    """Writes a reading; where that fails, there is none. A context manager: what is not finished leaves nothing."""

    def __init__(self, path: str, shard: Shard, level: int, decided: Any) -> None:
        """Begins one, in place of one of a lower level.

        Args:
            path: Where it shall lie.
            shard: What is read.
            level: How many stages its documents have passed.
            decided: What it hangs on beside the raw files; a plain value.
        """
        self._open = contextlib.ExitStack()
        self._digest = xxhash.xxh3_64()
        self._size = 0
        self._is_open = False
        if not _is_room(path, shard):
            return
        try:
            self._handle = self._open.enter_context(atomic_output(path, CHUNK, durable=False))
        except Exception:  # the folder cannot be written: what writes outputs there will tell
            self._open.close()
            return
        self._is_open = True
        self._write(MAGIC)
        self._put([level, _stamps(shard), decided])

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def put(self, batch: Batch) -> None:
        """Adds a batch, as it is now."""
        rejects, documents = batch
        self._put(([(_FIELDS(r.document), (r.step, r.reason)) for r in rejects], [_FIELDS(d) for d in documents]))

    def finish(self, found: Found) -> None:
        """Adds what else was found, and gives the reading its name."""
        self._put(None)
        end = self._size
        self._put((found.ledger, found.inputs, found.exhausted))
        self._write(end.to_bytes(DIGEST_BYTES, "little"))
        self._write(self._digest.digest())
        if self._is_open:
            self._is_open = False
            with contextlib.suppress(Exception):
                self._open.close()

    def discard(self) -> None:
        """Leaves nothing of a reading that was not finished."""
        if self._is_open:
            self._is_open = False
            self._open.__exit__(_GivenUpError, _GivenUpError(), None)

    def _put(self, value: object) -> None:
        if not self._is_open:
            return
        packed = io.BytesIO()
        try:
            _Pickler(packed, 5).dump(value)
        except pickle.PicklingError:  # it could not be read back
            self.discard()
        self._write(packed.getbuffer())

    def _write(self, data: bytes | memoryview) -> None:
        if self._is_open:
            try:
                self._handle.write(data)
            except OSError:  # the disk is full
                self.discard()
            self._digest.update(data)
            self._size += len(data)


class _Pickler(pickle.Pickler):
    """Writes values and times, and refuses what ``_Unpickler`` would not make."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) in _KNOWN.values() or value in _KNOWN.values():
            return NotImplemented
        raise pickle.PicklingError(f"a reading holds no {type(value).__name__}")


class _Unpickler(pickle.Unpickler):
    """Reads values and times, and makes nothing else of what it reads."""

    def find_class(self, module: str, name: str) -> Any:
        if (known := _KNOWN.get((module, name))) is None:
            raise pickle.UnpicklingError(f"a reading holds no {module}.{name}")
        return known


def _whole(handle: BinaryIO) -> int:
    """Where what else was found begins; 0 where the bytes are not those that were written. Reads on behind MAGIC."""
    left = os.fstat(handle.fileno()).st_size - DIGEST_BYTES
    digest, last = xxhash.xxh3_64(), b""
    while left > 0 and (data := handle.read(min(CHUNK, left))):
        digest.update(data)
        last = (last + data)[-DIGEST_BYTES:]
        left -= len(data)
    is_whole = left == 0 and handle.read() == digest.digest()
    handle.seek(0)
    return int.from_bytes(last, "little") if handle.read(len(MAGIC)) == MAGIC and is_whole else 0


def _stamps(shard: Shard) -> list[list[Any]]:
    """Path, size and time of a shard's raw files; of those that lie elsewhere, and are kept in the cache, no time."""
    found = []
    for file in shard.inputs:
        try:
            status = os.stat(file.path)
            found.append([file.path, status.st_size, status.st_mtime_ns])
        except (OSError, ValueError):
            found.append([file.path, file.size, 0])
    return found


def _is_room(path: str, shard: Shard) -> bool:
    folder = os.path.dirname(path)
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free > FREE_TIMES * sum(file.size for file in shard.inputs)
    return False
