from hypothesis import given
from hypothesis import strategies as st

from filters.instructions.split import Piece, estimated_tokens, split_rounds, split_turns
from filters.instructions.turns import Turn
from tests.tables import results_of

test_rounds_fill_pieces = results_of(
    split_rounds,
    {
        (): {10: []},
        (4,): {10: [(0, 1)], 3: [(0, 1)]},
        (4, 4, 4): {12: [(0, 3)], 11: [(0, 2), (2, 3)], 8: [(0, 2), (2, 3)], 3: [(0, 1), (1, 2), (2, 3)]},
        (2, 20, 2): {10: [(0, 1), (1, 2), (2, 3)]},
        (20, 2, 2): {10: [(0, 1), (1, 3)]},
        (6, 6): {11: [(0, 1), (1, 2)]},  # FastChat loses the second
    },
)


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 60))
def test_no_round_is_lost_and_no_piece_is_too_long_that_could_be_shorter(lengths, limit):
    pieces = split_rounds(lengths, limit)
    assert [n for start, end in pieces for n in range(start, end)] == list(range(len(lengths)))
    assert all(sum(lengths[start:end]) <= limit or end - start == 1 for start, end in pieces)


def test_turns_are_cut_between_rounds_and_the_system_counts_in_each_piece():
    rounds = [Turn("user", "x" * 4), Turn("assistant", "y" * 4, True)] * 3  # 20 tokens each, with the template's
    assert split_turns(rounds, 40, len) == [Piece(0, 4, 40), Piece(4, 6, 20)]
    system = [Turn("system", "s" * 4), *rounds]
    assert split_turns(system, 50, len) == [Piece(1, 5, 50), Piece(5, 7, 30)]
    assert split_turns(system, 49, len) == [Piece(1, 3, 30), Piece(3, 5, 30), Piece(5, 7, 30)]


def test_tokens_are_estimated_from_bytes():
    assert [estimated_tokens(text, 3.0) for text in ("", "a", "abc", "abcd", "日本", "\ud800")] == [0, 1, 1, 2, 2, 1]
