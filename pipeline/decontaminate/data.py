"""What is looked through: the Parquet files of a corpus, or of one source, or those of which token shards were made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import numpy.typing as npt

from pipeline.corpus.manifest import read_manifest, run_folders
from pipeline.corpus.shard import Layout
from pipeline.errors import InputError
from pipeline.mix.blocks import TokenFile
from pipeline.mix.corpus import SUFFIX
from pipeline.mix.encode import load_encoder
from pipeline.mix.gather import PADDING
from pipeline.mix.names import TOKEN_FILES, is_shard_folder
from pipeline.mix.rows import ShardFolder, open_folder, read_batches, store_of
from pipeline.mix.token_files import Coding, TokenStats, TokenStore, version_of
from pipeline.storage.filesystem import exists, file_sizes, is_remote, join, list_tree


@dataclass(frozen=True)
class DataFile:
    """A Parquet file of documents.

    Attributes:
        path: Below the corpus, with ``/``.
        bytes: Its size.
        version: Its checksum, as a manifest has it; else what its store tells of its version.
        tokens: The stats of its token file; None where there is none of this version.
        numbered: As the list of token shards has it; None where it is not their documents that are meant.
    """

    path: str
    bytes: int
    version: str
    tokens: TokenStats | None = None
    numbered: TokenFile | None = None


@dataclass(frozen=True)
class Data:
    """What is looked through.

    Attributes:
        corpus: The corpus folder.
        files: Its files, sorted.
        store: Its token files; None where no tokenizer is known.
        model: The tokenizer.
        shards: The token shards whose documents alone are meant; None where all of the corpus are.
        is_ours: Whether documents can be taken out of it: not of a folder of Parquet files that nothing accounts for.
    """

    corpus: str
    files: tuple[DataFile, ...]
    store: TokenStore | None = None
    model: str | None = None
    shards: ShardFolder | None = None
    is_ours: bool = True

    @property
    def without_tokens(self) -> int:
        """Files without a token file."""
        return sum(file.tokens is None for file in self.files)

    def drawn(self) -> npt.NDArray[np.bool_] | None:
        """For each document, by number, whether the shards have any of it; None where all documents are meant."""
        if self.shards is None:
            return None
        count = max((file.first_number + file.documents for file in self.shards.files), default=0)
        found = np.zeros(count, bool)
        for entry in self.shards.manifest["shards"]:
            for batch in read_batches(join(self.shards.root, entry["file"])):
                numbers = np.asarray(batch.column("doc_numbers").flatten())
                found[numbers[numbers != PADDING].astype(np.int64)] = True
        return found


def find_data(root: str, corpus: str | None, tokenizer: str | None, token_files: str | None) -> Data:
    """Lists the files of a folder.

    Args:
        root: A corpus, a source's folder, a folder of Parquet files, or token shards.
        corpus: Of token shards: where their corpus lies now, if it was moved.
        tokenizer: The model whose token files of a corpus are meant; shards have their own.
        token_files: Where token files are; ``_tokens`` in the corpus where None.

    Raises:
        InputError: There is nothing to look through.
    """
    if not is_remote(root) and not os.path.isdir(root):
        raise InputError(f"there is no folder {root}")
    data = _of_shards(root, corpus) if is_shard_folder(root) else _of_corpus(root, tokenizer, token_files)
    if not data.files:
        raise InputError(f"{root} holds neither Parquet files nor token shards")
    if data.store is None:
        return data
    return replace(data, files=tuple(replace(file, tokens=_stats(data.store, file)) for file in data.files))


def _of_shards(root: str, corpus: str | None) -> Data:
    folder = open_folder(root, corpus)
    sums = _sums(folder.corpus, run_folders(folder.corpus))
    files = []
    for file in folder.files:
        if file.rows:  # else nothing of it is left, as a list of removals asked
            place = join(folder.corpus, *file.path.split("/"))
            if not exists(place):
                raise InputError(f"{place}, of which {root} was made, is gone. Where is the corpus now? Give --corpus.")
            if sums.get(file.path, file.sha256) != file.sha256:
                raise InputError(
                    f"{place} changed since {root} was made of it. Where documents were taken out of it, "
                    f"python -m pipeline.optout {folder.corpus} {root} --list LIST --apply has the shards follow."
                )
            files.append(DataFile(file.path, 0, file.sha256, numbered=file))
    return Data(folder.corpus, tuple(files), store_of(folder), folder.tokenizer, folder)


def _of_corpus(root: str, tokenizer: str | None, token_files: str | None) -> Data:
    root = root.rstrip("/") if len(root) > 1 else root
    folders, prefix, corpus = run_folders(root), "", root
    if folders == [root]:  # one source
        corpus, _, name = (root if is_remote(root) else os.path.abspath(root)).rpartition("/")
        corpus, prefix = corpus or "/", f"{name}/"
        folders = [join(corpus, name)]
    sums = _sums(corpus, folders)
    files = []
    for name, size in sorted(file_sizes(root, SUFFIX).items()):
        path = prefix + name
        if not any(part.startswith(("_", ".")) for part in name.split("/")):
            version = sums.get(path) or version_of(join(root, *name.split("/")))
            files.append(DataFile(path, size, f"{size}-{version}"[:200] if path not in sums else sums[path]))
    data = Data(corpus, tuple(files), is_ours=bool(sums))
    if tokenizer is None:
        return data
    return replace(data, store=_store(corpus, tokenizer, token_files or join(corpus, TOKEN_FILES)), model=tokenizer)


def _sums(corpus: str, folders: list[str]) -> dict[str, str]:
    """The checksums of the files that manifests list, by path below the corpus."""
    found = {}
    for folder in folders:
        manifest = read_manifest(Layout(folder)) or {}
        below = folder[len(corpus) :].strip("/")
        for entry in manifest.get("outputs", ()):
            found[f"{below}/{entry['path']}"] = str(entry["sha256"])
    return found


def _store(corpus: str, tokenizer: str, root: str) -> TokenStore:
    """The token files of a tokenizer.

    Raises:
        InputError: There are none.
    """
    stores = list(_stores(corpus, tokenizer, root))
    if not stores:
        raise InputError(
            f"{root} has no token files of {tokenizer}. python -m pipeline.mix --dry-run makes them; without "
            "--tokenizer, words alone are compared."
        )
    return stores[0]


def _stores(corpus: str, tokenizer: str, root: str) -> Iterator[TokenStore]:
    encoder = load_encoder(tokenizer)
    for bos, eos in product((True, False), (False, True)):
        store = TokenStore(corpus, root, Coding(encoder.sha256, encoder.dtype.__name__, bos, eos))
        if list_tree(join(root, store.coding.folder), ".json"):
            yield store


def _stats(store: TokenStore, file: DataFile) -> TokenStats | None:
    stats = store.read_stats(file.path)
    if stats is None or stats.error or not exists(store.tokens(file.path)):
        return None
    known = len(file.version) == 64 and file.numbered is None
    return stats if not known or stats.sha256 == file.version else None
