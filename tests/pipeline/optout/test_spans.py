"""Spans of removed documents, over rows that share an id, and what is put into them."""

import numpy as np

from pipeline.mix.rows import Row, Segment
from pipeline.optout.sets import gaps_after
from pipeline.optout.spans import Filling, Span, fill, find_spans

WIDTH = 4  # tokens predicted in a row, which has an id more


def row(ids, *segments):
    stops = [*(segment[0] for segment in segments[1:]), WIDTH + 1]
    found = [Segment(start, stop, *rest) for (start, *rest), stop in zip(segments, stops, strict=True)]
    return Row(np.array(ids, np.uint16), found)


# Document 7 begins on the id that rows 0 and 1 share, and ends on the one that rows 2 and 3 share.
ROWS = {
    0: row([10, 11, 12, 13, 70], (0, 0, 1, True, 0), (4, 0, 7, True, 0)),
    1: row([70, 71, 72, 73, 74], (0, 0, 7, True, 0)),
    2: row([74, 75, 76, 77, 78], (0, 0, 7, False, 4)),
    3: row([78, 20, 21, 22, 23], (0, 0, 7, False, 8), (1, 0, 2, True, 0)),
}
SPAN = Span(0, 7, 4, 13, 0, 3)


def test_a_span_goes_over_rows_that_share_an_id():
    assert find_spans(ROWS, frozenset({7}), frozenset(), WIDTH) == [SPAN]
    assert find_spans(ROWS, frozenset({1}), frozenset(), WIDTH) == [Span(0, 1, 0, 4, 0, 0)]
    assert find_spans(ROWS, frozenset(), frozenset(), WIDTH) == []


def test_a_span_ends_at_a_gap():
    found = find_spans(ROWS, frozenset({7}), frozenset({2}), WIDTH)
    assert found == [Span(0, 7, 4, 9, 0, 1), Span(0, 7, 8, 13, 2, 3)]


def test_what_fills_it_stands_in_all_its_rows():
    whole = Filling(0, 30, 0, np.arange(300, 306, dtype=np.uint16), 0)
    part = Filling(0, 40, 5, np.array([1, 405, 406], np.uint16), 1)  # begins inside its document, with a bos of its own
    filled = {number: fill(ROWS[number], number, SPAN, [whole, part], WIDTH) for number in ROWS}
    assert [one.ids.tolist() for one in filled.values()] == [
        [10, 11, 12, 13, 300],
        [300, 301, 302, 303, 304],
        [304, 305, 1, 405, 406],
        [406, 20, 21, 22, 23],
    ]
    assert filled[0].segments == [Segment(0, 4, 0, 1, True, 0), Segment(4, 5, 0, 30, True, 0)]
    assert filled[1].segments == [Segment(0, 5, 0, 30, True, 0)]
    assert filled[2].segments == [Segment(0, 2, 0, 30, False, 4), Segment(2, 5, 0, 40, True, 5)]
    assert filled[3].segments == [Segment(0, 1, 0, 40, False, 6), Segment(1, 5, 0, 2, True, 0)]
    assert [one.ids[0] for one in ROWS.values()] == [10, 70, 74, 78]  # the rows themselves stay


def test_gaps_are_counted_in_the_rows_that_are_left():
    assert gaps_after(6, [], frozenset()) == []
    assert gaps_after(6, [2], frozenset()) == [2]
    assert gaps_after(6, [], frozenset({1, 2})) == [1]
    assert gaps_after(6, [4], frozenset({0})) == [0, 3]
    assert gaps_after(6, [2, 4], frozenset({2, 3})) == [2]
    assert gaps_after(6, [], frozenset({5})) == []
