"""Source files: notices, quality, licences, and the whole source over checked-out code.

Usage::

    python -m benchmarks.github [--input DIR ...] [--limit FILES] [--result FILE]

Without ``--input`` the packages of the running Python are the code. CPU time of one process; that of the whole source
has its start in it. The plain stripper cuts, as RedPajama's recipe does, the first block comment where it has
"copyright" in it, and then all first lines that begin with a comment's marker; what it takes beside notices is counted.
The plain measures look at one character after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.result import RESULTS, result_file, write_result
from filters.code.header import strip_notices
from filters.code.header.syntax import syntax_of
from filters.code.licenses import LicenseGate, is_license_file
from filters.code.paths import PathRules, extension_of
from filters.code.quality import measure
from filters.code.text import decode_source, with_newlines

MAX_BYTES = 1 << 20
_BLOCK = re.compile(r"/\*[^*]*\*+(?:[^/*][^*]*\*+)*/")
_TOOLS = re.compile(r"#!|#\s*(?:include|define|ifn?def|pragma)\b|#.*coding[:=]|# \w|##+ \w")


def files(folders: Iterable[Path]) -> list[Path]:
    rules = PathRules(vendored=[])
    found = (Path(place, name) for folder in folders for place, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if rules.judge(path.name) is None and path.is_file())


def texts(paths: Iterable[Path]) -> list[tuple[str, str]]:
    result = []
    for path in paths:
        data = path.read_bytes()
        if len(data) <= MAX_BYTES and (decoded := decode_source(data)).reason is None:
            result.append((extension_of(path.name), with_newlines(decoded.text)))
    return result


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def plain_strip(text: str) -> str:
    found = _BLOCK.search(text)
    if found and "copyright" in found[0].lower():
        text = text[: found.start()] + text[found.end() :]
    lines = text.split("\n")
    skipped = 0
    while skipped < len(lines) and (not lines[skipped] or lines[skipped].startswith(("//", "#", "--"))):
        skipped += 1
    return "\n".join(lines[skipped:])


def plain_measure(text: str) -> tuple[int, float, float]:
    lengths = [len(line) for line in text.splitlines()] or [0]
    return max(lengths), sum(lengths) / len(lengths), sum(c.isalnum() for c in text) / max(len(text), 1)


def lost_lines(sources: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Files, and lines that tools or readers need, that the plain stripper takes and ours leaves."""
    lost_files = lost = 0
    for extension, text in sources:
        ours = strip_notices(text, syntax_of(extension)).text.split("\n")[:50]
        there = set(plain_strip(text).split("\n")[:300])
        gone = [line for line in ours if _TOOLS.match(line) and line not in there]
        lost_files += bool(gone)
        lost += len(gone)
    return {"files": lost_files, "lines": lost}


def filters(sources: list[tuple[str, str]]) -> dict[str, Any]:
    megabytes = sum(len(text.encode()) for _, text in sources) / 1e6
    stripped, header = timed(lambda: [strip_notices(text, syntax_of(extension)) for extension, text in sources])
    _, quality = timed(lambda: [measure(text) for _, text in sources])
    _, plain_header = timed(lambda: [plain_strip(text) for _, text in sources])
    _, plain_quality = timed(lambda: [plain_measure(text) for _, text in sources])

    def rate(seconds: float) -> dict[str, float]:
        return {"files_per_second": round(len(sources) / seconds), "MB_per_second": round(megabytes / seconds, 1)}

    return {
        "files": len(sources),
        "megabytes": round(megabytes, 1),
        "with_a_notice": sum(one.removed > 0 for one in stripped),
        "notices": {"ours": rate(header), "plain": rate(plain_header), "plain_loses": lost_lines(sources)},
        "measures": {"ours": rate(quality), "plain": rate(plain_quality)},
        "both": rate(header + quality),
    }


def licenses(folders: Iterable[Path]) -> dict[str, Any]:
    gate = LicenseGate()
    found = (Path(place, name) for folder in folders for place, _, names in os.walk(folder) for name in names)
    data = [path.read_bytes() for path in found if is_license_file(path.name) and path.is_file()]
    read, seconds = timed(lambda: [gate.read(one) for one in data])
    known = sum(bool(one.found) for one in read)
    return {"texts": len(data), "recognised": known, "ms_each": round(1000 * seconds / max(len(data), 1), 2)}


def whole_source(folders: list[Path]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "sources.github", "--output", output, "--direct_num_workers", "1", "--quiet"]
        command += ["--set", "rejects.keep=none", "--input", *map(str, folders)]
        subprocess.run(command, check=True, capture_output=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        manifest = json.loads(Path(output, "github", "manifest.json").read_text())
    read = manifest["ledger"]["steps"][0]
    seconds = used.ru_utime + used.ru_stime
    text = read["counters"]["text_bytes"]
    return {
        "files": read["entered"]["documents"],
        "megabytes_of_text": round(text / 1e6, 1),
        "cpu_seconds": round(seconds, 1),
        "files_per_second": round(read["entered"]["documents"] / seconds),
        "MB_per_second": round(text / 1e6 / seconds, 1),
        "peak_bytes": manifest["timing"]["peak_bytes"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", nargs="+", type=Path, help="folders of repositories")
    parser.add_argument("--limit", type=int, default=20_000, help="files that the filters are measured on")
    parser.add_argument("--result", type=result_file, default=RESULTS / "github.json")
    args = parser.parse_args()
    folders = args.input or [Path(sysconfig.get_paths()["purelib"])]
    paths = files(folders)
    chosen = paths[:: max(1, len(paths) // args.limit)]
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    result = {
        "machine": machine,
        "filters": filters(texts(chosen)),
        "licenses": licenses(folders),
        "whole_source": whole_source(folders),
    }
    print(json.dumps(result, indent=1))
    write_result(args.result, result)


if __name__ == "__main__":
    main()
