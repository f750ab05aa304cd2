from pathlib import Path

import pytest
import sentencepiece

from tests.tokenizer.models import FAST, KINDS, RELEASED
from tokenizer.errors import TokenizerError
from tokenizer.model import BYTE, CONTROL, NORMAL, UNKNOWN, parse_model, why_units_are_not_independent

CAUSES = {
    "across_spaces": "a piece holds a space after another character",
    "no_byte_fallback": "it has no byte fallback",
    "removes_spaces": "its normaliser removes spaces",
    "nfkc": "its normaliser rewrites characters",
    "user_defined": "it has user-defined pieces",
    "spaces_as_suffixes": "its spaces are suffixes",
    "unigram": "it is a unigram model",
    "characters": "it is a char model",
}


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_the_library_s_and_the_cause_is_named(model_of, kind):
    path = model_of(kind)
    model = parse_model(path.read_bytes(), path)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    assert list(model.pieces) == [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    assert model.kinds[:3] == (UNKNOWN, CONTROL, CONTROL)
    assert [kind == BYTE for kind in model.kinds] == [processor.is_byte(i) for i in range(len(model.kinds))]
    assert model.kinds[-1] == NORMAL
    assert why_units_are_not_independent(model) == CAUSES.get(kind)
    assert (kind in FAST) == (kind not in CAUSES)


def test_settings(model_of):
    usual, other = (
        parse_model(model_of(kind).read_bytes(), Path()) for kind in ("released_settings", "no_dummy_prefix")
    )
    assert (usual.model_type, usual.byte_fallback, usual.add_dummy_prefix) == ("bpe", True, True)
    assert (usual.normalizes, usual.remove_extra_spaces, usual.space_as_suffix) == (False, False, False)
    assert not other.add_dummy_prefix


@pytest.mark.parametrize(
    "content", [b"\xff", b"\x0a\x05ab", b"\x0a\x02\x0a\x01", b"\x08\x01", b"\x0b", b"\x0a\x03\x0a\x01\xff"]
)
def test_what_is_no_model(content):
    with pytest.raises(TokenizerError, match=r"^some\.model is no SentencePiece model: "):
        parse_model(content, Path("some.model"))


def test_a_model_that_ends_before_its_settings(model_of):
    content = model_of("released_settings").read_bytes()
    path = Path("some.model")
    whole = parse_model(content, path)
    end, at = 0, 0
    while content[at] == 0x0A:  # a piece, shorter than 128 bytes
        end = at = at + 2 + content[at + 1]
    assert len(whole.pieces) == 1500
    with pytest.raises(TokenizerError, match="it has no settings of its trainer; the file may be cut short"):
        parse_model(content[:end], path)


@pytest.mark.skipif(not RELEASED.exists(), reason="the released model is not there")
def test_the_released_model():
    model = parse_model(RELEASED.read_bytes(), RELEASED)
    assert (len(model.pieces), model.pieces[13], model.pieces[-1]) == (32000, "<0x0A>", "给")
    assert why_units_are_not_independent(model) is None
