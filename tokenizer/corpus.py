"""Documents of a corpus in an order drawn by a seed, spread over all its files, without reading all of it.

A corpus is ``<root>/<source>/<subset>/*.parquet`` with a column ``text``. Folders that begin with an underscore hold
rejects and accounts. The root may be on a store that Arrow knows (``s3://``, ``gs://``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from tokenizer.errors import TokenizerError
from tokenizer.proportions import Place

COLUMN = "text"
SUFFIX, MANIFEST = ".parquet", "manifest.json"
ROWS_AT_ONCE = 256
# A visited row group gives at least this part of its documents, so that a sample reads 16 times its size at most.
LEAST_FRACTION = 1 / 16
SPARE = 1.1  # more than the sample, as some lines are left out


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A part of a Parquet file.

    Attributes:
        path: The file.
        number: Its number there.
        rows: Documents.
        text_bytes: Bytes of text (about: as the file tells them).
        footer: A checksum of what the file's footer tells of it: sizes, places, and extremes of its columns.
    """

    path: str
    number: int
    rows: int
    text_bytes: int
    footer: str


class Corpus:
    """The Parquet files of a corpus."""

    def __init__(self, root: str, places: Mapping[str, Place] | None = None) -> None:
        """Opens a corpus.

        Args:
            root: Its folder.
            places: Where its sources lie; one that is not named, in all subsets of the folder of its name.

        Raises:
            TokenizerError: There is no such folder, or its store cannot be reached.
        """
        self.root = root
        self._places = dict(places or {})
        try:
            self._files, self._root = _filesystem(root)
            kind = self._files.get_file_info(self._root).type
        except (OSError, pa.ArrowException) as error:
            raise TokenizerError(f"cannot reach the corpus {root}: {error}") from error
        if kind != fs.FileType.Directory:
            raise TokenizerError(f"there is no corpus folder {root}; make one with python -m sources.SOURCE --output")

    def files(self, source: str) -> list[str]:
        """Paths of a source's documents below its folder, sorted; none where the source is missing.

        They are those that the manifest lists, as for the mixture; in a folder of the user's own, all.

        Raises:
            TokenizerError: The manifest is damaged, or lists other files than there are.
        """
        subsets = self._place(source).subsets
        return [path for path in self._all_files(source) if not subsets or path.split("/")[0] in subsets]

    def lacking(self, source: str) -> list[str]:
        """The subsets of a source that are not there, though others are."""
        there = {path.split("/")[0] for path in self._all_files(source) if "/" in path}
        return [subset for subset in self._place(source).subsets if there and subset not in there]

    def _all_files(self, source: str) -> list[str]:
        folder = f"{self._root}/{self._place(source).folder}"
        selector = fs.FileSelector(folder, allow_not_found=True, recursive=True)
        found = self._files.get_file_info(selector)
        paths = {info.path[len(folder) + 1 :] for info in found if info.type == fs.FileType.File}
        least = 2 if MANIFEST in paths else 1  # parts of a path of documents; reports lie beside a manifest
        split = [path.split("/") for path in paths if path.endswith(SUFFIX)]
        chosen = [parts for parts in split if len(parts) >= least and not any(p.startswith(("_", ".")) for p in parts)]
        documents = sorted("/".join(parts) for parts in chosen)
        if MANIFEST in paths:
            self._compare(f"{folder}/{MANIFEST}", documents)
        return documents

    def _compare(self, manifest: str, documents: Sequence[str]) -> None:
        """Refuses a source that does not hold what its manifest lists."""
        try:
            with self._files.open_input_file(manifest) as file:
                values = json.loads(file.read())
            listed = {str(entry["path"]) for entry in values["outputs"]} if "ledger" in values else set(documents)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TokenizerError(f"{manifest} is damaged: {error!r}. Run the source's command again.") from error
        for paths, fault in (
            (sorted(set(documents) - listed), "does not list {}: move it to a folder of its own in the corpus"),
            (sorted(listed - set(documents)), "lists {}, which is missing: run the source's command again"),
        ):
            if paths:
                more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
                raise TokenizerError(f"{manifest} {fault.format(paths[0] + more)}")

    def _place(self, source: str) -> Place:
        return self._places.get(source, Place(source))

    def row_groups(self, source: str) -> list[RowGroup]:
        """The row groups of a source's files, in their order.

        Raises:
            TokenizerError: A file is no Parquet, or has no column of texts.
        """
        found = []
        for path in self.files(source):
            with self._open(source, path) as file:
                column = self._column(file, source, path)
                for number in range(file.metadata.num_row_groups):
                    group = file.metadata.row_group(number)
                    size = group.column(column).total_uncompressed_size
                    found.append(RowGroup(path, number, group.num_rows, size, _footer(group)))
        return found

    def documents(self, source: str, groups: Sequence[RowGroup], size: int, key: str) -> Iterator[bytes]:
        """The documents of a source as UTF-8, each once, in an order that the key draws.

        Row groups come in an order of their own; the first ``size`` bytes are drawn from all of them, or, where that
        would mean to read more than 16 times as much, from as many as that allows. Memory: a few hundred documents.

        Args:
            source: Its name.
            groups: Its row groups.
            size: Bytes that will be taken, roughly.
            key: Another one gives another order.
        """
        total = sum(group.text_bytes for group in groups)
        fraction = min(1.0, max(LEAST_FRACTION, SPARE * size / max(total, 1)))
        ordered = sorted(groups, key=lambda group: _draw(key, source, group))
        for turn in range(int(np.ceil(1 / fraction))):
            for group in ordered:
                draws = np.random.Generator(np.random.PCG64(_draw(key, source, group))).random(group.rows)
                chosen = (draws >= turn * fraction) & (draws < (turn + 1) * fraction)
                if chosen.any():
                    yield from self._read(source, group, chosen)

    def _read(
        self, source: str, group: RowGroup, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]
    ) -> Iterator[bytes]:
        try:
            with self._open(source, group.path) as file:
                at = 0
                for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group.number], columns=[COLUMN]):
                    rows = batch.column(0).filter(pa.array(chosen[at : at + len(batch)])).cast(pa.large_binary())
                    yield from (text for text in rows.to_pylist() if text is not None)
                    at += len(batch)
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(source, group.path, error) from error

    def _open(self, source: str, path: str) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(
                f"{self._root}/{self._place(source).folder}/{path}", filesystem=self._files, pre_buffer=False
            )
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(source, path, error) from error

    def _column(self, file: pq.ParquetFile, source: str, path: str) -> int:
        names = [file.metadata.schema.column(number).path for number in range(file.metadata.num_columns)]
        kind = file.schema_arrow.field(COLUMN).type if COLUMN in names else None
        if kind not in (pa.string(), pa.large_string()):
            raise TokenizerError(f"{self.root}/{self._place(source).folder}/{path} has no column {COLUMN!r} of strings")
        return names.index(COLUMN)

    def _damaged(self, source: str, path: str, error: Exception) -> TokenizerError:
        folder = self._place(source).folder
        return TokenizerError(
            f"cannot read {self.root}/{folder}/{path}: {error}. Remove it with its shard's stats, and run the source's "
            "command again."
        )


def fingerprint(groups: Sequence[RowGroup]) -> str:
    """Identifies what a source holds: it changes with any file's path, documents, or bytes of text, and nearly always
    with the text, since the footers tell of its compressed size and its extremes.
    """
    listed = "\n".join(
        f"{group.path}\t{group.number}\t{group.rows}\t{group.text_bytes}\t{group.footer}" for group in groups
    )
    return hashlib.sha256(listed.encode("utf-8", "surrogatepass")).hexdigest()


def _footer(group: pq.RowGroupMetaData) -> str:
    told = []
    for number in range(group.num_columns):
        column = group.column(number)
        seen = column.statistics if column.is_stats_set else None
        extremes = (seen.min_raw, seen.max_raw) if seen is not None and seen.has_min_max else None
        sizes = column.total_compressed_size, column.total_uncompressed_size, column.num_values
        told.append((column.path_in_schema, column.data_page_offset, *sizes, extremes))
    return hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _filesystem(root: str) -> tuple[fs.FileSystem, str]:
    if "://" not in root:
        return fs.LocalFileSystem(), root.rstrip("/") or "/"
    files, path = fs.FileSystem.from_uri(root)
    return files, path.rstrip("/")


def _draw(key: str, source: str, group: RowGroup) -> int:
    name = f"{key}\0{source}\0{group.path}\0{group.number}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(name).digest(), "big")
