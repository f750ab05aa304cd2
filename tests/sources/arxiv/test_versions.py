"""Which of several versions of a paper is read."""

from hypothesis import given
from hypothesis import strategies as st

from sources.arxiv.versions import NEWEST, Listed, choose_newest


def listed(version: int, time: int = 0, path: str = "a.tar", offset: int = 0, paper: str = "x") -> Listed:
    return Listed(paper, version, time, path, offset)


def test_the_highest_version_stays():
    one, two, three = listed(1, offset=1), listed(2, offset=2), listed(3, offset=3)
    assert choose_newest([one, three, two]) == [(one, three), (two, three)]


def test_a_submission_without_a_version_is_the_newest():
    assert choose_newest([listed(NEWEST), listed(9, offset=1)]) == [(listed(9, offset=1), listed(NEWEST))]


def test_of_two_without_a_version_the_later_stays_and_of_copies_the_first():
    early, late, copy = listed(NEWEST, 1), listed(NEWEST, 2, offset=1), listed(NEWEST, 2, "b.tar")
    assert choose_newest([early, late, copy]) == [(early, late), (copy, late)]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(1, 3), st.integers(0, 2)), max_size=20))
def test_one_of_each_paper_stays(rows):
    items = [listed(version, time, "a.tar", n, paper) for n, (paper, version, time) in enumerate(rows)]
    older = [pair[0] for pair in choose_newest(items)]
    assert len(older) == len(set(older)) == len(items) - len({item.paper for item in items})
