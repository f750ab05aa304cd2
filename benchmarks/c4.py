"""C4's rules: MB of page text per second of one core, beside datatrove's C4 filters on the same pages, in one run.

``python -m benchmarks.c4 --input WET ...`` takes the pages of WET files (those of the samples if none are given), as
often as makes up ``--megabytes``, and applies every rule to them but the dedup of lines, of which it takes the hashes.
With ``--datatrove PYTHON``, an interpreter of an environment with datatrove (``pip install datatrove nltk spacy``),
its C4QualityFilter and C4BadWordsFilter run over the same texts, with the original's numbers and the same list of bad
words. The list is made up: 400 words and phrases, as many as the real one has.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.result import RESULTS, result_file, write_result
from filters.c4.bad_words import BadWords
from filters.c4.lines import LineRules, clean_page, hash_spans, page_text
from filters.c4.sentences import SentenceCounter, load_punkt
from filters.c4.url import is_validation, normalize_c4_url, url_rank
from filters.language import LanguageIdentifier
from pipeline.formats.warc import ReadError, read_records

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "samples" / "models"
LISTED_WORDS = 400
PHRASES = 0.3  # of the list: the share of entries of two words or more
BATCH = 512

DATATROVE = """
import json, re, sys, time
from datatrove.data import Document
from datatrove.pipeline.filters.c4_filters import C4BadWordsFilter, C4QualityFilter
texts, words = json.load(open(sys.argv[1]))
quality, bad = C4QualityFilter(min_num_sentences=3, min_words_per_line=5), C4BadWordsFilter()
bad._badwords_regex["en"] = re.compile(r"(?:\\W|^)({})(?:\\W|$)".format("|".join(map(re.escape, words))))
quality.filter(Document(text="A first sentence loads the models of the tokenizer.", id="0"))
seconds, kept = [0.0, 0.0], 0
for text in texts:
    document = Document(text=text, id="1")
    started = time.process_time()
    passed = quality.filter(document) is True
    middle = time.process_time()
    kept += passed and bad.filter(document) is True
    seconds[0] += middle - started
    seconds[1] += time.process_time() - middle
print(json.dumps({"seconds": {"quality": seconds[0], "bad_words": seconds[1]}, "kept": kept}))
"""


def read_pages(paths: list[Path]) -> list[tuple[str, str]]:
    """URL and body of all pages."""
    pages: list[tuple[str, str]] = []
    for path in paths:
        with path.open("rb") as handle:
            records = [record for record in read_records(handle) if not isinstance(record, ReadError)]
        pages += [(r.url, r.body.decode(errors="replace")) for r in records if r.kind == "conversion"]
    return pages


def made_list() -> list[str]:
    """Words and phrases, each word with a mark in it that no text has."""
    draw = random.Random(1)

    def word() -> str:
        return "".join(draw.choice("abcdefghilmnoprstuw") for _ in range(draw.randrange(2, 8))) + "xq"

    return [
        " ".join(word() for _ in range(draw.randrange(2, 4) if draw.random() < PHRASES else 1))
        for _ in range(LISTED_WORDS)
    ]


class Timer:
    """CPU seconds by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def each(self, part: str, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Does the work for each item."""
        return self.all(part, lambda group: [work(item) for item in group], list(items))

    def all(self, part: str, work: Callable[[list[Any]], list[Any]], items: list[Any]) -> list[Any]:
        """Does the work for all items at once."""
        started = time.process_time()
        result = work(items)
        self.seconds[part] = self.seconds.get(part, 0.0) + time.process_time() - started
        return result


def ours(pages: list[tuple[str, str]], listed: list[str], timer: Timer) -> int:
    """Applies all rules in the source's order, and returns how many pages are left."""
    counter = SentenceCounter(load_punkt(str(MODELS / "punkt.en.json.gz")))
    languages, words = LanguageIdentifier(str(MODELS / "lid.176.ftz")), BadWords(listed)
    languages.identify(["A first text fills what is made at first use."])
    words.found_in("é")
    rules, kept = LineRules(), 0
    for start in range(0, len(pages), BATCH):
        batch = pages[start : start + BATCH]
        texts = timer.each("page", lambda page: page_text(page[1]).text, batch)
        timer.each("url", lambda page: (is_validation(normalize_c4_url(page[0])), url_rank(page[0])), batch)
        cleaned = timer.each("lines", lambda text: clean_page(text, rules, counter), texts)
        left = [page.text for page in cleaned if page.reason is None]
        timer.each("line_hashes", hash_spans, left)
        timer.each("sentences", counter.count, left)
        found = timer.all("language", languages.identify, left)
        english = [
            text for text, (language, score) in zip(left, found, strict=True) if language == "en" and score >= 0.5
        ]
        kept += timer.each("bad_words", words.found_in, english).count(False)
    return kept


def bad_words(texts: list[str], listed: list[str]) -> dict[str, float]:
    """MB/s of the look-up, and of the regex that it equals."""
    words = BadWords(listed)
    regex = re.compile(r"(?:\W|^)({})(?:\W|$)".format("|".join(map(re.escape, listed))))
    timer = Timer()
    first = timer.each("look_up", words.found_in, texts)
    second = timer.each("regex", lambda text: regex.search(text.lower()) is not None, texts)
    assert first == second
    return {part: round(megabytes(texts) / seconds, 1) for part, seconds in timer.seconds.items()}


def megabytes(texts: list[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def datatrove(python: str, texts: list[str], listed: list[str]) -> dict[str, Any]:
    """Runs datatrove's filters in its own environment."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as handle:
        json.dump([texts, listed], handle)
        handle.flush()
        done = subprocess.run([python, "-c", DATATROVE, handle.name], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def rates(seconds: dict[str, float], size: float) -> dict[str, Any]:
    total = sum(seconds.values())
    return {
        "megabytes_per_second": round(size / total, 2),
        "milliseconds_per_megabyte": {part: round(1000 * spent / size, 2) for part, spent in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", type=Path, help="WET files; those of the samples if not given")
    parser.add_argument("--megabytes", type=float, default=10, help="of text: pages are taken again up to it")
    parser.add_argument("--datatrove", metavar="PYTHON", help="an interpreter that has datatrove")
    parser.add_argument("--result", type=result_file, default=RESULTS / "c4.json")
    args = parser.parse_args()
    pages = read_pages(args.input or sorted((ROOT / "samples" / "commoncrawl").glob("*.wet.gz")))
    pages *= max(1, round(args.megabytes / megabytes([body for _, body in pages])))
    listed, texts, timer = made_list(), [page_text(body).text for _, body in pages], Timer()
    size = megabytes(texts)
    kept = ours(pages, listed, timer)
    result: dict[str, Any] = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "pages": len(pages),
        "megabytes": round(size, 1),
        "ours": {**rates(timer.seconds, size), "kept": kept},
        "bad_words_megabytes_per_second": bad_words(texts, listed),
    }
    if args.datatrove:
        theirs = datatrove(args.datatrove, texts, listed)
        result["datatrove"] = {**rates(theirs["seconds"], size), "kept_in_any_language": theirs["kept"]}
    print(json.dumps(result, indent=1))
    write_result(args.result, result)


if __name__ == "__main__":
    main()
