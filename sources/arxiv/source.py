"""The arXiv source: submissions in bulk tars, files and folders to documents."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO

import pyarrow as pa

from filters.latex.assemble import OTHER_SUFFIXES
from filters.latex.decode import as_utf8, is_binary
from pipeline.corpus.document import Document, Refused
from pipeline.formats.inflate import inflated
from pipeline.formats.tar import Fault, tar_members
from pipeline.source import OfRecipe
from pipeline.steps import Step
from pipeline.storage.filesystem import InputFile, open_input
from sources.arxiv.identifiers import Identifier, identify, is_member
from sources.arxiv.metadata import MetadataReader
from sources.arxiv.recipe import ArxivRecipe
from sources.arxiv.steps import FILES, CleanLatex, DropShortPapers
from sources.arxiv.submission import BadSubmission, Collector, Submission, unpack, wanted_bytes
from sources.arxiv.versions import Inputs, read_superseded

SUBSET = "papers"
META = pa.struct(
    {
        "arxiv_id": pa.string(),
        "yymm": pa.string(),
        "version": pa.int32(),
        "title": pa.string(),
        "categories": pa.string(),
        "main_file": pa.string(),
        "main_rule": pa.string(),  # why it is taken for the main file
        "files_read": pa.int32(),  # TeX files put together
        "encoding": pa.string(),
        "starts_at": pa.string(),  # section, heading, abstract, maketitle, document
        "macros_defined": pa.int32(),
        "macros_expanded": pa.int32(),  # uses
        "macros_left": pa.int32(),  # uses
    }
)


@dataclass(frozen=True)
class Arxiv(OfRecipe):
    """arXiv's LaTeX sources, as the paper used them.

    Attributes:
        recipe: The source's choices.
        root: Its output folder, below which it is noted what is not read.
        inputs: What the plan knows of the inputs.
        metadata: Bytes and checksum of arXiv's metadata file; None without.
    """

    recipe: ArxivRecipe
    root: str
    inputs: Inputs = field(default_factory=lambda: Inputs(frozenset(), {}))
    metadata: Mapping[str, Any] | None = None
    name: str = "arxiv"
    meta: pa.StructType = META
    dedup: None = None

    def read(self, stream: BinaryIO, file: InputFile, counters: Counter[str]) -> Iterator[Document | Refused]:
        """Reads a bulk tar, an e-print that is a file, or, at its first file, one that is a folder."""
        superseded = read_superseded(self.root, file.path)
        if file.path in self.inputs.tars:
            yield from self._read_bulk(stream, file.path, superseded, counters)
            return
        folder = self.inputs.folders.get(file.path)
        if folder == ():
            return  # read with the first file of its folder
        found = identify(folder[0] if folder else file.path)
        counters[f"members_{found.yymm}"] += 1
        if 0 in superseded:
            yield _superseded(found, superseded[0], file.path, 0)
            return
        try:
            submission = self._read_folder(*folder) if folder else self._read_file(stream, file.path)
        except BadSubmission as error:
            yield Refused(error.reason, f"{found.paper}: {error}", file.path, 0, failed=error.failed)
            return
        yield self._document(found, submission, file.path, 0, counters)

    def _read_bulk(
        self, stream: BinaryIO, path: str, superseded: Mapping[int, str], counters: Counter[str]
    ) -> Iterator[Document | Refused]:
        limit = self.recipe.limits.packed_megabytes << 20
        members = tar_members(
            inflated(stream), limit, wanted=lambda name: 0 if _is_pdf(name) else None, resumes=is_member
        )
        for item in members:
            if isinstance(item, Fault):
                yield Refused(item.reason, item.message, path, item.offset, failed=item.failed)
                continue
            found = identify(item.name, path)
            counters[f"members_{found.yymm}"] += 1
            if item.offset in superseded:
                yield _superseded(found, superseded[item.offset], path, item.offset)
                continue
            try:
                submission = self._unpack(item.name, item.data)
            except BadSubmission as error:
                yield Refused(error.reason, f"{item.name}: {error}", path, item.offset, failed=error.failed)
                continue
            yield self._document(found, submission, path, item.offset, counters)

    def _unpack(self, name: str, data: bytes) -> Submission:
        if _is_pdf(name):
            raise BadSubmission("pdf", "arXiv has a PDF of it, and no source", failed=False)
        stem = os.path.basename(name)
        stem = stem[:-3] if stem.lower().endswith(".gz") else stem
        return unpack(data, stem if stem.lower().endswith((".tex", ".html")) else f"{stem}.tex", self.recipe.limits)

    def _read_file(self, stream: BinaryIO, path: str) -> Submission:
        limit = self.recipe.limits.packed_megabytes << 20
        data = b"" if _is_pdf(path) else stream.read(limit + 1)
        if len(data) > limit:
            raise BadSubmission("too_large", f"it has more than {limit >> 20} MB (limits.packed_megabytes)")
        return self._unpack(path, data)

    def _read_folder(self, folder: str, *paths: str) -> Submission:
        collector, limit = Collector(self.recipe.limits), self.recipe.limits.file_megabytes << 20
        for path in paths:
            name = os.path.relpath(path, folder).replace(os.sep, "/")
            try:
                with open_input(path) as stream:
                    head = wanted_bytes(path)
                    data = stream.read(limit + 1 if head is None else head)
            except OSError:
                continue  # it is a failed record of its own
            if len(data) > limit:
                collector.leave_out("too_large", name, f"it has more than {limit >> 20} MB (limits.file_megabytes)")
            else:
                collector.add(name, data)
        return collector.submission

    def _document(
        self, found: Identifier, submission: Submission, path: str, offset: int, counters: Counter[str]
    ) -> Document:
        text = raw_text(submission.files)
        counters["text_bytes"] += len(text)
        for reason, count in submission.left_out.items():
            counters[f"files_left_out_{reason}"] += count
        record = self._records.get(found.paper, found.yymm) if self._records and found.is_arxiv else None
        meta: dict[str, Any] = {name.name: None for name in META}
        meta.update(arxiv_id=found.paper if found.is_arxiv else None, yymm=found.yymm, version=found.version)
        if record:
            counters["with_metadata"] += 1
            meta.update(title=record.title, categories=record.categories, version=found.version or record.version)
        meta[FILES] = submission
        return Document(
            id=f"{self.name}/{found.paper}",
            text=text,
            source=self.name,
            file=path,
            offset=offset,
            url=found.url,
            created=found.created,
            license=record.license if record else None,
            meta=meta,
        )

    @cached_property
    def _records(self) -> MetadataReader | None:
        return MetadataReader(self.root) if self.metadata else None

    def steps_after_dedup(self) -> list[Step]:
        """LaTeX, length."""
        return [CleanLatex(self.recipe.latex.options), DropShortPapers(self.recipe.min_characters)]

    def subset(self, document: Document) -> str:
        """All papers are in one."""
        return SUBSET

    def describe(self) -> dict[str, Any]:
        """The recipe, and the checksum of the metadata."""
        return {**super().describe(), "metadata": self.metadata}


def raw_text(files: Mapping[str, bytes]) -> str:
    """The TeX of a submission before it is cleaned: what is measured, and what a reject shows.

    Files that can be TeX are put one behind the other, under their names, the bytes that are no UTF-8 as U+FFFD.
    """
    texts = {path: as_utf8(data)[0] for path, data in sorted(files.items()) if not is_binary(data)}
    tex = {path: data for path, data in texts.items() if not path.lower().endswith(OTHER_SUFFIXES)} or texts
    head = "%%% {}\n" if len(files) > 1 else ""
    return "".join(head.format(path) + data.decode("utf-8", "replace") for path, data in tex.items())


def _superseded(found: Identifier, newer: str, path: str, offset: int) -> Refused:
    version = f"v{found.version}" if found.version else "one"
    message = f"{found.paper}: a newer version than this {version}, or another copy, is at {newer}"
    return Refused("superseded", message, path, offset, failed=False)


def _is_pdf(name: str) -> bool:
    return name.lower().endswith(".pdf")
