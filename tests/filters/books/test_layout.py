"""The white space of books."""

from hypothesis import given
from hypothesis import strategies as st

from filters.books.layout import tidy

PROSE = (
    "It was a long evening, and the lamps along the quay burned low\nwhile the last boat of the day came in with nets "
    "and\nbaskets, as it always did."
)
VERSE = "  The lamp is low,\n  the boats are slow,\n  and home we go."


def test_paragraphs_and_indentation_stay_and_the_rest_goes():
    assert tidy("\n\nA line \t\r\nand one.\n\n\n\n\n\n  Indented\x00\u00a0\n\fEnd\n\n") == (
        "A line\nand one.\n\n\n  Indented\n\n\nEnd"
    )
    assert tidy("") == ""


def test_prose_is_unwrapped_where_asked_for_and_verse_never():
    text = f"{PROSE}\n\n\n{VERSE}\n\nCHAPTER 1"
    assert tidy(text) == text
    assert tidy(text, unwrap=True) == text.replace(PROSE, PROSE.replace("\n", " "))


@given(st.text(st.sampled_from("ab \n\t\r\f\x00\u00a0"), max_size=60), st.booleans())
def test_tidying_twice_changes_nothing_and_no_letter_goes(text, unwrap):
    once = tidy(text, unwrap=unwrap)
    assert tidy(once) == once
    assert [c for c in once if c in "ab"] == [c for c in text if c in "ab"]
