"""Writes docs/recipes.md: the keys of all recipes, from the docstrings of their dataclasses.

python -m tools.recipe_keys
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.mix.recipe import MixRecipe, load_mixture
from pipeline.plan.command import FACTS
from pipeline.plan.recipe import PlanRecipe
from pipeline.recipe import load_recipe
from pipeline.recipe_keys import RecipeKey, recipe_keys
from sources.arxiv.recipe import ArxivRecipe
from sources.books.recipe import BooksRecipe
from sources.c4.recipe import C4Recipe
from sources.commoncrawl.recipe import CommonCrawlRecipe
from sources.github.recipe import GitHubRecipe
from sources.stackexchange.recipe import StackExchangeRecipe
from sources.wikipedia.recipe import WikipediaRecipe
from trainer_bridge.config import TrainConfig

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
SOURCES = {
    "commoncrawl": CommonCrawlRecipe,
    "c4": C4Recipe,
    "github": GitHubRecipe,
    "wikipedia": WikipediaRecipe,
    "books": BooksRecipe,
    "arxiv": ArxivRecipe,
    "stackexchange": StackExchangeRecipe,
}
BEGINNING = """\
# Recipes: every key

A recipe is a YAML file in [recipes/](../recipes). `--recipe NAME|FILE` chooses one, `--set key.path=value` overrides
one key; an unknown key or a wrong value is refused, with what is allowed. `--keys` of a command lists its keys. Where
a text says None, YAML says `null`.

This page is generated from the docstrings of the recipes' dataclasses, by `python -m tools.recipe_keys`; a test fails
where they differ. Defaults are those of the built-in recipe of that name.
"""


def page() -> str:
    """The page."""
    parts = [BEGINNING]
    for name, kind in SOURCES.items():
        keys = recipe_keys(kind, load_recipe(kind, name))
        parts.append(section(name, f"`python -m sources.{name}`, [recipes/{name}.yaml](../recipes/{name}.yaml).", keys))
    parts.append(
        section(
            "mixture",
            "`python -m pipeline.mix`, [recipes/mix](../recipes/mix); the defaults are those of `llama1`.",
            recipe_keys(MixRecipe, load_mixture("llama1")),
        )
    )
    parts.append(
        section(
            "plan",
            "`python -m pipeline.plan`, [recipes/plan/facts.yaml](../recipes/plan/facts.yaml).",
            recipe_keys(PlanRecipe, load_recipe(PlanRecipe, str(FACTS))),
        )
    )
    parts.append(
        section(
            "trainer",
            "`python -m trainer_bridge.train`, [recipes/train](../recipes/train): a model's file says what differs "
            "from these. Overrides are plain words: `optimizer.lr=1e-4`.",
            recipe_keys(TrainConfig),
        )
    )
    return "\n".join(parts)


def section(title: str, sentence: str, keys: Iterable[RecipeKey]) -> str:
    """One recipe: a heading, a sentence, a table."""
    return "\n".join([f"## {title}", "", sentence, "", "| key | default | |", "| --- | --- | --- |", *rows(keys), ""])


def rows(keys: Iterable[RecipeKey]) -> Iterator[str]:
    """The rows of the table."""
    for key in keys:
        default = f"`{_cell(key.default)}`" if key.default else "must be given"
        yield f"| `{key.path}` | {default} | {_cell(key.meaning.replace('``', '`'))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "\\n")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
