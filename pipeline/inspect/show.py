"""Documents on the terminal, coloured and paged, or one JSON object a line for machines.

What a document holds never reaches the terminal as it is: characters that act on it are shown as pictures.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import IO, Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from pipeline.inspect.raw import Before
from pipeline.inspect.search import Found
from pipeline.inspect.sidebyside import Row, Span, side_by_side
from pipeline.report.content import fact
from pipeline.report.harmless import harmless, one_line

PAGER = "less -R"
LESS = "FRX"  # one screen is shown without paging, colours pass, the screen stays
FACT_CHARACTERS = 160
GAP = 2  # columns between both forms
MARK = "  "  # the place of a line's mark
NO_FACTS = frozenset({"id", "text", "source", "meta", "origin", "step", "reason"})
SAID = frozenset({"messages", "chosen", "rejected"})  # of a conversation, or a pair: shown as a dialogue
NO_LOSS = " (no loss)"
Part = tuple[str, str]  # who speaks, and what
INDENT = 2  # of what is said in it, so that no text can pass for a role
_STEERS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@contextlib.contextmanager
def output(colour: str, pager: bool) -> Iterator[Console]:
    """A console for what is found: in a pager where the output is a terminal, plain where it is not.

    Args:
        colour: ``auto``, ``always`` or ``never``.
        pager: Whether a pager may be used.
    """
    terminal = sys.stdout.isatty()
    process = _start_pager() if terminal and pager else None
    coloured = colour == "always" or (colour == "auto" and terminal and "NO_COLOR" not in os.environ)
    try:
        yield _console(process.stdin if process and process.stdin else sys.stdout, coloured)
        if process is None:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough
        if process is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        if process is not None and process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            process.wait()


def _console(file: IO[str], coloured: bool) -> Console:
    width = shutil.get_terminal_size((120, 24)).columns
    system: Any = "standard" if coloured else None
    return _Console(file=file, force_terminal=coloured, color_system=system, width=width, highlight=False)


class _Console(Console):
    """A console that leaves it to ``output`` what happens when nobody reads any more: rich would end with status 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def _start_pager() -> subprocess.Popen[str] | None:
    command = shlex.split(os.environ.get("PAGER") or PAGER)
    try:
        environment = {"LESS": LESS, **os.environ}
        return subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, encoding="utf-8", errors="replace")
    except (OSError, IndexError):  # there is none
        return None


ROWS_AT_ONCE = 500


def show(console: Console, found: Found, characters: int, before: Before | None) -> None:
    """Prints a document: its fate, what is known of it, its text, or both its forms side by side.

    The text of a conversation, or of a pair, is its dialogue.

    Args:
        console: Where to print.
        found: The document.
        characters: So many of the text are shown; 0 for all.
        before: What it was before the steps, where that is asked for.
    """
    console.print(Rule(_title(found), align="left", characters="─", style="dim"))
    for line in _facts(found):
        console.print(line, soft_wrap=True)
    text = found.row["text"]
    if before is not None and before.text is not None:
        _print_both(console, before.text, text, characters)
    else:
        if before is not None:
            console.print(Text(f"before: {one_line(before.missing)}", "yellow"), soft_wrap=True)
        said, answers = _dialogue(found.row.get("meta") or {})
        if said or answers:
            _print_dialogue(console, said, answers, characters)
        else:
            console.print(_clipped(text, characters))
    console.print()


def _title(found: Found) -> Text:
    fate = Text("kept", "bold green")
    if found.step is not None:
        fate = Text(f"dropped by {one_line(found.step)}: {one_line(found.reason or '')}", "bold yellow")
    return Text.assemble(fate, "  ", Text(one_line(str(found.row["id"]))[:FACT_CHARACTERS], "bold"))


def _facts(found: Found) -> Iterator[Text]:
    row = found.row
    origin = row.get("origin") or {}
    yield Text(one_line(f"{origin.get('file')}@{origin.get('offset')}  in {found.path}"), "dim")
    values = {name: value for name, value in row.items() if name not in NO_FACTS}
    values |= {"characters": len(row["text"]), **(row.get("meta") or {})}
    if values.get("messages"):
        values = {name: value for name, value in values.items() if name not in SAID}
    line = Text()
    for name, value in values.items():
        if value is None:
            continue
        shown = one_line(_brief(value))
        if line and len(line) + len(name) + len(shown) > FACT_CHARACTERS:
            yield line
            line = Text()
        line.append(f"{'  ' if line else ''}{name} ", "cyan").append(shown)
    if line:
        yield line


def _brief(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        text = ", ".join(str(item) for item in value[:20]) + (", …" if len(value) > 20 else "")
    elif isinstance(value, Mapping):
        text = ", ".join(f"{key} {item}" for key, item in value.items() if item)
    else:
        text = fact(value)
    return text if len(text) <= FACT_CHARACTERS else f"{text[: FACT_CHARACTERS - 1]}…"


def _clipped(text: str, characters: int) -> Text:
    shown = text[:characters] if characters else text
    result = Text(harmless(shown))
    if len(shown) < len(text):
        result.append(f"\n… {len(text) - len(shown):,} more characters (--characters 0 shows all)", "dim")
    return result


def _dialogue(meta: Mapping[str, Any]) -> tuple[list[Part], list[Part]]:
    """Who says what in a conversation, or before the answers of a pair; and these. Nothing of another document."""
    answers = [(name, meta[name]) for name in ("chosen", "rejected") if meta.get(name) is not None]
    said = []
    for turn in meta.get("messages") or ():
        unlearned = turn["role"] == "assistant" and not turn["train"] and not answers
        said.append((turn["role"] + NO_LOSS * unlearned, turn["content"]))
    return said, answers


def _print_dialogue(console: Console, said: Sequence[Part], answers: Sequence[Part], characters: int) -> None:
    """Prints turns, and answers, which get a third of the characters each, and what is left."""
    left = characters - _print_parts(console, said, characters - len(answers) * (characters // 3), characters == 0)
    for number, answer in enumerate(answers):
        left -= _print_parts(console, [answer], left // (len(answers) - number), characters == 0)


def _print_parts(console: Console, parts: Sequence[Part], most: int, whole: bool) -> int:
    """Prints the first parts, so many characters of them, and returns how many that were."""
    left = most
    for number, (role, text) in enumerate(parts):
        if left <= 0 and not whole:
            more = sum(len(content) for _, content in parts[number:])
            console.print(Text(f"… {more:,} more characters (--characters 0 shows all)", "dim"))
            break
        console.print(Text(one_line(role), "bold"))
        width = max(1, console.width - INDENT)
        for line in _clipped(text, 0 if whole else left).wrap(console, width, overflow="fold"):
            line.rstrip()
            console.print(Text(" " * INDENT).append_text(line) if line else line, soft_wrap=True)
        left -= min(len(text), max(left, 0))
    return most - left


def _print_both(console: Console, before: str, after: str, characters: int) -> None:
    """Both forms in two columns of equal width, laid out here: a table of rich takes minutes for a large page."""
    column = max(1, console.width // 2)
    width = max(1, column - GAP - len(MARK))
    heads = [Text(f"{head}: {len(text):,} characters", "dim") for head, text in (("before", before), ("after", after))]
    block = _beside(column, *([head] for head in heads))
    shown = 0
    for number, row in enumerate(side_by_side(harmless(before), harmless(after)), start=1):
        if characters and shown >= characters:
            block.append("… (--characters 0 shows all)\n", "dim")
            break
        shown += sum(len(text) for text, _ in row.left or row.right or ())
        block.append_text(_beside(column, *(_hanging(console, cell, width) for cell in _cells(row))))
        if number % ROWS_AT_ONCE == 0:  # what is long appears while it is compared
            console.print(block, end="", soft_wrap=True)
            block = Text()
    console.print(block, end="", soft_wrap=True)


def _beside(column: int, left: Sequence[Text], right: Sequence[Text]) -> Text:
    """The lines of two cells side by side."""
    block = Text()
    for x, y in zip_longest(left, right):
        if x is not None:
            block.append_text(x)
        if y:
            block.append(" " * (column - (x.cell_len if x is not None else 0))).append_text(y)
        block.append("\n")
    return block


def _cells(row: Row) -> tuple[Text, Text]:
    return _pieces(row.left, "red", "-"), _pieces(row.right, "green", "+")


def _hanging(console: Console, line: Text, width: int) -> list[Text]:
    """A line broken where its column ends, all but its first part set in: no sign of the text stands where marks do."""
    if line.cell_len <= width + len(MARK):
        return [line]
    mark, bare = line.divide([len(MARK)])
    plain = bare.plain
    parts = bare.divide(_breaks(plain, width)) if plain.isascii() else bare.wrap(console, width, overflow="fold")
    for part in parts:
        part.rstrip()
    return [mark.append_text(parts[0]), *(Text(MARK).append_text(part) for part in parts[1:])]


def _breaks(text: str, width: int) -> list[int]:
    """Where a line of ASCII is broken: behind the last blank that fits, else within the word."""
    places: list[int] = []
    at = 0
    while len(text) - at > width:
        blank = text.rfind(" ", at, at + width + 1)
        at = blank + 1 if blank > at else at + width
        places.append(at)
    return places


def _pieces(spans: tuple[Span, ...] | None, style: str, mark: str) -> Text:
    """A line with what only one side has marked: by colour, and by a sign in front for who sees none."""
    if spans is None:
        return Text()
    changed = any(is_changed for _, is_changed in spans)
    result = Text(f"{mark if changed else ' '} ", style if changed else "")
    for text, is_changed in spans:
        result.append(text, f"bold {style}" if is_changed else "")
    return result


def as_json(found: Found, before: Before | None) -> str:
    """A document as one line of JSON: its columns, its file, and its raw text where that is asked for."""
    value = {**found.row, "parquet": found.path}
    if before is not None:
        value |= {"before": before.text, "before_missing": before.missing or None}
    line = json.dumps(value, ensure_ascii=False, default=_plain)
    return _STEERS.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _plain(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
