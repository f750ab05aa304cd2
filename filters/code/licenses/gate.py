"""The licence gate: whether a declaration is allowed, and what the licence of a repository is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from license_expression import Licensing, get_spdx_licensing  # type: ignore[import-untyped]

from filters.code.licenses.spdx import ALLOWED, MAX_DECLARATION, UNRECOGNIZED, family, to_spdx
from filters.code.licenses.text import LicenseText, read_license

MAX_SEEN = 100_000  # declarations held; there are some hundreds, but a hostile dump can make each differ
# A licence in the name of a file says that it is one of several to choose from: LICENSE-MIT beside LICENSE-APACHE. Not
# so beside one that is not permissive: there it may be the licence of a part.
_CHOICE = re.compile(r"mit|apache|bsd|expat|isc|zlib|unlicense|cc0|boost|bsl", re.I)
_PERMISSIVE = re.compile(r"MIT(-0)?|Apache-2\.0|BSD-[123]-Clause|0BSD|ISC|Zlib|Unlicense|CC0-1\.0|BSL-1\.0")
_UNSPECIFIC = re.compile(r"(?:License :: (?:OSI Approved :: )?)?(?:the\s+)?bsd(?:[- ]style)?(?:\s+licen[cs]e)?", re.I)
# In metadata that are no expression: it is another licence, or none at all.
_OTHER_TERMS = re.compile(
    r"gpl|general public|gnu|mozilla|mpl|eclipse|epl|cddl|creative|cc[- ]by|proprietary|commercial|unlicensed\b"
    r"|restrict|closed|confidential|sspl|busl|business|elastic|academic|research|eula",
    re.I,
)


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

    def repository(self, files: Mapping[str, LicenseText], declared: Sequence[str]) -> str | None:
        """The licence of a repository, or of a folder in it (``repository_license``)."""
        return repository_license(files, declared, self._licensing)

    def is_unspecific(self, declared: str) -> bool:
        """Whether a declaration names an allowed family without saying which licence: a bare "BSD"."""
        return bool(_UNSPECIFIC.fullmatch(declared.strip()))

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


def repository_license(files: Mapping[str, LicenseText], declared: Sequence[str], licensing: Licensing) -> str | None:
    """The licence of a repository, or of a folder in it.

    All that is declared holds: several licences in one file, in several files, and what the metadata name beside them
    (``AND``), unless the metadata put just these licences together in another way, or the names of the files offer a
    choice (``LICENSE-MIT``, ``LICENSE-APACHE``). A licence file that is not recognised makes it unknown, whatever the
    metadata say: they name the licence, but not what was added to it.

    Args:
        files: The licence files, by name.
        declared: What package metadata declare.
        licensing: What ``get_spdx_licensing`` gives.

    Returns:
        An SPDX expression; what was declared, where that is none; ``UNRECOGNIZED``; None where nothing tells.
    """
    stated = sorted({expression for one in declared if (expression := to_spdx(one, licensing))})
    strange = [one for one in declared if _OTHER_TERMS.search(one[:MAX_DECLARATION]) and not to_spdx(one, licensing)]
    if strange:
        return strange[0]
    if not files:
        return _all_of(stated) if stated else declared[0] if declared else None
    texts = {name: text for name, text in files.items() if text.found}
    if not texts or not all(text.found or text.points for text in files.values()):
        return UNRECOGNIZED
    named = {family(key) for expression in stated for key in licensing.license_keys(expression)}
    there = {family(key) for text in texts.values() for one in text.found for key in licensing.license_keys(one)}
    if stated and _licenses(named) == _licenses(there):
        return _all_of(stated)
    choices = sorted({_all_of(text.found) for name, text in texts.items() if _offers(name, text)})
    others = [_all_of(text.found) for name, text in texts.items() if not _offers(name, text)]
    held = [*others, *([" OR ".join(choices)] if choices else []), *(stated if named - there else [])]
    return str(licensing.parse(_all_of(held)).simplify())


def _offers(name: str, text: LicenseText) -> bool:
    """Whether a licence file is one of several to choose from."""
    return bool(_CHOICE.search(name)) and all(_PERMISSIVE.fullmatch(one) for one in text.found)


def _licenses(keys: Iterable[str]) -> set[str]:
    """Without exceptions, which have no text of their own where they are one with a licence's."""
    return {key for key in keys if not key.endswith("exception")}


def _all_of(expressions: Iterable[str]) -> str:
    parts = sorted(set(expressions))
    return " AND ".join(f"({part})" if " " in part and len(parts) > 1 else part for part in parts)
