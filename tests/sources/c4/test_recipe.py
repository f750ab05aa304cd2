from pipeline.recipe import load_recipe
from sources.c4.recipe import C4Recipe
from tests.sources.settings import refused_settings


def test_the_recipe_file_says_what_the_defaults_are():
    assert load_recipe(C4Recipe, "c4") == C4Recipe()


def test_the_exact_recipe_takes_the_originals_language_and_list():
    recipe = load_recipe(C4Recipe, "c4_exact")
    assert (recipe.language.method, recipe.language.threshold) == ("langdetect", 0.99)
    assert (recipe.bad_words.list or "").endswith("/25e679f03d96baa721cde20db9944649e8d0a844/en")
    assert recipe.lines == C4Recipe().lines


test_a_wrong_value_is_told = refused_settings(
    C4Recipe,
    "c4",
    {
        "page.max_characters=0": "page: max_characters must be at least 1, it is 0",
        "dedup.span_lines=0": "dedup: span_lines must be at least 1, it is 0",
        "dedup.scope=some": "dedup.scope is 'some'; allowed: files, crawl, all",
        "language.threshold=2": "language: threshold must lie between 0 and 1, it is 2.0",
        "language.method=cld3": "language.method is 'cld3'; allowed: fasttext, langdetect",
        "lines.min_words=-1": "lines: min_words must not be negative, it is -1",
        "max_record_megabytes=0": "max_record_megabytes must be at least 1, it is 0",
        "bad_words.lists=x": "there is no key bad_words.lists. Did you mean bad_words.list?",
    },
)


def test_the_list_can_be_left_out():
    assert load_recipe(C4Recipe, "c4", ["bad_words.list=null"]).bad_words.list is None
