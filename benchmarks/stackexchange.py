"""The StackExchange source: posts and MB per second of one core, the whole command and its parts, and peak memory.

``python -m benchmarks.stackexchange`` makes a site of ``--posts`` posts as 7z, whose paragraphs and code blocks are
those of ``--input`` (by default the embedded sample's) with their words in other orders, runs the source's command on
it, and then times the parts; where BeautifulSoup and py7zr are installed, they do theirs beside them. MB are those of
``Posts.xml``; seconds are those of the processor, of all processes together, but for ``wall_seconds``.
"""

from __future__ import annotations

import argparse
import html
import importlib
import io
import json
import os
import platform
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.result import RESULTS, result_file, write_result
from filters.html import HtmlToText
from pipeline.storage.filesystem import InputFile
from samples.make_stackexchange import escape
from samples.sevenzip import write_archive
from sources.stackexchange.archive import posts_of
from sources.stackexchange.dump import read_lines
from sources.stackexchange.rows import ANSWER, QUESTION, RowParser
from sources.stackexchange.sites import find_sites

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "stackexchange"
SITE = "generated.example"
BLOCK = re.compile(r"<(p|pre|ul|ol|blockquote|table)\b.*?</\1>\s*", re.S)
VARIANTS = 30_000  # paragraphs and code blocks that posts are made of
MEAN_BODY = 780  # characters of a body: cardano.stackexchange.com has 770
ANSWERED_SOON = 0.9  # share of the answers that come among the next 2,000 posts
PARTS_ROWS = 20_000


def blocks_of(patterns: list[str]) -> list[str]:
    """The blocks of all posts of some dumps, each several times with its words in another order."""
    from pipeline.storage.listing import match  # noqa: PLC0415

    parser, found = RowParser(), []
    for site in find_sites(match(patterns)).sites:
        for line in read_lines(site, 0, None, 1 << 22, None):
            if line.kind in (QUESTION, ANSWER):
                body = _parsed(parser, line.data).get("Body", "")
                found += [match[0] for match in BLOCK.finditer(body)]
    draw = random.Random(1)
    return [_shuffled(draw.choice(found), draw) for _ in range(VARIANTS)]


def _parsed(parser: RowParser, line: bytes) -> dict[str, str]:
    try:
        return parser.parse(line)[0]
    except ValueError:
        return {}


def _shuffled(block: str, draw: random.Random) -> str:
    def shuffle(text: re.Match[str]) -> str:
        words = text[0].split(" ")
        draw.shuffle(words)
        return " ".join(words)

    return re.sub(r"(?<=>)[^<\n]{20,}", shuffle, block)


def rows(blocks: list[str], posts: int) -> Iterator[bytes]:
    """The lines of a generated ``Posts.xml``, a thousand in a piece."""
    draw = random.Random(2)
    escaped = [escape(block) for block in blocks]
    lengths = [len(block) for block in blocks]
    count = len(blocks)
    questions = [1]
    piece = ['\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n']
    for number in range(1, posts + 1):
        parts, size, wanted = [], 0, draw.expovariate(1 / MEAN_BODY)
        while size < wanted or not parts:
            place = int(draw.random() * count)
            parts.append(escaped[place])
            size += lengths[place]
        body, score = "".join(parts), int(draw.paretovariate(1.2)) - 1
        day = f"20{10 + number * 12 // posts:02d}-03-{1 + number % 28:02d}T10:11:12.123"
        tail = f'CreationDate="{day}" Score="{score}" Body="{body}" OwnerUserId="{number % 9999}"'
        if number == 1 or draw.random() < 0.4:
            questions.append(number)
            title = f'Title="How do I {number} this?" Tags="|a|b{number % 7}|" AnswerCount="1" CommentCount="0"'
            piece.append(f'  <row Id="{number}" PostTypeId="1" {tail} {title} ContentLicense="CC BY-SA 4.0" />\r\n')
        else:
            recent = min(len(questions), 800) if draw.random() < ANSWERED_SOON else len(questions)
            parent = questions[-1 - int(draw.random() * recent)]
            head = f'  <row Id="{number}" PostTypeId="2" ParentId="{parent}"'
            piece.append(f'{head} {tail} CommentCount="0" ContentLicense="CC BY-SA 4.0" />\r\n')
        if number % 1000 == 0:
            yield "".join(piece).encode()
            piece = []
    yield "".join([*piece, "</posts>"]).encode()


def make_site(folder: Path, blocks: list[str], posts: int, packed: bool) -> tuple[Path, int]:
    """Writes the site; gives its file and the bytes of its ``Posts.xml``."""
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for piece in rows(blocks, posts):
            size += len(piece)
            yield piece

    path = folder / (f"{SITE}.7z" if packed else f"{SITE}/Posts.xml")
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as handle:
        if packed:
            write_archive(handle, [("Posts.xml", counted())])
        else:
            handle.writelines(counted())
    return path, size


class DiskWatch:
    """The most bytes that a folder held, looked at every second; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> DiskWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(1.0):
            sizes = 0
            for place, _, names in os.walk(self._folder):
                for name in names:
                    try:
                        sizes += os.path.getsize(os.path.join(place, name))
                    except OSError:
                        continue
            self.peak = max(self.peak, sizes)


def whole(path: Path, size: int, posts: int, workers: int, output: Path, settings: list[str]) -> dict[str, Any]:
    """Runs the command once."""
    flags = [flag for setting in settings for flag in ("--set", setting)]
    command = [sys.executable, "-m", "sources.stackexchange", "--input", str(path), "--output", str(output), "--quiet"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with DiskWatch(output / "stackexchange" / "_work") as disk:
        subprocess.run(
            [*command, "--direct_num_workers", str(workers), *flags], check=True, cwd=ROOT, stdout=subprocess.DEVNULL
        )
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    manifest = json.loads((output / "stackexchange" / "manifest.json").read_text())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    counters = manifest["ledger"]["steps"][0]["counters"]
    assert counters["records"] == posts
    return {
        "workers": workers,
        "settings": settings,
        "posts": posts,
        "xml_megabytes": round(size / 1e6, 1),
        "shards": manifest["shards"],
        "questions": counters["questions"],
        "answers_joined": counters["joined"],
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "posts_per_cpu_second": round(posts / cpu),
        "xml_megabytes_per_cpu_second": round(size / 1e6 / cpu, 1),
        "peak_worker_bytes": manifest["timing"]["peak_bytes"],
        "peak_work_folder_bytes": disk.peak,
        "worker_seconds_by_step": manifest["timing"]["steps"],
    }


def spent(work: Callable[[], Any]) -> tuple[float, Any]:
    """The processor's seconds, and the result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def parts(path: Path, packed: bool) -> dict[str, Any]:
    """Rates of the parts alone, over the first rows of the site."""
    result: dict[str, Any] = {}
    if packed:
        raw = path.read_bytes()
        seconds, size = spent(lambda: sum(len(piece) for piece in posts_of(io.BytesIO(raw))))
        result["unpacking"] = {"megabytes_per_second": round(size / 1e6 / seconds, 1)}
        if seconds := _py7zr_seconds(path):
            result["unpacking"]["py7zr"] = round(size / 1e6 / seconds, 1)
    (site,) = find_sites([InputFile(str(path), path.stat().st_size)]).sites
    lines = []
    for line in read_lines(site, 0, None, 1 << 22, None):
        lines.append(line.data)
        if len(lines) >= PARTS_ROWS:
            break
    parser, converter = RowParser(), HtmlToText()
    seconds, attributes = spent(lambda: [parser.parse(line)[0] for line in lines])
    result["rows"] = _rate(len(lines), sum(map(len, lines)), seconds)
    bodies = [row["Body"] for row in attributes]
    seconds, texts = spent(lambda: [converter(body) for body in bodies])
    size = sum(len(body.encode()) for body in bodies)
    result["html"] = _rate(len(bodies), size, seconds)
    result["html_beautifulsoup"] = _beautifulsoup(bodies[: PARTS_ROWS // 10], texts)
    return result


def _rate(posts: int, size: int, seconds: float) -> dict[str, float]:
    return {"posts_per_second": round(posts / seconds), "megabytes_per_second": round(size / 1e6 / seconds, 1)}


def _beautifulsoup(bodies: list[str], ours: list[str]) -> dict[str, Any] | None:
    """The same by ``BeautifulSoup(body).get_text()``, which makes no lists and no paragraphs, for both its parsers."""
    try:
        soup = importlib.import_module("bs4").BeautifulSoup
    except ImportError:
        return None
    result: dict[str, Any] = {}
    size = sum(len(body.encode()) for body in bodies)
    for parser in ("html.parser", "lxml"):
        seconds, texts = spent(lambda parser=parser: [soup(body, parser).get_text() for body in bodies])
        result[parser] = _rate(len(bodies), size, seconds)
        same = sum(_letters(text) == _letters(our) for text, our in zip(texts, ours, strict=False))
        result[parser]["same_letters"] = round(same / len(bodies), 4)
    return result


def _letters(text: str) -> str:
    """The letters alone: markers of lists, cells and numbers are ours."""
    return "".join(filter(str.isalpha, html.unescape(text)))


def _py7zr_seconds(path: Path) -> float | None:
    try:
        py7zr = importlib.import_module("py7zr")
        hashing = importlib.import_module("py7zr.io").HashIOFactory
    except ImportError:
        return None

    def extract() -> None:
        with py7zr.SevenZipFile(path) as archive:
            archive.extract(targets=["Posts.xml"], factory=hashing())

    return spent(extract)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", default=[str(SAMPLE / "*.7z")], help="dumps whose blocks are taken")
    parser.add_argument("--posts", type=int, default=200_000)
    parser.add_argument("--plain", action="store_true", help="an unpacked Posts.xml, which all workers share")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folder", type=Path, help="where the site and the outputs go (default: a temporary folder)")
    parser.add_argument("--result", type=result_file, default=RESULTS / "stackexchange.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        path, size = make_site(Path(name), blocks_of(args.input), args.posts, packed=not args.plain)
        file_size = path.stat().st_size
        runs = []
        for workers in args.workers:
            output = Path(name) / f"out-{workers}"
            runs.append(whole(path, size, args.posts, workers, output, args.set))
            print(json.dumps(runs[-1], indent=1), flush=True)
            shutil.rmtree(output)
        rates = parts(path, not args.plain)  # last: a process that is started inherits the peak of this one's memory
    print(json.dumps(rates, indent=1))
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    report = {"machine": machine, "file_megabytes": round(file_size / 1e6, 1), "runs": runs, "parts": rates}
    write_result(args.result, report)


if __name__ == "__main__":
    main()
