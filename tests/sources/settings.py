"""What a source's recipe refuses."""

from collections.abc import Callable, Mapping

from pipeline.errors import RecipeError
from pipeline.recipe import load_recipe
from tests.tables import refusals


def refused_settings(kind: type, name: str, table: Mapping[str, str]) -> Callable[..., None]:
    """A test with a case for each row of a table: a ``--set`` of a built-in recipe, and what is wrong with it."""
    return refusals(lambda setting: load_recipe(kind, name, [setting]), RecipeError, table)
