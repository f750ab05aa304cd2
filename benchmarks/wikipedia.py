"""The Wikipedia source: MB of XML and of wikitext per second of one core, the parts alone and the whole command.

``python -m benchmarks.wikipedia`` makes a multistream dump of ``--megabytes`` of XML, whose pages are those of
``--input`` again and again under new numbers (by default those of the embedded sample, which are denser in markup than
real ones), cleans it with the source's command, and prints and stores the figures. Seconds are those of the processor,
of all processes together, but for ``wall_seconds``.
"""

from __future__ import annotations

import argparse
import bz2
import io
import itertools
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.result import RESULTS, result_file, write_result
from filters.wikitext import WikiSite, reference_urls, to_text
from sources.wikipedia.compressed import Damage, xml_pieces
from sources.wikipedia.pages import RawPage, parse_page, split_pages

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "samples" / "wikipedia" / "enwiki-20260401-pages-articles-multistream.xml.bz2"
PAGES_PER_STREAM = 100  # as in Wikimedia's dumps
NAME = "enwiki-20220701-pages-articles-multistream"
HEADER = b"<mediawiki>\n  <siteinfo>\n    <dbname>enwiki</dbname>\n  </siteinfo>\n"
NUMBER = re.compile(rb"<id>\d+</id>")
TEXT = re.compile(rb"<text[^>]*>")


def pages_of(path: Path) -> list[bytes]:
    """The XML of a dump's pages."""
    with path.open("rb") as handle:
        return [page.data for page in split_pages(xml_pieces(handle), 64 << 20) if isinstance(page, RawPage)]


def numbered(pages: list[bytes]) -> Iterator[bytes]:
    """The pages again and again, each time under a new number, which is in the text, too: no text is repeated."""
    for number in itertools.count(1):
        page = pages[(number - 1) % len(pages)]
        page = NUMBER.sub(b"<id>%d</id>" % number, page, count=2)
        yield TEXT.sub(rb"\g<0>%d. " % number, page, count=1)


def make_dump(folder: Path, pages: list[bytes], megabytes: int) -> Path:
    """Writes a multistream dump and its index."""
    path = folder / f"{NAME}.xml.bz2"
    source, index, size = numbered(pages), "", 0
    with path.open("wb") as handle:
        handle.write(bz2.compress(HEADER))
        while size < megabytes * 1_000_000:
            group = list(itertools.islice(source, PAGES_PER_STREAM))
            index += "".join(f"{handle.tell()}:{number}:T\n" for number in range(len(group)))
            xml = b"\n".join(group)
            handle.write(bz2.compress(xml))
            size += len(xml)
        handle.write(bz2.compress(b"</mediawiki>\n"))
    (folder / f"{NAME}-index.txt.bz2").write_bytes(bz2.compress(index.encode()))
    return path


def spent(work: Callable[[], Any]) -> tuple[float, Any]:
    """The processor's seconds, and the result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def parts(path: Path) -> dict[str, float]:
    """MB per second of each part alone: of XML, but for the last two, of wikitext."""
    packed = path.read_bytes()
    plain, xml = spent(lambda: bz2.decompress(packed))
    inflated, pieces = spent(lambda: list(xml_pieces(io.BytesIO(packed))))
    split, found = spent(lambda: list(split_pages(iter(pieces), 64 << 20)))
    raw = [page.data for page in found if isinstance(page, RawPage)]
    parsed, pages = spent(lambda: [parse_page(data) for data in raw])
    texts = [page.text for page in pages if page.namespace == 0 and page.redirect is None]
    site = WikiSite.builtin("en")
    cleaned, _ = spent(lambda: [to_text(text, site) for text in texts])
    cited, _ = spent(lambda: [reference_urls(text) for text in texts])
    assert not any(isinstance(piece, Damage) for piece in pieces)
    megabytes, wikitext = len(xml) / 1e6, sum(len(text.encode()) for text in texts) / 1e6
    seconds = {"bz2 alone": plain, "inflating": inflated, "splitting": split, "parsing": parsed}
    rates = {name: megabytes / value for name, value in seconds.items()}
    rates |= {"wikitext to text": wikitext / cleaned, "reference URLs": wikitext / cited}
    return {name: round(rate, 1) for name, rate in rates.items()}


def whole(path: Path, workers: int, settings: list[str], output: Path) -> dict[str, Any]:
    """Runs the command once."""
    flags = [flag for setting in settings for flag in ("--set", setting)]
    command = [sys.executable, "-m", "sources.wikipedia", "--input", str(path), "--output", str(output), "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    subprocess.run(
        [*command, "--direct_num_workers", str(workers), *flags], check=True, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    manifest = json.loads((output / "wikipedia" / "manifest.json").read_text())
    wikitext = manifest["ledger"]["steps"][0]["counters"]["text_bytes"] / 1e6
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "workers": workers,
        "settings": settings,
        "shards": manifest["shards"],
        "kept": sum(tally["documents"] for tally in manifest["ledger"]["kept"].values()),
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "wikitext_megabytes": round(wikitext, 1),
        "wikitext_megabytes_per_cpu_second": round(wikitext / cpu, 2),
        "wikitext_megabytes_per_worker_second": round(wikitext / manifest["timing"]["worker_seconds"], 2),
        "peak_worker_bytes": manifest["timing"]["peak_bytes"],
        "worker_seconds_by_step": manifest["timing"]["steps"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, default=SAMPLE, help="the dump whose pages are taken")
    parser.add_argument("--megabytes", type=int, default=60, help="of XML")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--shard-megabytes", type=float, default=2.0, help="of compressed bytes")
    parser.add_argument("--result", type=result_file, default=RESULTS / "wikipedia.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = make_dump(Path(name), pages_of(args.input), args.megabytes)
        size = f"shard_megabytes={args.shard_megabytes}"
        runs = [whole(path, workers, [size], Path(name) / f"out-{workers}") for workers in args.workers]
        runs.append(whole(path, args.workers[0], [size, "dedup.enabled=false"], Path(name) / "out-no-dedup"))
        packed = path.stat().st_size / 1e6
        rates = parts(path)  # last: a process that is started inherits the peak of this one's memory
    for part, rate in rates.items():
        print(f"{part:20}{rate:8.1f} MB/s")
    for result in runs:
        result["xml_megabytes_per_cpu_second"] = round(args.megabytes / result["cpu_seconds"], 2)
        print(json.dumps(result, indent=1))
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    dump = {"pages_of": args.input.name, "xml_megabytes": args.megabytes, "compressed_megabytes": round(packed, 1)}
    report = {"machine": machine, "dump": dump, "megabytes_per_second": rates, "runs": runs}
    write_result(args.result, report)


if __name__ == "__main__":
    main()
