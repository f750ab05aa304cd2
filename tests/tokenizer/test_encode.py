import pickle
import re

import numpy as np
import pytest
import sentencepiece
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tokenizer.models import FAST, KINDS, RELEASED, texts, train
from tokenizer.encode import GROUP, Encoder
from tokenizer.errors import TokenizerError

SURROGATES = re.compile("[\ud800-\udfff]")
ATOMS = [
    *(" ", "  ", "     ", "\n", "\n\n", "\t", "\r", "\r\n", "\u00a0", "\u2028", "\u2003", "\u0085", "\ufeff", "\u200b"),
    *("▁", "▁▁", "\0", "\x01", "\x1f", "\x7f", "\ud800", "\udfff", "\ufffd", "\ufffd\ufffd", "\U0010ffff"),
    *(
        "😀",
        "👨‍👩‍👧",
        "é",
        "e\u0301",
        "中",
        "文",
        "日本語",
        "ที่",
        "привет",
        "Ω",
        "ب",
        "한국어",
        "├──",
        "’",
        "”",
        "—",
        "…",
    ),
    *("<s>", "</s>", "<unk>", "<0x0A>", "<fim>", "▅", "⁇"),
    *("0", "1", "23", "2014", "a", "the", "The", "and", "t h", "ing", "camelCase", "snake_case", "aaaa", "z" * 30),
    *(".", ",", ";", "});", "});\r", '"', "\\", "//", "----", "===", "$", "http://", "_", "&amp;"),
]
mixed_texts = st.lists(st.sampled_from(ATOMS) | st.text(max_size=4), max_size=25).map("".join)
batches = st.lists(mixed_texts | st.text(max_size=60), max_size=8)


def of_library(processor, text: str) -> list[int]:
    return processor.encode(SURROGATES.sub("\ufffd", text))


@pytest.fixture(
    scope="module",
    params=[*((kind, True) for kind in KINDS), *((kind, False) for kind in sorted(FAST))],
    ids=lambda param: f"{param[0]}{'' if param[1] else ', NumPy'}",
)
def pair(request, model_of):
    """An encoder with a small cache, and the library, for each kind of model and both ways."""
    kind, use_compiled = request.param
    path = model_of(kind)
    encoder = Encoder(path, cache_bytes=0, use_compiled=use_compiled)
    assert encoder.is_fast == (kind in FAST)
    return encoder, sentencepiece.SentencePieceProcessor(model_file=str(path))


@pytest.fixture(scope="module", params=[True, False], ids=["compiled", "NumPy"])
def released(request):
    if not RELEASED.exists():
        pytest.skip("the released model is not there")
    encoder = Encoder(RELEASED, cache_bytes=1 << 16, use_compiled=request.param)
    return encoder, sentencepiece.SentencePieceProcessor(model_file=str(RELEASED))


def check(encoder, processor, batch):
    ids, offsets = encoder.encode_batch(batch)
    assert ids.dtype == encoder.dtype
    assert offsets.dtype == np.int64
    assert len(offsets) == len(batch) + 1
    for text, begin, end in zip(batch, offsets[:-1], offsets[1:], strict=True):
        expected = of_library(processor, text)
        assert ids[begin:end].tolist() == expected
        assert encoder.encode(text).tolist() == expected


@settings(max_examples=50)
@given(batches)
@example([])
@example(["", "", ""])
@example(["", " ", "", "a", ""])
@example(["\n", "\na", "▁", "▁a", " a ", "a  ", "  b"])
@example(["a\ud800b", "\udfff"])
@example(["x\0y" * 300, "word " * 300])
def test_ids_are_the_library_s(pair, batch):
    check(*pair, batch)


@given(batches)
@example(["\n", "\na", "▁", "▁a", " a ", "a  ", "  b"])
def test_ids_of_the_released_model_are_the_library_s(released, batch):
    check(*released, batch)


def test_whole_documents(pair):
    check(*pair, [*texts()[:5], "\n".join(texts()[:5])])


def test_whole_documents_of_the_released_model(released):
    check(*released, [*texts()[:5], "\n".join(texts()[:5])])


@pytest.mark.parametrize("word", ["a", "=", " ", "0123456789", "\n", "中", "thecatsat", "\0\x01", "Ab9+/"])
def test_long_texts_without_spaces(released, word):
    check(*released, [word * (100_000 // len(word)), "the end"])


def test_more_units_than_the_cache_holds_behind_a_long_one(released):
    """A window that grew to hold a long unit holds others, too."""
    numbers = "".join(f"{chr(97 + n % 26)}{n}" for n in range(30_000))
    check(*released, ["x" * 90_000 + " " + numbers, "y" * 90_000 + numbers, "y" * 90_000, ""])


def test_a_batch_of_several_groups(released):
    encoder, processor = released
    different = [*texts()[:20], "", "short", " " * 300]
    batch = different * (2 * GROUP // sum(map(len, different)) + 1)
    ids, offsets = encoder.encode_batch(batch)
    expected = [of_library(processor, text) for text in different] * (len(batch) // len(different))
    assert np.diff(offsets).tolist() == [len(each) for each in expected]
    assert ids.tolist() == [number for each in expected for number in each]


def test_bos_and_eos(pair):
    encoder, processor = pair
    batch = ["the house", "", "a\nb"]
    plain = [of_library(processor, text) for text in batch]
    ids, offsets = encoder.encode_batch(batch, add_bos=True, add_eos=True)
    assert (encoder.bos_id, encoder.eos_id, encoder.unk_id) == (1, 2, 0)
    assert [p.tolist() for p in np.split(ids, offsets[1:-1])] == [[1, *each, 2] for each in plain]
    ids, offsets = encoder.encode_batch(batch, add_eos=True)
    assert [p.tolist() for p in np.split(ids, offsets[1:-1])] == [[*each, 2] for each in plain]
    ids, offsets = encoder.encode_batch(batch, add_bos=True)
    assert [p.tolist() for p in np.split(ids, offsets[1:-1])] == [[1, *each] for each in plain]
    ids, offsets = encoder.encode_batch([], add_bos=True)
    assert (ids.tolist(), offsets.tolist()) == ([], [0])


def test_decode_is_the_library_s_without_control_ids(pair):
    encoder, processor = pair
    ids = encoder.encode("The house, 中文 and 23.\n")
    assert encoder.decode([1, *ids.tolist(), 2]) == processor.decode(ids.tolist())
    assert encoder.decode(ids) == processor.decode(ids.tolist())
    assert encoder.decode([]) == ""


def test_attributes(model_of):
    path = model_of("released_settings")
    encoder = Encoder(path)
    assert (encoder.vocab_size, encoder.dtype, encoder.is_fast, encoder.why_not_fast) == (1500, np.uint16, True, None)
    assert re.fullmatch("[0-9a-f]{64}", encoder.sha256)
    assert Encoder(model_of("unigram")).why_not_fast == "it is a unigram model"


def test_pickled_it_is_its_path(model_of):
    encoder = Encoder(str(model_of("released_settings")), cache_bytes=1 << 20)
    encoder.encode_batch(["the house " * 500])
    pickled = pickle.dumps(encoder)
    assert len(pickled) < 1000
    other = pickle.loads(pickled)
    assert other.vocab_size == 1500
    assert other.encode("the house").tolist() == encoder.encode("the house").tolist()
    assert pickle.loads(pickled).sha256 == encoder.sha256
    with pytest.raises(AttributeError, match="colour"):
        _ = other.colour


def test_a_model_that_is_gone_is_told_when_it_is_needed(tmp_path, model_of):
    path = tmp_path / "copy.model"
    path.write_bytes(model_of("released_settings").read_bytes())
    other = pickle.loads(pickle.dumps(Encoder(path)))
    path.unlink()
    with pytest.raises(TokenizerError, match=r"cannot read the tokenizer model .*copy\.model: No such file"):
        other.encode("a")


@pytest.mark.parametrize("content", [b"", b"junk", bytes(1000)])
def test_what_is_no_model(tmp_path, content):
    path = tmp_path / "bad.model"
    path.write_bytes(content)
    with pytest.raises(TokenizerError, match=r"bad\.model is no SentencePiece model"):
        Encoder(path)


def test_no_model(tmp_path):
    with pytest.raises(TokenizerError, match=r"cannot read the tokenizer model .*none\.model: No such file"):
        Encoder(tmp_path / "none.model")
    with pytest.raises(TokenizerError, match="Is a directory"):
        Encoder(tmp_path)


def test_a_model_without_bos(model_of, tmp_path):
    content = model_of("released_settings").read_bytes()
    begin = content.index(b"\x0a\x03<s>")  # the piece, in whose place another of its length goes
    path = tmp_path / "nameless.model"
    path.write_bytes(content[:begin] + b"\x0a\x03<q>" + content[begin + 5 :])
    with pytest.raises(TokenizerError, match="has no bos id"):
        Encoder(path).encode_batch(["a"], add_bos=True)


@pytest.mark.parametrize("kind", [*KINDS])
def test_spans_are_of_all_ids_in_order(kind, tmp_path):
    encoder = Encoder(train(tmp_path / "a.model", kind, 800))
    for text in [
        "",
        " ",
        "a \U0001f600\u00e9 b",
        "cpu \u2581\u2582\u2581 and",
        "\u00bd \ufb01ve  x ",
        "\ud800 x",
        "\t\n y",
    ]:
        ids, spans = encoder.spans(text)
        assert ids.tolist() == encoder.encode(text).tolist()
        assert spans.shape == (len(ids), 2)
        assert (np.diff(spans, axis=1) >= 0).all()
        assert (np.diff(spans, axis=0) >= 0).all()
        assert not len(ids) or spans[-1, 1] <= len(text)


def test_every_byte_of_a_character_stands_for_it(tmp_path):
    encoder = Encoder(train(tmp_path / "a.model", "released_settings", 800))
    text = "a \U0001f600\U0001f601 b"
    _, spans = encoder.spans(text)
    shown = "".join(text[first:last] for first, last in spans.tolist())
    assert shown.count("\U0001f600") == shown.count("\U0001f601") == 4
