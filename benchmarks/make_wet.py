"""Writes large WET files with the statistics of a crawl, for measuring throughput.

Usage::

    python -m benchmarks.make_wet --output DIR [--files 4] [--megabytes 40] [--seed 0] [--seed-text FILE ...]

The files have the form of the sample's (``samples.commoncrawl.wet``), and the statistics that decide what a filter
costs: languages, length of pages and of lines, share of lines that other pages repeat, growth of the vocabulary. They
are printed beside their targets. The same arguments give the same bytes. No sentence makes sense, so the files measure
speed and memory, and say nothing of quality.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, median

import numpy as np
import numpy.typing as npt

from benchmarks.wet_text import Rarity, TextModel
from filters.commoncrawl.lines import hash_lines, split_wet_text
from pipeline.errors import OutputError
from pipeline.storage.ownership import claim_folder
from samples.commoncrawl.assemble import Page
from samples.commoncrawl.wet import SOURCES, gzip_member, record, sample_pages, warcinfo, wet_name

# Shares of documents by language: 44 % English, the rest in the proportions of recent crawls
# (commoncrawl.github.io/cc-crawl-statistics, languages), scaled to the twelve that have a seed text.
LANGUAGES = {
    "eng": 44.0, "rus": 8.2, "deu": 7.7, "jpn": 7.3, "zho": 7.0, "spa": 6.2, "fra": 6.0, "ita": 3.3,
    "por": 3.2, "nld": 2.8, "pol": 2.5, "ara": 1.8,
}  # fmt: skip
WITHOUT_SPACES = ("zho", "jpn")

# Measured on the 109 pages of CC-MAIN-2026-12 in 2026-03 and on 600 documents of C4: words are runs of \w, lower case.
TARGET_ENGLISH_DOCUMENTS = 0.44
TARGET_REPEATED_LINES = 0.37
TARGET_MEDIAN_PAGE = 3600  # bytes
TARGET_TYPES = {100_000: 4_000, 1_000_000: 17_000}  # distinct English words in so many bytes
TARGET_SPACED_TYPES = {100_000: 5_500, 1_000_000: 29_500}  # the same between white space, punctuation and case kept

PAGE_SIGMA = 1.1  # of the logarithm of a page's length; from the quartiles of the same pages
# Characters of a line at some quantiles, for scripts with spaces and without (the same pages).
LINE_QUANTILES = (0.0, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1.0)
LINE_CHARACTERS = (3, 4, 6, 10, 16, 34, 88, 220, 600, 1500)
DENSE_LINE_CHARACTERS = (2, 3, 3, 4, 8, 24, 66, 128, 256, 755)

# Rare words: fitted to the two targets of types.
RARITY = Rarity(share=0.125, exponent=1.4, changed=0.14)
DENSE_RARITY = Rarity(share=0.01, exponent=1.25, changed=0)  # Chinese and Japanese: a "word" is one character

# Repeated lines are short: navigation, buttons, footers. Chance of a repeat by the line's characters.
REPEAT_CHANCE = ((20, 0.45), (60, 0.21), (10**9, 0.06))
POOL_DRAWS = 30  # a pool of repeated lines is drawn from so many times as it has lines
POOL_SHIFT = 2.7  # Zipf and Mandelbrot: the chance of rank k is 1 / (k + shift)
POOL_SMALLEST = 200
COUNTED_LINE = 0.15  # share of repeated lines that hold a number of their own, such as a year
UNIQUE_BELOW = 25  # characters below which a line that is not a repeat gets a rare word of its own

BATCH_LINES = 4_000
HOSTS = 9_000
GZIP_LEVEL = 6
MEASURED_BYTES = 200 << 20  # of the text: what the printed statistics are taken from


@dataclass
class Sizes:
    """What the printed statistics are taken from."""

    languages: dict[str, int]
    page_bytes: list[int]
    hashes: list[npt.NDArray[np.uint64]]
    english: bytearray
    total: int = 0

    def add(self, page: Page) -> None:
        """Counts a page."""
        self.total += len(page.body)
        if self.total > MEASURED_BYTES:
            return
        language = page.language or "none"
        self.languages[language] = self.languages.get(language, 0) + 1
        self.page_bytes.append(len(page.body))
        self.hashes.append(hash_lines(split_wet_text(page.body.decode())[1]))
        if language == "eng" and len(self.english) < max(TARGET_TYPES):
            self.english += page.body


class Writer:
    """Pages of one language: lines from its text model, and lines that its pages repeat."""

    def __init__(self, code: str, model: TextModel, megabytes: float, seed: Sequence[int]) -> None:
        self.code = code
        self._model = model
        self._lengths = DENSE_LINE_CHARACTERS if code in WITHOUT_SPACES else LINE_CHARACTERS
        rng = np.random.default_rng(seed)
        draws = TARGET_REPEATED_LINES * megabytes * 1e6 / np.mean(self._line_lengths(rng.random(10_000)))
        size = max(POOL_SMALLEST, int(draws / POOL_DRAWS))
        self._pool = self._make_pool(size, rng)
        self._weights = np.cumsum(1 / (np.arange(size) + POOL_SHIFT))

    def _line_lengths(self, uniform: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Characters of lines: the measured quantiles, interpolated between their logarithms."""
        return np.exp(np.interp(uniform, LINE_QUANTILES, np.log(self._lengths))).astype(np.int64)

    def _make_pool(self, size: int, rng: np.random.Generator) -> list[str]:
        lengths = self._line_lengths(rng.random(size) * 0.8)
        lines = self._fresh_lines(lengths, rng)
        counted = rng.random(size) < COUNTED_LINE
        return [f"{line} ({{}})" if number else line for line, number in zip(lines, counted, strict=True)]

    def _fresh_lines(self, lengths: npt.NDArray[np.int64], rng: np.random.Generator) -> list[str]:
        """Lines of about these lengths; short ones with a rare word, so that few of them are equal."""
        counts = np.maximum(1, np.rint(lengths / self._model.mean_width).astype(np.int64))
        words = self._model.words(int(counts.sum()), rng)
        lines = []
        start = 0
        for count, length in zip(counts.tolist(), lengths.tolist(), strict=True):
            line = words[start : start + count]
            if length < UNIQUE_BELOW:
                line[-1] = self._model.rare_word(rng)
            lines.append(self._model.joiner.join(line).replace("{", "(").replace("}", ")"))
            start += count
        return lines

    def lines(self, rng: np.random.Generator) -> Iterator[str]:
        """Lines without end, repeats and others in the wanted proportion."""
        while True:
            lengths = self._line_lengths(rng.random(BATCH_LINES))
            chance = np.select([lengths < limit for limit, _ in REPEAT_CHANCE], [c for _, c in REPEAT_CHANCE])
            repeated = rng.random(BATCH_LINES) < chance
            drawn = np.searchsorted(self._weights, rng.random(int(repeated.sum())) * self._weights[-1])
            numbers = (rng.random(len(drawn)) * 100).astype(np.int64)
            repeats = zip(drawn.tolist(), numbers.tolist(), strict=True)
            fresh = iter(self._fresh_lines(lengths[~repeated], rng))
            for is_repeat in repeated.tolist():
                if is_repeat:
                    number, count = next(repeats)
                    yield self._pool[number].format(count + 10)
                else:
                    yield next(fresh)


def seed_tokens(seed_text: Sequence[Path]) -> dict[str, list[str]]:
    """Words of the sample's own sources by language, and of more English text if it is given."""
    tokens: dict[str, list[str]] = {code: [] for code in LANGUAGES}
    for page in sample_pages():
        code = (page.language or "").split(",")[0]
        if code in tokens and page.language == code:
            text = page.body.decode("utf-8", "ignore")
            tokens[code] += [c for c in text if not c.isspace()] if code in WITHOUT_SPACES else text.split()
    for path in [*sorted((SOURCES / "prose").glob("*.txt")), *seed_text]:
        tokens["eng"] += path.read_text(encoding="utf-8", errors="ignore").split()
    return tokens


def make_writers(seed_text: Sequence[Path], megabytes: float, seed: int) -> list[Writer]:
    """A writer for each language, in the order of ``LANGUAGES``, for so much text in all."""
    writers = []
    for number, (code, tokens) in enumerate(seed_tokens(seed_text).items()):
        dense = code in WITHOUT_SPACES
        model = TextModel(tokens, "" if dense else " ", DENSE_RARITY if dense else RARITY)
        writers.append(Writer(code, model, megabytes * LANGUAGES[code] / 100, [seed, 0, number]))
    return writers


def pages(writers: Sequence[Writer], number: int, size: float, seed: int) -> Iterator[Page]:
    """Pages of one file until they hold ``size`` bytes."""
    rng = np.random.default_rng([seed, 1, number])
    lines = [writer.lines(np.random.default_rng([seed, 2, number, i])) for i, writer in enumerate(writers)]
    shares = np.cumsum(list(LANGUAGES.values()))
    normal = NormalDist(math.log(TARGET_MEDIAN_PAGE), PAGE_SIGMA)
    total = 0
    while total < size:
        chosen = int(np.searchsorted(shares, rng.random() * shares[-1]))
        wanted = math.exp(normal.inv_cdf(min(max(rng.random(), 1e-4), 1 - 1e-4)))
        body = _fill_page(lines[chosen], wanted)
        total += len(body)
        code = writers[chosen].code
        host = int(rng.random() ** 3 * HOSTS)
        yield Page(f"https://www.site-{host}.example/{code}/{number:05}-{total:012}", body, code)


def _fill_page(lines: Iterator[str], wanted: float) -> bytes:
    """Lines until they hold ``wanted`` bytes."""
    taken = []
    length = 0
    while length < wanted:
        taken.append(next(lines).encode() + b"\n")
        length += len(taken[-1])
    return b"".join(taken)


def write_file(path: Path, number: int, made: Iterator[Page], sizes: Sizes) -> None:
    """Writes one WET file, page by page."""
    with path.open("wb") as file:
        file.write(gzip_member(warcinfo(number), GZIP_LEVEL))
        for page in made:
            sizes.add(page)
            file.write(gzip_member(record(page), GZIP_LEVEL))


def repeated_share(hashes: list[npt.NDArray[np.uint64]]) -> float:
    """Share of lines that CCNet's line dedup removes: keys of two pages, and later copies inside a page."""
    inside = [np.unique(page) for page in hashes]
    _, counts = np.unique(np.concatenate(inside), return_counts=True)
    return 1 - float((counts == 1).sum()) / sum(map(len, hashes))


def report(sizes: Sizes) -> Iterator[str]:
    """The statistics that were reached, beside those wanted."""
    documents = sum(sizes.languages.values())
    shares = ", ".join(
        f"{code} {count / documents:.1%}" for code, count in sorted(sizes.languages.items(), key=lambda x: -x[1])
    )
    yield f"documents: {documents:,} ({shares})"
    yield f"English documents: {sizes.languages.get('eng', 0) / documents:.1%} (target {TARGET_ENGLISH_DOCUMENTS:.0%})"
    yield f"repeated lines: {repeated_share(sizes.hashes):.1%} (target {TARGET_REPEATED_LINES:.0%})"
    yield f"median page: {median(sizes.page_bytes):,.0f} bytes (target {TARGET_MEDIAN_PAGE:,})"
    for size, target in TARGET_TYPES.items():
        if len(sizes.english) >= size:
            text = sizes.english[:size].decode("utf-8", "ignore")
            types = len(set(re.findall(r"\w+", text.lower())))
            yield f"English words, distinct in {size:,} bytes: {types:,} (target {target:,})"
            yield f"  between white space: {len(set(text.split())):,} (target {TARGET_SPACED_TYPES[size]:,})"


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``python -m benchmarks.make_wet``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.make_wet", description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder for the files")
    parser.add_argument("--files", type=int, default=4, help="number of files (default: %(default)s)")
    parser.add_argument("--megabytes", type=float, default=40, help="text of each file (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--seed-text", type=Path, nargs="*", default=[], metavar="FILE", help="more English text to imitate"
    )
    arguments = parser.parse_args(argv)
    if missing := [str(path) for path in arguments.seed_text if not path.is_file()]:
        parser.error(f"--seed-text: no such file: {', '.join(missing)}")
    try:
        owned = claim_folder(str(arguments.output), "benchmarks.make_wet")
        owned.expect(map(wet_name, range(arguments.files)))
    except OutputError as error:
        parser.error(str(error))
    writers = make_writers(arguments.seed_text, arguments.files * arguments.megabytes, arguments.seed)
    sizes = Sizes({}, [], [], bytearray())
    for number in range(arguments.files):
        made = pages(writers, number, arguments.megabytes * 1e6, arguments.seed)
        write_file(arguments.output / wet_name(number), number, made, sizes)
    print("\n".join(report(sizes)))


if __name__ == "__main__":
    main()
