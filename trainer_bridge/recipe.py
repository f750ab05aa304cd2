"""A run's configuration out of a YAML recipe and the command line: right types in, one clear line out.

``python -m trainer_bridge.recipe --model tiny --recipe sft optimizer.lr=1e-4`` lists it, and needs no torch.
"""

import argparse
import dataclasses
import difflib
import sys
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from pipeline.errors import RecipeError
from pipeline.recipe_keys import listing, recipe_keys
from pipeline.settings import parse_flag, parse_yaml
from trainer_bridge.config import TrainConfig
from trainer_bridge.errors import TrainerError, run_command

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
MODELS, FINE_TUNING, CHAT = "train", "finetune", "chat"
# Keys that say the same in other units: one that is given later replaces those given before.
SAME = (
    ("run", {"steps", "epochs", "tokens"}),
    ("run", {"batch_sequences", "batch_tokens"}),
    ("optimizer", {"warmup_fraction", "warmup_steps"}),
)
T = TypeVar("T")


def recipe_names(kind: str = MODELS) -> list[str]:
    """Names of the recipes of models (or of fine-tuning, or chat) that come with the project, sorted."""
    return sorted(path.stem for path in (RECIPES / kind).glob("*.yaml"))


def read_recipe(name_or_path: str, kind: str = MODELS) -> dict[str, Any]:
    """Reads a recipe of a model, of fine-tuning or of chat, by its name (``7B``, ``sft``) or its path (``my.yaml``).

    Raises:
        TrainerError: no such recipe, or not a YAML mapping.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = RECIPES / kind / f"{name_or_path}.yaml"
    if not path.is_file():
        names, other = ", ".join(recipe_names(kind)), FINE_TUNING if kind == MODELS else MODELS
        flag = "--recipe" if other == FINE_TUNING else "--model"
        hint = f" ({name_or_path} is one of {flag})" if name_or_path in recipe_names(other) else ""
        raise TrainerError(f"no recipe {name_or_path!r}{hint}; there are {names}, or give a .yaml file")
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise TrainerError(f"{path} is not valid YAML: {error}") from error
    except RecipeError as error:
        raise TrainerError(str(error)) from error
    if not isinstance(values, dict):
        raise TrainerError(f"{path} holds no mapping of keys to values")
    return values


def apply_override(values: dict[str, Any], override: str, kind: type = TrainConfig) -> None:
    """Writes one ``section.key=value`` into the mapping of a recipe of a kind, in place.

    The value is as ``parse_flag`` reads it; that of a key that holds a text is the text as it stands (a path may look
    like a number).
    """
    key, equals, text = override.partition("=")
    section, dot, name = key.partition(".")
    if not equals or not dot:
        raise TrainerError(f"override {override!r} is not of the form section.key=value")
    part = typing.get_type_hints(kind).get(section)
    hint = typing.get_type_hints(part).get(name) if part else None
    if hint is str or (hint == str | None and text not in ("", "null", "~")):
        _set(values, section, name, text)
        return
    try:
        _set(values, section, name, parse_flag(text, f"override {override!r}: {text!r}"))
    except RecipeError as error:
        raise TrainerError(str(error)) from error


def _set(values: dict[str, Any], section: str, name: str, value: Any) -> None:
    """Writes a key into a recipe's mapping, in place of what says the same in other units."""
    keys = values.setdefault(section, {})
    for part, names in SAME:
        if value is not None and part == section and name in names:
            for other in names:
                keys.pop(other, None)
    keys[name] = value


def build(kind: type[T], values: Any, where: str = "") -> T:
    """Builds a configuration dataclass from a mapping.

    Args:
        kind: the dataclass.
        values: keys and values, nested as the dataclass is.
        where: the dotted name of the mapping, for errors.

    Raises:
        TrainerError: an unknown key (with the nearest known one), a missing one, or a value of the wrong
            kind.
    """
    if not isinstance(values, dict):
        raise TrainerError(f"{where.rstrip('.') or 'the recipe'} must be a mapping, not {values!r}")
    hints = typing.get_type_hints(kind)
    for key in values:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1)
            hint = f"; did you mean {where}{near[0]}?" if near else f"; known: {', '.join(hints)}"
            raise TrainerError(f"unknown key {where}{key}{hint}")
    try:
        return kind(**{key: _coerce(hints[key], value, f"{where}{key}") for key, value in values.items()})
    except TypeError as error:
        raise TrainerError(f"{where.rstrip('.') or 'the recipe'}: {str(error).partition('() ')[2] or error}") from error


def _coerce(hint: Any, value: Any, where: str) -> Any:
    """Turns a YAML value into the key's type (a list becomes a tuple)."""
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, where + ".")
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    wanted = next(option for option in options if option is not type(None))
    if typing.get_origin(wanted) is tuple and isinstance(value, list | tuple):
        kinds = typing.get_args(wanted)
        if kinds[1:] == (...,):
            return tuple(_coerce(kinds[0], item, where) for item in value)
        if len(kinds) == len(value):
            return tuple(_coerce(kind, item, where) for kind, item in zip(kinds, value, strict=True))
    elif (wanted in (str, bool) and isinstance(value, wanted)) or (wanted is str and isinstance(value, bool)):
        return (
            {True: "on", False: "off"}.get(value, value) if wanted is str else value
        )  # YAML reads on and off as bools
    elif wanted in (int, float) and not isinstance(value, bool):
        number = _number(value)
        if number is not None and (wanted is float or number == int(number)):
            return wanted(number)
    name = getattr(wanted, "__name__", str(wanted))
    raise TrainerError(f"{where} = {value!r} cannot be used; allowed: a value of type {name}")


def _number(value: Any) -> float | None:
    try:
        number = float(str(value).replace("_", ""))
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None  # nan is no number here either


def load_config(
    model: str, overrides: list[str], flags: dict[str, Any] | None = None, recipe: str | None = None
) -> TrainConfig:
    """Builds and validates the configuration of a run.

    Args:
        model: name or path of the model's recipe.
        overrides: ``section.key=value``.
        flags: values by ``section.key``, taken as they are.
        recipe: name or path of a recipe that is laid over the model's, such as that of fine-tuning.
    """
    values = read_recipe(model)
    if recipe is not None:
        lay_over(values, read_recipe(recipe, FINE_TUNING), recipe)
    for override in overrides:
        apply_override(values, override)
    for key, value in (flags or {}).items():
        section, _, name = key.partition(".")
        _set(values, section, name, value)
    config = build(TrainConfig, values)
    config.validate()
    return config


def lay_over(values: dict[str, Any], above: dict[str, Any], where: str) -> None:
    """Writes the keys of a recipe over those of another, section by section, in place."""
    for section, keys in above.items():
        if not isinstance(keys, dict) or not isinstance(values.get(section, {}), dict):
            raise TrainerError(f"{where}: {section} must be a mapping, not {keys!r}")
        for name, value in keys.items():
            _set(values, section, name, value)


def to_dict(config: Any) -> dict[str, Any]:
    """The configuration as plain nested values, for JSON; ``build`` reads it back."""
    return dataclasses.asdict(config)


def listed(arguments: list[str]) -> str:
    """The keys of the recipe that a command line names, overrides laid over it; the defaults where it names none."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--model")
    parser.add_argument("--recipe")
    options, rest = parser.parse_known_args(arguments)
    overrides = [word for word in rest if "=" in word and not word.startswith("-")]
    config = None if options.model is None else load_config(options.model, overrides, recipe=options.recipe)
    return listing(recipe_keys(TrainConfig, config))


if __name__ == "__main__":
    run_command(lambda: sys.stdout.write(listed(sys.argv[1:])) and None)
