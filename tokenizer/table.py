"""The report of a training as two tables to read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.terminal import print_whole


def print_report(report: dict[str, Any], output: Path, console: Console) -> None:
    """Prints what was sampled of each source and what was left out, and the fertility beside the paper's.

    Args:
        report: What ``tokenizer.run.run`` gave.
        output: Where the model lies.
        console: Where to print.
    """
    samples, fertility = report["sample"], report["fertility"]
    print_whole(
        console, _table(("sample", "asked", "reached", "bytes", "documents", "skipped"), map(_sampled, samples.items()))
    )
    for note in ("skipped: lines over 4,192 bytes or with U+2585, which SentencePiece ignores", *_notes(report)):
        console.print(note, markup=False, soft_wrap=True)
    console.print()
    print_whole(
        console, _table(("fertility", "bytes/token", "paper", "measured on"), map(_measured, fertility.items()))
    )
    console.print(f"\n{report['model']['pieces']:,} pieces: {output / 'tokenizer.model'}", markup=False, soft_wrap=True)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _sampled(item: tuple[str, dict[str, Any]]) -> Sequence[str]:
    name, sample = item
    skipped = [sample["too_long"], sample["reserved"]]
    lines, size = (sum(part[key] for part in skipped) for key in ("lines", "bytes"))
    return (
        name,
        f"{sample['share']:.1%}",
        f"{sample['share_reached']:.1%}",
        _size(sample["bytes"]),
        f"{sample['documents']:,}",
        f"{lines:,} line{'s' * (lines > 1)}, {_size(size)}" if lines else "-",
    )


def _measured(item: tuple[str, dict[str, Any]]) -> Sequence[str]:
    name, found = item
    return name, _number(found["bytes_per_token"]), _number(found["paper"]), _size(found["bytes"])


def _notes(report: dict[str, Any]) -> Iterable[str]:
    samples, configuration = report["sample"], report["configuration"]
    if left_out := report.get("left_out"):
        yield f"not there, their shares divided among the others: {', '.join(left_out)}"
    if lacking := report.get("without_subsets"):
        yield f"subsets that are not there, whose place the others take: {', '.join(lacking)}"
    if cut := sum(sample["cut"]["lines"] for sample in samples.values()):
        yield f"taken in pieces: {cut:,} lines over 4,192 bytes"
    if report["scarcest"] and configuration["uneven"]:
        short = [name for name, sample in samples.items() if sample["bytes"] < sample["wanted"]]
        yield f"less text than their share asks for: {', '.join(short)}; all they have is in the sample"
    elif report["scarcest"]:
        total = sum(sample["bytes"] for sample in samples.values())
        yield (
            f"{_size(configuration['size'])} were asked for; {report['scarcest']} has text for {_size(total)} in these "
            "proportions (--uneven takes more of the others)"
        )


def _size(count: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
