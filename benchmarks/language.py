"""Measures language identification: the batch-wise way beside the library's own ``predict``, page by page.

Usage::

    python -m benchmarks.language [--input FILE.wet ...] [--model FILE] [--lines all|deduplicated] [--batch 500]

Both read the same pages as CCNet feeds them, with newlines deleted, and every (language, rounded score) is compared.
The first pass meets all words for the first time, as a run's first minutes do; the second keeps those that it meets
again; the third knows them.
Times are the processor's, in one thread. For pages with a vocabulary that grows like the web's, give files that
``benchmarks.make_wet`` wrote; their tenths, which are printed one by one, show when enough words are known.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

# One thread for matrix products, as in a worker of a pipeline; NumPy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import fasttext_pybind
import numpy as np

from filters.commoncrawl.lines import hash_lines, split_wet_text
from filters.language import LanguageIdentifier
from pipeline.formats.warc import WarcRecord, read_records

SAMPLES = Path(__file__).parents[1] / "samples"
MIN_CHARACTERS = 300
PARTS = 10


@dataclass
class Part:
    """Processor seconds of both ways, over some pages."""

    megabytes: float = 0.0
    fast: float = 0.0
    library: float = 0.0

    def add(self, megabytes: float, fast: float, library: float) -> None:
        self.megabytes, self.fast, self.library = self.megabytes + megabytes, self.fast + fast, self.library + library

    def __str__(self) -> str:
        fast, library = 1e3 * self.fast / self.megabytes, 1e3 * self.library / self.megabytes
        return (
            f"{self.megabytes:8.2f} MB   fast {fast:6.1f} ms/MB {1e3 / fast:6.1f} MB/s   "
            f"library {library:6.1f} ms/MB {1e3 / library:6.1f} MB/s   {library / fast:4.2f} times"
        )


def read_pages(paths: Sequence[str]) -> Iterator[str]:
    """The texts of WET files that CCNet would look at."""
    for path in paths:
        with open(path, "rb") as file:
            for record in read_records(file):
                if isinstance(record, WarcRecord) and record.kind == "conversion":
                    _, text = split_wet_text(record.body.decode("utf-8", "replace"))
                    if len(text) >= MIN_CHARACTERS:
                        yield text


def without_repeated_lines(pages: Sequence[str]) -> list[str]:
    """The pages as line dedup leaves them: no line that two pages share."""
    hashes = [hash_lines(page) for page in pages]
    values, counts = np.unique(np.concatenate([np.unique(h) for h in hashes]), return_counts=True)
    repeated = values[counts > 1]
    kept = []
    for page, keys in zip(pages, hashes, strict=True):
        lines = [line for line, drop in zip(page.split("\n"), np.isin(keys, repeated), strict=True) if not drop]
        kept.append("\n".join(lines))
    return [page for page in kept if page]


def timed(work: Callable[[], list[tuple[str, float]]]) -> tuple[float, list[tuple[str, float]]]:
    begin = time.process_time()
    found = work()
    return time.process_time() - begin, found


def ask_library(library: fasttext_pybind.fasttext, pages: Sequence[str]) -> list[tuple[str, float]]:
    found = []
    for page in pages:
        line = page.replace("\n", "").encode("utf-8", "replace")
        score, label = library.predict(line + b"\n", 1, 0.0, "strict")[0]
        found.append((label.removeprefix("__label__"), round(score, 2)))
    return found


def one_pass(
    pages: Sequence[str], identifier: LanguageIdentifier, library: fasttext_pybind.fasttext, batch: int
) -> int:
    """Prints the figures of one pass; the number of pages for which the two ways differ."""
    total, wrong, asked = Part(), 0, identifier.classifier.library_documents
    parts = PARTS if len(pages) >= PARTS * batch else 1
    for rows in np.array_split(np.arange(len(pages)), parts):
        part = Part()
        for begin in range(0, len(rows), batch):
            some = [pages[row] for row in rows[begin : begin + batch]]
            fast, found = timed(partial(identifier.identify, some))
            slow, expected = timed(partial(ask_library, library, some))
            wrong += sum(a != b for a, b in zip(found, expected, strict=True))
            part.add(sum(len(page.encode("utf-8", "replace")) for page in some) / 1e6, fast, slow)
        if parts > 1:
            print(f"  {part}")
        total.add(part.megabytes, part.fast, part.library)
    asked = identifier.classifier.library_documents - asked
    print(f"all {total}")
    print(f"{len(pages):,} pages; the library was asked about {asked:,} ({asked / len(pages):.2%})")
    print(f"{wrong:,} pages with another language or score than the library's")
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = sorted(str(path) for path in (SAMPLES / "commoncrawl").glob("*.wet.gz"))
    parser.add_argument("--input", nargs="+", default=default, help="WET files (default: the samples)")
    parser.add_argument("--model", default=str(SAMPLES / "models" / "lid.176.ftz"))
    parser.add_argument("--lines", choices=("all", "deduplicated"), default="deduplicated")
    parser.add_argument("--batch", type=int, default=500, help="pages given at a time")
    args = parser.parse_args(arguments)
    pages = list(read_pages(args.input))
    if args.lines == "deduplicated":
        pages = without_repeated_lines(pages)
    if not pages:
        print("the input holds no page of 300 characters")
        return 1
    identifier, library = LanguageIdentifier(args.model), fasttext_pybind.fasttext()
    library.loadModel(args.model)
    wrong = 0
    for number in (1, 2, 3):
        print(f"pass {number}")
        wrong += one_pass(pages, identifier, library, args.batch)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
