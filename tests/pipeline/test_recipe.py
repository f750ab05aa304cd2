import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecipeError
from pipeline.recipe import as_mapping, difference, fingerprint, from_mapping, load_recipe


@dataclass(frozen=True)
class Inner:
    threshold: float = 0.5
    keep: tuple[str, ...] = ("en",)
    policy: Literal["drop_all", "keep_first"] = "drop_all"
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.threshold > 1:
            raise ValueError(f"threshold must be at most 1, it is {self.threshold}")


@dataclass(frozen=True)
class Recipe:
    enabled: bool = True
    count: int = 3
    name: str = "x"
    inner: Inner = Inner()
    cutoffs: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    marks: Literal["percentiles"] | Mapping[str, float] = "percentiles"

    def __post_init__(self) -> None:
        if self.count < 0:
            raise RecipeError(f"count must not be negative, it is {self.count}")


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a recipe from YAML text and overrides."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str, *overrides: str) -> Recipe:
        Path("my.yaml").write_text(text, encoding="utf-8")
        return load_recipe(Recipe, "my.yaml", overrides)

    return load_text


def says(message: str):
    return pytest.raises(RecipeError, match=f"^{re.escape(message)}")


class TestFile:
    def test_an_empty_mapping_gives_the_defaults(self, load):
        assert load("{}") == Recipe()

    @pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
    def test_an_empty_file_is_a_mistake(self, load, text):
        with says("the recipe my.yaml is empty: leave --recipe away for the defaults, or give it a key"):
            load(text)

    @pytest.mark.parametrize("text", ["count: 1\ncount: 2\n", "inner:\n  keep: [a]\n  keep: [b]\n"])
    def test_a_key_that_stands_twice_is_a_mistake(self, load, text):
        with pytest.raises(RecipeError, match=r"the key (count|keep) stands twice"):
            load(text)
        with pytest.raises(RecipeError, match=r"--set 'inner={.*the key keep stands twice"):
            load("{}", "inner={keep: [a], keep: [b]}")

    def test_all_kinds_of_values(self, load):
        recipe = load(
            "enabled: false\ncount: 7\nname: ünï\ninner: {threshold: 1, keep: [en, de], policy: keep_first, limit: 5}\n"
            "cutoffs:\n  en: [340, 520.5]\n"
        )
        inner = Inner(1.0, ("en", "de"), "keep_first", 5)
        assert recipe == Recipe(False, 7, "ünï", inner, {"en": (340.0, 520.5)})
        assert isinstance(recipe.inner.threshold, float)

    def test_a_section_whose_keys_are_all_comments(self, load):
        assert load("inner:\n#  threshold: 1\n") == Recipe()

    def test_one_value_for_a_list_of_texts(self, load):
        assert load("inner: {keep: en}").inner.keep == ("en",)

    def test_null_where_it_is_allowed(self, load):
        assert load("inner: {limit: null}").inner.limit is None

    def test_a_missing_file(self, load):
        with says("cannot read the recipe none.yaml: [Errno 2] No such file or directory"):
            load_recipe(Recipe, "none.yaml")

    def test_a_file_that_is_no_text(self, tmp_path):
        (tmp_path / "my.yaml").write_bytes(b"name: \xff\xfe")
        with pytest.raises(RecipeError, match=r"cannot read the recipe .*utf-8"):
            load_recipe(Recipe, f"{tmp_path}/my.yaml")

    def test_an_unknown_name_lists_the_built_in_ones(self):
        with pytest.raises(RecipeError, match=r"there is no recipe 'comoncrawl'; built in are .*commoncrawl"):
            load_recipe(Recipe, "comoncrawl")

    @pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\tx: 1", "a: 1\na: 2", "a: !!python/object:os.system x"])
    def test_what_is_no_yaml(self, load, text):
        with says("the recipe my.yaml is not valid YAML: "):
            load(text)

    def test_what_is_no_mapping(self, load):
        with says("the recipe my.yaml must be a mapping of keys, it is a list"):
            load("- a\n- b\n")


class TestErrors:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            (
                "cuont: 1",
                "my.yaml: there is no key cuont. Did you mean count? Known: enabled, count, name, inner",
            ),
            (
                "inner: {treshold: 1}",
                "my.yaml: there is no key inner.treshold. Did you mean inner.threshold? Known: threshold, keep",
            ),
            ("zzz: 1", "my.yaml: there is no key zzz. Known: enabled,"),
            ("1: 1", "my.yaml: there is no key 1. Known: enabled,"),
            ("count: many", "my.yaml: count must be of type int, it is 'many'"),
            ("count: 1.5", "my.yaml: count must be of type int, it is 1.5"),
            ("count: true", "my.yaml: count must be of type int, it is True"),
            ("count: null", "my.yaml: count must be of type int, it is None"),
            ("enabled: 1", "my.yaml: enabled must be of type bool, it is 1"),
            ("enabled: 'yes'", "my.yaml: enabled must be of type bool, it is 'yes'"),
            ("name: 5", "my.yaml: name must be of type str, it is 5; put it in quotes"),
            ("name: true", "my.yaml: name must be of type str, it is True; put it in quotes"),
            ("inner: {threshold: true}", "my.yaml: inner.threshold must be of type float, it is True"),
            ("inner: {threshold: .nan}", "my.yaml: inner.threshold must be a finite number, it is nan"),
            (f"inner: {{threshold: 1{400 * '0'}}}", "my.yaml: inner.threshold must be a finite number, it is inf"),
            ("inner: 5", "my.yaml: inner must hold keys, it is 5"),
            ("inner: [1]", "my.yaml: inner must hold keys, it is [1]"),
            ("inner: {limit: x}", "my.yaml: inner.limit must be of type int, it is 'x'"),
            ("inner: {policy: drop}", "my.yaml: inner.policy is 'drop'; allowed: drop_all, keep_first"),
            ("inner: {policy: [drop_all]}", "my.yaml: inner.policy is ['drop_all']; allowed: drop_all, keep_first"),
            ("inner: {policy: null}", "my.yaml: inner.policy is None; allowed: drop_all, keep_first"),
            ("inner: {keep: 5}", "my.yaml: inner.keep must be a list, it is 5"),
            ("inner: {keep: [en, 5]}", "my.yaml: inner.keep[1] must be of type str, it is 5"),
            ("inner: {keep: [en, true]}", "my.yaml: inner.keep[1] must be of type str, it is True; put it"),
            ("cutoffs: 5", "my.yaml: cutoffs must be a mapping, it is 5"),
            ("marks: quartiles", "my.yaml: marks must be a mapping or percentiles, it is 'quartiles'"),
            ("marks: 5", "my.yaml: marks must be a mapping or percentiles, it is 5"),
            ("marks: {en: x}", "my.yaml: marks.en must be of type float, it is 'x'"),
            ("cutoffs: {en: [1]}", "my.yaml: cutoffs.en must have 2 items, it is [1]"),
            ("cutoffs: {en: [1, x]}", "my.yaml: cutoffs.en[1] must be of type float, it is 'x'"),
            ("cutoffs: {7: [1, 2]}", "my.yaml: a key of cutoffs must be of type str, it is 7; put it in quotes"),
            ("inner: {threshold: 2}", "my.yaml: inner: threshold must be at most 1, it is 2.0"),
            ("count: -1", "my.yaml: count must not be negative, it is -1"),
        ],
    )
    def test_the_message_names_the_key_the_value_and_what_is_allowed(self, load, text, message):
        with says(message):
            load(text)


class TestSet:
    def test_values_are_read_by_their_form(self, load):
        recipe = load(
            "name: file",
            "count=8",
            "enabled=false",
            "name=on the line",
            "inner.keep=[de, fr]",
            "inner.threshold=0.1",
            "cutoffs={en: [1, 2]}",
        )
        assert recipe == Recipe(False, 8, "on the line", Inner(0.1, ("de", "fr")), {"en": (1.0, 2.0)})

    def test_a_language_may_be_norwegian(self, load):
        assert load("inner: {keep: [no]}", "cutoffs.no=[1, 2]") == Recipe(
            inner=Inner(keep=("no",)), cutoffs={"no": (1.0, 2.0)}
        )

    def test_whole_numbers_may_have_an_exponent(self, load):
        assert load("count: 2e3").count == 2000
        assert load("{}", "count=1e9").count == 10**9

    def test_parents_that_the_file_lacks_or_leaves_empty(self, load):
        assert load("{}", "inner.threshold=0.1").inner.threshold == 0.1
        assert load("inner:", "inner.threshold=0.1").inner.threshold == 0.1

    def test_other_keys_of_the_parent_stay(self, load):
        assert load("inner: {threshold: 0.1}", "inner.limit=4").inner == Inner(0.1, limit=4)

    def test_the_last_one_wins(self, load):
        assert load("count: 1", "count=2", "count=3").count == 3

    def test_a_value_may_hold_an_equals_sign(self, load):
        assert load("{}", "name=a=b").name == "a=b"

    def test_an_empty_value_is_null(self, load):
        assert load("inner: {limit: 4}", "inner.limit=").inner.limit is None

    def test_an_entry_of_a_mapping(self, load):
        assert load("cutoffs: {en: [1, 2]}", "cutoffs.de=[3, 4]").cutoffs == {"en": (1.0, 2.0), "de": (3.0, 4.0)}

    def test_a_mapping_that_yaml_shares_is_changed_in_one_place(self, load):
        with says("my.yaml: there is no key other."):
            load("inner: &a {limit: 1}\nother: *a\n", "inner.limit=2")
        settings = "inner: &a {limit: 1}\n"
        assert load(settings, "inner.limit=2").inner.limit == 2

    @pytest.mark.parametrize(
        ("override", "message"),
        [
            ("count", "--set 'count' must look like key.path=value"),
            ("count.deep=1", "--set 'count.deep=1': 'count' holds a value, it has no keys below it"),
            ("name=[1", "--set 'name=[1': the value is not valid YAML: "),
            ("inner.treshold=1", "my.yaml: there is no key inner.treshold. Did you mean inner.threshold?"),
            ("count=many", "my.yaml: count must be of type int, it is 'many'"),
            ("=1", "my.yaml: there is no key . Known: enabled,"),
        ],
    )
    def test_errors(self, load, override, message):
        with says(message):
            load("count: 1", override)


def test_a_recipe_as_a_mapping_comes_back():
    recipe = Recipe(False, 7, "x", Inner(0.25, ("en", "de"), limit=3), {"en": (1.0, 2.0)})
    settings = as_mapping(recipe)
    assert settings == json.loads(json.dumps(settings))
    assert settings["inner"]["keep"] == ["en", "de"]
    assert from_mapping(Recipe, settings, "again") == recipe


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec=None)),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_the_fingerprint_survives_json_and_the_order_of_keys(value):
    turned = dict(reversed(value.items())) if isinstance(value, dict) else value
    assert fingerprint(turned) == fingerprint(json.loads(json.dumps(value)))
    assert re.fullmatch("[0-9a-f]{64}", fingerprint(value))


def test_the_fingerprint_changes_with_any_value():
    values = [{"a": 1}, {"a": 2}, {"b": 1}, {"a": "1"}, {"a": [1]}, {"a": None}, {}, [], None, 0, False, "\udcff"]
    assert len({fingerprint(value) for value in values}) == len(values)


def test_difference():
    before = {"same": 1, "changed": 1, "gone": 1, "deep": {"list": [1, 2], "kept": 0}, "was": {"x": 1}}
    after = {"same": 1, "changed": "1", "deep": {"list": [1, 3], "kept": 0, "new": None}, "was": 5}
    assert difference(before, after) == [
        "changed: 1 -> '1'",
        "deep.list: [1, 2] -> [1, 3]",
        "deep.new: '(absent)' -> None",
        "gone: 1 -> '(absent)'",
        "was: {'x': 1} -> 5",
    ]


@given(json_values, json_values)
def test_there_is_a_difference_exactly_where_values_differ(before, after):
    assert difference(before, before) == []
    assert bool(difference(before, after)) == (before != after)
