"""Licences: what a declaration or a licence file says as an SPDX expression, and whether that is allowed.

Texts are recognised by ``licenseclassifier`` (the patterns and the matcher of Google's licensecheck), expressions are
read by ``license-expression``, the library of the ScanCode toolkit. What neither knows is unknown, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from license_expression import (  # type: ignore[import-untyped]
    ExpressionError,
    Licensing,
    get_spdx_licensing,
)
from licenseclassifier import COVERAGE_THRESHOLD, identify_license

# The paper, section 2.1: "projects that are distributed under the Apache, BSD and MIT licenses".
ALLOWED = ("MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0")

# Ways to write the four that are no SPDX identifier: trove classifiers, package metadata, READMEs. Lower case, without
# the words and signs of ``_NOISE``. A bare "BSD" is not here: it does not say which. A bare "Apache" is: the older
# versions of that licence went out of use in 2004.
SPELLINGS = {
    "mit": "MIT",
    "expat": "MIT",
    "mit expat": "MIT",
    "apache": "Apache-2.0",
    "apache 2": "Apache-2.0",
    "apache 2 0": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache2 0": "Apache-2.0",
    "apache v2": "Apache-2.0",
    "apache v2 0": "Apache-2.0",
    "asl 2": "Apache-2.0",
    "asl 2 0": "Apache-2.0",
    "al 2 0": "Apache-2.0",
    "bsd 2": "BSD-2-Clause",
    "bsd 2 clause": "BSD-2-Clause",
    "2 clause bsd": "BSD-2-Clause",
    "simplified bsd": "BSD-2-Clause",
    "bsd simplified": "BSD-2-Clause",
    "bsd 2 clause simplified": "BSD-2-Clause",
    "bsd 3": "BSD-3-Clause",
    "bsd 3 clause": "BSD-3-Clause",
    "3 clause bsd": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "bsd new": "BSD-3-Clause",
    "modified bsd": "BSD-3-Clause",
    "revised bsd": "BSD-3-Clause",
    "bsd 3 clause new or revised": "BSD-3-Clause",
}
_NOISE = re.compile(r"\b(?:the|licen[cs]es?|version|software|osi approved)\b|[^a-z0-9]+")
# Addresses that stand for a licence in package metadata.
_ADDRESSES = re.compile(
    r"https?://(?:www\.)?(?:opensource\.org/licenses?/|apache\.org/licenses/license-|spdx\.org/licenses/)"
    r"(?P<name>[\w.-]+?)(?:\.(?:php|html|txt))?/?",
    re.I,
)
MAX_DECLARATION = 500  # characters: a longer one is a licence text, or no declaration at all
# Names of files that hold a licence, at the root of a repository; GitHub's licensee looks for these, too.
_LICENSE_FILE = re.compile(
    r"(?:un)?licen[cs]es?(?:[-_.].*)?|copying(?:[-_.].*)?|.*[-_.]licen[cs]e(?:\.(?:txt|md|rst|html))?", re.I
)
_OF_OTHERS = re.compile(r"3rd|third|part(?:y|ies)|bundled|vendor|depend|font|docs?\b|documentation|notice|header", re.I)
_NO_TEXT = re.compile(r".*\.(?:py|js|ts|c|h|go|rs|rb|java|json|ya?ml|toml|sh|spdx|sig|asc|png|svg)", re.I)
# A licence in the name of a file says that it is one of several to choose from: LICENSE-MIT beside LICENSE-APACHE.
_CHOICE = re.compile(r"mit|apache|bsd|expat|gpl|mpl|isc|zlib|unlicense|cc0|boost|bsl", re.I)
_TAG = re.compile(r"^\s*SPDX-License-Identifier:", re.I)
MAX_LICENSE_BYTES = 1 << 20
HINT_COVERAGE = 25.0  # percent: less of a text than this does not even support what the metadata says
MAX_SEEN = 100_000  # declarations held; there are some hundreds, but a hostile dump can make each differ
UNRECOGNIZED = "unrecognized"  # the licence of a repository whose licence file nobody knows


@dataclass(frozen=True)
class Verdict:
    """What the licence gate says.

    Attributes:
        expression: The SPDX expression; what was declared, where that is none; None where nothing was.
        reason: Why it is dropped: ``no_license``, ``unknown_license``, ``other_license``; None where it may stay.
        chosen: The allowed licences that are made use of, sorted; empty where it is dropped.
    """

    expression: str | None
    reason: str | None
    chosen: tuple[str, ...] = ()


class LicenseGate:
    """Reads declarations and tells which are allowed; each distinct one is worked out once.

    Args:
        allowed: SPDX identifiers.

    Raises:
        ValueError: One of them is no SPDX identifier.
    """

    def __init__(self, allowed: Sequence[str] = ALLOWED) -> None:
        self._licensing = get_spdx_licensing()
        unknown = [name for name in allowed if str(self._licensing.known_symbols.get(name)) != name]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no SPDX identifier, such as {', '.join(ALLOWED)}")
        self._allowed = frozenset(allowed)
        self._seen: dict[str, Verdict] = {}

    def read(self, data: bytes) -> LicenseText:
        """Recognises the licences in a licence file (``read_license``)."""
        return read_license(data, self._licensing)

    def repository(self, files: Mapping[str, LicenseText], declared: str | None) -> str | None:
        """The licence of a repository (``repository_license``)."""
        return repository_license(files, declared, self._licensing)

    def all_of(self, declared: Sequence[str]) -> str | None:
        """Several declarations that all hold, as one: an expression where each is one."""
        if len(declared) < 2:
            return declared[0] if declared else None
        expressions = [to_spdx(one, self._licensing) for one in declared]
        return _all_of(one for one in expressions if one) if all(expressions) else ", ".join(declared)

    def judge(self, declared: str | None) -> Verdict:
        """Judges a declaration: an SPDX expression, or another spelling of one.

        ``A OR B`` is allowed where one of the two is, ``A AND B`` where both are. An exception (``WITH``) only adds
        permissions, so its licence decides.
        """
        if declared is None or not declared.strip():
            return Verdict(None, "no_license")
        if declared not in self._seen:
            if len(self._seen) >= MAX_SEEN:
                self._seen.clear()
            self._seen[declared] = self._judge(declared)
        return self._seen[declared]

    def _judge(self, declared: str) -> Verdict:
        expression = to_spdx(declared, self._licensing)
        if expression is None:
            return Verdict(declared.strip()[:MAX_DECLARATION], "unknown_license")
        parsed = self._licensing.parse(expression)
        chosen = self._chosen(parsed)
        if chosen is None:
            return Verdict(expression, "other_license")
        return Verdict(expression, None, tuple(sorted(chosen)))

    def _chosen(self, node: Any) -> frozenset[str] | None:
        """The allowed licences of an expression, or None where it asks for others."""
        if isinstance(node, self._licensing.AND):
            parts = [self._chosen(part) for part in node.args]
            return None if None in parts else frozenset().union(*(part for part in parts if part))
        if isinstance(node, self._licensing.OR):
            found = [part for part in map(self._chosen, node.args) if part is not None]
            return frozenset().union(*found) if found else None
        key = str(getattr(node, "license_symbol", node).key)
        return frozenset([key]) if key in self._allowed else None


def to_spdx(declared: str, licensing: Licensing) -> str | None:
    """Reads a declaration as an SPDX expression.

    Args:
        declared: As it stands in metadata: ``mit``, ``Apache License, Version 2.0``, ``(MIT OR Apache-2.0)``,
            ``MIT/Apache-2.0`` (Cargo's old way to write a choice), the address of a licence, a trove classifier.
        licensing: What ``get_spdx_licensing`` gives.

    Returns:
        The expression with the identifiers as SPDX writes them; None where one of them is none.
    """
    text = declared.strip()
    if not text or len(text) > MAX_DECLARATION:
        return None
    if address := _ADDRESSES.fullmatch(text):
        text = address["name"]
        text = f"apache-{text}" if text[0].isdigit() and "apache" in declared.lower() else text
    spelled = SPELLINGS.get(" ".join(_NOISE.sub(" ", text.lower().rpartition("::")[2]).split()))
    if spelled is not None:
        return spelled
    if "/" in text and not re.search(r"\s(?:and|or|with)\s|[:()]", text, re.I):
        text = text.replace("/", " OR ")
    try:
        parsed = licensing.parse(text, validate=True, strict=True)
    except (ExpressionError, RecursionError, AttributeError, TypeError):  # the last two: of malformed expressions
        return None
    return str(parsed) if parsed is not None else None


def is_license_file(name: str) -> bool:
    """Whether a file at the root of a repository holds the repository's licence, by its name."""
    if not _LICENSE_FILE.fullmatch(name) or _NO_TEXT.fullmatch(name):
        return False
    return not _OF_OTHERS.search(name)


@dataclass(frozen=True)
class LicenseText:
    """What a licence file says.

    Attributes:
        found: The licences whose texts make it up, or the one that it names; empty where it is not recognised.
        hints: The licences of which it holds something, at least.
    """

    found: frozenset[str]
    hints: frozenset[str]


def read_license(data: bytes, licensing: Licensing) -> LicenseText:
    """Recognises the licences in a licence file.

    Args:
        data: The file; what lies behind 1 MB of it is not looked at.
        licensing: What ``get_spdx_licensing`` gives.
    """
    text = data[:MAX_LICENSE_BYTES].decode("utf-8", "replace")
    if len(text) <= MAX_DECLARATION and (named := to_spdx(_TAG.sub("", text.strip()), licensing)):
        return LicenseText(frozenset([named]), frozenset([named]))
    found = frozenset(match.id for match in identify_license(text, COVERAGE_THRESHOLD))
    hints = found or frozenset(match.id for match in identify_license(text, HINT_COVERAGE))
    return LicenseText(found, hints)


def repository_license(files: Mapping[str, LicenseText], declared: str | None, licensing: Licensing) -> str | None:
    """The licence of a repository.

    The licence files decide. Several licences in one file, or in several files, all hold (``AND``), unless the names of
    the files offer a choice (``LICENSE-MIT``, ``LICENSE-APACHE``), or the metadata put the same licences together in
    another way. Metadata alone decide where there is no licence file; where there is one that is not recognised, they
    do only if it holds something of the licence that they name.

    Args:
        files: The licence files at the repository's root, by name.
        declared: What package metadata declare.
        licensing: What ``get_spdx_licensing`` gives.

    Returns:
        An SPDX expression; what was declared, where that is none; ``UNRECOGNIZED``; None where nothing tells.
    """
    stated = to_spdx(declared, licensing) if declared else None
    if not files:
        return stated or declared or None
    stated_keys = set(licensing.license_keys(stated)) if stated else set()
    if not all(text.found for text in files.values()):
        hints = {one for text in files.values() for one in text.hints}
        return stated if stated and stated_keys <= hints else UNRECOGNIZED
    if stated and stated_keys == {one for text in files.values() for one in text.found}:
        return stated
    choices = sorted({_all_of(text.found) for name, text in files.items() if _CHOICE.search(name)})
    others = [_all_of(text.found) for name, text in files.items() if not _CHOICE.search(name)]
    return str(licensing.parse(_all_of([*others, *([" OR ".join(choices)] if choices else [])])).simplify())


def _all_of(expressions: Iterable[str]) -> str:
    parts = sorted(set(expressions))
    return " AND ".join(f"({part})" if " " in part else part for part in parts)
