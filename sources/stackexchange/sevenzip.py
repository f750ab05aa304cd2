"""The contents of a 7z archive: which members it has, where each lies, and how it is packed.

Only the table of contents is read here, which stands at the archive's end. Every number in it is checked against what
there is before anything is allocated for it.

Source: 7zFormat.txt of the LZMA SDK.
"""

from __future__ import annotations

import lzma
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from sources.stackexchange.packed import BadArchive, Packed, unpack

SIGNATURE = b"7z\xbc\xaf\x27\x1c"
START_BYTES = 32  # signature, version, and the place, size and check sum of the table of contents
HEADER_LIMIT = 16 << 20  # bytes of a table of contents: that of an archive with eight members has 300

_END, _HEADER, _ARCHIVE_PROPERTIES, _ADDITIONAL, _MAIN_STREAMS, _FILES = range(6)
_PACK_INFO, _UNPACK_INFO, _SUBSTREAMS, _SIZE, _CRC, _FOLDER, _UNPACK_SIZE, _STREAM_COUNT, _EMPTY_STREAM = range(6, 15)
_NAMES, _ENCODED_HEADER = 0x11, 0x17


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive.

    Attributes:
        name: Its path.
        size: Its bytes.
        crc: Its CRC-32; None where the archive has none.
        packed: The packed stream that holds it; None for an empty file.
        offset: Where in the unpacked stream it begins.
    """

    name: str
    size: int
    crc: int | None
    packed: Packed | None
    offset: int


@dataclass(slots=True)
class _Folder:
    packed: Packed
    crc: int | None = None


def read_members(handle: BinaryIO) -> list[Member]:
    """Lists the members of an archive.

    Args:
        handle: The archive; seekable.

    Raises:
        BadArchive: It is none, is cut short, or its table of contents is damaged.
    """
    size = handle.seek(0, os.SEEK_END)
    handle.seek(0)
    start = handle.read(START_BYTES)
    if not start.startswith(SIGNATURE):
        raise BadArchive("not_7z", "it does not begin as a 7z archive does")
    if len(start) < START_BYTES or zlib.crc32(start[12:]) != struct.unpack_from("<I", start, 8)[0]:
        raise BadArchive("damaged_7z", "its first bytes are damaged")
    place, length, crc = struct.unpack_from("<QQI", start, 12)
    if not length:
        return []
    if START_BYTES + place + length > size:
        raise BadArchive("truncated_7z", f"it has {size} bytes of {START_BYTES + place + length}: it was cut")
    header = _read(handle, START_BYTES + place, length, crc)
    try:
        return list(_Table(header, handle, size).members())
    except (IndexError, struct.error, ValueError, lzma.LZMAError) as error:
        if isinstance(error, BadArchive):
            raise
        raise BadArchive("damaged_7z", f"its table of contents is damaged: {error!r}") from error


def _read(handle: BinaryIO, start: int, length: int, crc: int | None) -> bytes:
    if length > HEADER_LIMIT:
        raise BadArchive("damaged_7z", f"its table of contents has {length} bytes, more than any dump's")
    handle.seek(start)
    data = handle.read(length)
    if crc is not None and zlib.crc32(data) != crc:
        raise BadArchive("damaged_7z", "the check sum of its table of contents is wrong")
    return data


class _Table:
    """Reads the table of contents, field by field."""

    def __init__(self, data: bytes, handle: BinaryIO, size: int) -> None:
        self._data = data
        self._at = 0
        self._handle = handle
        self._size = size

    def members(self) -> Iterator[Member]:
        kind = self._byte()
        while kind == _ENCODED_HEADER:
            packed, _ = self._streams()
            self._data, self._at = self._decode(packed[0]), 0
            kind = self._byte()
        if kind != _HEADER:
            raise BadArchive("damaged_7z", f"its table of contents begins with {kind}")
        parts: list[tuple[Packed, int, int, int | None]] = []
        names: list[str] = []
        empty: list[bool] = []
        while (kind := self._byte()) != _END:
            if kind == _MAIN_STREAMS:
                _, parts = self._streams()
            elif kind == _FILES:
                names, empty = self._files()
            else:
                raise BadArchive("damaged_7z", f"its table of contents has a field {kind}")
        return self._match(names, empty, parts)

    def _match(
        self, names: list[str], empty: list[bool], parts: list[tuple[Packed, int, int, int | None]]
    ) -> Iterator[Member]:
        following = iter(parts)
        for name, is_empty in zip(names, empty, strict=True):
            part = None if is_empty else next(following, None)
            if part is None:
                yield Member(name, 0, None, None, 0)
            else:
                packed, offset, size, crc = part
                yield Member(name, size, crc, packed, offset)

    def _decode(self, folder: _Folder) -> bytes:
        if folder.packed.unpacked > HEADER_LIMIT:
            raise BadArchive("damaged_7z", "its table of contents unpacks to more than any dump's")
        data = b"".join(unpack(self._handle, folder.packed))
        if folder.crc is not None and zlib.crc32(data) != folder.crc:
            raise BadArchive("damaged_7z", "the check sum of its table of contents is wrong")
        return data

    def _streams(self) -> tuple[list[_Folder], list[tuple[Packed, int, int, int | None]]]:
        places: list[tuple[int, int]] = []
        folders: list[_Folder] = []
        parts: list[tuple[Packed, int, int, int | None]] | None = None
        while (kind := self._byte()) != _END:
            if kind == _PACK_INFO:
                places = self._pack_info()
            elif kind == _UNPACK_INFO:
                folders = self._folders(places)
            elif kind == _SUBSTREAMS:
                parts = self._substreams(folders)
            else:
                raise BadArchive("damaged_7z", f"its table of contents has a field {kind} among the streams")
        if parts is None:
            parts = [(f.packed, 0, f.packed.unpacked, f.crc) for f in folders]
        return folders, parts

    def _pack_info(self) -> list[tuple[int, int]]:
        at, count, sizes = START_BYTES + self._number(), self._count(), []
        while (kind := self._byte()) != _END:
            if kind == _SIZE:
                sizes = [self._number() for _ in range(count)]
            elif kind == _CRC:
                self._digests(count)
            else:
                raise BadArchive("damaged_7z", f"its table of contents has a field {kind} among the packed streams")
        places = []
        for size in sizes:
            if at + size > self._size:
                raise BadArchive("truncated_7z", "a member lies behind its end")
            places.append((at, size))
            at += size
        return places

    def _folders(self, places: list[tuple[int, int]]) -> list[_Folder]:
        self._expect(_FOLDER)
        count = self._count()
        self._expect(0)  # not in another stream
        methods = [self._coders() for _ in range(count)]
        self._expect(_UNPACK_SIZE)
        folders, at = [], 0
        for chain, outputs, last, inputs in methods:
            unpacked = [self._number() for _ in range(outputs)]
            start, size = places[at]
            folders.append(_Folder(Packed(chain, start, size, unpacked[last])))
            at += inputs
        while (kind := self._byte()) != _END:
            if kind != _CRC:
                raise BadArchive("damaged_7z", f"its table of contents has a field {kind} among the folders")
            for folder, crc in zip(folders, self._digests(count), strict=True):
                folder.crc = crc
        return folders

    def _coders(self) -> tuple[tuple[tuple[bytes, bytes], ...], int, int, int]:
        """One folder: its methods as they unpack; its outputs, the last of them, and its packed streams, in numbers."""
        methods: list[tuple[bytes, bytes]] = []
        inputs = outputs = 0
        for _ in range(self._count()):
            flags = self._byte()
            method = self._take(flags & 0x0F)
            ins, outs = (self._number(), self._number()) if flags & 0x10 else (1, 1)
            inputs, outputs = inputs + ins, outputs + outs
            methods.append((method, self._take(self._number()) if flags & 0x20 else b""))
        bound = outputs - 1
        if not methods or not 0 <= bound <= inputs or inputs > 32:
            raise BadArchive("damaged_7z", "a folder of its table of contents makes no sense")
        takes_from = {self._number(): self._number() for _ in range(bound)}  # for an input the output that it gets
        packed = inputs - bound
        for _ in range(packed if packed > 1 else 0):
            self._number()
        if packed != 1 or not len(methods) == inputs == outputs:
            return tuple(methods), outputs, outputs - 1, packed  # no chain: its methods are refused by their names
        order = self._in_order(takes_from, len(methods))
        return tuple(methods[number] for number in order), outputs, order[-1], packed

    @staticmethod
    def _in_order(takes_from: dict[int, int], count: int) -> list[int]:
        """The order of a chain: from the one that gets the packed stream to the one whose output nothing gets."""
        gives_to = {output: number for number, output in takes_from.items()}
        order = [number for number in range(count) if number not in takes_from]
        while len(order) <= count and order and order[-1] in gives_to:
            order.append(gives_to[order[-1]])
        if len(order) != count:
            raise BadArchive("damaged_7z", "the methods of a folder of its table of contents make no chain")
        return order

    def _substreams(self, folders: list[_Folder]) -> list[tuple[Packed, int, int, int | None]]:
        counts = [1] * len(folders)
        kind = self._byte()
        if kind == _STREAM_COUNT:
            counts = [self._count() for _ in folders]
            kind = self._byte()
        sizes: list[list[int]] = []
        for folder, count in zip(folders, counts, strict=True):
            known = [self._number() for _ in range(count - 1)] if kind == _SIZE else []
            sizes.append([*known, folder.packed.unpacked - sum(known)] if count else [])
        if kind == _SIZE:
            kind = self._byte()
        unknown = sum(n for f, n in zip(folders, counts, strict=True) if n != 1 or f.crc is None)
        crcs: Iterator[int | None] = iter([None] * unknown)
        while kind != _END:
            if kind == _CRC:
                crcs = iter(self._digests(unknown))
            kind = self._byte()
        parts = []
        for folder, lengths in zip(folders, sizes, strict=True):
            offsets = [0]
            for length in lengths:
                offsets.append(offsets[-1] + length)
            for start, end in pairwise(offsets):
                crc = folder.crc if len(lengths) == 1 and folder.crc is not None else next(crcs)
                if end < start:
                    raise BadArchive("damaged_7z", "a member of its table of contents has a negative size")
                parts.append((folder.packed, start, end - start, crc))
        return parts

    def _files(self) -> tuple[list[str], list[bool]]:
        count = self._count()
        names, empty = [""] * count, [False] * count
        while (kind := self._byte()) != _END:
            data = _Table(self._take(self._number()), self._handle, self._size)
            if kind == _EMPTY_STREAM:
                empty = data._bits(count)
            elif kind == _NAMES:
                data._expect(0)
                text = data._take(len(data._data) - 1).decode("utf-16-le", "replace")
                names = text.split("\0")[:count]
                names += [""] * (count - len(names))
        return names, empty

    def _digests(self, count: int) -> list[int | None]:
        defined = [True] * count if self._byte() else self._bits(count)
        return [struct.unpack("<I", self._take(4))[0] if known else None for known in defined]

    def _bits(self, count: int) -> list[bool]:
        data = self._take(-(-count // 8))
        return [bool(data[n >> 3] & (0x80 >> (n & 7))) for n in range(count)]

    def _expect(self, kind: int) -> None:
        found = self._byte()
        if found != kind:
            raise BadArchive("damaged_7z", f"its table of contents has a field {found} where {kind} should be")

    def _take(self, size: int) -> bytes:
        data = self._data[self._at : self._at + size]
        if len(data) < size:
            raise BadArchive("damaged_7z", "its table of contents ends too early")
        self._at += size
        return data

    def _byte(self) -> int:
        return self._take(1)[0]

    def _count(self) -> int:
        """A number of things, of which each takes at least one byte here or in what follows."""
        count = self._number()
        if count > len(self._data):
            raise BadArchive("damaged_7z", f"its table of contents promises {count} entries")
        return count

    def _number(self) -> int:
        """An integer: the leading ones of the first byte are the number of bytes that follow."""
        first, value, mask = self._byte(), 0, 0x80
        for place in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << (8 * place)
            value |= self._byte() << (8 * place)
            mask >>= 1
        return value
