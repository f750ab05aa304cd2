import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.commoncrawl.normalize import (
    LOOK_ALIKES,
    MAX_CACHED_RUNS,
    LanguageModelNormalizer,
    check_join_lines,
    normalize_plain,
)

REAL = Path(__file__).parents[3].parent / "shared" / "real"
# What the fast form treats in ways of its own: case that depends on neighbours, marks that decomposition reorders,
# look-alikes, white space, controls, digits, lone surrogates.
ODD = (
    "aZ0 \n\t\x00\x1c\x7f\x85\x9f\xa0\u2003ΣσςİIıé\u0301\u0323\u302e\U0001d165\u0344각１٣²½"
    + "".join(LOOK_ALIKES)
    + "\ud800"
)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Hello, World! 2019", "hello, world! 0000"),
        ("  Crème Brûlée \n", "creme brulee"),
        ("first line\nsecond line", "first linesecond line"),
        ("first line\r\nsecond line", "first linesecond line"),
        ("a\tb\x00c\x7fd\x85e", "abcde"),
        ("\xa0a\xa0b\xa0", "a\xa0b"),  # inside, a no-break space is no control character
        ("１2٣४²", "0000²"),  # decimal digits, of any script; the full-width one never becomes a quotation mark
        ("“x” — ‘y’…", '"x"  -  ‘y\'...'),  # the opening single quotation mark is not in the table
        ("ΟΔΟΣ", "οδος"),  # the sigma at the end of a word
        ("İSTANBUL", "istanbul"),
        ("각", unicodedata.normalize("NFD", "각")),
        ("．～►％", ". ~-%"),
        ("\u1ffd\u037e", "';"),  # both decompose into characters of the table or of ASCII
        ("", ""),
        (" \n\t", ""),
        ("\x00\x01", ""),
        ("\x00 a", " a"),  # a control character at the end keeps the space behind it from being stripped
    ],
)
def test_text(text: str, normal: str):
    assert normalize_plain(text) == normal
    assert LanguageModelNormalizer()(text) == normal


@pytest.mark.parametrize(("character", "look_alike"), LOOK_ALIKES.items())
def test_look_alikes(character: str, look_alike: str):
    expected = "0" if character == "１" else look_alike
    assert LanguageModelNormalizer()(f"a{character}b") == normalize_plain(f"a{character}b") == f"a{expected}b"


def test_there_are_34_look_alikes():
    assert len(LOOK_ALIKES) == 34


def test_newlines_can_become_spaces():
    text = "\nEnd.\nStart\r\n\nof é\n"
    assert normalize_plain(text, "space") == "end. start  of e"
    assert LanguageModelNormalizer("space")(text) == "end. start  of e"
    assert LanguageModelNormalizer("fuse")(text) == "end.startof e"


@pytest.mark.parametrize(
    ("separator", "join_lines", "end"),
    [
        ("", "fuse", 0x110000),
        ("a", "space", 0x110000),
        (" ", "fuse", 0x3400),
        ("\u0301", "fuse", 0x3400),
        ("Σ", "space", 0x3400),
    ],
)
def test_fast_equals_plain_on_every_character(separator, join_lines, end):
    text = separator.join(map(chr, range(end)))
    plain = normalize_plain(text, join_lines)
    assert LanguageModelNormalizer(join_lines)(text) == plain
    assert LanguageModelNormalizer(join_lines, use_compiled=False)(text) == plain


@given(st.text(st.sampled_from(ODD)), st.sampled_from(["fuse", "space"]))
def test_fast_equals_plain_on_odd_text(text, join_lines):
    plain = normalize_plain(text, join_lines)
    assert LanguageModelNormalizer(join_lines)(text) == plain
    assert LanguageModelNormalizer(join_lines, use_compiled=False)(text) == plain


@given(st.text())
def test_fast_equals_plain_on_any_text(text):
    assert LanguageModelNormalizer()(text) == normalize_plain(text)


@given(
    st.text(st.characters(min_codepoint=0x300, max_codepoint=0x36F) | st.sampled_from("aé\u302e\U0001d165\U0001d16e"))
)
def test_marks_are_reordered_as_in_the_whole_text(text):
    assert LanguageModelNormalizer()(text) == normalize_plain(text)
    assert LanguageModelNormalizer(use_compiled=False)(text) == normalize_plain(text)


def test_every_character_alone_and_beside_each_kind_of_mark():
    """What the compiled loop keeps of a character serves wherever it stands."""
    normalize = LanguageModelNormalizer()
    for beside in ("", "\u0301", "\u302e", "\u0345", "Σ", "\ud800"):
        for start in range(0x80, 0x20000, 0x800):
            for text in (beside.join(map(chr, range(start, start + 0x800))), chr(start) + beside):
                assert normalize(text) == normalize_plain(text)


def test_caches_are_bounded_and_change_nothing():
    normalize = LanguageModelNormalizer(use_compiled=False)
    runs = [
        f"é{chr(0x4E00 + number % 20000)}{chr(0x4E00 + number // 20000)}" for number in range(MAX_CACHED_RUNS + 500)
    ]
    text = " ".join(runs)
    assert normalize(text) == normalize_plain(text)
    assert 0 < len(normalize._runs) <= MAX_CACHED_RUNS
    assert normalize(text[:1000]) == normalize_plain(text[:1000])


@pytest.mark.skipif(not REAL.is_dir(), reason="the real samples are not here")
def test_fast_equals_plain_on_real_pages():
    normalize = LanguageModelNormalizer()
    pages = 0
    for path in sorted((REAL / "commoncrawl" / "wet").glob("*.wet")) + sorted(
        (REAL / "langid" / "sentences").glob("*")
    ):
        for page in path.read_text("utf-8", "replace").split("WARC/1.0"):
            assert normalize(page) == normalize_plain(page)
            pages += 1
    assert pages > 60


def test_join_lines_is_checked():
    with pytest.raises(ValueError, match="join_lines must be one of fuse, space, not 'keep'"):
        LanguageModelNormalizer("keep")
    assert check_join_lines("space") == "space"
