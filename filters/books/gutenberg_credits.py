"""Credits and transcriber's notes that stand next to Project Gutenberg's markers: who made the file, and how."""

from __future__ import annotations

import re
from collections.abc import Sequence

CREDIT_PARAGRAPHS = 8  # looked at behind the start marker: credits, a note, a link to the page images
CREDIT_LINES = 14  # of one paragraph of credits; longer ones are somebody's preface
LINE_CHARACTERS = 300  # of a line that are looked at
NOTE_LINES = 60  # of a transcriber's note

_MAKER = (
    r"produced|prepared|created|typed|scanned|transcribed|provided|contributed|proofread|proofed|edited|digiti[sz]ed"
    r"|keyed|entered|converted|made\s+available"
)
_THING = r"(?:e-?(?:text|book)|electronic\s+(?:text|edition|version)|text|file|edition)"
_CREDIT = re.compile(
    rf"^[\s\[(*_]*(?:(?:{_MAKER})\s+(?:by|for)\b|e-?(?:text|book)\s+(?:{_MAKER})"
    rf"|(?:this|the)\s+(?:project\s+gutenberg\s+)?{_THING}\s+(?:was\s+|has\s+been\s+)?(?:{_MAKER})"
    r"|(?:html|epub)\s+version\s+(?:created\s+)?by|transcribed\s+from\s+the\b.*\b(?:edition|by)\b"
    r"|scanned\s+and\s+proof|proofreading\s+team|(?:many\s+|our\s+)?thanks\s+to\b.*(?:gutenberg|proofread|scan|etext|e-text)"
    r"|(?:dieser|dieses)\s+e-?(?:text|book)\s+wurde|cet?\s+(?:e-?text|e-?book|document)\s+a\s+[ée]t[ée]\s+pr)",
    re.I | re.S,
)
# Of the file's own text, such as a new translation: the year is one in which there was a Project Gutenberg.
_COPYRIGHT = re.compile(r"^\W*(?:copyright\s*)?(?:copyright|\(c\)|\u00a9)[\s,]*(?:19[789]\d|20\d\d)\b", re.I)
COPYRIGHT_LINES = 3
_LINK = re.compile(
    r"^[\s\[(*]*(?:note:\s+)?(?:project\s+gutenberg\s+(?:also\s+)?has|images\s+of\s+the\s+original\s+pages"
    r"|this\s+(?:file|e-?book|e-?text)\s+(?:was|is|should\s+be)\b.*(?:gutenberg|proofread|internet\s+archive|named)"
    r"|\(?this\s+(?:file|book)\s+was\s+produced\s+from)",
    re.I | re.S,
)
_NOTE = re.compile(
    r"^\W{0,8}(?:transcriber|transcriptionist|anmerkung(?:en)?\s+zur\s+transkription|note\s+(?:du|de\s+la)\s+transcri"
    r"|notes?\s+(?:du|sur\s+la)\s+transcription|nota\s+del\s+transcriptor|nota\s+do\s+transcritor"
    r"|opmerkingen\s+van\s+de\s+bewerker)(?:['\u2019]?s?['\u2019]?)?"
    r"(?:\s+note|\s+notes|\s+comment|\b)",
    re.I,
)
_NOTE_HEADING = re.compile(r"^\W*[\w'\u2019]+(?:\s+[\w'\u2019]+){0,4}\W*$")

_MAKERS_FIRST = re.compile(
    r"^[ \t\[(]{0,20}(?:this\s+)?(?:e-?(?:text|book)\s+(?:was\s+)?)?(?:produced|prepared|transcribed|scanned)\s+by\b",
    re.I | re.M,
)
_MAKERS = re.compile(r"pgdp\.net|distributed\s+proofread", re.I)
_MAKERS_NAMES = ("pgdp.net", "istributed Proof", "istributed\nProof")


def leading_credits(lines: Sequence[str]) -> int:
    """The number of lines at the start of a body that are credits and transcriber's notes, and empty lines after them.

    Args:
        lines: The lines behind the start marker.
    """
    at = kept = 0
    for _ in range(CREDIT_PARAGRAPHS):
        first = next_text(lines, at)
        last = next_empty(lines, first)
        paragraph = "\n".join(line[:LINE_CHARACTERS] for line in lines[first : min(last, first + CREDIT_LINES + 1)])
        if _NOTE.match(paragraph):
            end = _note_end(lines, first, last)
            if end is None:
                break
            at = end
        elif _is_credit(paragraph, last - first):
            at = last
        else:
            break
        kept = at
    return next_text(lines, kept)


def _is_credit(paragraph: str, lines: int) -> bool:
    if lines <= COPYRIGHT_LINES and _COPYRIGHT.match(paragraph):
        return True
    return lines <= CREDIT_LINES and bool(_CREDIT.match(paragraph) or _LINK.match(paragraph))


def without_inner_credits(body: str) -> str:
    """A body without the credits of Project Gutenberg's makers in its middle, as between its parts.

    Only paragraphs that begin like credits and name the makers: a book may say "Produced by", too.
    """
    if not any(name in body for name in _MAKERS_NAMES):  # a search for words costs more than all the rest
        return body
    lines, kept, at = body.split("\n"), list[str](), 0
    for first, line in enumerate(lines):
        if first < at or not _MAKERS_FIRST.match(line[:LINE_CHARACTERS]) or (first and lines[first - 1].strip()):
            continue
        last = next_empty(lines, first)
        if last - first <= CREDIT_LINES and _MAKERS.search(" ".join(lines[first:last])):
            kept += lines[at:first]
            at = next_text(lines, last)
    return "\n".join([*kept, *lines[at:]])


def trailing_notes(lines: Sequence[str]) -> int:
    """The number of lines of a body that are left without a transcriber's note, or credits, at its very end.

    Args:
        lines: The lines before the end marker.
    """
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    for first in range(max(0, end - NOTE_LINES), end):
        starts = first == 0 or not lines[first - 1].strip()
        if starts and _NOTE.match(lines[first][:LINE_CHARACTERS]) and _runs_to(lines, first, end):
            return first
    return end


def _runs_to(lines: Sequence[str], first: int, end: int) -> bool:
    """Whether a note that begins at a line is all that follows: its bracket closes last, or it is one paragraph, or a
    heading of its own stands above it."""
    if lines[first].lstrip().startswith("["):
        joined = "\n".join(lines[first:end]).strip()
        return joined.endswith("]") and _closes(joined) == len(joined)
    last = next_empty(lines, first)
    return last == end or (last == first + 1 and bool(_NOTE_HEADING.match(lines[first][:LINE_CHARACTERS])))


def _note_end(lines: Sequence[str], first: int, last: int) -> int | None:
    """The line behind a note; None where it has no end in sight, so that it stays."""
    if lines[first].lstrip().startswith("["):
        closed = _closes("\n".join(lines[first : first + NOTE_LINES]).lstrip())
        if not closed:
            return None
        text = "\n".join(lines[first : first + NOTE_LINES])
        offset = len(text) - len(text.lstrip()) + closed
        return first + text[:offset].count("\n") + 1
    if last == first + 1 and _NOTE_HEADING.match(
        lines[first][:LINE_CHARACTERS]
    ):  # a heading: the note is the paragraph below it
        last = next_empty(lines, next_text(lines, last))
    return last if last - first <= NOTE_LINES else None


def _closes(text: str) -> int:
    """The place behind the bracket that closes the one at the start; 0 where none does."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if depth == 0:
            return place + 1
    return 0


def next_text(lines: Sequence[str], at: int) -> int:
    """The first line from a place on that is not empty."""
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def next_empty(lines: Sequence[str], at: int) -> int:
    """The first line from a place on that is empty."""
    while at < len(lines) and lines[at].strip():
        at += 1
    return at
