"""What the metadata of packages declare as their licence.

Each reader gives declarations that all hold; a choice is one declaration (``MIT OR Apache-2.0``).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import orjson

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same parser, before it joined the library
    import tomli as tomllib

MAX_METADATA = 1 << 20  # bytes: no package says its licence behind them
MAX_LICENSES, MAX_COMMENTS = 20, 1000  # of a pom.xml that are looked at
_HEADER = re.compile(r"^(License-Expression|License|Classifier):[ \t]*(.*)$", re.M)
_SETUP_CFG = re.compile(r"^license(?:_expression)?\s*=\s*(\S.*)$", re.M)
_CLASSIFIER = re.compile(r"License :: (?:OSI Approved :: )?[^\"'\n]{2,200}")
_NO_LICENSE = "License :: OSI Approved"  # names none


def _json(data: bytes) -> list[str]:
    """npm's ``package.json`` and PHP's ``composer.json``: a string, a list to choose from, or npm's old objects."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return []
    if not isinstance(value, dict):
        return []
    found = value.get("license", value.get("licenses"))
    return _choice(_name(one) for one in (found if isinstance(found, list) else [found]))


def _choice(names: Iterable[str | None]) -> list[str]:
    stated = [name for name in names if name]
    return [" OR ".join(f"({name})" if " " in name and len(stated) > 1 else name for name in stated)] if stated else []


def _name(value: Any) -> str | None:
    value = value.get("type", value.get("name")) if isinstance(value, dict) else value
    return value if isinstance(value, str) else None


def _toml(data: bytes) -> list[str]:
    """``pyproject.toml`` (a string or a table with a text; Poetry's too) and ``Cargo.toml``; else classifiers."""
    try:
        value: Any = tomllib.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return []
    for place in (("project",), ("package",), ("workspace", "package"), ("tool", "poetry")):
        table = value
        for key in place:
            table = table.get(key) if isinstance(table, dict) else None
        if not isinstance(table, dict):
            continue
        found = table.get("license")
        found = found.get("text") if isinstance(found, dict) else found
        classifiers = table.get("classifiers")
        names = [one for one in classifiers if isinstance(one, str)] if isinstance(classifiers, list) else []
        if stated := _stated([found] if isinstance(found, str) else [], names):
            return stated
    return []


def _stated(fields: Iterable[str], classifiers: Iterable[str]) -> list[str]:
    """A field, and the classifiers beside it unless the field offers a choice, of which they name each."""
    stated = [one.strip() for one in fields if one.strip() not in ("", "UNKNOWN")]
    if any(re.search(r"\bor\b|/|\bdual\b", one, re.I) for one in stated):
        return stated
    named = [one.strip() for one in classifiers if one.strip().startswith("License :: ")]
    return [*stated, *(one for one in named if one != _NO_LICENSE)]


def _headers(data: bytes) -> list[str]:
    """Python's ``PKG-INFO`` and ``METADATA``: the expression, else the field and the classifiers."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
    fields: dict[str, list[str]] = {}
    for name, value in _HEADER.findall(text):
        fields.setdefault(name, []).append(value)
    expression = _stated(fields.get("License-Expression", ()), ())
    return expression or _stated(fields.get("License", ()), fields.get("Classifier", ()))


def _setup_cfg(data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace")
    return _stated([found[1]] if (found := _SETUP_CFG.search(text)) else [], _CLASSIFIER.findall(text))


def _setup_py(data: bytes) -> list[str]:
    """``setup.py``: its literal arguments; it is not run."""
    text = _COMMENTS.sub("", data.decode("utf-8", "replace"))
    return _stated([found[2]] if (found := _SETUP_PY.search(text)) else [], _CLASSIFIER.findall(text))


def _pom(data: bytes) -> list[str]:
    """Maven's ``pom.xml``: of several licences one may be chosen, as Maven says; no entity is read."""
    text = _without_comments(data.decode("utf-8", "replace"))
    _, _, behind = text.partition("<licenses>")
    licenses, end, _ = behind.partition("</licenses>")
    parts = licenses.split("<license>")[1:MAX_LICENSES] if end else []
    return _choice(_pom_name(part.partition("</license>")[0]) for part in parts)


def _without_comments(text: str) -> str:
    """XML without its comments, in one pass: a regular expression would look to the end for each that is not closed."""
    parts = []
    while "<!--" in text:
        before, _, rest = text.partition("<!--")
        parts.append(before)
        _, _, text = rest.partition("-->")
        if len(parts) == MAX_COMMENTS:
            return "".join(parts)
    return "".join([*parts, text])


def _pom_name(license: str) -> str | None:
    """Its name; its address where the name is none that can be told."""
    found = dict(_POM_FIELD.findall(license))
    name, url = str(found.get("name", "")).strip(), str(found.get("url", "")).strip()
    return (
        url if url and not re.search(r"mit|bsd|gpl|mpl|epl|cddl|general public|eclipse|mozilla|2", name, re.I) else name
    )


_COMMENTS = re.compile(r"^[ \t]*#.*$", re.M)
_SETUP_PY = re.compile(r"\blicense\s*=\s*(['\"])([^'\"\n]{1,300})\1")
_POM_FIELD = re.compile(r"<(name|url)>([^<]*)</")


METADATA: Mapping[str, Callable[[bytes], list[str]]] = MappingProxyType(
    {
        "pyproject.toml": _toml,
        "Cargo.toml": _toml,
        "package.json": _json,
        "composer.json": _json,
        "setup.cfg": _setup_cfg,
        "setup.py": _setup_py,
        "pom.xml": _pom,
        "PKG-INFO": _headers,
        "METADATA": _headers,
    }
)
