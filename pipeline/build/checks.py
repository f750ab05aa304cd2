"""What of a recipe can be seen to be wrong before anything is fetched or made."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pipeline.build.recipe import BuildRecipe
from pipeline.build.sources import FILES, own_files
from pipeline.errors import RecipeError
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
        patterns = source.raw.get("input") or []
        if source.raw["publisher"] == FILES and not any(is_remote(str(pattern)) for pattern in patterns):
            own_files(source.raw)
    model = recipe.tokenizer.model
    if model is not None and not is_remote(model) and not model_exists(model):
        raise RecipeError(f"tokenizer.model: there is no {model}")
    trained = recipe.train.model
    if trained is not None and not (Path(trained).exists() or (RECIPES / "train" / f"{trained}.yaml").exists()):
        names = ", ".join(sorted(path.stem for path in (RECIPES / "train").glob("*.yaml")))
        raise RecipeError(f"train.model: there is no model {trained}; built in are {names}")
