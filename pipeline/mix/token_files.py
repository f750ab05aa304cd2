"""Token files: the ids of one Parquet file's documents, made once for a tokenizer and used by every mixture.

A token file holds all ids (uint16 or uint32, little-endian), then D + 1 marks: where a document begins (int64, counted
in ids), and a hash of its ids (uint64; see ``hash_ids``). Document d is row d of the Parquet file and has the ids from
mark d to mark d + 1, its bos and eos among them; a document of which the tokenizer makes nothing has none, and the hash
0. Beside it lies a stats file, written last: what it was made of, its counts, and its checksum.

The hash says whether two documents are the same to a model, and whether what is read was damaged since. For a part of
a document the latter is told by the last thing in the file: the hashes of all runs of 8,192 ids (uint64), wherever
documents begin.

Where conversations are encoded by a template, a bit for each id follows, least bit first: whether it has loss. Then the
hash of a document, or of a run, is that of its ids, and behind them of its bits, the first in the least of a byte.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xxhash

from pipeline.corpus.shard import read_json, write_json
from pipeline.errors import InputError, OutputError
from pipeline.mix.chat import ChatCoding
from pipeline.mix.corpus import SUFFIX, CorpusFile
from pipeline.recipe import fingerprint
from pipeline.source import HashingReader
from pipeline.storage.filesystem import exists, is_remote, join, open_input
from pipeline.storage.listing import match

if TYPE_CHECKING:
    from tokenizer.chat.template import Template

FORMAT, FORMAT_WITH_LOSS = 2, 3
MARK = np.dtype([("offset", "<i8"), ("hash", "<u8")])
RUN = 8192  # ids
NAME_CHARACTERS = 16  # of the tokenizer's checksum, in the name of the folder

Ids = npt.NDArray[Any]
Marks = npt.NDArray[Any]
Offsets = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


def bits_of(loss: Mask) -> bytes:
    """A mask as bits, least bit first."""
    return np.packbits(loss, bitorder="little").tobytes()


class RunHasher:
    """Hashes runs of ids, as they come, and keeps the bits of their mask where they have one."""

    def __init__(self, itemsize: int) -> None:
        """None have come yet."""
        self._size = RUN * itemsize
        self._rest, self._loss = b"", np.empty(0, np.bool_)
        self._found: list[int] = []
        self._bits: list[bytes] = []

    def add(self, data: bytes, loss: Mask | None = None) -> None:
        """Takes the bytes of the next ids, and which of them have loss, where that is told."""
        view, at = memoryview(self._rest + data), 0
        self._loss = self._loss if loss is None else np.concatenate((self._loss, loss))
        while at + self._size <= len(view):
            self._hash(view[at : at + self._size], self._loss[:RUN])
            self._loss = self._loss[RUN:]
            at += self._size
        self._rest = bytes(view[at:])

    def _hash(self, ids: memoryview | bytes, loss: Mask) -> None:
        bits = bits_of(loss)
        self._found.append(_hash(ids, bits))
        self._bits.append(bits)

    def finish(self) -> Hashes:
        """The hashes of all runs."""
        if self._rest:
            self._hash(self._rest, self._loss)
            self._rest = b""
        return np.array(self._found, "<u8")

    def bits(self) -> bytes:
        """The mask of all ids, once all have come; nothing where they have none."""
        return b"".join(self._bits)


def _hash(ids: memoryview | bytes, bits: bytes) -> int:
    if not bits:
        return xxhash.xxh3_64_intdigest(ids)
    digest = xxhash.xxh3_64(ids)
    digest.update(bits)
    return digest.intdigest()


def hash_ids(ids: Ids, ends: Offsets, loss: Mask | None = None) -> Hashes:
    """XXH3 of the bytes of each document's ids, little-endian, and of its mask; 0 for one without ids.

    Args:
        ids: The ids of documents, one after the other.
        ends: Where each begins, and the end [D + 1].
        loss: Which ids have loss; None where there is no mask.
    """
    return np.array(_hashes(np.ascontiguousarray(ids), ends.tolist(), loss), np.uint64)


def _hashes(ids: Ids, ends: Sequence[int], loss: Mask | None = None) -> list[int]:
    view, size = ids.view(np.uint8).data, ids.itemsize
    bits = [b""] * len(ends) if loss is None else [bits_of(loss[a:b]) for a, b in pairwise(ends)]
    found = zip(pairwise(ends), bits, strict=False)
    return [_hash(view[a * size : b * size], mask) if b > a else 0 for (a, b), mask in found]


@dataclass(frozen=True)
class Coding:
    """How documents become ids: what token files must have in common.

    Attributes:
        tokenizer: The SHA-256 of the tokenizer's model.
        dtype: ``uint16`` or ``uint32``.
        bos: Whether bos is put before each document.
        eos: Whether eos is put behind it.
        chat: How conversations are encoded; None where they are texts as any other.
    """

    tokenizer: str
    dtype: str
    bos: bool
    eos: bool
    chat: ChatCoding | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Coding:
        """The coding that a stats file holds.

        Raises:
            TypeError: It holds none.
        """
        chat = values.get("chat")
        return cls(**{**values, "chat": None if chat is None else ChatCoding(**chat)})

    @property
    def folder(self) -> str:
        """The folder of such token files."""
        name = self.tokenizer[:NAME_CHARACTERS] + ("-bos" if self.bos else "") + ("-eos" if self.eos else "")
        return name if self.chat is None else f"{name}-chat-{fingerprint(asdict(self.chat))[:NAME_CHARACTERS]}"

    @property
    def format(self) -> int:
        """The format of such token files."""
        return FORMAT if self.chat is None else FORMAT_WITH_LOSS

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
        version: What its store told of its version (see ``version_of``).
        coding: How it was encoded.
        documents: Its rows.
        empty: Those without ids.
        tokens: All ids.
        text_bytes: Bytes of text.
        tokens_sha256: The checksum of the token file.
        error: Why it could not be read; None where it could.
        chat: What it counts of conversations (see ``pipeline.mix.chat.empty``); None without a template.
    """

    format: int
    path: str
    bytes: int
    sha256: str
    version: str | None
    coding: Coding
    documents: int = 0
    empty: int = 0
    tokens: int = 0
    text_bytes: int = 0
    tokens_sha256: str = ""
    error: str | None = None
    chat: dict[str, Any] | None = None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TokenStats:
        """The stats that a file holds.

        Raises:
            TypeError, KeyError, AttributeError: It holds none, or those of another format.
        """
        return cls(**{**values, "coding": Coding.from_json(values["coding"])})

    def as_json(self) -> dict[str, Any]:
        """The stats as they stand in their file: nothing is said of conversations where there is no template."""
        values = asdict(self)
        for part in (values, values["coding"]):
            if part["chat"] is None:
                del part["chat"]
        return values


@dataclass(frozen=True)
class TokenStore:
    """The token files of one corpus and one coding.

    Attributes:
        corpus: The corpus folder.
        root: The folder of the token files.
        coding: How they are encoded.
        template: The template of their coding, where they are to be made; None where it has none.
    """

    corpus: str
    root: str
    coding: Coding
    template: Template | None = None

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
            return TokenStats.from_json(read_json(place))
        except (TypeError, KeyError, AttributeError, OutputError):  # of another format, or damaged: it is made again
            return None

    def is_done(self, file: CorpusFile, version: str | None) -> bool:
        """Whether the token file of this very Parquet file is there, and whole; one cut short is made again."""
        stats = self.read_stats(file.path)
        if (
            stats is None
            or stats.error
            or (stats.format, stats.coding, stats.bytes) != (self.coding.format, self.coding, file.bytes)
            or _size(self.tokens(file.path)) != self.bytes_of(stats)
        ):
            return False
        if file.sha256:
            return stats.sha256 == file.sha256
        return (version is not None and stats.version == version) or self._is_same(stats, version)

    def _is_same(self, stats: TokenStats, version: str | None) -> bool:
        """Whether a Parquet file of another version has the same bytes; if so, the version is kept for the next run."""
        try:
            with open_input(join(self.corpus, *stats.path.split("/"))) as handle:
                same = bool(HashingReader(handle).finish()["sha256"] == stats.sha256)
        except OSError:
            return False
        if same and version is not None:
            write_json(self.stats_path(stats.path), replace(stats, version=version).as_json())
        return same

    def bytes_of(self, stats: TokenStats) -> int:
        """The size that a token file must have."""
        bits = 0 if self.coding.chat is None else -(-stats.tokens // 8)
        return self.place_of_bits(stats.documents, stats.tokens) + bits

    def place_of_bits(self, documents: int, tokens: int) -> int:
        """Where in a token file of so many documents and ids the mask begins."""
        return tokens * self.coding.numpy.itemsize + (documents + 1) * MARK.itemsize + -(-tokens // RUN) * 8


def version_of(place: str) -> str | None:
    """What a store tells of a file's version: its times of change, or an object's checksum; None where it is silent.

    The bytes may have changed only where this has. The second time is that of the system, which no tool sets back.
    """
    with contextlib.suppress(OSError):
        if not is_remote(place):
            found = os.stat(place)
            return f"{found.st_mtime_ns}-{found.st_ctime_ns}"
    if not is_remote(place):
        return None
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415 - only for stores

    try:
        return str(FileSystems.checksum(place))
    except Exception:  # Beam wraps each store's errors in its own; the file is hashed instead
        return None


def _size(path: str) -> int:
    """Bytes of a file; -1 where there is none."""
    try:
        return match([path])[0].size
    except InputError:
        return -1


class TokenReader:
    """An open token file, from which pieces are read. A context manager."""

    def __init__(self, store: TokenStore, path: str, documents: int, tokens: int) -> None:
        """Opens the token file of a Parquet file.

        Args:
            store: The token files.
            path: The Parquet file.
            documents: Its documents.
            tokens: All their ids.

        Raises:
            OutputError: It is gone.
        """
        self._place = store.tokens(path)
        self._kind = store.coding.numpy
        self._documents, self._tokens = documents, tokens
        self._bits = None if store.coding.chat is None else store.place_of_bits(documents, tokens)
        try:
            self._handle = open_input(self._place)
        except OSError as error:
            raise self.damaged(str(error)) from error

    def __enter__(self) -> TokenReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.close()

    @property
    def kind(self) -> np.dtype[Any]:
        """The type of its ids."""
        return self._kind

    def all_marks(self) -> Marks:
        """The marks of all documents, and of the end."""
        return self.marks(0, self._documents)

    def marks(self, first: int, documents: int) -> Marks:
        """The marks of some documents, one more than there are of them."""
        found = np.empty(documents + 1, MARK)
        self._read_into(self._tokens * self._kind.itemsize + first * MARK.itemsize, found)
        offsets = found["offset"]
        if offsets[0] < 0 or offsets[-1] > self._tokens or (offsets[1:] < offsets[:-1]).any():
            raise self.damaged("its offsets are out of order")
        return found

    def ids(self, start: int, out: Ids) -> None:
        """Fills an array with the ids from an offset on."""
        self._read_into(start * self._kind.itemsize, out)

    @property
    def has_loss(self) -> bool:
        """Whether it tells which ids have loss."""
        return self._bits is not None

    def loss(self, start: int, count: int) -> Mask | None:
        """Which ids from an offset on have loss; None where nothing is told."""
        if self._bits is None:
            return None
        first, last = start // 8, -(-(start + count) // 8)
        data = np.empty(last - first, np.uint8)
        self._read_into(self._bits + first, data)
        begin = start - 8 * first
        return np.unpackbits(data, bitorder="little")[begin : begin + count].view(np.bool_)

    def check(self, marks: Marks, ids: Ids, skip: int, loss: Mask | None = None) -> None:
        """Compares ids with the hashes of their documents; where a part was read, with those of the runs of ids.

        Args:
            marks: Of the documents, and of their end.
            ids: Their ids but for some at both ends.
            skip: How many are not there at the beginning.
            loss: Which of them have loss, where that was read, too.

        Raises:
            OutputError: They are not those that were written.
        """
        start = int(marks["offset"][0]) + skip
        loss = self.loss(start, len(ids)) if loss is None else loss
        ends = (marks["offset"] - start).tolist()  # in lists: a block has few documents, and each array costs a call
        low, high = bisect_left(ends, 0), bisect_right(ends, len(ids)) - 1
        if high < low:  # it is all within one document
            same = self._check_runs(start, ids, loss)
        else:
            front, back = ends[low], ends[high]
            before, behind = (None, None) if loss is None else (loss[:front], loss[back:])
            same = _hashes(ids, ends[low : high + 1], loss) == marks["hash"][low:high].tolist()
            same = same and self._check_runs(start, ids[:front], before)
            same = same and self._check_runs(start + back, ids[back:], behind)
        if not same:
            raise self.damaged("its ids are not those that were written to it")

    def _check_runs(self, start: int, ids: Ids, loss: Mask | None) -> bool:
        """Whether ids that begin at an offset are those of the runs that they are in, which are read anew."""
        if not len(ids):
            return True
        first, last = start // RUN, -(-(start + len(ids)) // RUN)
        hashes, runs = np.empty(last - first, "<u8"), np.empty(min(last * RUN, self._tokens) - first * RUN, self._kind)
        self._read_into(self._tokens * self._kind.itemsize + (self._documents + 1) * MARK.itemsize + 8 * first, hashes)
        self.ids(first * RUN, runs)
        begin = start - first * RUN
        all_loss = self.loss(first * RUN, len(runs))
        found = hash_ids(runs, np.append(np.arange(0, len(runs), RUN), len(runs)), all_loss)
        same = np.array_equal(found, hashes) and np.array_equal(runs[begin : begin + len(ids)], ids)
        if loss is None or all_loss is None:
            return same
        return same and np.array_equal(all_loss[begin : begin + len(ids)], loss)

    def _read_into(self, position: int, out: npt.NDArray[Any]) -> None:
        try:
            self._handle.seek(position)
            count = self._handle.readinto(out.view(np.uint8))  # type: ignore[attr-defined]
        except OSError as error:
            raise self.damaged(str(error)) from error
        if count != out.nbytes:
            raise self.damaged("it is cut short")

    def damaged(self, why: str) -> OutputError:
        """The error that names the file and the cure."""
        return OutputError(f"the token file {self._place} is damaged: {why}. Remove it and run the same command again.")
