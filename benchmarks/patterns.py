"""The regular expressions that meet the most text, under Python's ``re`` and under the package ``regex``.

``python -m benchmarks.patterns --input FILE`` finds all that each finds in a text, by both; times are CPU milliseconds.
"""

from __future__ import annotations

import argparse
import importlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import regex

MODULES = (
    "filters.latex.tokens",
    "filters.books.gutenberg",
    "filters.html",
    "filters.commoncrawl.normalize",
    "filters.code.licenses.notices",
)
RUNS = 2
LONGEST = 1.0  # seconds: what takes longer is never used on a whole text


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """The patterns of the modules, by name."""
    for module in MODULES:
        for name, value in vars(importlib.import_module(module)).items():
            if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                yield f"{module}.{name}", value


def seconds(pattern: Any, text: str) -> float:
    """The time to find all that a pattern finds."""
    best = float("inf")
    for _ in range(RUNS):
        started = time.process_time()
        for _ in pattern.finditer(text):
            pass
        best = min(best, time.process_time() - started)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", type=Path, required=True, help="a text, such as a book")
    text = parser.parse_args().input.read_text(encoding="utf-8", errors="replace")
    total = [0.0, 0.0]
    for name, pattern in patterns():
        ours = seconds(pattern, text)
        if ours > LONGEST:
            continue
        theirs = seconds(regex.compile(pattern.pattern, pattern.flags & ~re.UNICODE), text)
        total = [total[0] + ours, total[1] + theirs]
        print(f"{name}: re {ours * 1000:.1f}, regex {theirs * 1000:.1f}")
    print(f"in all: re {total[0] * 1000:.0f}, regex {total[1] * 1000:.0f}")


if __name__ == "__main__":
    main()
