"""Third pass: tables of wikitext go, with the tables inside them."""

from __future__ import annotations

import re

# MediaWiki opens and closes tables at the start of a line only (``BlockLevelPass``), after indentation by colons.
_TABLE_EDGE = re.compile(r"\n[ \t:*#;]*(?:(\{\|)|\|\}(?!\}))")
# A row, cell or heading whose table was opened by a template, or not at all.
_ORPHAN_ROW = re.compile(r"\n[ \t:*#;]*(?:\{\||\|)[^\n]*")
_REACH = 1000  # characters before a row in which a link may have been opened
_ORPHAN_HEADING_CELL = re.compile(r"\n![^\n]*")


def drop_tables(text: str) -> str:
    """Removes tables. Where an opening has no end, only the lines that are rows and cells go, and the prose stays."""
    text = "\n" + text
    has_unclosed = False
    if "{|" in text:
        text, has_unclosed = _drop_closed(text)
    if "\n|" in text or "|" in text:
        text = _ORPHAN_ROW.sub(_orphan, text)
    if has_unclosed:
        text = _ORPHAN_HEADING_CELL.sub("", text)
    return text


def _orphan(match: re.Match[str]) -> str:
    """Removes a row; a line that begins with a pipe inside a link (``[[target`` on the line before) is none."""
    before = match.string[max(0, match.start() - _REACH) : match.start()].rpartition("\n\n")[2]
    if before.count("[[") <= before.count("]]"):
        return "\n"
    return match[0].lstrip("\n \t")


def _drop_closed(text: str) -> tuple[str, bool]:
    """Removes each outermost table that is closed; tells whether one was not closed."""
    spans, has_unclosed = _closed_tables(text)
    out, last = [], 0
    for start, end in spans:
        out.append(text[last:start])
        out.append("\n")
        last = end
    out.append(text[last:])
    return "".join(out), has_unclosed


def table_spans(text: str) -> list[tuple[int, int]]:
    """Returns where each outermost table that is closed begins and ends, in order."""
    return [(max(0, start - 1), end - 1) for start, end in _closed_tables("\n" + text)[0]] if "{|" in text else []


def _closed_tables(text: str) -> tuple[list[tuple[int, int]], bool]:
    """Returns the spans of outermost closed tables, from one scan with a stack, and whether one was not closed."""
    stack: list[int] = []
    spans: list[tuple[int, int]] = []
    for match in _TABLE_EDGE.finditer(text):
        if match[1]:
            stack.append(match.start())
        elif stack:
            start = stack.pop()
            while spans and spans[-1][0] >= start:
                spans.pop()
            spans.append((start, match.end()))
    return spans, bool(stack)
