from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.recipe_keys import attributes, listing, recipe_keys, written


@dataclass(frozen=True)
class Inner:
    """What lies within.

    Attributes:
        depth: how deep it goes; two lines
            of text.
        names: Some names.

    Raises:
        ValueError: Never.
    """

    depth: int = 3
    names: tuple[str, ...] = ("a", "b")


@dataclass(frozen=True)
class Outer:
    """All.

    Attributes:
        size: Must be given.
        table: Pairs: of words.
        parts: Never shown, for what it holds is.
    """

    size: int
    word: str | None = None
    inner: Inner = Inner()
    table: Mapping[str, float] = field(default_factory=dict)
    parts: dict[str, Inner] = field(default_factory=dict)


def test_the_keys_of_nested_recipes_with_their_meanings():
    assert [(key.path, key.default, key.meaning) for key in recipe_keys(Outer)] == [
        ("size", "", "Must be given."),
        ("word", "null", ""),
        ("inner.depth", "3", "How deep it goes; two lines of text."),
        ("inner.names", "[a, b]", "Some names."),
        ("table", "{}", "Pairs: of words."),
        ("parts.<name>.depth", "3", "How deep it goes; two lines of text."),
        ("parts.<name>.names", "[a, b]", "Some names."),
    ]


def test_defaults_are_those_of_the_recipe_that_is_given():
    keys = {key.path: key.default for key in recipe_keys(Outer, Outer(5, "x", Inner(depth=200_000)))}
    assert (keys["size"], keys["word"], keys["inner.depth"]) == ("5", "x", "200_000")


def test_a_docstring_without_attributes_says_nothing():
    assert attributes(int) == {}


def test_values_stand_as_in_yaml():
    values = [None, True, 1e12, "", "a: b", "a\nb", {"en": (240.0, 290.0)}, (), "plain"]
    assert [written(value) for value in values] == [
        "null", "true", "1e+12", "''", "'a: b'", "'a\\nb'", "{en: [240.0, 290.0]}", "[]", "plain",
    ]  # fmt: skip


def test_a_long_list_is_cut_and_counted():
    text = written(tuple(f"word{number:03}" for number in range(50)))
    assert text == "[" + ", ".join(f"word{number:03}" for number in range(11)) + ", ...] (50)"


def test_the_listing_of_a_command():
    assert listing(recipe_keys(Inner)) == (
        "depth = 3\n    How deep it goes; two lines of text.\nnames = [a, b]\n    Some names.\n"
    )
