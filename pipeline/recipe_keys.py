"""The keys of a recipe: their paths, their defaults, and what the docstrings of its dataclasses say of them.

``--keys`` of the commands and the tables in ``docs/`` are made of it, so what is said of a key is said once.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NAME = "<name>"  # stands for the keys of a mapping whose values hold keys themselves
SHOWN = 100  # characters of a default
LARGE = 100_000  # a number whose digits are grouped
WIDTH = 100  # of what is listed on a terminal
INDENT = "    "
_ENTRY = re.compile(rf"{INDENT}(\w+): (.*)")


@dataclass(frozen=True)
class RecipeKey:
    """One key.

    Attributes:
        path: As ``--set`` takes it, such as ``dedup.policy``.
        default: Its value where nothing is said, as it stands in YAML; empty where it must be given.
        meaning: What its docstring says, in one line.
    """

    path: str
    default: str
    meaning: str


def recipe_keys(kind: type, defaults: Any = None, prefix: str = "") -> Iterator[RecipeKey]:
    """The keys of a recipe, in their order; of those that hold others, these.

    Args:
        kind: The recipe's dataclass.
        defaults: A recipe with the defaults; those of the dataclass where None.
        prefix: The path of the keys above, with its point.
    """
    hints, meanings = typing.get_type_hints(kind), attributes(kind)
    for field in dataclasses.fields(kind):
        path = prefix + field.name
        value = getattr(defaults, field.name) if defaults is not None else _default(field)
        below = _dataclass_in(hints[field.name])
        if below is None:
            yield RecipeKey(path, "" if value is dataclasses.MISSING else written(value), meanings.get(field.name, ""))
        elif typing.get_origin(hints[field.name]) in (dict, Mapping):
            yield from recipe_keys(below, None, f"{path}.{NAME}.")
        else:
            yield from recipe_keys(below, None if value is dataclasses.MISSING else value, f"{path}.")


def attributes(kind: type) -> dict[str, str]:
    """What the section ``Attributes`` of a class's docstring says of each, lines joined."""
    _, _, section = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if entry := _ENTRY.fullmatch(line):
            name, text = entry.groups()
            found[name] = text[:1].upper() + text[1:]
        elif line.startswith(INDENT) and name:
            found[name] += f" {line.strip()}"
        elif line:
            break  # the next section
    return found


def _default(field: dataclasses.Field[Any]) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def _dataclass_in(hint: Any) -> type | None:
    """The dataclass that a type is, or that a mapping of it holds."""
    if typing.get_origin(hint) in (dict, Mapping):
        hint = typing.get_args(hint)[1]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next((argument for argument in typing.get_args(hint) if dataclasses.is_dataclass(argument)), hint)
    return typing.cast(type, hint) if dataclasses.is_dataclass(hint) else None


def written(value: Any) -> str:
    """A value as it stands in YAML; a long one with its beginning and how many items it has."""
    text = _yaml(value)
    if len(text) <= SHOWN or not isinstance(value, (tuple, list, Mapping)):
        return text
    short = text[:SHOWN].rpartition(", ")[0]
    return f"{short}, ...{text[-1]} ({len(value)})"


def _yaml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return repr(value) if not value or "\n" in value or ": " in value else value
    if isinstance(value, float) and abs(value) >= LARGE:
        return f"{value:g}"
    return f"{value:,}".replace(",", "_") if isinstance(value, int) and value >= LARGE else str(value)


def listing(keys: Iterable[RecipeKey]) -> str:
    """The keys for a terminal: ``path = default``, and below it what it means."""
    lines = []
    for key in keys:
        lines.append(f"{key.path} = {key.default}" if key.default else key.path)
        lines += textwrap.wrap(key.meaning, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
    return "\n".join(lines) + "\n"
