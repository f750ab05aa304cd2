"""The end of a run on the screen: the funnel, where the output lies, how fast it went, what to type next."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.corpus.ledger import Ledger, Tally, total
from pipeline.engine.losses import great_losses
from pipeline.errors import name_a_few
from pipeline.steps import READ_STEP
from pipeline.storage.filesystem import is_web
from pipeline.terminal import print_whole

if TYPE_CHECKING:
    from pipeline.engine.run import RunResult

REASONS_SHOWN = 5
_MENDED = {
    "repaired_length": "had a wrong Content-Length, and end where the next record begins",
    "repeated_id": "had the id of one before in their file; their offset was added to it",
}


def print_summary(result: RunResult, console: Console, next_commands: Sequence[str]) -> None:
    """Prints what a run did and what there is now.

    Args:
        result: The run.
        console: Where to print.
        next_commands: Commands to suggest, one a line.
    """
    if result.part and not result.planned:
        console.print(f"Part {result.part} has nothing to do: there are fewer shards than parts.", soft_wrap=True)
        return
    ledger = Ledger()
    ledger.add_json(result.manifest["ledger"])
    print_whole(console, funnel(ledger, result.manifest["source"]))
    what_failed = failures(result.manifest)
    for line in (
        what_failed,
        *(_advice(result, ledger) if what_failed else ()),
        *_told(ledger),
        _edits(ledger),
        *result.notes,
        _what_was_done(result),
        _speed(result, ledger),
        f"Output: {result.layout.root}",
    ):
        if line:
            console.print(line, markup=False, soft_wrap=True)
    for line in great_losses(result.manifest, result.layout.root, result.keys):
        console.print(line, markup=False, soft_wrap=True, style="bold yellow")
    if next_commands:
        console.print("Next:", markup=False)
    for command in next_commands:
        console.print(f"  {command}", markup=False, soft_wrap=True)


def _advice(result: RunResult, ledger: Ledger) -> list[str]:
    """What the first records that failed for each reason said, and the commands that show and mend them."""
    failed = [f"{name}: {reason}" for name, step in ledger.steps.items() for reason in sorted(step.failed)]
    messages = result.manifest.get("messages", {})
    lines = [f"  {reason}: {text}" for reason in failed[:REASONS_SHOWN] for text in messages.get(reason, ())]
    if len(failed) > REASONS_SHOWN:
        lines.append(f"  and {len(failed) - REASONS_SHOWN} more reasons, in the funnel above")
    root = shlex.quote(result.layout.root)
    if result.manifest["rejects"]:
        step = next((name for name, step in ledger.steps.items() if step.failed), READ_STEP)
        lines.append(f"  see them: python -m pipeline.inspect {root} --dropped-by {step}")
    from pipeline.engine.state import has_unreadable  # noqa: PLC0415 - pipeline.verify does without

    if not has_unreadable(result.manifest):  # single records that are wrong stay so, however often they are read
        return lines
    retry = "the same command with --retry-failed"
    if any(is_web(entry["path"]) and entry.get("failed") for entry in result.manifest["inputs"]):
        retry += ", which fetches them anew, in place of the copies in the cache"
    lines.append(f"  once their files are mended or fetched anew: {retry}")
    return lines


def _told(ledger: Ledger) -> list[str]:
    """What the read step mended, in sentences."""
    counters = ledger.step(READ_STEP).counters
    return [
        f"{_number(counters[name], 'record')} {sentence}" for name, sentence in _MENDED.items() if counters.get(name)
    ]


def funnel(ledger: Ledger, title: str) -> Table:
    """The funnel as a table: what was read, what each step dropped and why, what was kept in which subset."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", pad_edge=False)
    table.add_column("step")
    table.add_column("")
    for heading in ("documents", "share", "characters"):
        table.add_column(heading, justify="right")
    read = ledger.step(READ_STEP).entered
    _row(table, "read", "records", read, read)
    for name, step in ledger.steps.items():
        for reason in sorted(step.failed):
            _row(table, name, f"failed: {reason}", step.failed[reason], read, "red")
        for reason in sorted(step.dropped):
            _row(table, name, f"dropped: {reason}", step.dropped[reason], read, "yellow")
    table.add_section()
    for subset in sorted(ledger.kept):
        _row(table, "kept", subset, ledger.kept[subset], read, "green")
    _row(table, "kept", "in all", total(ledger.kept.values()), read, "bold green")
    return table


def _row(table: Table, step: str, what: str, tally: Tally, read: Tally, style: str = "") -> None:
    share = tally.documents / read.documents if read.documents else 0.0
    cells = (step, what, f"{tally.documents:,}", f"{share:.1%}", f"{tally.characters:,}")
    table.add_row(*(Text(cell) for cell in cells), style=style)


def failures(manifest: Mapping[str, Any]) -> str:
    """Says how many records failed, and names the files of which nothing could be read; empty where none failed.

    Args:
        manifest: A source's manifest.
    """
    ledger = Ledger()
    ledger.add_json(manifest["ledger"])
    count = total(tally for step in ledger.steps.values() for tally in step.failed.values()).documents
    if not count:
        return ""
    records, failed = Counter[str](), Counter[str]()  # by file: parts of one are added up
    for entry in manifest["inputs"]:  # of records laid out anew it is not known which file they come from
        records[entry["path"]] += entry.get("records", 0)
        failed[entry["path"]] += entry.get("failed", 0)
    lost = [path for path in failed if 0 < failed[path] == records[path]]
    damaged = [path for path in failed if 0 < failed[path] < records[path]]
    parts = [f"{_number(len(lost), 'file')} could not be read: {name_a_few(lost)}"] if lost else []
    parts += [f"{'others ' if lost else ''}in {name_a_few(damaged)}"] if damaged else []
    return f"{_number(count, 'record')} failed" + (f" ({'; '.join(parts)})" if parts else "")


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _edits(ledger: Ledger) -> str:
    """Says how much text steps removed from documents that they kept."""
    parts = []
    for name, step in ledger.steps.items():
        gone = total([*step.dropped.values(), *step.failed.values()]).characters
        removed = step.entered.characters - step.left.characters - gone
        kept = step.entered.characters - gone  # what the documents had that stayed
        if removed and kept:
            parts.append(f"{name} cut {removed:,} characters ({removed / kept:.1%}) from documents it kept")
    return "; ".join(parts)


def _what_was_done(result: RunResult) -> str:
    if result.finished:
        return f"All {result.planned:,} shards are there."
    then = f" When all parts are done: the same command with --finish in place of --part {result.part}."
    after, of = (then, f" of part {result.part}") if result.part else ("", "")
    if not result.written:
        return f"Nothing to do: all {result.planned:,} shards{of} were done before.{after}"
    before = f", {result.done_before:,} were done before" if result.done_before else ""
    return f"Wrote {result.written:,} of {result.planned:,} shards{of}{before}, in {result.seconds:,.1f} s.{after}"


def _speed(result: RunResult, ledger: Ledger) -> str:
    if not result.written:
        return ""
    if result.part:
        return ""
    timing: dict[str, Any] = result.manifest["timing"]
    text = ledger.step(READ_STEP).counters.get("text_bytes", 0)
    if not text or not timing["worker_seconds"]:
        return ""
    return (
        f"{text / 1e6:,.1f} MB of text, {text / 1e6 / timing['worker_seconds']:.1f} MB/s per worker, "
        f"largest worker {timing['peak_bytes'] / 1e9:.2f} GB."
    )
