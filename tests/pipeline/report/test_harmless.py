import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.harmless import clipped, harmless, one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\nof two lines", "plain\ttext\nof two lines"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\x1b[31mred\x07\x00\x7f", "\u241b[31mred\u2407\u2400\u2421"),
        ("\x9b31m", "[U+009B]31m"),
        ("abc\u202egpj.exe\u2066", "abc[U+202E]gpj.exe[U+2066]"),
        ("zero\u200bwidth\ufeff", "zero[U+200B]width[U+FEFF]"),
        ("line\u2028separator", "line[U+2028]separator"),
        ("\U000e0041tag", "[U+E0041]tag"),
        ("lone \ud800", "lone [U+D800]"),
        ("می\u200cخواهم 👩\u200d🌾", "می\u200cخواهم 👩\u200d🌾"),
        ("e" + "\u0301" * 9, "e" + "\u0301" * 4),
        ("Ha\u0308lfte, नमस्ते, 中文", "Ha\u0308lfte, नमस्ते, 中文"),
    ],
)
def test_what_acts_or_hides_is_shown(text, shown):
    assert harmless(text) == shown


@given(st.text())
def test_nothing_that_acts_is_left(text):
    shown = harmless(text)
    left = {unicodedata.category(c) for c in shown if c not in "\t\n\u200c\u200d"}
    assert "Cc" not in left
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff")
    assert harmless(shown) == shown


def test_a_name_stays_on_its_line():
    assert one_line(" a\nb\t\x00c\u2029 ") == "a b ␀c[U+2029]"


def test_clipping_says_what_is_left_out():
    assert clipped("abcdef", 4) == ("abcd", 2)
    assert clipped("ab\x00", 4) == ("ab␀", 0)
