import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.c4.bad_words import BadWords, read_bad_words, runs

LIST = [
    "wibble",
    "two turnips one bucket",
    "rats-tail",
    "o'gruff",
    "🥔",
    "ça va",
    "9lives",
    "grum ",
    "",
    "Capital",
    "-x-",
    "a b",
]
ALPHABET = [*"ab x-.'\n🥔é_9"]
PIECES = [
    *LIST,
    "wibbles",
    "wib",
    "ble",
    "turnips",
    "two",
    "one bucket",
    " ",
    "-",
    ".",
    "_",
    "\n",
    "é",
    "A",
    "a",
    "b",
    "X",
]


def original(words: list[str]) -> re.Pattern[str]:
    """The regex that defines a match; an empty word would match everywhere, and stands in no list."""
    alternatives = "|".join(re.escape(w) for w in sorted({w.strip() for w in words} - {""}))
    return re.compile(rf"(?:\W|^)({alternatives})(?:\W|$)")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a wibble here", True),
        ("Wibble.", True),
        ("wibbles", False),
        ("wibble_", False),
        ("(wibble)", True),
        ("dewibble", False),
        ("Two turnips one bucket!", True),
        ("two  turnips one bucket", False),
        ("two turnips one buckets", False),
        ("two turnips one buckets, two turnips one bucket", True),
        ("a rats-tail", True),
        ("rats-tails", False),
        ("a🥔b", False),
        ("a 🥔b", False),
        ("a 🥔", True),
        ("ÇA VA?", True),
        ("capital", False),
        ("", False),
    ],
)
def test_literal_texts(text, found):
    assert BadWords(LIST).found_in(text) is found
    assert (original(LIST).search(text.lower()) is not None) is found


def test_equal_to_the_regex_on_texts_made_of_the_words_and_what_is_near_them():
    draw, words, regex = random.Random(1), BadWords(LIST), original(LIST)
    answers = []
    for _ in range(8000):
        text = "".join(draw.choice(PIECES) for _ in range(draw.randrange(7)))
        answers.append(words.found_in(text))
        assert answers[-1] == (regex.search(text.lower()) is not None), text
    assert 1000 < sum(answers) < 7000


@settings(max_examples=300)
@given(
    st.lists(st.text(alphabet=ALPHABET, min_size=1, max_size=4), min_size=1, max_size=6),
    st.text(alphabet=ALPHABET, max_size=30),
)
def test_equal_to_the_regex_for_any_list_and_text(listed, text):
    if any(word.strip() for word in listed):
        assert BadWords(listed).found_in(text) == (original(listed).search(text.lower()) is not None)


@given(st.text(), st.text(alphabet="aÉ_ -\u2028\u00a0²½𝔘\U0001f954"))
def test_runs_are_those_of_the_regex(first, second):
    for text in (first, second, first + second):
        assert runs(text) == re.findall(r"\w+", text)


def test_a_list_is_read_from_a_file(tmp_path):
    path = tmp_path / "list"
    path.write_text("wibble\n\n ça va \n", encoding="utf-8")
    words = read_bad_words(str(path))
    assert len(words) == 2
    assert words.found_in("il dit: ça va")
    for data in (b"", b"\n \n", b"\xff\xfe"):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="the list of bad words"):
            read_bad_words(str(path))
    with pytest.raises(ValueError, match="cannot be read"):
        read_bad_words(str(tmp_path / "nowhere"))


def test_a_phrase_that_almost_matches_everywhere_takes_no_long_time():
    assert not BadWords(["a b"]).found_in("a ba b" * 100_000)
