"""Settings are what they look like."""

import pytest

from pipeline.errors import RecipeError
from pipeline.settings import parse_flag, parse_yaml

SCALARS = {
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "6e1": 60.0,
    "1e-5": 1e-5,
    "1.5": 1.5,
    ".5": 0.5,
    "-3": -3,
    "0300": 300,
    "1_000": 1000,
    "0x10": 16,
    "0o17": 15,
    ".inf": float("inf"),
    "on": "on",
    "no": "no",
    "1:30": "1:30",
    "2019-02-30": "2019-02-30",
    "2019-02-28": "2019-02-28",
    "1.2.3": "1.2.3",
    "-": "-",
    "=": "=",
    "CC-MAIN-2019-18": "CC-MAIN-2019-18",
}


@pytest.mark.parametrize("text", SCALARS)
def test_a_scalar_is_what_it_looks_like(text):
    expected = SCALARS[text]
    for found in (parse_flag(text, "x"), *([] if text == "-" else [parse_yaml(f"a: [{text}]", "x")["a"][0]])):
        assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    "text", ["data #2/model", "a: b", "*.gz", "&x", "!x", "%x", "@x", "`x", "- x", "> x", "|", "? x"]
)
def test_a_flag_is_taken_literally(text):
    assert parse_flag(f" {text} ", "x") == text


def test_a_flag_may_hold_a_list_a_mapping_or_a_quoted_text():
    assert parse_flag("[en, 2, {a: on}]", "x") == ["en", 2, {"a": "on"}]
    assert parse_flag("{a: 1}", "x") == {"a": 1}
    assert parse_flag("'12'", "x") == "12"
    assert parse_flag("", "x") is None


@pytest.mark.parametrize("text", ["{a: 1, a: 2}", "[1", "'x", "{a: !!python/name:os.system }", "[" * 5000])
def test_what_cannot_be_read_is_named(text):
    for parse in (parse_yaml, parse_flag):
        with pytest.raises(RecipeError, match=r"^the flag is not valid YAML: "):
            parse(text, "the flag")


def test_a_mapping_may_be_merged_into_another():
    assert parse_yaml("{a: &a {x: 1}, b: {<<: *a, y: 2}}", "x")["b"] == {"x": 1, "y": 2}
