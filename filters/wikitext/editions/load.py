"""Reads the tables of templates from their files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml

from filters.wikitext.editions.edition import Edition
from filters.wikitext.editions.named import NAMED, silent
from filters.wikitext.editions.patterns import pattern_rule
from filters.wikitext.options import DEFAULT_OPTIONS, Options
from filters.wikitext.rules import Rule
from filters.wikitext.template_table import TemplateTable, exact_name

COMMON = "common"
# Editions in English, or in a language near to it, whose templates are those of the English one.
ENGLISH_TOO = frozenset(("simple", "sco"))

_KEYS = frozenset(
    (
        "templates",
        "silent",
        "families",
        "languages",
        "label",
        "countries",
        "country_codes",
        "scales",
        "range_words",
        "sport_codes",
        "country_names",
    )
)


class BadTable(ValueError):
    """A file of rules that cannot be read; the message names the file, the rule, and what is wrong with it."""


@cache
def template_table(language: str, options: Options = DEFAULT_OPTIONS) -> TemplateTable:
    """Returns the templates that keep text in one edition: the common ones, and its own, which go first.

    The files are read once in each process.
    """
    own = [name for name in _files_of(language) if name == COMMON or _path(name).is_file()]
    tables = {name: read_table(name) for name in own}
    edition = _edition(language, options, tables)
    exact: dict[str, Rule] = {}
    folded: dict[str, Rule] = {}
    families: list[tuple[re.Pattern[str], Rule]] = []
    for file, table in tables.items():
        for names, rule in _rows(file, table, edition):
            exact.update({exact_name(name): rule for name in names})
            folded.update({name.lower(): rule for name in names})
        found = [(_regex(file, name), _rule(file, what, edition)) for name, what in table.get("families", {}).items()]
        families = [*found, *families]
    if any(table.get("country_names") for table in tables.values()):
        named = "|".join(re.escape(name) for name in sorted(set(edition.countries.values())))
        families.insert(0, (re.compile(named), NAMED["country_code"](edition)))
    if where := next((table["country_codes"] for table in reversed(tables.values()) if "country_codes" in table), ""):
        codes = "|".join(re.escape(code) for code in edition.countries)
        if where != "none" and codes:
            families.insert(0, (re.compile(codes), NAMED["country_code"](edition, where)))
    return TemplateTable(language, MappingProxyType(exact), MappingProxyType(folded), tuple(families), silent)


def _files_of(language: str) -> tuple[str, ...]:
    if language in ENGLISH_TOO:
        return (COMMON, "en", language)
    return (COMMON, language)


def _path(name: str) -> Any:
    return files(__package__) / f"{name}.yaml"


def table_names() -> list[str]:
    """The names of the files, the common one first."""
    names = sorted(
        path.name.removesuffix(".yaml") for path in files(__package__).iterdir() if path.name.endswith(".yaml")
    )
    return sorted(names, key=lambda name: (name != COMMON, name))


def read_table(name: str) -> Mapping[str, Any]:
    """Reads one file.

    Raises:
        BadTable: it has keys that there are not.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where it is there
    text = _path(name).read_text(encoding="utf-8")
    table = yaml.load(text, Loader=loader)
    if not isinstance(table, dict) or (unknown := table.keys() - _KEYS):
        raise BadTable(f"{name}.yaml has keys that there are not: {', '.join(sorted(map(str, unknown)))}")
    return table


def _edition(language: str, options: Options, tables: Mapping[str, Mapping[str, Any]]) -> Edition:
    merged: dict[str, Any] = {}
    for table in tables.values():
        for key in ("languages", "label", "countries", "scales", "range_words"):
            if key in table:
                merged[key] = table[key]
    countries = _pairs(merged.get("countries", ""))
    for code, iso in _pairs(tables[COMMON].get("sport_codes", "")).items():
        countries.setdefault(code, countries.get(iso, ""))
    return Edition(
        language,
        options,
        _pairs(merged.get("languages", "")),
        merged.get("label", ""),
        {code: name for code, name in countries.items() if name},
        tuple(_split(merged.get("scales", ""))),
        {word: f" {word} " for word in _split(merged.get("range_words", ""))},
    )


def _rows(file: str, table: Mapping[str, Any], edition: Edition) -> Iterable[tuple[list[str], Rule]]:
    """Yields the names of a file, and their rule, row by row."""
    yield _split(table.get("silent", "")), silent
    for what, names in table.get("templates", {}).items():
        yield _split(names), _rule(file, str(what), edition)


def _rule(file: str, what: str, edition: Edition) -> Rule:
    """Reads the rule of a row: a pattern, or with an equals sign before it, one that has a name."""
    try:
        if not what.startswith("="):
            return pattern_rule(what, edition)
        name, *arguments = shlex.split(what[1:])
        return NAMED[name](edition, *arguments)
    except (ValueError, TypeError, KeyError) as error:
        raise BadTable(f"{file}.yaml: there is no such rule as {what!r}: {error}") from error


def _regex(file: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise BadTable(f"{file}.yaml: the family {text!r} is no regular expression: {error}") from error


def _split(text: str) -> list[str]:
    """Splits a list that is written in one string, with ``|`` between its names."""
    return [name for part in str(text).split(" | ") if (name := part.strip())]


def _pairs(text: str) -> dict[str, str]:
    """Reads ``de German | fr French``."""
    return {code: name for code, _, name in (pair.partition(" ") for pair in _split(text))}
