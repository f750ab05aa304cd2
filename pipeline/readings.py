"""What a pass over a shard read, put aside on the local disk for the next pass: raw files are read once.

Reading is inflating, parsing, and where a source cleans as it reads, cleaning. A reading lies in its scope's folder,
and goes with its shard. It saves time and nothing hangs on it: where there is no room for it, where it is not whole, or
where a raw file has another size or time by now, the raw files are read again.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from itertools import islice
from operator import attrgetter
from typing import Any, BinaryIO

import xxhash

from pipeline.corpus.document import Document, Refused
from pipeline.corpus.shard import Shard
from pipeline.storage.filesystem import atomic_output

Inputs = list[dict[str, Any]]
Read = Callable[[Counter[str], Inputs], Iterator[Document | Refused]]

MAGIC = b"reading1"
DIGEST_BYTES = 8
CHUNK = 1 << 20
# A reading is begun where a hundred times the raw bytes are free. Text takes 3 to 5 times the room of what it was
# packed in, and the readings of some 50 shards lie there at a time, so they leave most of what was free.
FREE_TIMES = 100

_DOCUMENT = attrgetter(*(field.name for field in fields(Document)))
_REFUSED = attrgetter(*(field.name for field in fields(Refused)))
_MAKERS = (Document, Refused)
_END = len(_MAKERS)
_KNOWN = {("datetime", "datetime"): datetime, ("datetime", "timezone"): timezone, ("datetime", "timedelta"): timedelta}


def read_once(
    path: str, shard: Shard, read: Read, counters: Counter[str], inputs: Inputs | None
) -> Iterator[Document | Refused]:
    """Gives what a reading holds; where there is none, what is read, which becomes one.

    Args:
        path: Where the reading lies, on a local disk.
        shard: What is read.
        read: Reads it, given counters and entries to fill.
        counters: The read step's counters.
        inputs: Gets the entries of the files, where given.
    """
    own, files = Counter[str](), Inputs()
    if handle := _opened(path, shard):
        given = 0
        with handle:
            try:
                for item in _replayed(handle, own, files):
                    yield item
                    given += 1
            except pickle.UnpicklingError:  # it holds what is neither a value nor a time
                yield from islice(read(own, files), given, None)
    else:
        recorder = _Recorder(path, shard) if _is_room(path, shard) else None
        try:
            for item in read(own, files):
                if recorder:
                    recorder.put(item)
                yield item
            if recorder:
                recorder.finish(own, files)
        finally:
            if recorder:
                recorder.discard()
    counters.update(own)
    if inputs is not None:
        inputs += files


def forget(path: str | None) -> None:
    """Removes a reading that is needed no more."""
    if path is not None:
        with contextlib.suppress(OSError):
            os.remove(path)


class _GivenUpError(Exception):
    """A reading does not become whole."""


class _Recorder:
    """Writes a reading; where that fails, there is none."""

    def __init__(self, path: str, shard: Shard) -> None:
        self._open = contextlib.ExitStack()
        self._digest = xxhash.xxh3_64()
        try:
            self._handle = self._open.enter_context(atomic_output(path, CHUNK, durable=False))
        except Exception:  # the folder cannot be written: what writes outputs there will tell
            self._open.close()
            self._is_open = False
            return
        self._is_open = True
        self._write(MAGIC)
        self._write(pickle.dumps(_stamps(shard), 5))

    def put(self, item: Document | Refused) -> None:
        """Adds an item, as it is now."""
        values = (0, _DOCUMENT(item)) if isinstance(item, Document) else (1, _REFUSED(item))
        self._write(pickle.dumps(values, 5))

    def finish(self, counters: Counter[str], inputs: Inputs) -> None:
        """Adds what else was found, and gives the reading its name."""
        self._write(pickle.dumps((_END, (dict(counters), inputs)), 5))
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

    def _write(self, data: bytes) -> None:
        if self._is_open:
            try:
                self._handle.write(data)
            except OSError:  # the disk is full
                self.discard()
            self._digest.update(data)


class _Unpickler(pickle.Unpickler):
    """Reads values and times, and makes nothing else of what it reads."""

    def find_class(self, module: str, name: str) -> Any:
        if (known := _KNOWN.get((module, name))) is None:
            raise pickle.UnpicklingError(f"a reading holds no {module}.{name}")
        return known


def _opened(path: str, shard: Shard) -> BinaryIO | None:
    """A whole reading of the files as they are now, behind its beginning; None where there is none."""
    with contextlib.suppress(OSError, pickle.UnpicklingError, EOFError, ValueError, TypeError):
        handle = open(path, "rb", CHUNK)  # noqa: SIM115 - the caller's
        if _is_whole(handle) and _Unpickler(handle).load() == _stamps(shard):
            return handle
        handle.close()
    return None


def _is_whole(handle: BinaryIO) -> bool:
    """Whether the bytes are those that were written; leaves the handle behind ``MAGIC``."""
    left = os.fstat(handle.fileno()).st_size - DIGEST_BYTES
    digest = xxhash.xxh3_64()
    while left > 0 and (data := handle.read(min(CHUNK, left))):
        digest.update(data)
        left -= len(data)
    is_whole = left == 0 and handle.read() == digest.digest()
    handle.seek(0)
    return handle.read(len(MAGIC)) == MAGIC and is_whole


def _replayed(handle: BinaryIO, counters: Counter[str], inputs: Inputs) -> Iterator[Document | Refused]:
    kind, values = _Unpickler(handle).load()
    while kind != _END:
        yield _MAKERS[kind](*values)
        kind, values = _Unpickler(handle).load()
    counters.update(values[0])
    inputs += values[1]


def _stamps(shard: Shard) -> list[tuple[str, int, int]]:
    """Path, size and time of a shard's raw files; of those that lie elsewhere, and are kept in the cache, no time."""
    found = []
    for file in shard.inputs:
        try:
            status = os.stat(file.path)
            found.append((file.path, status.st_size, status.st_mtime_ns))
        except (OSError, ValueError):
            found.append((file.path, file.size, 0))
    return found


def _is_room(path: str, shard: Shard) -> bool:
    folder = os.path.dirname(path)
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free > FREE_TIMES * sum(file.size for file in shard.inputs)
    return False
