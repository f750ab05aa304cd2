from pipeline.recipe import as_mapping, load_recipe
from sources.wikipedia.recipe import WikipediaRecipe
from tests.sources.settings import refused_settings


def test_the_recipe_in_the_folder_holds_the_defaults():
    assert load_recipe(WikipediaRecipe, "wikipedia") == WikipediaRecipe()


def test_the_recipe_in_the_folder_names_every_key():
    assert as_mapping(load_recipe(WikipediaRecipe, "wikipedia"))["limits"] == {
        "max_characters": 4194304,
        "max_work_per_character": 100,
        "max_nesting": 40,
    }


test_what_is_not_allowed = refused_settings(
    WikipediaRecipe,
    "wikipedia",
    {
        "language=English": (
            "language must be the code of a Wikipedia, such as de: no Wikipedia has the code 'English' (near ones: en"
        ),
        "language=../x": "language must be the code of a Wikipedia, such as de: no Wikipedia has the code '../x'",
        "min_characters=-1": "min_characters must not be negative, it is -1",
        "max_page_megabytes=0": "max_page_megabytes must be at least 1, it is 0",
        "shard_megabytes=0": "shard_megabytes must be above 0, it is 0.0",
        "limits.max_nesting=0": "limits.max_nesting must be at least 1, it is 0",
        "templates.expand=yes": "there is no key templates.expand",
        "dedup.scope=files": "dedup.scope is 'files'; allowed: all, language",
    },
)
