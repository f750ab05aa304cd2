"""Measures what ``python -m pipeline.plan`` calculates with: one worker's speed through every source, encoding, shards.

``python -m benchmarks.rates`` makes a raw dump for each source, as the benchmarks of the sources do, runs the sources'
commands on them with their default recipes, one after the other with one worker, trains a tokenizer on what came out,
encodes and writes shards, and puts the rates into ``recipes/plan/rates.json``. Yields of made dumps say nothing, so the
plan takes none from here. It takes some minutes, and nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import arxiv, books, commoncrawl, stackexchange, wikipedia
from benchmarks.make_wet import make_writers, pages
from benchmarks.result import result_file
from pipeline.plan.rates import Rates, StageRate, rates_of_corpus
from pipeline.plan.recipe import RATES

ROOT = Path(__file__).parents[1]
VOCABULARY = 8000  # more than made text supports would only make the training slower
BOOK_WORDS = 60_000
HEADER = "*** START OF THE PROJECT GUTENBERG EBOOK {0} ***\n\n{1}\n\n*** END OF THE PROJECT GUTENBERG EBOOK {0} ***\n"


def crawl_files(folder: Path, megabytes: int) -> list[str]:
    """WET files for CommonCrawl."""
    return ["--input", *commoncrawl.make_inputs(folder, 1, megabytes, [])]


def c4_files(folder: Path, megabytes: int) -> list[str]:
    """A file as the published C4 has them."""
    made = pages(make_writers([], megabytes, 1), 0, megabytes * 1e6, 1)
    rows = ({"text": p.body.decode(), "timestamp": "2019-04-25T12:57:54Z", "url": p.url} for p in made)
    return ["--from", "published", "--input", _json_lines(folder / "c4-train.00000-of-01024.json.gz", rows)]


def github_files(folder: Path, megabytes: int) -> list[str]:
    """An export of BigQuery, of the running Python's own library."""
    library = Path(sysconfig.get_paths()["stdlib"])
    rows, size = [], 0
    for path in sorted(library.rglob("*.py")):
        if "site-packages" not in path.parts and size < megabytes * 1e6:
            content = path.read_text(encoding="utf-8", errors="replace")
            size += len(content)
            place = path.relative_to(library).as_posix()
            rows.append(
                {"repo_name": "a/library", "path": place, "license": "mit", "content": content, "binary": False}
            )
    return ["--input", _json_lines(folder / "export-000000000000.json.gz", rows)]


def wikipedia_files(folder: Path, megabytes: int) -> list[str]:
    """A multistream dump."""
    return ["--input", str(wikipedia.make_dump(folder, wikipedia.pages_of(wikipedia.SAMPLE), megabytes))]


def book_files(folder: Path, megabytes: int) -> list[str]:
    """Texts of Gutenberg; the language is not looked at, since these are in none."""
    for number, text in enumerate(books.make_books(max(4, megabytes * 1_000_000 // (6 * BOOK_WORDS)), BOOK_WORDS), 1):
        (folder / f"pg{number}.txt").write_text(HEADER.format(number, text), encoding="utf-8")
    return ["--gutenberg", str(folder), "--set", "language.keep=all", "--set", "language.threshold=0"]


def arxiv_files(folder: Path, megabytes: int) -> list[str]:
    """A bulk tar; a copy of the made papers has about six megabytes of TeX."""
    path = folder / "arXiv_src_2005_001.tar"
    arxiv.make_bulk(path, max(1, megabytes // 6))
    return ["--input", str(path)]


def site_files(folder: Path, megabytes: int) -> list[str]:
    """A site of StackExchange as 7z; a post has about 1,350 bytes of XML."""
    blocks = stackexchange.blocks_of([str(stackexchange.SAMPLE)])
    return ["--input", str(stackexchange.make_site(folder, blocks, megabytes * 740, packed=True)[0])]


SOURCES: Mapping[str, Callable[[Path, int], list[str]]] = {
    "commoncrawl": crawl_files,
    "c4": c4_files,
    "github": github_files,
    "wikipedia": wikipedia_files,
    "books": book_files,
    "arxiv": arxiv_files,
    "stackexchange": site_files,
}


def _json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> str:
    with gzip.open(path, "wt", encoding="utf-8") as handle:
        handle.writelines(json.dumps(row) + "\n" for row in rows)
    return str(path)


def run(module: str, *arguments: str) -> None:
    """Runs a command of the project; its progress goes nowhere."""
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def stages(folder: Path, corpus: Path) -> tuple[StageRate, StageRate]:
    """Rates of encoding the corpus, and of writing shards of a full size."""
    model, result = folder / "model", folder / "mix.json"
    size = ["--size", "16MB", "--vocab-size", str(VOCABULARY), "--soft-vocab-limit", "--uneven", "--quiet"]
    run("tokenizer.train", "--corpus", str(corpus), "--output", str(model), *size)
    documents = sorted(str(path) for path in corpus.glob("*/[!_]*/*.parquet"))
    tokenizer = str(model / "tokenizer.model")
    run("benchmarks.mix", "--tokenizer", tokenizer, "--parquet", *documents, "--result", str(result))
    found = json.loads(result.read_text())
    encode, write = found["encode"], found["write"]
    text = round(encode["megabytes"] * 1e6)
    return (
        StageRate(text, round(encode["megabytes"] / encode["megabytes_per_second"], 3), encode["peak_bytes"]),
        StageRate(write["tokens"], round(write["tokens"] / write["tokens_per_second"], 3), write["peak_bytes"]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=40, help="of text, about, for each source")
    parser.add_argument("--result", type=result_file, default=RATES)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        corpus = Path(name, "corpus")
        for source, make in SOURCES.items():
            folder = Path(name, source)
            folder.mkdir()
            sys.stdout.write(f"{source}\n")
            sys.stdout.flush()
            flags = [*make(folder, args.megabytes), "--output", str(corpus), "--quiet", "--direct_num_workers", "1"]
            run(f"sources.{source}", *flags)
        sys.stdout.write("encode and write\n")
        encode, write = stages(Path(name), corpus)
        machine = f"{platform.machine()}, one of {os.cpu_count()} cores"
        rates = Rates(machine, rates_of_corpus(str(corpus)), encode, write)
    args.result.write_text(rates.as_json())
    for source, rate in rates.sources.items():
        sys.stdout.write(
            f"{source:15}{rate.read_per_second / 1e6:8.2f} MB/s of text read, {rate.peak_bytes / 1e9:.2f} GB\n"
        )
    sys.stdout.write(f"{'encode':15}{encode.per_second / 1e6:8.2f} MB/s of text, {encode.peak_bytes / 1e9:.2f} GB\n")
    sys.stdout.write(f"{'write':15}{write.per_second / 1e6:8.2f} M tokens/s, {write.peak_bytes / 1e9:.2f} GB\n")


if __name__ == "__main__":
    main()
