"""What the files at a repository's root tell of it: its licence, from licence files and package metadata."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import orjson
import xxhash

from filters.code.licenses import LicenseGate, LicenseText, is_license_file

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same parser, before it joined the library
    import tomli as tomllib

MAX_METADATA = 1 << 20  # bytes: no package says its licence behind them
_HEADER = re.compile(r"^(License-Expression|License|Classifier):[ \t]*(.*)$", re.M)
_SETUP_CFG = re.compile(r"^license(?:_expression)?\s*=\s*(\S.*)$", re.M)
_CLASSIFIER = "License :: OSI Approved :: "


@dataclass
class RepositoryFacts:
    """What was seen at a repository's root so far.

    Attributes:
        licenses: What its licence files say, by name.
        declared: What its package metadata declare, by the name of the file.
        ref: The commit or the branch that is checked out.
        hosted: Its name on GitHub, where its remote tells.
    """

    licenses: dict[str, LicenseText] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    ref: str | None = None
    hosted: str | None = None

    def license(self, gate: LicenseGate) -> str | None:
        """The repository's licence: an SPDX expression, or what is declared instead of one."""
        declared = next((self.declared[name] for name in METADATA if name in self.declared), None)
        return gate.repository(self.licenses, declared)


class RootFiles:
    """Looks at the files at the roots of repositories; a text that comes again is recognised by its hash.

    Args:
        gate: Recognises licences.
    """

    def __init__(self, gate: LicenseGate) -> None:
        self._gate = gate
        self._seen: dict[int, LicenseText] = {}

    def look(self, facts: RepositoryFacts, name: str, data: bytes) -> None:
        """Adds to the facts what a file says; ``tells`` says which do."""
        if name in METADATA:
            declared = METADATA[name](data[:MAX_METADATA])
            if declared:
                facts.declared[name] = declared
            return
        key = xxhash.xxh3_64_intdigest(data)
        if key not in self._seen:
            if len(self._seen) >= MAX_SEEN:
                self._seen.clear()
            self._seen[key] = self._gate.read(data)
        facts.licenses[name] = self._seen[key]


MAX_SEEN = 10_000  # recognised texts that are held


def tells(name: str) -> bool:
    """Whether a file at the root of a repository tells its licence, and with it, that a folder is a repository."""
    return name in METADATA or is_license_file(name)


def _json(data: bytes) -> str | None:
    """npm's ``package.json`` and PHP's ``composer.json``: a string, a list to choose from, or npm's old objects."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict):
        return None
    found = value.get("license", value.get("licenses"))
    names = [_name(one) for one in (found if isinstance(found, list) else [found])]
    stated = [name for name in names if name]
    return " OR ".join(f"({name})" if " " in name and len(stated) > 1 else name for name in stated) or None


def _name(value: Any) -> str | None:
    value = value.get("type", value.get("name")) if isinstance(value, dict) else value
    return value if isinstance(value, str) else None


def _toml(data: bytes) -> str | None:
    """``pyproject.toml`` (a string or a table with a text; Poetry's too) and ``Cargo.toml``."""
    try:
        value: Any = tomllib.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    for place in (("project",), ("package",), ("workspace", "package"), ("tool", "poetry")):
        table = value
        for key in place:
            table = table.get(key) if isinstance(table, dict) else None
        found = table.get("license") if isinstance(table, dict) else None
        found = found.get("text") if isinstance(found, dict) else found
        if isinstance(found, str):
            return found
    return None


def _headers(data: bytes) -> str | None:
    """Python's ``PKG-INFO`` and ``METADATA``: the expression, else the field, else the only classifier."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    fields: dict[str, list[str]] = {}
    for name, value in _HEADER.findall(text):
        fields.setdefault(name, []).append(value.strip())
    classifiers = [one for one in fields.get("Classifier", ()) if one.startswith(_CLASSIFIER)]
    stated = [*fields.get("License-Expression", ()), *fields.get("License", ())]
    stated = [one for one in stated if one and one != "UNKNOWN"]
    return (stated or (classifiers if len(classifiers) == 1 else []) or [None])[0]


def _setup_cfg(data: bytes) -> str | None:
    found = _SETUP_CFG.search(data.decode("utf-8", "replace"))
    return found[1].strip() if found else None


# The first that declares a licence is believed.
METADATA: Mapping[str, Callable[[bytes], str | None]] = MappingProxyType(
    {
        "pyproject.toml": _toml,
        "Cargo.toml": _toml,
        "package.json": _json,
        "composer.json": _json,
        "setup.cfg": _setup_cfg,
        "PKG-INFO": _headers,
        "METADATA": _headers,
    }
)
