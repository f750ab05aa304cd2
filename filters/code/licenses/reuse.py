"""REUSE's tables of licences: ``REUSE.toml`` and ``.reuse/dep5`` (reuse.software, specification 3.3).

A table declares the licences of the files that its patterns match. Of several that match the last counts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same parser, before it joined the library
    import tomli as tomllib

REUSE_TOML, DEP5 = "REUSE.toml", ".reuse/dep5"
MAX_PATTERNS = 1000
MAX_PATTERN = 500  # characters
_STAR, _STARS, _ANY = "*", "**", "?"


class Glob:
    """A pattern of paths, matched in time that grows with the path alone, however many stars it has.

    Args:
        pattern: Of ``REUSE.toml``: ``*`` is anything but a slash, ``**`` anything; of dep5: ``*`` is anything, ``?``
            one character. A backslash takes the next character as it is.
        crosses: Whether ``*`` is also a slash.
    """

    def __init__(self, pattern: str, crosses: bool) -> None:
        tokens = list(_merged(_tokens(pattern, crosses)))
        self._end = 1 << len(tokens)
        self._stay = {True: 0, False: 0}  # by whether the character is a slash
        self._any = self._empty = 0
        self._exact: dict[str, int] = {}
        for at, (kind, character) in enumerate(tokens):
            bit = 1 << at
            if kind in (_STAR, _STARS):
                self._empty |= bit
                self._stay[False] |= bit
                self._stay[True] |= bit if kind == _STARS else 0
            elif kind == _ANY:
                self._any |= bit
            else:
                self._exact[character] = self._exact.get(character, 0) | bit

    def matches(self, path: str) -> bool:
        """Whether it matches a whole path: the places in the pattern that are reached are the bits of a number."""
        reached = 1 | (1 & self._empty) << 1
        for character in path:
            reached = (
                reached & self._stay[character == "/"] | (reached & (self._exact.get(character, 0) | self._any)) << 1
            )
            reached |= (reached & self._empty) << 1
            if not reached:
                return False
        return bool(reached & self._end)


def _tokens(pattern: str, crosses: bool) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and at + 1 < len(pattern):
            at += 1
            yield "", pattern[at]
        elif character == "*":
            run = len(pattern[at:]) - len(pattern[at:].lstrip("*"))
            at += run - 1
            yield _STARS if crosses or run > 1 else _STAR, ""
        elif character == "?" and crosses:
            yield _ANY, ""
        else:
            yield "", character
        at += 1


def _merged(tokens: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Of stars beside each other one, so that a step over one is enough."""
    previous = ""
    for kind, character in tokens:
        if not (kind in (_STAR, _STARS) and previous in (_STAR, _STARS)):
            yield kind, character
        previous = kind


class Annotation(NamedTuple):
    """What a table says of the files that a pattern matches: a licence, and whether what a file says decides."""

    pattern: str
    license: str
    closest: bool


@dataclass(frozen=True)
class ReuseTable:
    """A table.

    Attributes:
        annotations: In the order of the file.
        crosses: Whether ``*`` in its patterns is also a slash.
        broken: Whether it cannot be read, so that nothing is known of any file.
    """

    annotations: tuple[Annotation, ...] = ()
    crosses: bool = False
    broken: bool = False

    @cached_property
    def _compiled(self) -> list[tuple[Glob, Annotation]]:
        return [(Glob(one.pattern, self.crosses), one) for one in reversed(self.annotations)]

    def of(self, path: str) -> Annotation | None:
        """What it says of a file; the path is below the folder of the table."""
        return next((annotation for glob, annotation in self._compiled if glob.matches(path)), None)


def read_reuse_toml(data: bytes) -> ReuseTable:
    """Reads ``REUSE.toml``."""
    try:
        value: Any = tomllib.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return ReuseTable(broken=True)
    found: list[Annotation] = []
    tables = value.get("annotations", [])
    for table in tables if isinstance(tables, list) else []:
        licenses = _strings(table.get("SPDX-License-Identifier")) if isinstance(table, dict) else []
        if licenses:
            license = " AND ".join(f"({one})" if len(licenses) > 1 else one for one in licenses)
            closest = table.get("precedence", "closest") == "closest"
            found += [Annotation(pattern, license, closest) for pattern in _strings(table.get("path"))]
    return _table(found, crosses=False)


def _strings(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


_STANZA = re.compile(r"\n[ \t]*\n+")
_FIELD = re.compile(r"^(files|license)[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.I | re.M)


def read_dep5(data: bytes) -> ReuseTable:
    """Reads ``.reuse/dep5``, Debian's format of copyright files. What it says holds beside what a file says."""
    found: list[Annotation] = []
    for stanza in _STANZA.split(data.decode("utf-8", "replace").replace("\r", "")):
        fields = {name.lower(): value for name, value in _FIELD.findall(stanza)}
        if "files" in fields and fields.get("license", "").strip():
            license = fields["license"].split("\n")[0].strip()
            found += [Annotation(pattern, license, False) for pattern in fields["files"].split()]
    return _table(found, crosses=True)


def _table(annotations: list[Annotation], crosses: bool) -> ReuseTable:
    if len(annotations) > MAX_PATTERNS or any(len(one.pattern) > MAX_PATTERN for one in annotations):
        return ReuseTable(broken=True)
    return ReuseTable(tuple(annotations), crosses)
