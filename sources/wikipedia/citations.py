"""The distinct URLs that the articles of a corpus cite: ``python -m sources.wikipedia.references DIR > urls.txt``.

They train the classifier of the CommonCrawl source (``python -m sources.commoncrawl.train_reference --urls urls.txt``).
The files are read twice, a few pages at a time: once to hash, once to print. Memory: 24 bytes a citation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from pipeline.command_line import errors_told
from pipeline.errors import InputError
from pipeline.storage.filesystem import join, list_tree, open_input

SOURCE = "wikipedia"
_COLUMN = "meta.references"
_ROWS = 1024


def distinct_references(root: str) -> Iterator[str]:
    """The URLs that the articles below a source's folder cite, each once, in the order of the files.

    Args:
        root: The source's folder, or the corpus that it lies in.

    Raises:
        InputError: There are no articles, or a file cannot be read.
    """
    found = list_tree(root, ".parquet")
    if any(path.startswith(f"{SOURCE}/") for path in found):  # the corpus that holds it, beside other sources
        return distinct_references(join(root, SOURCE))
    paths = [join(root, *path.split("/")) for path in found if not path.startswith("_")]
    if not paths:
        raise InputError(f"there are no articles in {root}; give the source's folder, such as corpus/wikipedia")
    first = _first_of_each(paths)
    return (url for url, is_first in zip(_references(paths), first, strict=False) if is_first)


def _first_of_each(paths: Sequence[str]) -> npt.NDArray[np.bool_]:
    """For each citation, in the order of the files, whether its URL comes there for the first time."""
    hashes = np.fromiter((xxhash.xxh3_64_intdigest(url.encode()) for url in _references(paths)), np.uint64)
    _, at = np.unique(hashes, return_index=True)
    first = np.zeros(len(hashes), bool)
    first[at] = True
    return first


def _references(paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        try:
            with open_input(path) as handle:
                for batch in pq.ParquetFile(handle).iter_batches(_ROWS, columns=[_COLUMN]):
                    yield from batch.column(0).field("references").flatten().to_pylist()
        except (pa.ArrowException, LookupError, OSError) as error:
            raise InputError(f"{path} cannot be read as articles of Wikipedia: {error}") from error


def run(args: argparse.Namespace) -> None:
    """Prints one URL a line."""
    with errors_told():
        for url in distinct_references(args.folder):
            sys.stdout.write(f"{url}\n")
