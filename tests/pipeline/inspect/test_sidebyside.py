import time

from hypothesis import given
from hypothesis import strategies as st

from pipeline.inspect.sidebyside import Row, side_by_side


def plain(spans) -> str | None:
    return None if spans is None else "".join(text for text, _ in spans)


def shown(before: str, after: str) -> list[tuple[str | None, str | None]]:
    """Rows with what differs in brackets."""

    def marked(spans):
        return None if spans is None else "".join(f"[{t}]" if changed else t for t, changed in spans)

    return [(marked(row.left), marked(row.right)) for row in side_by_side(before, after)]


def test_equal_texts_face_each_other():
    rows = list(side_by_side("a\n\nb", "a\n\nb"))
    assert [(plain(r.left), plain(r.right)) for r in rows] == [("a", "a"), ("", ""), ("b", "b")]
    assert all(row.same for row in rows)


def test_removed_and_added_lines():
    assert shown("a\nmenu\nb", "a\nb") == [("a", "a"), ("[menu]", None), ("b", "b")]
    assert shown("a\nb", "a\nnew\nb") == [("a", "a"), (None, "[new]"), ("b", "b")]


def test_changed_words_are_marked_and_lines_stay_beside_their_origin():
    before = "{{box\n|x=1}}\n'''The lamp''' was [[lit]] at dusk.\n== End =="
    after = "The lamp was lit at dusk.\nEnd"
    assert shown(before, after) == [
        ("[{{box]", None),
        ("[|x=1}}]", None),
        ("[''']The lamp['''] was [[[]lit[]]] at dusk.", "The lamp was lit at dusk."),
        ("[== ]End[ ==]", "End"),
    ]


def test_a_text_that_is_gone():
    assert shown("a", "") == [("[a]", "")]
    assert list(side_by_side("", "")) == [Row((("", False),), (("", False),))]


def test_long_and_repetitive_texts_take_their_time_in_proportion():
    before = "\n".join(["same", "other"] * 12_000)
    after = "\n".join(["other", "same", "new"] * 8_000)
    started = time.process_time()
    rows = list(side_by_side(before, after))
    assert time.process_time() - started < 20
    assert [plain(r.left) for r in rows if r.left is not None] == before.split("\n")


TEXTS = st.text(st.sampled_from("ab .\n\u00e9[]'"), max_size=60)


@given(TEXTS, TEXTS)
def test_all_lines_of_both_come_in_their_order(before, after):
    rows = list(side_by_side(before, after))
    assert [plain(row.left) for row in rows if row.left is not None] == before.split("\n") or before == ""
    assert [plain(row.right) for row in rows if row.right is not None] == after.split("\n") or after == ""


@given(TEXTS)
def test_the_same_text_has_nothing_marked(text):
    assert all(row.same for row in side_by_side(text, text))
