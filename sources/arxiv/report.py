"""What a run says of the papers: the yield, month by month, the share of macros left, and where texts start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.corpus.ledger import Ledger, StepLedger
from sources.arxiv.identifiers import OTHER, month_start

YIELD = "yield.tsv"
MONTHS_SHOWN = 12  # more are shown as years
_STARTS = {
    "section": "the first section",
    "heading": "a heading set by hand",
    "abstract": "the abstract",
    "maketitle": "the title",
    "document": "the document's beginning",
}

# What a reader of the texts may stumble over, or miss.
_LEFT = {
    "conditionals_left": "conditionals in the text that only TeX decides",
    "unread_definitions": "definitions that were not understood",
    "missing_inputs": "files asked for that are not there",
    "second_documents": "other documents in submissions (latex.second_documents takes them)",
}


def yields(manifest: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Members of the inputs and papers kept, by month (yymm), in the order of time.

    Args:
        manifest: The source's manifest.
    """
    steps = _ledger(manifest).steps
    read, length = (_prefixed(steps.get(name), prefix) for name, prefix in (("read", "members_"), ("length", "kept_")))
    return {month: (read[month], length[month]) for month in sorted(read, key=_order)}


def yield_table(manifest: Mapping[str, Any]) -> bytes:
    """The yields as tab-separated values: month, members, kept, share."""
    rows = [
        f"{month}\t{members}\t{kept}\t{kept / members:.4f}\n" for month, (members, kept) in yields(manifest).items()
    ]
    return "".join(["month\tmembers\tkept\tshare\n", *rows]).encode()


def notes(manifest: Mapping[str, Any]) -> list[str]:
    """Sentences for the end of a run."""
    steps = _ledger(manifest).steps
    by_month, latex = yields(manifest), (steps.get("latex") or StepLedger()).counters
    lines = (_yield_line(by_month), _macro_line(latex), _left_line(latex), _start_line(latex))
    return [line for line in lines if line]


def _yield_line(by_month: Mapping[str, tuple[int, int]]) -> str:
    members, kept = (sum(counts) for counts in zip(*by_month.values(), strict=True)) if by_month else (0, 0)
    if not members:
        return ""
    parts = by_month if len(by_month) <= MONTHS_SHOWN else _by_year(by_month)
    listed = ", ".join(f"{name} {k / m:.0%}" for name, (m, k) in parts.items())
    return f"Yield: {kept:,} papers of {members:,} members, {kept / members:.1%} ({listed})"


def _by_year(by_month: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    years: dict[str, tuple[int, int]] = {}
    for month, (members, kept) in by_month.items():
        start = month_start(month)
        year = str(start.year) if start else OTHER
        before = years.get(year, (0, 0))
        years[year] = (before[0] + members, before[1] + kept)
    return years


def _macro_line(counters: Mapping[str, int]) -> str:
    expanded, left = counters.get("macros_expanded", 0), counters.get("macros_left", 0)
    if not expanded + left:
        return ""
    papers = counters.get("papers_with_macros_left", 0)
    return (
        f"Authors' macros: {expanded:,} uses expanded, {left:,} left in the text ({left / (expanded + left):.2%}); "
        f"papers with some left: {papers:,}"
    )


def _left_line(counters: Mapping[str, int]) -> str:
    parts = [f"{words}: {counters[name]:,}" for name, words in _LEFT.items() if counters.get(name)]
    return f"Besides, {'; '.join(parts)}" if parts else ""


def _start_line(counters: Mapping[str, int]) -> str:
    found = [(name, counters.get(f"starts_at_{name}", 0)) for name in _STARTS]
    parts = [f"{_STARTS[name]} in {count:,}" for name, count in found if count]
    return f"Texts start at {', '.join(parts)}" if parts else ""


def _ledger(manifest: Mapping[str, Any]) -> Ledger:
    ledger = Ledger()
    ledger.add_json(manifest["ledger"])
    return ledger


def _prefixed(step: StepLedger | None, prefix: str) -> Counter[str]:
    counters = step.counters if step else {}
    return Counter({name.removeprefix(prefix): count for name, count in counters.items() if name.startswith(prefix)})


def _order(month: str) -> tuple[bool, int, str]:
    start = month_start(month)
    return start is None, start.year if start else 0, month
