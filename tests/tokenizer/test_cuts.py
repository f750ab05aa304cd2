import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tokenizer.models import RELEASED
from tokenizer.cuts import find_cuts, merged_pieces
from tokenizer.model import NORMAL, ModelFile, parse_model

NONE = np.empty(0, np.int64)


def model_with(*pieces: str) -> ModelFile:
    return ModelFile(
        tuple(pieces), (NORMAL,) * len(pieces), (0.0,) * len(pieces), "bpe", True, False, False, True, False, True
    )


def units(model: ModelFile, text: str, more: np.ndarray = NONE) -> list[str]:
    data = text.encode()
    starts = find_cuts(model).starts(data, more).tolist()
    return [data[begin:end].decode() for begin, end in itertools.pairwise([*starts, len(data)])]


def test_cuts_where_no_piece_joins_two_classes():
    words = model_with("▁the", "er", "▁(", ");")
    assert units(words, " the (then); 12ab\n\n\tend") == [" the", " (", "then", ");", " 12", "ab", "\n\n\t", "end"]


def test_one_piece_joins_two_classes_everywhere():
    assert units(model_with("ab", "b1"), "a1b22 c") == ["a1", "b22", " ", "c"]
    assert units(model_with("ab", "1b"), "a1b22 c") == ["a", "1b", "22", " ", "c"]


def test_characters_of_more_than_one_byte():
    apart = model_with("ab")
    assert units(apart, "aéb中文 😀") == ["a", "é", "b", "中", "文", " ", "😀"]
    assert units(apart, "文\n中") == ["文\n", "中"]
    assert units(model_with("aé"), "aéb中文") == ["aé", "b", "中", "文"]
    # The last byte of "é" does not tell it from "中".
    assert units(model_with("中文"), "aé文中文文a") == ["a", "é文", "中文文", "a"]


def test_control_pieces_and_single_characters_join_nothing():
    model = ModelFile(
        ("<s>", "é", "ab"), (3, NORMAL, NORMAL), (0.0, 0.0, 0.0), "bpe", True, False, False, True, False, True
    )
    assert merged_pieces(model) == ["ab"]
    assert units(model, "<s>é") == ["<", "s", ">", "é"]


def test_more_cuts_are_made_where_asked():
    assert units(model_with("ab"), "abab", np.array([0, 2])) == ["ab", "ab"]


def test_an_empty_text_has_no_units():
    assert find_cuts(model_with("ab")).starts(b"", NONE).tolist() == []


@given(st.lists(st.text(min_size=2, max_size=5).filter(lambda p: "▁" not in p[1:]), max_size=6), st.text(max_size=30))
def test_no_cut_lies_within_a_piece(pieces, text):
    model = model_with(*pieces)
    text = text + "".join(pieces)
    data = text.encode("utf-8", "replace")
    starts = set(find_cuts(model).starts(data, NONE).tolist())
    for piece in (p.replace("▁", " ").encode("utf-8", "replace") for p in pieces):
        at = data.find(piece)
        while at >= 0:
            assert not starts & set(range(at + 1, at + len(piece)))
            at = data.find(piece, at + 1)
    for start in starts:
        data[start:].decode()  # no cut lies within a character


@pytest.mark.skipif(not RELEASED.exists(), reason="the released model is not there")
def test_units_of_the_released_model():
    model = parse_model(RELEASED.read_bytes(), Path())
    text = " Hello, it’s 2014.\n\n    def f(x1):\r\n\treturn 中文 où привет"
    expected = [
        " Hello",
        ",",
        " it",
        "’s",
        " 2014",
        ".",
        "\n\n",
        "    def",
        " f",
        "(",
        "x",
        "1",
        "):\r",
        "\n\t",
        "return",
    ]
    assert units(model, text) == [*expected, " ", "中", "文", " où", " привет"]
