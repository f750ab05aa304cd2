from fractions import Fraction

import pytest

from pipeline.errors import RecipeError
from pipeline.mix.recipe import MixRecipe, SourceShare, load_mixture, normalised, parse_tokens
from tests.tables import results


def write(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def test_the_paper_s_table():
    recipe = load_mixture("llama1")
    assert {name: source.share for name, source in recipe.sources.items()} == {
        "commoncrawl": 67.0,
        "c4": 15.0,
        "github": 4.5,
        "wikipedia": 4.5,
        "books": 4.5,
        "arxiv": 2.5,
        "stackexchange": 2.0,
    }
    assert {name: source.subsets for name, source in recipe.sources.items() if source.subsets} == {"c4": ("train",)}
    assert recipe.max_epochs == 2.5
    assert (recipe.seq_len, recipe.bos, recipe.eos, recipe.missing) == (2048, True, True, "refuse")


@pytest.mark.parametrize("name", ["llama1", "redpajama", "encyclopedic"])
def test_built_in_recipes_are_valid(name):
    assert sum(normalised(load_mixture(name), list(load_mixture(name).sources))) == 1


def test_overrides(tmp_path):
    path = write(tmp_path, "sources: {a: {share: 60}, b: {share: 40, max_epochs: 1}}")
    recipe = load_mixture(path, ["seed=3", "sources.a.subsets=[en]"])
    assert (recipe.seed, recipe.sources["a"].subsets) == (3, ("en",))
    assert (recipe.limit("a"), recipe.limit("b")) == (2.5, 1.0)


@pytest.mark.parametrize(
    "shares", [(60, 40), (0.6, 0.4), (33.3333, 66.6667), (33.3, 33.3, 33.3), (0.143,) * 7, (16.67,) * 6, (14.29,) * 7]
)
def test_shares_sum_to_100_or_to_1_but_for_their_rounding(shares):
    recipe = MixRecipe({f"s{n}": SourceShare(share) for n, share in enumerate(shares)})
    assert sum(normalised(recipe, list(recipe.sources))) == 1


def test_shares_are_the_decimals_of_the_recipe():
    recipe = MixRecipe({"a": SourceShare(0.1), "b": SourceShare(0.2), "c": SourceShare(0.7)})
    assert normalised(recipe, ["a", "b", "c"]) == [Fraction(1, 10), Fraction(2, 10), Fraction(7, 10)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: {a: {share: 60}, b: {share: 30}}", r"must sum to 100 \(or to 1\), they sum to 90: a 60 \+ b 30"),
        ("sources: {a: {share: 0}}", "sources.a: share must be above 0, it is 0"),
        ("sources: {a: {share: -1}, b: {share: 101}}", "share must be above 0, it is -1"),
        ("sources: {a: {share: .nan}}", "finite"),
        ("sources: {}", "sources must name 1 to 256 sources, it names 0"),
        ("seq_len: 64", "sources must name 1 to 256 sources, it names 0; such as sources"),
        ("sources: {a: {share: 100, folder: /data/a}}", "folder must name a folder in the corpus, .* it is '/data/a'"),
        ("sources: {a: {share: 100, folder: ../a}}", "folder must name a folder in the corpus"),
        (
            "sources: {a: {share: 100}}\nheldout_tokens: 60\nseq_len: 64",
            "must be 0, or fill a row of seq_len=64",
        ),
        ("sources: {a: {share: 49.9}, b: {share: 50}}", r"must sum to 100"),
        ("sources: {../a: {share: 100}}", "'../a' is no name"),
        ("sources: {a: {share: 100, weight: 1}}", "no key sources.a.weight"),
        ("sources: {a: {share: 100}}\nseq_len: 0", "seq_len must lie between 1 and 65535, it is 0"),
        ("sources: {a: {share: 100}}\nseq_len: 70000", "seq_len must lie between"),
        ("sources: {a: {share: 100}}\nshard_rows: 0", "shard_rows must be at least 1"),
        ("sources: {a: {share: 100}}\nmax_epochs: 0", "max_epochs must be above 0"),
        ("sources: {a: {share: 100}}\nheldout_tokens: -1", "heldout_tokens must not be negative"),
        ("sources: {a: {share: 100}}\nmissing: ignore", "allowed: refuse, renormalise"),
        ("sources: {a: {share: 100}}\nsead: 1", "Did you mean seed?"),
    ],
)
def test_wrong_recipes_name_key_and_value(tmp_path, text, message):
    with pytest.raises(RecipeError, match=message):
        load_mixture(write(tmp_path, text))


def test_an_unknown_name_lists_the_others():
    with pytest.raises(RecipeError, match="no proportions 'llama2'; built in are chat, encyclopedic, llama1, "):
        load_mixture("llama2")


test_budgets = results(
    parse_tokens,
    {
        "1.4T": 1_400_000_000_000,
        "10B": 10_000_000_000,
        "500m": 500_000_000,
        "2.5K": 2500,
        "123456": 123456,
        "1_000": 1000,
        "auto": None,
    },
)


@pytest.mark.parametrize("text", ["", "0", "-5", "1.5", "ten", "10 G", "1e9", "1.2.3B", "T", "0.0001K"])
def test_what_is_no_budget(text):
    with pytest.raises(RecipeError, match=r"--tokens must look like 1\.4T, 10B"):
        parse_tokens(text)
