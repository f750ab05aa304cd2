"""Which of the books that overlap goes."""

from filters.near_duplicates.minhash import Overlap, pack_pairs
from sources.books.near_duplicates import REPORT, Removal, choose_removals, read_removed, write_report

SIZE = 1000


def choose(pairs: dict[tuple[int, int], int], candidates=None, linkage="direct", count=6) -> dict[int, int]:
    """Removals for books of which pairs share so many of 1,000 shingles; only candidates may be compared by chance."""

    def measure(first: int, second: int) -> Overlap:
        return Overlap(pairs.get((min(first, second), max(first, second)), 0), SIZE, SIZE)

    candidates = pack_pairs(sorted(candidates or pairs))
    found = choose_removals(count, candidates, measure, 0.9, "containment", linkage)
    assert all(removal.overlap == measure(removal.removed, removal.survivor) for removal in found)
    return {removal.removed: removal.survivor for removal in found}


def test_a_pair_over_the_threshold_loses_the_later_one():
    assert choose({(1, 2): 901, (3, 4): 900}) == {2: 1}


def test_of_several_that_stay_the_one_with_most_overlap_is_named():
    assert choose({(0, 5): 910, (1, 5): 950, (2, 5): 950}) == {5: 1}


def test_directly_linked_a_collection_does_not_go_for_what_it_shares_with_another():
    """5 is a story in both collections 0 and 1, which have nothing else in common."""
    shared = {(0, 5): 1000, (1, 5): 1000}
    assert choose(shared) == {5: 0}
    assert choose(shared, linkage="chain") == {1: 0, 5: 0}


def test_a_row_of_editions():
    row = {(0, 1): 950, (1, 2): 950, (0, 2): 880, (2, 3): 950, (1, 3): 880}
    assert choose(row) == {1: 0, 3: 2}
    assert choose(row, linkage="chain") == {1: 0, 2: 0, 3: 0}


def test_a_copy_is_compared_with_what_its_like_went_for_even_if_it_is_no_candidate():
    """In a large group each book is a candidate of its neighbours only."""
    overlaps = {(a, b): 1000 for a in range(6) for b in range(a + 1, 6)}
    neighbours = {(n, n + 1): 1000 for n in range(5)}
    assert choose(overlaps, neighbours) == dict.fromkeys(range(1, 6), 0)


def test_no_candidates():
    assert choose({}) == {}


def test_the_report_can_be_read_by_eye_and_by_the_step(tmp_path):
    row = {
        "removed_id": "g/1",
        "removed_title": "A\tlong\ntitle",
        "survivor_id": "g/2",
        "survivor_title": None,
        "overlap": 0.95,
        "containment": 0.95,
        "jaccard": 0.9,
        "removed_characters": 10,
        "survivor_characters": 20,
        "removed_file": "f.txt",
        "removed_offset": 0,
    }
    write_report(lambda name: str(tmp_path / name), [row])
    lines = (tmp_path / "duplicates.tsv").read_text().split("\n")
    assert lines[1] == "0.9500\tg/1\tA long title\tg/2\t\t0.9500\t0.9000"
    assert lines[0].split("\t")[:2] == ["overlap", "removed_id"]
    assert read_removed(str(tmp_path / REPORT)) == {("f.txt", 0): "g/2"}
    write_report(lambda name: str(tmp_path / name), [])
    assert read_removed(str(tmp_path / REPORT)) == {}
    assert Removal(1, 0, Overlap(1, 1, 1)).survivor == 0
