"""The quality rules of source files, on texts whose measures can be counted by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.code.quality import (
    Measures,
    Thresholds,
    judge,
    judge_tokens,
    letters,
    measure,
)


def test_measures_are_those_of_the_text():
    assert measure("ab = 1\n\nc\n") == Measures(3, 6, 7 / 3, 4 / 10)
    assert measure("") == Measures(0, 0, 0.0, 0.0)
    assert measure("\n") == Measures(1, 0, 0.0, 0.0)
    assert measure("a") == Measures(1, 1, 1.0, 1.0)


def test_a_line_ends_at_a_newline_alone():
    text = "a\x0bb\x0cc\x1cd\u2028e\x85f"
    assert len(text.splitlines()) == 6
    assert measure(text).lines == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("x" * 1000 + "\n" * 10, None),
        ("x" * 1001 + "\n" * 20, "long_line"),
        (("x" * 101 + "\n") * 3, "long_mean_line"),
        (("x" * 100 + "\n") * 3, None),
        ("a---\n" * 4, "few_alphanumeric"),
        ("a--\n" * 4, None),
    ],
)
def test_the_limits_themselves_are_still_good(text, reason):
    assert judge(measure(text), Thresholds()) == reason


def test_letters_to_tokens():
    assert judge_tokens(14, 10, Thresholds()) == "few_letters_per_token"
    assert judge_tokens(15, 10, Thresholds()) is None
    assert judge_tokens(0, 0, Thresholds()) is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_line_characters", 0),
        ("max_mean_line_characters", -1.0),
        ("min_alphanumeric_share", 1.5),
        ("min_letters_per_token", -0.1),
    ],
)
def test_limits_that_make_no_sense_are_refused(key, value):
    with pytest.raises(ValueError, match=key):
        Thresholds(**{key: value})


@given(st.text(max_size=80) | st.text("aZ9_é字١\udc80\n", max_size=40))
def test_measures_equal_those_of_python(text):
    lines = text.removesuffix("\n").split("\n") if text else []
    counted = Measures(
        len(lines),
        max(map(len, lines), default=0),
        sum(map(len, lines)) / len(lines) if lines else 0.0,
        sum(map(str.isalnum, text)) / len(text) if text else 0.0,
    )
    assert measure(text) == counted
    assert letters(text) == sum(map(str.isalpha, text))
