"""Recipes: frozen dataclasses filled from YAML and ``--set`` overrides, validated once.

A source declares its recipe as a frozen dataclass whose fields are plain values, tuples, mappings or further such
dataclasses, and whose ``__post_init__`` raises ``RecipeError`` for values that are not allowed.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import math
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import RecipeError

R = TypeVar("R")

RECIPES = Path(__file__).parents[1] / "recipes"  # beside the packages, in a checkout and in site-packages


def at_least(recipe: Any, least: float, *keys: str) -> None:
    """Refuses keys of a recipe that are below the least that makes sense.

    Raises:
        ValueError: It names the key.
    """
    for key in keys:
        if (value := getattr(recipe, key)) < least:
            wanted = f"be at least {least}" if least else "not be negative"
            raise ValueError(f"{key} must {wanted}, it is {value}")


def shares(recipe: Any, *keys: str) -> None:
    """Refuses keys of a recipe that are no share of a whole.

    Raises:
        ValueError: It names the key.
    """
    for key in keys:
        if not 0 <= (value := getattr(recipe, key)) <= 1:
            raise ValueError(f"{key} must lie between 0 and 1, it is {value}")


def load_recipe(kind: type[R], name_or_path: str, overrides: Sequence[str] = ()) -> R:
    """Builds a recipe from a YAML file and overrides.

    Args:
        kind: The recipe's dataclass.
        name_or_path: A name in ``recipes/`` (``commoncrawl``) or the path of a YAML file.
        overrides: ``key.path=value`` strings, the value as ``parse_flag`` reads it; later ones win.

    Raises:
        RecipeError: There is no such recipe, or a key or value is wrong; names the key, the value, what is allowed.
    """
    return from_mapping(kind, with_overrides(read_settings(name_or_path), overrides), name_or_path)


def read_settings(name_or_path: str, folder: str = "") -> dict[str, Any]:
    """The keys of a recipe, as they stand in its file.

    Args:
        name_or_path: A name in ``recipes/``, or the path of a YAML file.
        folder: The folder below ``recipes/`` in which a name is looked for.

    Raises:
        RecipeError: There is no such recipe, or it is no YAML mapping.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        builtin = RECIPES / folder / f"{name_or_path}.yaml"
        if not builtin.is_file():
            names = sorted(file.stem for file in (RECIPES / folder).glob("*.yaml"))
            raise RecipeError(f"there is no recipe {name_or_path!r}; built in are {', '.join(names)}, or give a .yaml")
        text = builtin.read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the recipe {name_or_path}: {error}") from error
    from pipeline.settings import parse_yaml  # noqa: PLC0415 - PyYAML, where a recipe is read

    settings = parse_yaml(text, f"the recipe {name_or_path}")
    if settings is None:
        raise RecipeError(f"the recipe {name_or_path} is empty: leave --recipe away for the defaults, or give it a key")
    if not isinstance(settings, dict):
        raise RecipeError(f"the recipe {name_or_path} must be a mapping of keys, it is a {type(settings).__name__}")
    return settings


def with_overrides(settings: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The keys of a recipe with ``key.path=value`` strings laid over them, the value as ``parse_flag`` reads it.

    Raises:
        RecipeError: One is no such string.
    """
    for override in overrides:
        _override(settings, override)
    return settings


def _override(settings: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise RecipeError(f"--set {override!r} must look like key.path=value")
    *parents, last = key.strip().split(".")
    for parent in parents:
        child = settings.get(parent)
        if child is not None and not isinstance(child, dict):
            raise RecipeError(f"--set {override!r}: {parent!r} holds a value, it has no keys below it")
        settings[parent] = child = dict(child or {})  # a copy: YAML's aliases share one mapping
        settings = child
    from pipeline.settings import parse_flag  # noqa: PLC0415

    settings[last] = parse_flag(value, f"--set {override!r}: the value")


def from_mapping(kind: type[R], settings: Mapping[str, Any], where: str, prefix: str = "") -> R:
    """Builds a recipe dataclass from a mapping, strictly: unknown keys and wrong types are errors.

    Args:
        kind: The dataclass.
        settings: Its keys; those left out take the dataclass's defaults.
        where: The recipe's name, for messages.
        prefix: The key path of this mapping, for messages.
    """
    assert dataclasses.is_dataclass(kind)
    hints = typing.get_type_hints(kind)
    known = [f.name for f in dataclasses.fields(kind)]
    for key in settings:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            hint = f" Did you mean {prefix}{close[0]}?" if close else ""
            raise RecipeError(f"{where}: there is no key {prefix}{key}.{hint} Known: {', '.join(known)}.")
    values = {key: _convert(value, hints[key], where, f"{prefix}{key}") for key, value in settings.items()}
    try:
        return kind(**values)
    except (TypeError, ValueError, RecipeError) as error:
        raise RecipeError(f"{where}: {prefix.rstrip('.') + ': ' if prefix else ''}{error}") from error


def _convert(value: Any, hint: Any, where: str, key: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        words = [word for a in arguments if typing.get_origin(a) is typing.Literal for word in typing.get_args(a)]
        if words and not isinstance(value, dict):  # a word in place of a mapping
            if value in words:
                return value
            raise RecipeError(f"{where}: {key} must be a mapping or {' or '.join(words)}, it is {value!r}")
        plain = (a for a in arguments if a is not type(None) and typing.get_origin(a) is not typing.Literal)
        return _convert(value, next(plain), where, key)
    if dataclasses.is_dataclass(hint):
        if value is not None and not isinstance(value, dict):
            raise RecipeError(f"{where}: {key} must hold keys, it is {value!r}")
        return from_mapping(typing.cast(type, hint), value or {}, where, f"{key}.")
    if origin is typing.Literal:
        if value not in arguments or isinstance(value, bool) != isinstance(arguments[0], bool):
            raise RecipeError(f"{where}: {key} is {value!r}; allowed: {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        return _convert_tuple(value, arguments, where, key)
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise RecipeError(f"{where}: {key} must be a mapping, it is {value!r}")
        for k in value:
            _convert_plain(k, arguments[0], where, f"a key of {key}")
        return {k: _convert(v, arguments[1], where, f"{key}.{k}") for k, v in value.items()}
    return _convert_plain(value, hint, where, key)


def _convert_tuple(value: Any, arguments: tuple[Any, ...], where: str, key: str) -> tuple[Any, ...]:
    if isinstance(value, str) and arguments == (str, Ellipsis):
        value = [value]
    if not isinstance(value, list):
        raise RecipeError(f"{where}: {key} must be a list, it is {value!r}")
    if arguments[-1] is Ellipsis:
        return tuple(_convert(item, arguments[0], where, f"{key}[{i}]") for i, item in enumerate(value))
    if len(value) != len(arguments):
        raise RecipeError(f"{where}: {key} must have {len(arguments)} items, it is {value!r}")
    return tuple(_convert(v, a, where, f"{key}[{i}]") for i, (v, a) in enumerate(zip(value, arguments, strict=True)))


def _convert_plain(value: Any, hint: Any, where: str, key: str) -> Any:
    if hint is Any:
        return value
    is_bool = isinstance(value, bool)
    if hint is float and isinstance(value, int) and not is_bool:
        value = float(value) if abs(value) <= sys.float_info.max else math.inf
    elif hint is int and isinstance(value, float) and value.is_integer():  # 1e9
        value = int(value)
    if not isinstance(value, hint) or (is_bool and hint is not bool):
        advice = "; put it in quotes" if hint is str and isinstance(value, int | float) else ""
        raise RecipeError(f"{where}: {key} must be of type {hint.__name__}, it is {value!r}{advice}")
    if hint is float and not math.isfinite(value):
        raise RecipeError(f"{where}: {key} must be a finite number, it is {value!r}")
    return value


def as_mapping(recipe: Any) -> dict[str, Any]:
    """The recipe as plain nested mappings and lists, as it would stand in YAML."""
    return typing.cast(dict[str, Any], json.loads(json.dumps(dataclasses.asdict(recipe))))


def fingerprint(value: Any) -> str:
    """A SHA-256, in hex, of any JSON value: equal exactly for equal values."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def difference(before: Any, after: Any, prefix: str = "") -> list[str]:
    """The keys in which two nested mappings differ, one readable line each: ``key: old -> new``."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [f"{prefix.rstrip('.')}: {before!r} -> {after!r}"] if before != after else []
    lines: list[str] = []
    for key in sorted(before.keys() | after.keys()):
        lines += difference(before.get(key, "(absent)"), after.get(key, "(absent)"), f"{prefix}{key}.")
    return lines
