"""Recipes of builds: bases, overrides, what is refused."""

import pytest

from pipeline.build.recipe import built_in, load_build
from pipeline.build.stages import stages_of
from pipeline.errors import RecipeError


def written(folder, text, name="mine.yaml"):
    path = folder / name
    path.write_text(text)
    return str(path)


def test_the_built_in_recipes_can_be_read():
    assert built_in() == ["llama1", "sample"]
    llama1 = load_build("llama1")
    assert list(llama1.sources) == ["wikipedia", "commoncrawl", "c4", "github", "books", "arxiv", "stackexchange"]
    assert len(llama1.sources["commoncrawl"].raw["crawls"]) == 5
    assert llama1.sources["arxiv"].raw["requester_pays"] is False


def test_a_recipe_is_laid_over_its_base(tmp_path):
    mine = written(
        tmp_path,
        "base: llama1\nsources:\n  github: null\n  commoncrawl: {raw: {crawls: [CC-MAIN-2019-30]}}\n"
        "  c4: {raw: {publisher: files, input: [a]}}\n",
    )
    recipe = load_build(mine)
    assert "github" not in recipe.sources
    assert recipe.sources["commoncrawl"].raw["crawls"] == ["CC-MAIN-2019-30"]
    assert recipe.sources["commoncrawl"].raw["scope_files"] == 50  # the base's
    assert recipe.perplexity.train


def test_another_publisher_has_none_of_the_keys_of_the_one_before(tmp_path):
    mine = written(tmp_path, "base: llama1\nsources: {arxiv: {raw: {publisher: files, input: [tars/]}}}\n")
    assert load_build(mine).sources["arxiv"].raw == {"publisher": "files", "input": ["tars/"]}


def test_overrides_and_sources_left_out():
    recipe = load_build("sample", ["mixture.set=[seq_len=128]", "seed=3"], ["arxiv"])
    assert recipe.seed == 3
    assert "arxiv" not in recipe.sources
    assert recipe.mixture.set == ("seq_len=128",)
    tokenizer, mixture = (stage for stage in stages_of(recipe, "auto") if stage.name in ("tokenizer", "mixture"))
    assert "--renormalise" in tokenizer.commands[0].words  # the others share its part
    assert "missing=renormalise" in mixture.commands[0].words


def test_a_number_of_tokens_is_one(tmp_path):
    assert load_build(written(tmp_path, "base: sample\ntokens: 123456\n")).tokens == "123456"
    assert load_build("sample", ["tokens=1e9"]).tokens == "1000000000"


def test_a_base_is_looked_for_beside_the_recipe(tmp_path):
    written(tmp_path, "base: sample\nseed: 7\n", "parent.yaml")
    assert load_build(written(tmp_path, "base: parent.yaml\n")).seed == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base: nothing\n", "there is no recipe 'nothing'; built in are llama1, sample"),
        ("base: 3\n", "base must be a name"),
        ("sources: {}\n", "sources must name at least one source"),
        ("base: sample\nsources: [1, 2]\n", "sources must be a mapping"),
        ("sources: {a: {raw: {publisher: files}, together: '('}}\n", "together is no regular expression"),
        ("sources: {a: {raw: {publisher: files}, share: b, grows: true}}\n", "share and grows do not go together"),
        ("sources: {a: {raw: {input: [b]}}}\n", "raw must say its publisher"),
        ("sources: {a: {raw: {publisher: files}, grow: true}}\n", "Did you mean sources.a.grows"),
        ("sources: {a/b: {raw: {publisher: files}}}\n", "'a/b' is no name"),
        ("base: sample\nperplexity: {train: true}\nsources: {wikipedia: null}\n", "wikipedia is not there"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, said):
    with pytest.raises(RecipeError, match=said):
        load_build(written(tmp_path, text))


def test_a_recipe_that_is_its_own_base_is_refused(tmp_path):
    mine = tmp_path / "mine.yaml"
    with pytest.raises(RecipeError, match="or is its own"):
        load_build(written(tmp_path, f"base: {mine}\n"))


def test_a_source_that_is_not_there_cannot_be_left_out():
    with pytest.raises(RecipeError, match="--without news: the recipe has no such source"):
        load_build("sample", [], ["news"])
