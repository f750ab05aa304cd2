import itertools

import numpy as np
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.cuts import find_cuts
from tokenizer.model import parse_model
from tokenizer.units import UnitEncoder, find_separator

ALPHABETS = ["ab", "ab c", "-=", "aeinrst", "é中😀a", "a\x01\n", "The house is on fire."]


@pytest.fixture(scope="module", params=["released_settings", "no_dummy_prefix", "merging_scripts_and_digits"])
def parts(request, model_of):
    path = model_of(request.param)
    model = parse_model(path.read_bytes(), path)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return processor, model, find_separator(processor, model, find_cuts(model))


def of_library(processor, unit: str) -> list[int]:
    """Ids of a text that begins with no space: what a character that merges with nothing leaves to its right."""
    before = processor.encode("\x02")
    ids = processor.encode("\x02" + unit)
    assert ids[: len(before)] == before
    return ids[len(before) :]


def test_the_separator_is_a_control_character(parts):
    processor, _, (separator, number) = parts
    assert separator == "\0"
    assert processor.id_to_piece(number) == "<0x00>"


def test_no_separator_where_all_controls_are_in_pieces(parts):
    processor, model, _ = parts
    cuts = find_cuts(model)
    in_pieces = type(cuts)(cuts.before, bytes(8 if kind == 16 else kind for kind in cuts.after))
    assert find_separator(processor, model, in_pieces) is None


def test_many_units_at_once(parts):
    processor, model, separator = parts
    units = [" the", "house", " ", "\0", "<s>", "中", " 1", "x" * 900, "a\0b", "é" * 3000, "\n"]
    for chosen in (units, [unit for unit in units if "\0" not in unit]):
        lengths = np.array([len(unit.encode()) for unit in chosen])
        text = np.frombuffer("".join(chosen).encode(), np.uint8)
        ids, counts = UnitEncoder(processor, model, separator, np.uint16)(text, np.cumsum(lengths) - lengths, lengths)
        assert [part.tolist() for part in np.split(ids, np.cumsum(counts)[:-1])] == [
            of_library(processor, unit) for unit in chosen
        ]


@pytest.mark.parametrize("margin", [0, 1, 4])
@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_long_units_are_exact_at_their_seams(parts, alphabet, margin):
    """The windows are as small as they may be, so that each unit has many seams; without margin most do not fit."""
    processor, model, separator = parts
    encoder = UnitEncoder(processor, model, separator, np.uint16, window=0, margin=margin)
    repeated = ["".join(word) * 700 for size in (1, 2, 3) for word in itertools.product(alphabet[:3], repeat=size)]
    for unit in [*repeated, alphabet * 300]:
        assert encoder.encode_unit(unit).tolist() == of_library(processor, unit)


@settings(max_examples=25)
@given(
    margin=st.integers(0, 4),
    alphabet=st.sampled_from(ALPHABETS),
    numbers=st.lists(st.integers(0, 20), min_size=300, max_size=1500),
)
def test_long_random_units(parts, margin, alphabet, numbers):
    processor, model, separator = parts
    encoder = UnitEncoder(processor, model, separator, np.uint16, window=0, margin=margin)
    unit = "".join(alphabet[number % len(alphabet)] for number in numbers)
    assert encoder.encode_unit(unit).tolist() == of_library(processor, unit)
