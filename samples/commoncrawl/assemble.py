"""Reads the written sources of the CommonCrawl sample: pages, boilerplate blocks, word lists, templates.

A source is a plain text file. Lines that start with ``@`` are directives, every other line is text:

* ``@page URL`` starts a page; its next text line is the title (the first line of a WET body).
* ``@language eng,deu`` gives the page the header ``WARC-Identified-Content-Language``; without it, none.
* ``@cited`` marks a page that a Wikipedia would cite; ``@type metadata`` changes the record type.
* ``@raw`` decodes ``\\n``, ``\\uNNNN``, ``\\UNNNNNNNN`` and ``\\xNN`` (the raw byte) in the page's later lines.
* ``@use NAME key=value ...`` inserts a block; ``@rows NAME COUNT`` inserts it COUNT times with new choices.
* ``@block NAME`` and ``@list NAME`` start a block and a list of words (one a line) for later use; among
  them, lines that start with ``# `` are comments.

In a block ``{key}`` is an argument or a word of the list of that name, ``{a|b}`` one of the alternatives, and
``{10-99}`` a number; all choices follow from the page's URL, so the same sources always give the same bytes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SLOT = re.compile(r"\{([^{}\n]+)\}")
NUMBER_SLOT = re.compile(r"(\d+)-(\d+)")
ESCAPE = re.compile(r"\\(?:n|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


@dataclass(frozen=True)
class Page:
    """One record of the sample as written: its address, language header, record type, and body bytes."""

    url: str
    body: bytes
    language: str | None = None
    record_type: str = "conversion"
    cited: bool = False


@dataclass(frozen=True)
class Blocks:
    """Text blocks (lists of lines) and word lists, by name."""

    blocks: Mapping[str, list[str]]
    words: Mapping[str, list[str]]


@dataclass
class _Draft:
    """A page or block while its lines are being read."""

    url: str
    lines: list[bytes] = field(default_factory=list)
    language: str | None = None
    record_type: str = "conversion"
    cited: bool = False
    raw: bool = False
    rows_used: int = 0

    def page(self) -> Page:
        """The finished page: trailing blank lines of the source are layout, not text."""
        while self.lines and not self.lines[-1].strip():
            self.lines.pop()
        body = b"".join(line + b"\n" for line in self.lines)
        return Page(self.url, body, self.language, self.record_type, self.cited)


def fill(line: str, arguments: Mapping[str, str], words: Mapping[str, list[str]], rng: random.Random) -> str:
    """Fills the slots of one template line.

    Args:
        line: text with ``{...}`` slots; what a slot inserts may hold slots again.
        arguments: values by name; they win over word lists.
        words: alternatives by list name.
        rng: source of the choices. Only ``random()`` is called, whose sequence Python guarantees.

    Raises:
        KeyError: a slot names neither an argument, a list, alternatives nor a range.
    """

    def choose(match: re.Match[str]) -> str:
        slot = match.group(1)
        if slot in arguments:
            return arguments[slot]
        if number := NUMBER_SLOT.fullmatch(slot):
            low, high = int(number.group(1)), int(number.group(2))
            return str(low + int(rng.random() * (high - low + 1)))
        options = slot.split("|") if "|" in slot else words[slot]
        return options[int(rng.random() * len(options))]

    while SLOT.search(line):
        line = SLOT.sub(choose, line)
    return line


def expand(
    name: str, arguments: Mapping[str, str], library: Blocks, seed: str, arity: Iterable[int] = (0,)
) -> Iterator[str]:
    """Yields the lines of a block, once for each number in ``arity``, with choices drawn from ``seed``.

    Raises:
        KeyError: the library has no block of that name.
    """
    for number in arity:
        rng = random.Random(f"{seed}#{name}#{number}")
        for line in library.blocks[name]:
            yield fill(line, arguments, library.words, rng)


def read_blocks(paths: Iterable[Path]) -> Blocks:
    """Reads ``@block`` and ``@list`` sections; a name that is defined twice is an error (ValueError)."""
    blocks: dict[str, list[str]] = {}
    words: dict[str, list[str]] = {}
    for path in paths:
        section: list[str] = []
        for line in path.read_text(encoding="utf-8").split("\n"):
            directive, _, name = line.partition(" ")
            if directive in ("@block", "@list"):
                section = []
                target = blocks if directive == "@block" else words
                if name in target:
                    raise ValueError(f"{path.name}: {directive} {name} is defined twice")
                target[name] = section
            elif line.strip() and not line.startswith("# "):
                section.append(line)
    return Blocks(blocks, words)


def read_pages(path: Path, library: Blocks) -> list[Page]:
    """Reads the pages of one source file, in their order. Lines before the first ``@page`` are comments."""
    drafts: list[_Draft] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("@page "):
            drafts.append(_Draft(line.removeprefix("@page ")))
        elif drafts and line.startswith("@"):
            try:
                _apply(line, drafts[-1], library)
            except (KeyError, ValueError) as error:
                raise ValueError(f"{path.name}:{number}: cannot follow {line!r}: {error}") from error
        elif drafts:
            drafts[-1].lines.append(_unescape(line) if drafts[-1].raw else line.encode())
    return [draft.page() for draft in drafts]


def _apply(line: str, draft: _Draft, library: Blocks) -> None:
    """Follows one directive line of a page."""
    directive, *rest = line.split()
    if directive == "@language":
        draft.language = rest[0]
    elif directive == "@cited":
        draft.cited = True
    elif directive == "@raw":
        draft.raw = True
    elif directive == "@type":
        draft.record_type = rest[0]
    elif directive in ("@use", "@rows"):
        name, *values = rest
        count = int(values.pop(0)) if directive == "@rows" else 1
        arguments = {key: value.replace("_", " ") for key, _, value in (v.partition("=") for v in values)}
        arity = range(draft.rows_used, draft.rows_used + count)
        draft.rows_used += count
        draft.lines.extend(text.encode() for text in expand(name, arguments, library, draft.url, arity))
    else:
        raise ValueError("unknown directive")


def _unescape(line: str) -> bytes:
    """Decodes the escapes that ``@raw`` allows."""

    def decode(match: re.Match[str]) -> str:
        byte, short, long = match.groups()
        if byte:  # a lone surrogate stands for the raw byte, as in Python's own file names
            return bytes([int(byte, 16)]).decode("utf-8", "surrogateescape")
        return chr(int(short or long, 16)) if short or long else "\n"

    return ESCAPE.sub(decode, line).encode("utf-8", "surrogateescape")
