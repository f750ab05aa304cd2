"""Where words and ids stand in a text that is as it was found."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.near_duplicates.shingles import ShingleHasher
from pipeline.decontaminate.places import marked_ids, runs_of, spans_of, word_places
from pipeline.decontaminate.words import TextWords
from pipeline.mix.token_files import Coding
from tests.pipeline.mix.corpora import write_model
from tokenizer.encode import Encoder

HASHER = ShingleHasher(13)


def pieces(text):
    return [text[first:last] for first, last in word_places(HASHER, text).tolist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One, two.Three\u2003four", ["One", "two", "Three", "four"]),
        ("> quoted\r\n> so", ["quoted", "so"]),
        ("a well-known word", ["a", "well-known", "word"]),
        ("it was tomor-\r\n  row then", ["it", "was", "tomor-\r\n  row", "then"]),
        ("soft\u00adly", ["soft\u00adly"]),
        ("&lt;b&gt;bold&lt;/b&gt; &amp;amp;quot;said&amp;amp;quot;", ["&lt;b&gt;bold&lt;", "&lt;b&gt;bold&lt;"]),
        ("\uff26ull \ufb01re", ["\uff26ull", "\ufb01re"]),
        ("\u6771\u4eac is", ["\u6771", "\u4eac", "is"]),
        ("\u2153", ["\u2153", "\u2153"]),
        ("", []),
        ("...", []),
    ],
)
def test_each_word_has_its_piece(text, expected):
    assert pieces(text)[: len(expected)] == expected


@given(st.text("ab1-\n \u00ad&;#x\u0301\u3099\u304b\u6771.\u200d<\u2003\u1100\u1161lt", max_size=40))
@settings(max_examples=300, deadline=None)
def test_there_are_as_many_places_as_words_and_they_ascend(text):
    places = word_places(HASHER, text)
    assert len(places) == len(TextWords(HASHER, [text]))
    assert (np.diff(places[:, 0]) >= 0).all()
    assert ((places[:, 0] < places[:, 1]) & (places[:, 1] <= len(text))).all()


@given(st.lists(st.booleans()))
@settings(max_examples=50, deadline=None)
def test_runs_are_what_is_marked(marked):
    found = [k for first, stop in runs_of(np.array(marked, bool)) for k in range(first, stop)]
    assert found == np.flatnonzero(marked).tolist()


def test_the_ids_of_words(tmp_path):
    encoder = Encoder(str(write_model(tmp_path)))
    text = "harbour LANTERN, \u00e9t\u00e9 winter copper"
    places = word_places(HASHER, text)
    ids, _ = encoder.encode_batch([text])
    marked = np.array([False, True, True, False, False])
    plain, framed = (Coding("0" * 64, "uint16", frame, frame) for frame in (False, True))
    off = marked_ids(*encoder.spans(text), ids, spans_of(marked, places), plain)
    assert encoder.decode(ids[off]) == "LANTERN, \u00e9t\u00e9"
    (run,) = runs_of(off)
    assert encoder.decode(ids[: run[0]]) == "harbour "  # a space that is an id of its own is no word
    assert not marked_ids(*encoder.spans(text), ids, [], plain).any()
    other = encoder.spans("another text")  # which ids they are is not known: none is learnt
    assert marked_ids(*other, ids, [(0, 1)], plain).all()
    assert marked_ids(*other, ids, [(0, 1)], framed).tolist() == [False] + [True] * (len(ids) - 2) + [False]
