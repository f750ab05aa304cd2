"""Writes the keys of the recipes into the pages of docs/, from the docstrings of their dataclasses.

python -m tools.recipe_keys
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.ablate.recipe import AblationRecipe
from pipeline.build.recipe import BuildRecipe
from pipeline.mix.recipe import MixRecipe, load_mixture
from pipeline.plan.recipe import FACTS, PlanRecipe
from pipeline.recipe import load_recipe
from pipeline.recipe_keys import RecipeKey, recipe_keys
from sources.arxiv.recipe import ArxivRecipe
from sources.books.recipe import BooksRecipe
from sources.c4.recipe import C4Recipe
from sources.commoncrawl.recipe import CommonCrawlRecipe
from sources.github.recipe import GitHubRecipe
from sources.instructions.recipe import InstructionsRecipe
from sources.stackexchange.recipe import StackExchangeRecipe
from sources.wikipedia.recipe import WikipediaRecipe
from trainer_bridge.chat.config import ChatConfig, load_chat
from trainer_bridge.config import TrainConfig

DOCS = Path(__file__).parents[1] / "docs"
SOURCES = {
    "commoncrawl": CommonCrawlRecipe,
    "c4": C4Recipe,
    "github": GitHubRecipe,
    "wikipedia": WikipediaRecipe,
    "books": BooksRecipe,
    "arxiv": ArxivRecipe,
    "stackexchange": StackExchangeRecipe,
    "instructions": InstructionsRecipe,
}
HEADING = "## Recipe keys"  # the last section of a page
OF_A_RECIPE = (
    "`--recipe NAME|FILE` takes a YAML file, `--set key.path=value` overrides one key, `--keys` lists them. An "
    "unknown key or a wrong value is refused, with what is allowed. Where a text says None, YAML says `null`."
)


def sections() -> Iterator[tuple[Path, str]]:
    """Each page that ends with a recipe's keys, and that section."""
    for name, kind in SOURCES.items():
        built_in = f"Defaults are those of [recipes/{name}.yaml](../recipes/{name}.yaml). {OF_A_RECIPE}"
        yield DOCS / f"{name}.md", section(built_in, recipe_keys(kind, load_recipe(kind, name)))
    yield (
        DOCS / "ablation.md",
        section(
            "Defaults are those of the dataclass; [recipes/ablate](../recipes/ablate) has `sample`. "
            f"{OF_A_RECIPE.removeprefix('`--recipe NAME|FILE` takes a YAML file, ')}",
            recipe_keys(AblationRecipe),
        ),
    )
    yield (
        DOCS / "build.md",
        section(
            "Defaults are those of the dataclass; [recipes/corpus](../recipes/corpus) has `sample` and `llama1`. "
            f"{OF_A_RECIPE.removeprefix('`--recipe NAME|FILE` takes a YAML file, ')}",
            recipe_keys(BuildRecipe),
        ),
    )
    yield (
        DOCS / "chat-rlhf.md",
        section(
            "Defaults are those of `llama2`, in [recipes/chat](../recipes/chat). Overrides are plain words: "
            "`ppo.beta=0.005`; `--keys` lists those of a command.",
            recipe_keys(ChatConfig, load_chat("llama2", [])),
        ),
    )
    yield (
        DOCS / "mixture.md",
        section(
            "Defaults are those of `llama1`, in [recipes/mix](../recipes/mix). `--proportions NAME|FILE` takes a YAML "
            "file, `--set key.path=value` overrides one key, `--keys` lists them.",
            recipe_keys(MixRecipe, load_mixture("llama1")),
        ),
    )
    yield (
        DOCS / "plan-and-report.md",
        section(
            "Facts of a plan: [recipes/plan/facts.yaml](../recipes/plan/facts.yaml) has the defaults, `--facts FILE` "
            "takes others.",
            recipe_keys(PlanRecipe, load_recipe(PlanRecipe, str(FACTS))),
        ),
    )
    yield (
        DOCS / "trainer.md",
        section(
            "A model's file in [recipes/train](../recipes/train) says what differs from these. Overrides are plain "
            "words: `optimizer.lr=1e-4`; `--keys` lists them.",
            recipe_keys(TrainConfig),
        ),
    )


def section(sentence: str, keys: Iterable[RecipeKey]) -> str:
    """One recipe: the heading, a sentence, a table."""
    lines = textwrap.wrap(sentence, 124, break_long_words=False, break_on_hyphens=False)
    return "\n".join([HEADING, "", *lines, "", "| key | default | |", "| --- | --- | --- |", *rows(keys), ""])


def with_section(text: str, ending: str) -> str:
    """A page with its last section anew."""
    return f"{text.partition(HEADING)[0].rstrip()}\n\n{ending}"


def rows(keys: Iterable[RecipeKey]) -> Iterator[str]:
    """The rows of the table."""
    for key in keys:
        default = f"`{_cell(key.default)}`" if key.default else "must be given"
        yield f"| `{key.path}` | {default} | {_cell(key.meaning.replace('``', '`'))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "\\n")


if __name__ == "__main__":
    for path, ending in sections():
        path.write_text(with_section(path.read_text(encoding="utf-8"), ending), encoding="utf-8")
        print(path)
