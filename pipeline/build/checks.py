"""What of a recipe can be seen to be wrong before anything is fetched or made."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from glob import glob, has_magic
from pathlib import Path
from typing import Any

from pipeline.build.publishers import FILES, PUBLISHERS
from pipeline.build.recipe import BuildRecipe
from pipeline.build.sources import WHOLE, given_inputs, own_files
from pipeline.build.stages import WORK
from pipeline.errors import InputError, RecipeError, name_a_few
from pipeline.recipe import RECIPES
from pipeline.storage.filesystem import is_remote, model_exists


def check_recipe(recipe: BuildRecipe) -> None:
    """Refuses a recipe whose commands, files or models are not there; stores and servers are not asked.

    Raises:
        UserError: Something is not there; names the key.
    """
    for name, source in recipe.sources.items():
        module = source.module or f"sources.{name}"
        try:
            is_there = importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            is_there = False
        if not is_there:
            raise RecipeError(f"sources.{name}: there is no command {module}; give the source's own as module")
        _check_raw(name, source.raw)
    model = recipe.tokenizer.model
    is_own = model is not None and model.startswith(WORK)  # {work}/...: below the folder of the build
    if model is not None and not is_own and not is_remote(model) and not model_exists(model):
        raise RecipeError(f"tokenizer.model: there is no {model}")
    trained = recipe.train.model
    if trained is not None and not (Path(trained).exists() or (RECIPES / "train" / f"{trained}.yaml").exists()):
        names = ", ".join(sorted(path.stem for path in (RECIPES / "train").glob("*.yaml")))
        raise RecipeError(f"train.model: there is no model {trained}; built in are {names}")


def _check_raw(name: str, raw: Mapping[str, Any]) -> None:
    """Refuses raw data of an unknown publisher, or files of the user's own that are not there."""
    key = f"sources.{name}.raw"
    if raw["publisher"] not in PUBLISHERS:
        raise RecipeError(f"{key}.publisher: there is no {raw['publisher']!r}, but {', '.join(PUBLISHERS)}")
    patterns = given_inputs(raw)
    if raw["publisher"] != FILES or any(map(is_remote, patterns)):
        return
    try:
        own_files(raw)
    except InputError as error:
        raise RecipeError(str(error).replace("--input", f"{key}.input:", 1)) from error
    folders = [path for pattern in patterns if has_magic(pattern) for path in glob(pattern) if Path(path).is_dir()]
    if folders and not raw.get(WHOLE):
        raise RecipeError(
            f"{key}.input: a pattern also matches folders, and does not look into them: {name_a_few(sorted(folders))}. "
            "Name them themselves, or write ** for all files below"
        )
