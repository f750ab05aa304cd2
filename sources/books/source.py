"""The books source: Gutenberg files and Books3 tars to documents."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO

import pyarrow as pa
import xxhash

from filters.books.gutenberg import strip_boilerplate
from filters.books.gutenberg_header import decode, parse_header, top_of
from filters.books.text import no_text
from pipeline.corpus.document import Document, Refused
from pipeline.formats.inflate import inflated
from pipeline.formats.tar import Fault, Member, tar_members
from pipeline.source import OfRecipe
from pipeline.steps import Step
from pipeline.storage.filesystem import InputFile, file_sha256, join, local_model, read_bytes
from sources.books.archive import BadArchive, zip_text
from sources.books.near_duplicates import REPORT
from sources.books.plan import ebook_number, is_tar
from sources.books.recipe import BooksRecipe
from sources.books.steps import DropNearDuplicates, steps_before_near_dedup

GUTENBERG_URL = "https://www.gutenberg.org/ebooks/{}"
GUTENBERG_LICENSE = "public domain in the USA, unless the book says otherwise (Project Gutenberg License)"
_SUFFIXES = re.compile(r"(?:\.epub)?\.txt$|\.(?:txt\.utf-?8|zip)$", re.I)

META = pa.struct(
    {
        "subset": pa.string(),
        "title": pa.string(),
        "author": pa.string(),
        "ebook": pa.int32(),
        "released": pa.string(),
        "member": pa.string(),  # the name of the text in the archive that it comes from
        "encoding": pa.string(),
        "header": pa.string(),  # how the header ended: marker, small_print, laws, none
        "trailer": pa.bool_(),  # whether an end marker was found
        "language_score": pa.float32(),
        "duplicate_of": pa.string(),
    }
)


@dataclass(frozen=True)
class Books(OfRecipe):
    """Project Gutenberg and Books3, as the paper used them.

    Attributes:
        recipe: The source's choices.
        root: Its output folder, where the list of near duplicates lies.
        catalogue: The ``metadata.csv`` of PG-19, which has the titles that its texts have lost; None without.
        prefixes: What the ids of a tar's books begin with, for the tars' paths (see ``plan.archive_prefixes``).
    """

    recipe: BooksRecipe
    root: str
    catalogue: str | None = None
    prefixes: Mapping[str, str] = field(default_factory=dict)
    name: str = "books"
    meta: pa.StructType = META
    dedup: None = None

    @property
    def _limit(self) -> int:
        return self.recipe.max_book_megabytes << 20

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Reads a text, a zip with one, or a tar of many."""
        if is_tar(file.path):
            yield from self._read_tar(stream, file.path, counters)
            return
        data = stream.read(self._limit + 1)
        if len(data) > self._limit:
            yield Refused("too_large", f"it has more than {self._limit} bytes (max_book_megabytes)", file.path, 0)
            return
        member = None
        if file.path.lower().endswith(".zip"):
            try:
                member, data = zip_text(data, self._limit)
            except BadArchive as error:
                yield Refused(error.reason, str(error), file.path, 0)
                return
        yield self._gutenberg(data, file.path, member, counters)

    def _gutenberg(self, data: bytes, path: str, member: str | None, counters: Counter[str]) -> Document | Refused:
        decoded = decode(data)
        stripped = strip_boilerplate(decoded.text)
        header = parse_header(stripped.header or top_of(decoded.text))
        if fault := no_text(stripped.body):
            own = " but Project Gutenberg's own" if stripped.headers and fault.reason == "empty" else ""
            return Refused(fault.reason, f"{_name(path, member)} {fault.message}{own}", path, 0)
        number = ebook_number(path)
        _count(counters, data, decoded.encoding, decoded.nuls)
        counters["no_start_marker"] += stripped.start is None
        counters["no_end_marker"] += not stripped.end
        counters["no_marker"] += stripped.start is None and not stripped.end
        counters["two_headers"] += stripped.headers > 1
        counters["kept_against_markers"] += stripped.kept
        ebook = header.number if number is None else number
        listed = self._titles.get(number, (None, None)) if number is not None else (None, None)
        meta = {
            "title": header.title or listed[0],
            "author": header.author,
            "ebook": ebook,
            "released": header.released or listed[1],
            "header": stripped.start or "none",
            "trailer": stripped.end,
        }
        document = self._document("gutenberg", _gutenberg_id(number, path), stripped.body, path, 0, decoded.encoding)
        document.meta.update(meta, member=member)
        document.language = header.language
        document.license = GUTENBERG_LICENSE
        document.url = GUTENBERG_URL.format(ebook) if ebook is not None else None
        return document

    def _read_tar(self, stream: BinaryIO, path: str, counters: Counter[str]) -> Iterator[Document | Refused]:
        taken: set[int] = set()  # hashes of the ids that the tar's books have
        for item in tar_members(inflated(stream), self._limit):
            if isinstance(item, Fault):
                yield Refused(item.reason, item.message, path, item.offset, failed=item.failed)
            elif not item.name.lower().endswith(".txt"):
                yield Refused("not_a_text", f"{item.name!r} is no .txt", path, item.offset, failed=False)
            else:
                yield self._books3(item, path, counters, taken)

    def _books3(self, member: Member, path: str, counters: Counter[str], taken: set[int]) -> Document | Refused:
        decoded = decode(member.data)
        if fault := no_text(decoded.text):
            return Refused(fault.reason, f"{member.name!r} {fault.message}", path, member.offset)
        _count(counters, member.data, decoded.encoding, decoded.nuls)
        name = _SUFFIXES.sub("", member.name)
        identifier = f"books3/{self.prefixes.get(path, '')}{name.removeprefix('books3/')}"
        identifier = _free(identifier, member.offset, taken)
        document = self._document("books3", identifier, decoded.text, path, member.offset, decoded.encoding)
        title, dash, author = name.rpartition("/")[2].rpartition(" - ")
        document.meta.update(title=title if dash else author, author=author if dash else None, member=member.name)
        return document

    def _document(self, subset: str, identifier: str, text: str, path: str, offset: int, encoding: str) -> Document:
        meta = {**{field.name: None for field in META}, "subset": subset, "encoding": encoding}
        return Document(identifier, text, self.name, path, offset, meta=meta)

    @cached_property
    def _titles(self) -> dict[int | None, tuple[str, str]]:
        """Title and year of PG-19's books by ebook number: 28,752 rows, 5 MB in memory."""
        if self.catalogue is None:
            return {}
        text = read_bytes(self.catalogue).decode("utf-8", "replace")
        rows = (row for row in csv.reader(io.StringIO(text)) if len(row) >= 3 and row[0].strip().isdigit())
        return {int(row[0]): (row[1].strip(), row[2].strip()) for row in rows}

    def steps_before_near_dedup(self) -> list[Step]:
        """The steps that decide which books take part in near-dedup."""
        return list(steps_before_near_dedup(self.recipe))

    def steps_after_dedup(self) -> list[Step]:
        """Language, white space, length; then the near duplicates go."""
        near: list[Step] = [DropNearDuplicates(join(self.root, REPORT))] if self.recipe.near_dedup.enabled else []
        return [*self.steps_before_near_dedup(), *near]

    def subset(self, document: Document) -> str:
        """``gutenberg`` or ``books3``."""
        return str(document.meta["subset"])

    def describe(self) -> dict[str, Any]:
        """The recipe, and the checksum of its model."""
        language = self.recipe.language
        return {
            **super().describe(),
            "models": {language.model: file_sha256(local_model(language.model, language.sha256))},
        }


def _gutenberg_id(number: int | None, path: str) -> str:
    """By the ebook number where the name has it (the plan takes each once), else by the name and a hash of the path."""
    if number is not None:
        return f"gutenberg/{number}"
    stem = _SUFFIXES.sub("", path.rpartition("/")[2])
    return f"gutenberg/{stem}-{xxhash.xxh3_64_hexdigest(path.encode('utf-8', 'surrogatepass'))[:8]}"


def _free(identifier: str, offset: int, taken: set[int]) -> str:
    """An id that no book of the tar has: with the member's offset behind it where its name comes again."""
    while (key := xxhash.xxh3_64_intdigest(identifier.encode("utf-8", "surrogatepass"))) in taken:
        identifier += f"@{offset}"
    taken.add(key)
    return identifier


def _name(path: str, member: str | None) -> str:
    """What a message calls a text."""
    name = path.rpartition("/")[2]
    return f"{name!r}" if member is None else f"{member!r} in {name!r}"


def _count(counters: Counter[str], data: bytes, encoding: str, nuls: int) -> None:
    counters["text_bytes"] += len(data)
    counters[f"encoding_{encoding}"] += 1
    counters["zero_bytes"] += nuls
