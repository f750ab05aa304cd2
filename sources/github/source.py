"""The GitHub source: files of repositories to documents, their texts as units of dedup, and the steps between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from filters.code.licenses import LicenseGate
from filters.code.text import with_newlines
from pipeline.corpus.document import Document, Refused
from pipeline.source import OfRecipe
from pipeline.steps import Step
from pipeline.storage.filesystem import InputFile, file_sha256, local_model, open_input
from pipeline.units import Policy, Units
from sources.github.folders import open_folder, read_folder
from sources.github.plan import kind_of
from sources.github.raw_file import META, FileReader
from sources.github.recipe import GitHubRecipe
from sources.github.repository import LicenseFiles
from sources.github.rows import read_rows
from sources.github.steps import CheckLicense, CheckPath, CheckQuality, StripNotices, load_tokenizer
from sources.github.tars import TarReader

SEVERAL = "several"


@dataclass(frozen=True)
class FileDedup:
    """The whole text as the one unit of a file: of files with the same text one stays, whichever shards they are in.

    Which one follows from a hash of repository, path and licence: it is the first in the order of these hashes, so it
    does not depend on how the inputs are split, nor on their order.
    """

    policy: Policy = "keep_smallest"
    unit: str = "file"
    unit_bytes: int = 512  # source files have some kilobytes, and gzip makes a third or a quarter of them

    def hashes(self, document: Document) -> Units:
        """One hash."""
        text = with_newlines(document.text).encode("utf-8", "surrogatepass")
        meta = document.meta
        key = "\0".join(map(str, (meta["repo"], meta["path"], document.license, meta["ref"])))
        priority = xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"))
        return Units(np.array([xxhash.xxh3_64_intdigest(text)], np.uint64), priority)

    def count(self, document: Document) -> int:
        """One."""
        return 1

    def keep(self, document: Document, mask: npt.NDArray[Any]) -> str | None:
        """Drops a file whose text another one has."""
        return None if mask.all() else "duplicate"


@dataclass(frozen=True)
class GitHub(OfRecipe):
    """GitHub's repositories, as the paper used them.

    Attributes:
        recipe: The source's choices.
        cache: The folder for fetched dumps; no part of what is made.
        output: The absolute path of the output, which may lie in a repository that is read.
    """

    recipe: GitHubRecipe
    cache: Path | None = None
    output: str | None = None
    name: str = "github"
    meta: pa.StructType = META
    dedup: FileDedup = FileDedup()

    def open_input(self, file: InputFile, cache: Path | None) -> BinaryIO:
        """Opens a dump, or the folder of a repository as one stream."""
        if kind_of(file.path) is None:
            return cast(BinaryIO, open_folder(file.path, self._reader, self._files))
        return open_input(file.path, cache)

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Reads a dump, a tar, or the folder of a repository."""
        kind = kind_of(file.path)
        if kind is None:
            yield from read_folder(stream, file.path, self._reader, counters)
        elif kind == "tar":
            tar = TarReader(file.path, self._reader, self._files)
            with open_input(file.path, self.cache) as first:
                facts = tar.look(first)
            yield from tar.read(stream, facts, counters)
        else:
            yield from read_rows(stream, file.path, kind, self._reader, counters)

    @cached_property
    def _reader(self) -> FileReader:
        return FileReader(self.recipe, self.output)

    @cached_property
    def _files(self) -> LicenseFiles:
        return LicenseFiles(self._reader.gate)

    @cached_property
    def _gate(self) -> LicenseGate:
        return LicenseGate(self.recipe.licenses)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def steps_before_dedup(self) -> list[Step]:
        """All: the paper deduplicates "the resulting dataset", so two files that differ in their notices are one."""
        header: list[Step] = [StripNotices()] if self.recipe.strip_notices else []
        return [CheckLicense(self.recipe.licenses), CheckPath(self.recipe.paths), *header, CheckQuality(self.recipe)]

    def subset(self, document: Document) -> str:
        """The licence that is made use of, or ``several`` where a choice or a combination of allowed ones is."""
        chosen = self._gate.judge(document.license).chosen
        return chosen[0].lower() if len(chosen) == 1 else SEVERAL

    def describe(self) -> dict[str, Any]:
        """The recipe, and the checksum of its tokenizer."""
        tokenizer = self.recipe.tokenizer
        if tokenizer is None:
            return {**super().describe(), "models": {}}
        load_tokenizer(self.recipe)
        return {
            **super().describe(),
            "models": {tokenizer: file_sha256(local_model(tokenizer, self.recipe.tokenizer_sha256))},
        }
